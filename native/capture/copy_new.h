/* First copies of small files: whole, several under one set of locks and in one exchange, without
 * a question, because the secondary's files were made just now and hold nothing (design 10.2). */
#ifndef MN_CAPTURE_COPY_NEW_H
#define MN_CAPTURE_COPY_NEW_H

#include "capture/copy.h"

enum {
    MN_COPY_NEW_BYTES_MAX = 64 << 10,       /* a file that is longer is left to mn_copy_range */
    MN_COPY_NEW_AT_ONCE = MN_LOCKS_MAX / 2, /* two locks a file */
};

enum mn_copied_new {
    MN_COPIED_NEW = 0,
    MN_NEW_IS_GONE = 1, /* here */
    MN_NEW_IS_LEFT =
        2, /* too long, with holes, or refused by the secondary: copy it as any other */
};

struct mn_copy_new {
    struct mn_handle handle;
    struct mn_id id;
    uint8_t outcome; /* out, enum mn_copied_new */
};

/* Returns 0, or -errno of the connection or of this disk. *bytes_out: sent. */
int mn_copy_new(struct mn_capture *capture, const struct mn_root *root,
                struct mn_connection *connection, struct mn_copy_new *files, uint32_t count,
                uint64_t *bytes_out);

#endif
