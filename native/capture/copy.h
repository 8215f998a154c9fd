/* Copying an object's data to the secondary while it is written (design 10.2): a range is compared
 * and what differs sent, under the same conflict locks as live changes, so each region is sent
 * once and the copy ends. */
#ifndef MN_CAPTURE_COPY_H
#define MN_CAPTURE_COPY_H

#include "capture/capture.h"

/* Under one set of locks: a live write waits for one such exchange at most. */
enum {
    MN_COPY_STEP_BYTES = 1 << 20,
    MN_COPY_PARTS_MAX = 8,
};

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
    int32_t remote_error; /* the target's errno, when the result is -EREMOTEIO */
};

struct mn_copy_range {
    uint64_t offset_bytes;
    uint64_t size_bytes;
};

/* Several ranges at a time. Returns 0, -ENOENT (the object has gone here), or -errno: of the
 * connection, of this disk, or -EREMOTEIO: the secondary's. */
int mn_copy_ranges(const struct mn_copy *copy, const struct mn_copy_range *ranges,
                   uint32_t range_count, struct mn_copied *copied);
/* The secondary's size becomes this node's. */
int mn_copy_size(const struct mn_copy *copy, struct mn_copied *copied);

/* Verification: compares and sends nothing. A block of MN_COMPARE_BLOCK_BYTES is equal, or differs
 * in what is read from it, or only in that one node has a hole there. */
enum {
    MN_COMPARE_BLOCK_BYTES = 4096,
    MN_COMPARE_STEP_BYTES = 256 << 10, /* under one lock: a live write waits for no more */
};
enum mn_compared {
    MN_BLOCK_EQUAL = 0,
    MN_BLOCK_DATA = 1,
    MN_BLOCK_HOLE_THERE = 2, /* reads alike; the secondary has a hole */
    MN_BLOCK_HOLE_HERE = 3,
};
/* One step of at most MN_COMPARE_STEP_BYTES, as far as the file here goes: a byte a block. size 0:
 * only the two sizes, while no write is under way. Returns as mn_copy_ranges. */
int mn_compare_step(const struct mn_copy *copy, uint64_t offset, uint64_t size,
                    uint8_t *blocks_out, uint32_t *count_out, uint64_t *bytes_out,
                    uint64_t *their_bytes_out);

/* One name of a directory, as a live change of it locks it. */
void mn_compare_lock_name(struct mn_lock_set *set, const struct mn_handle *directory,
                          const char *name);

#endif
