/* Dirty index: places that may differ from the peer, durable (design 8). LMDB below.
 * A place is on disk before mn_index_note returns (group commit); the first touch costs a disk
 * write, later touches of the same place only a lookup in memory. Any thread. */
#ifndef MN_JOURNAL_INDEX_H
#define MN_JOURNAL_INDEX_H

#include "journal/recent.h"
#include "util/object.h"

struct mn_index;

/* One entry. Names and hints are not terminated. */
struct mn_index_entry {
    uint8_t kind;
    uint8_t root;
    struct mn_id id;
    uint64_t region;       /* DATA: the first one */
    uint32_t region_count; /* DATA: that many, side by side; 0 is taken for 1 */
    char name[256];        /* NAME; not terminated */
    uint16_t name_size;
    struct mn_id parent; /* hint: where the object was when noted */
    char hint[256];
    uint16_t hint_size;
    struct mn_handle handle;        /* this node's; size 0 when it came from the peer */
    struct mn_handle parent_handle; /* of `parent`, as in mn_ref */
    uint64_t
        noted;  /* set by mn_index_next: what was touched later stays when this entry is removed */
    bool ahead; /* by mn_index_next: DATA noted ahead, and not touched up to now (this process
                   would know it): both nodes have the same there */
};

/* directory: made if missing, mode 0700; file preallocated to map_bytes so that a full disk can
 * still be noted on and emptied. entry_count_max: beyond it an object is marked WHOLE/DIRECTORY,
 * then ALL. Returns 0, -errno, or -EUCLEAN for a damaged store (the caller then asks for a full
 * comparison). */
int mn_index_open(const char *directory, uint64_t map_bytes, uint32_t entry_count_max,
                  struct mn_index **index_out);
void mn_index_close(struct mn_index *index);

/* Durable when it returns 0. -EIO/-ENOSPC...: the change must not be accepted (invariant 3).
 * ahead: a range around that of `place`, of DATA, noted in the same commit because it may be
 * touched next; NULL: none. */
int mn_index_note(struct mn_index *index, const struct mn_ref *object,
                  const struct mn_place *place, const struct mn_place *ahead);
/* true: the place is noted already, and counts as touched now; no disk is waited for. */
bool mn_index_touch(struct mn_index *index, const struct mn_ref *object,
                    const struct mn_place *place);
/* The same for many at once, in one commit: entries from the peer (union, design 10). */
int mn_index_merge(struct mn_index *index, const struct mn_index_entry *entries,
                   uint32_t entry_count);
/* Every place of the recent set, in one commit; the set is left as it is. */
int mn_index_absorb(struct mn_index *index, struct mn_recent *recent);

/* Walk in key order (root, kind, id, region or name): `cursor` is opaque, cursor_size 0 to start;
 * on return it stands after the last entry delivered. count_out 0: the end. Consistent per call.
 */
int mn_index_next(struct mn_index *index, uint8_t *cursor, uint16_t *cursor_size,
                  struct mn_index_entry *entries, uint32_t entry_count_max, uint32_t *count_out);
/* Walks give each region an entry of its own. This makes one of each run of regions, side by side
 * and otherwise alike, in place. Returns the count of entries left. */
uint32_t mn_index_join_regions(struct mn_index_entry *entries, uint32_t count);
/* Durable removal. Entries noted again (generation counter per entry) since they were read by
 * mn_index_next stay: `noted` of the entry guards it. Only after a checkpoint of the target
 * (design 8). */
int mn_index_remove(struct mn_index *index, const struct mn_index_entry *entries,
                    uint32_t entry_count);
/* What `noted` would be of an entry read now. Taken while no change is under way, it guards
 * entries that are read later against removal by who has not seen the changes that began since. */
uint64_t mn_index_now(struct mn_index *index);
int mn_index_clear(struct mn_index *index);
uint64_t mn_index_count(struct mn_index *index);
/* This place, or one that covers it: WHOLE, DIRECTORY, ALL. (SUBTREE is not looked for: that needs
 * the tree.) true also when the store cannot say. */
bool mn_index_has(struct mn_index *index, uint8_t root, const struct mn_id *id, uint8_t kind,
                  uint64_t region);

#endif
