/* Keys known to be durable in the dirty index, and when each was last touched. In memory and
 * bounded (24 MiB): when it is full it forgets everything, and says since when it knows (floor).
 * Not thread safe: index.c holds the mutex. Private to journal/. */
#ifndef MN_JOURNAL_INDEX_KNOWN_H
#define MN_JOURNAL_INDEX_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 128 bits of XXH3 stand for the key: two keys of one hash are not expected in the life of a
 * disk (2^20 keys: one in 2^88). */
struct mn_key_hash {
    uint64_t low;
    uint64_t high;
};

struct mn_known_slot {
    struct mn_key_hash hash;
    uint64_t touched; /* sequence, and MN_KNOWN_AHEAD; 0: the slot is free */
};

/* Noted ahead of a touch, which has not come. */
static const uint64_t MN_KNOWN_AHEAD = (uint64_t)1 << 63;

struct mn_known {
    struct mn_known_slot *slots; /* owned */
    uint32_t mask;
    uint32_t count;
    uint64_t sequence; /* of the last touch */
    uint64_t floor;    /* touches up to this one may have been forgotten */
};

int mn_known_init(struct mn_known *known);
void mn_known_deinit(struct mn_known *known);
void mn_known_clear(struct mn_known *known);
struct mn_key_hash mn_known_hash(const void *key, size_t size);
/* true, and touched now: the key is durable. */
bool mn_known_touch(struct mn_known *known, const struct mn_key_hash *hash);
/* Touched now, whether it is known or not: what is not known counts as touched as a whole. */
void mn_known_touch_any(struct mn_known *known, const struct mn_key_hash *hash);
/* The key has become durable; touched now. */
void mn_known_add(struct mn_known *known, const struct mn_key_hash *hash);
/* The key has become durable ahead of a touch. One that is known stays as it is. */
void mn_known_add_ahead(struct mn_known *known, const struct mn_key_hash *hash);
/* It was added ahead, and was not touched since. false also when that is forgotten. */
bool mn_known_is_ahead(const struct mn_known *known, const struct mn_key_hash *hash);
void mn_known_forget(struct mn_known *known, const struct mn_key_hash *hash);
/* false also when it might have been and is forgotten. */
bool mn_known_untouched_since(const struct mn_known *known, const struct mn_key_hash *hash,
                              uint64_t sequence);

#endif
