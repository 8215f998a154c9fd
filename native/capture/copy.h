/* Copying an object's data to the secondary while it is written (design 10.2): a range is compared
 * and what differs sent, under the same conflict locks as live changes, so each region is sent
 * once and the copy ends. */
#ifndef MN_CAPTURE_COPY_H
#define MN_CAPTURE_COPY_H

#include "capture/capture.h"

enum {
    MN_COPY_STEP_BYTES = 1 << 20
}; /* under one lock: a live write waits for one such exchange at most */

struct mn_copy {
    struct mn_capture *capture;
    const struct mn_root *root;
    struct mn_connection *connection; /* a COPY lane, this thread's */
    struct mn_handle handle;
    struct mn_id id;
};

struct mn_copied {
    uint64_t compared_bytes;
    uint64_t copied_bytes;
    uint64_t hole_bytes;
};

/* Returns 0, -ENOENT (the object has gone here), or -errno: of the connection, of this disk, or
 * -EREMOTEIO: the secondary's. */
int mn_copy_range(const struct mn_copy *copy, uint64_t offset, uint64_t size,
                  struct mn_copied *copied);
/* The secondary's size becomes this node's. */
int mn_copy_size(const struct mn_copy *copy);

#endif
