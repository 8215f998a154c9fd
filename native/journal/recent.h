/* Recent set: places replicated that may not be on both disks yet (design 8, invariant 3).
 * In memory on both nodes; bounded; every function may be called from any thread.
 *
 * Bounded by places and by bytes: beyond, DATA places of an object become WHOLE, then names of a
 * directory become DIRECTORY, then the root becomes ALL. Never an error, never a lost place. */
#ifndef MN_JOURNAL_RECENT_H
#define MN_JOURNAL_RECENT_H

#include "util/object.h"

struct mn_recent;

/* place_count_max: at least 1,024. Costs some 300 bytes a place. Returns 0 or -ENOMEM. */
int mn_recent_create(uint32_t place_count_max, struct mn_recent **recent_out);
void mn_recent_destroy(struct mn_recent *recent);

/* Note that `place` of `object` is touched in `epoch`. Both are copied. A place noted again takes
 * the newer epoch. Allocation happens from memory reserved at create only. */
void mn_recent_note(struct mn_recent *recent, const struct mn_ref *object,
                    const struct mn_place *place, uint64_t epoch);

/* Forget every place whose epoch is <= epoch: it is on both disks (a checkpoint of each covers
 * it). */
void mn_recent_trim(struct mn_recent *recent, uint64_t epoch);
void mn_recent_clear(struct mn_recent *recent);
uint64_t mn_recent_count(struct mn_recent *recent);

/* Shows every place, in the order of its last note, then the roots marked ALL; a result other than
 * 0 ends it and is returned. The set is locked meanwhile: the visitor must not call back. Values
 * are borrowed for the call. */
typedef int mn_recent_visitor(void *context, const struct mn_ref *object,
                              const struct mn_place *place);
int mn_recent_visit(struct mn_recent *recent, mn_recent_visitor *visit, void *context);

#endif
