/* Step 2 of a change: its places are noted before they may differ (invariant 3); mirrored in the
 * recent set, alone in the dirty index, on disk. */
#include <sys/stat.h>

#include "capture/change.h"
#include "capture/operations.h"

/* Alone, a first touch costs a write to disk: neighbours are noted ahead with it, so that a
 * database that writes back in order pays once a MiB. No further than the file will reach when it
 * has grown to the next power of two: most files are small. */
static bool widen(const struct mn_change *change, struct mn_node *object,
                  const struct mn_place *place, struct mn_place *ahead_out)
{
    const uint64_t together = MN_REGIONS_NOTED_TOGETHER - 1;
    struct mn_borrowed borrowed;
    struct stat status = {0};
    uint64_t reach = 1;

    if (place->kind != MN_PLACE_DATA || mn_borrow(change->mount, object, &borrowed) != 0)
        return false;
    int result = fstat(borrowed.fd, &status);
    mn_give_back(change->mount, &borrowed);
    if (result != 0)
        return false;
    while (reach <= place->region_last || reach * MN_REGION_BYTES < (uint64_t)status.st_size)
        reach *= 2;
    *ahead_out = *place;
    ahead_out->region_first &= ~together;
    ahead_out->region_last |= together;
    if (ahead_out->region_last >= reach)
        ahead_out->region_last = reach - 1;
    return true;
}

static int note_alone(struct mn_change *change, struct mn_node *object, const struct mn_ref *ref,
                      const struct mn_place *place)
{
    struct mn_capture *capture = change->worker->capture;
    struct mn_place ahead;

    if (mn_index_touch(capture->config.index, ref, place))
        return 0;
    mn_worker_relieve(change->worker); /* its disk writes */
    bool wide = widen(change, object, place, &ahead);
    int result = mn_index_note(capture->config.index, ref, place, wide ? &ahead : NULL);
    if (result != 0)
        mn_capture_event(capture, MN_EVENT_LOCAL_FAULT, result, 0,
                         "the dirty index cannot be written");
    return result;
}

int mn_change_note(struct mn_change *change)
{
    struct mn_capture *capture = change->worker->capture;

    if (change->local)
        return 0;
    for (uint32_t i = 0; i < change->place_count; i++) {
        struct mn_node *object = change->places[i].object;
        struct mn_ref ref;
        int result;

        mn_node_ref(change->mount, object, &ref);
        if (change->mode == MN_MODE_MIRRORED) {
            mn_recent_note(capture->config.recent, &ref, &change->places[i].place, change->epoch);
            continue;
        }
        /* Made in this very period alone: the note of its name says that all of it is new. */
        if (__atomic_load_n(&object->born_serial, __ATOMIC_RELAXED) == change->alone_serial)
            continue;
        result = note_alone(change, object, &ref, &change->places[i].place);
        if (result != 0)
            return result;
    }
    return 0;
}
