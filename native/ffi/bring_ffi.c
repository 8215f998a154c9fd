/* Many objects of a reintegration in one call: names and attributes at the target, small files at
 * the source. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apply/bring.h"
#include "capture/copy_small.h"
#include "ffi/plane.h"
#include "mirror_native.h"

int mnf_apply_make_new(struct mn_plane *plane, int root, int stash_fd, const char *mark,
                       const struct mnf_new_object *objects, uint32_t count, uint8_t *outcomes)
{
    struct mn_new_object *all = calloc(count == 0 ? 1 : count, sizeof(*all));
    int result;

    if (all == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        all[i] = (struct mn_new_object){.name = objects[i].name,
                                        .target = objects[i].target,
                                        .rdev = objects[i].rdev,
                                        .mode = objects[i].mode};
        memcpy(all[i].id.bytes, objects[i].id, MN_ID_BYTES);
        memcpy(all[i].parent.bytes, objects[i].parent, MN_ID_BYTES);
    }
    result = mn_apply_make_new(plane->apply, (uint8_t)root, stash_fd, mark, all, count, outcomes);
    free(all);
    return result;
}

int mnf_apply_complete(struct mn_plane *plane, int root,
                       const struct mnf_whole_attributes *objects, uint32_t count,
                       uint8_t *outcomes)
{
    struct mn_whole_attributes *all = calloc(count == 0 ? 1 : count, sizeof(*all));
    int result;

    if (all == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        all[i] = (struct mn_whole_attributes){.mode = objects[i].mode,
                                              .uid = objects[i].uid,
                                              .gid = objects[i].gid,
                                              .atime_ns = objects[i].atime_ns,
                                              .mtime_ns = objects[i].mtime_ns};
        memcpy(all[i].id.bytes, objects[i].id, MN_ID_BYTES);
    }
    result = mn_apply_complete(plane->apply, (uint8_t)root, all, count, outcomes);
    free(all);
    return result;
}

int mnf_copy_small(struct mn_plane *plane, int root, struct mn_connection *connection,
                   struct mnf_small *files, uint32_t count, struct mnf_copied *copied)
{
    struct mn_small *all = calloc(count == 0 ? 1 : count, sizeof(*all));
    struct mn_copied result_copied = {0};
    int result;

    if (all == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(&all[i].handle, files[i].handle, sizeof(all[i].handle));
        memcpy(all[i].id.bytes, files[i].id, MN_ID_BYTES);
        all[i].kind = files[i].kind;
    }
    result =
        mn_copy_small(plane->capture, &plane->roots[root], connection, all, count, &result_copied);
    for (uint32_t i = 0; i < count; i++)
        files[i].outcome = all[i].outcome;
    free(all);
    copied->compared_bytes = result_copied.compared_bytes;
    copied->copied_bytes = result_copied.copied_bytes;
    copied->hole_bytes = result_copied.hole_bytes;
    return result;
}
