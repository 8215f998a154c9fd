/* Small files, several under one set of locks and in one exchange (design 10.2): what one by one
 * would cost round trips for each. */
#ifndef MN_CAPTURE_COPY_SMALL_H
#define MN_CAPTURE_COPY_SMALL_H

#include "capture/copy.h"

enum { MN_COPY_SMALL_BYTES_MAX = 64 << 10 }; /* a longer file is left to mn_copy_ranges */

/* What has to be done for a file. */
enum mn_small_kind {
    MN_SMALL_NEW = 0,   /* the secondary has just made it, and it holds nothing: sent whole */
    MN_SMALL_KNOWN = 1, /* its size, then the blocks that differ */
    MN_SMALL_SIZE = 2,  /* its size only, whatever that is */
};

enum mn_small_outcome {
    MN_SMALL_IS_COPIED = 0,
    MN_SMALL_IS_GONE = 1, /* here */
    /* Too long, with holes, or refused by the secondary: to be copied as any other. */
    MN_SMALL_IS_LEFT = 2,
};

struct mn_small {
    struct mn_handle handle;
    struct mn_id id;
    uint8_t kind;    /* enum mn_small_kind */
    uint8_t outcome; /* out, enum mn_small_outcome */
};

/* Returns 0, or -errno of the connection or of this disk. *copied: bytes are added to it. */
int mn_copy_small(struct mn_capture *capture, const struct mn_root *root,
                  struct mn_connection *connection, struct mn_small *files, uint32_t count,
                  struct mn_copied *copied);

#endif
