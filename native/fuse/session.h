/* Our session with the kernel over /dev/fuse (linux/fuse.h): mount, negotiate, read a request,
 * write a reply. It knows nothing of what a request means. A request is read into the caller's
 * buffer; every length in it has been checked against what was read before the caller sees it. */
#ifndef MN_FUSE_SESSION_H
#define MN_FUSE_SESSION_H

#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
    MN_FUSE_DATA_BYTES_MAX = 1 << 20, /* largest READ or WRITE */
    MN_FUSE_BUFFER_BYTES = MN_FUSE_DATA_BYTES_MAX + 8192,
    MN_FUSE_ENDED = 1, /* unmounted or aborted: no request will come any more */
    MN_FUSE_AGAIN = 2, /* nothing came: a signal, or a request withdrawn before it was read */
};

/* Opcodes newer than the oldest header we build with (Debian 12: 7.38). */
enum { MN_FUSE_STATX = 52 };

struct mn_fuse_request {
    const struct fuse_in_header *header; /* in the caller's buffer, as is the rest */
    const uint8_t *body;                 /* after the header */
    size_t body_size;
};

/* What was negotiated in INIT. */
struct mn_fuse_features {
    uint32_t minor;
    uint64_t flags;   /* agreed */
    uint64_t missing; /* wanted, and the kernel has not */
};

/* Opens /dev/fuse and mounts it over mountpoint (source "mirror", type fuse.mirror,
 * default_permissions, allow_other). Returns 0 or -errno; *fd_out is owned by the caller. */
int mn_fuse_mount(const char *mountpoint, const char *source, int *fd_out);
/* A second descriptor of the same session, for another thread. */
int mn_fuse_clone(int fd, int *fd_out);
/* Answers the INIT request that comes first. wanted: FUSE_* flags of this file's header.
 * max_background: requests the kernel may have under way for write-back and read-ahead. */
int mn_fuse_negotiate(int fd, uint64_t wanted, uint16_t max_background,
                      struct mn_fuse_features *features_out);

/* Blocks for one request. Returns 0, MN_FUSE_ENDED, MN_FUSE_AGAIN, or -errno. buffer:
 * MN_FUSE_BUFFER_BYTES. */
bool mn_fuse_has_request(int fd); /* one is there to be read */
int mn_fuse_read(int fd, uint8_t *buffer, size_t size, struct mn_fuse_request *request_out);
/* Looks at a request that stands in a buffer already (a parked one). 0 or -EBADMSG. */
int mn_fuse_parse(const uint8_t *buffer, size_t size, struct mn_fuse_request *request_out);

/* error: 0 or a negative errno. A reply to a request that was interrupted away is no error. */
int mn_fuse_reply(int fd, uint64_t unique, int error, const void *body, size_t size);
int mn_fuse_reply_parts(int fd, uint64_t unique, struct iovec *parts,
                        int part_count); /* parts[0] is left for the header */

/* The kernel asks for the attributes of this object again, and takes no answer to what it asked
 * before. It may wait for an inode that is being freed, so no request that frees it (a page that
 * is written back) may be unanswered on this thread. 0 or -errno. */
int mn_fuse_forget_attributes(int fd, uint64_t nodeid);

/* The next NUL-terminated text of a body, at *offset, which moves behind it; NULL when there is
 * none. */
const char *mn_fuse_text(const struct mn_fuse_request *request, size_t *offset);
/* The fixed part of a body, or NULL when the body is shorter. */
const void *mn_fuse_fixed(const struct mn_fuse_request *request, size_t size);

#endif
