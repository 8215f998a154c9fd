/* The store below the recent set: objects, and places that each belong to one object, found by
 * hash and kept in the order in which they were last noted. No rule of what subsumes what; that is
 * recent.c. Not thread safe: recent.c holds the mutex. */
#ifndef MN_JOURNAL_RECENT_TABLE_H
#define MN_JOURNAL_RECENT_TABLE_H

#include "util/name_arena.h"
#include "util/object.h"

/* Slots are named by number: 32 bits link them at half of a pointer's cost. */
static const uint32_t MN_SLOT_NONE = UINT32_MAX;

struct mn_recent_object {
    struct mn_id id;
    struct mn_id parent;
    struct mn_handle handle;
    struct mn_handle parent_handle;
    uint32_t next; /* in its bucket, or in the free list */
    uint32_t first_place;
    uint32_t place_count; /* 0: the slot is free */
    uint32_t hint;        /* in the arena */
    uint16_t hint_size;
    uint8_t root;
};

struct mn_recent_place {
    uint64_t region;
    uint64_t epoch;
    uint32_t object;
    uint32_t next; /* in its bucket, or in the free list */
    uint32_t object_next, object_previous;
    uint32_t older, newer;
    uint32_t name; /* in the arena */
    uint16_t name_size;
    uint8_t kind;
};

/* What tells a place from the others of its object. */
struct mn_place_key {
    uint64_t region; /* 0 but for DATA */
    const char *name;
    uint16_t name_size; /* 0 but for NAME */
    uint8_t kind;
};

struct mn_recent_table {
    struct mn_arena arena;
    struct mn_recent_object *objects; /* owned, slot_count_max of them */
    struct mn_recent_place *places;   /* owned, slot_count_max of them */
    uint32_t *object_buckets;         /* owned, bucket_mask + 1 of them */
    uint32_t *place_buckets;          /* owned, bucket_mask + 1 of them */
    uint32_t bucket_mask;
    uint32_t slot_count_max;
    uint32_t objects_used, places_used; /* slots beyond were never given out */
    uint32_t free_object, free_place;
    uint32_t oldest, newest;
    uint32_t place_count;
};

int mn_recent_table_init(struct mn_recent_table *table, uint32_t slot_count_max);
void mn_recent_table_deinit(struct mn_recent_table *table);
void mn_recent_table_clear(struct mn_recent_table *table);

/* Each returns a slot or MN_SLOT_NONE. */
uint32_t mn_recent_find_object(const struct mn_recent_table *table, uint8_t root,
                               const struct mn_id *id);
uint32_t mn_recent_find_place(const struct mn_recent_table *table, uint32_t object,
                              const struct mn_place_key *key);
/* MN_SLOT_NONE: full. The object must get a place before anything else is done. */
uint32_t mn_recent_add_object(struct mn_recent_table *table, uint8_t root, const struct mn_id *id);
/* MN_SLOT_NONE: full, or no room for the name. */
uint32_t mn_recent_add_place(struct mn_recent_table *table, uint32_t object,
                             const struct mn_place_key *key, uint64_t epoch);
/* The place becomes the newest; its epoch never goes back. */
void mn_recent_refresh(struct mn_recent_table *table, uint32_t place, uint64_t epoch);
/* The object goes with its last place. */
void mn_recent_drop_place(struct mn_recent_table *table, uint32_t place);
/* An object that got no place after all. */
void mn_recent_drop_if_bare(struct mn_recent_table *table, uint32_t object);
void mn_recent_hint(struct mn_recent_table *table, uint32_t object, const struct mn_ref *ref);

#endif
