/* File handles: how an object is found again without its path, after any rename, and never another
 * object that got the same inode number (a handle holds inode number and generation). */
#include "lower/lower.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

/* The kernel's struct file_handle ends in a flexible array: room for it stands behind. */
union handle_buffer {
    struct file_handle handle;
    uint8_t room[sizeof(struct file_handle) + MN_HANDLE_BYTES_MAX];
};

enum {
    /* Appending, direct or truncating is each request's affair, not the descriptor's (design 5).
     */
    STRIPPED = O_APPEND | O_DIRECT | O_TRUNC | O_CREAT | O_EXCL,
    /* O_NONBLOCK: a fifo's open must never wait for its other end. */
    ADDED = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
};

int mn_lower_handle(int directory_fd, const char *name, struct mn_handle *handle_out)
{
    union handle_buffer buffer;
    int mount_id;

    buffer.handle.handle_bytes = MN_HANDLE_BYTES_MAX;
    int flags = name[0] == '\0' ? AT_EMPTY_PATH : 0;
    if (name_to_handle_at(directory_fd, name, &buffer.handle, &mount_id, flags) < 0)
        return -errno;
    memset(handle_out, 0, sizeof(*handle_out));
    handle_out->type = buffer.handle.handle_type;
    handle_out->size = (uint8_t)buffer.handle.handle_bytes;
    memcpy(handle_out->bytes, buffer.handle.f_handle, handle_out->size);
    return 0;
}

enum { REUSE_TRIES_MAX = 1000 };

static int open_handle(const struct mn_root *root, const struct mn_handle *handle, int flags)
{
    union handle_buffer buffer;

    if (handle->size == 0 || handle->size > MN_HANDLE_BYTES_MAX)
        return -ESTALE;
    buffer.handle.handle_bytes = handle->size;
    buffer.handle.handle_type = handle->type;
    memcpy(buffer.handle.f_handle, handle->bytes, handle->size);
    /* ENOMEM is also what the kernel says of an inode number that is just being used again
     * (iget_locked during I_CREATING, seen on Linux 6.18): a moment later it is ESTALE. */
    for (int tries = 0; tries < REUSE_TRIES_MAX; tries++) {
        int fd = open_by_handle_at(root->directory_fd, &buffer.handle, flags | O_CLOEXEC);
        if (fd >= 0 || errno != ENOMEM)
            return fd < 0 ? -errno : fd;
        sched_yield();
    }
    return -ENOMEM;
}

/* The open of a device node starts its driver, whoever asked for it: only data may be opened. */
static int check_holds_data(const struct mn_root *root, const struct mn_handle *handle)
{
    struct statx status;
    int result = 0;

    int fd = open_handle(root, handle, O_PATH);
    if (fd < 0)
        return fd;
    /* The type alone: since Linux 6.13 whoever reads the times makes the next write change them,
     * and its fsync commit the journal. */
    if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &status) < 0)
        result = -errno;
    else if (S_ISLNK(status.stx_mode))
        result = -ELOOP;
    else if (!S_ISREG(status.stx_mode) && !S_ISDIR(status.stx_mode))
        result = -ENXIO;
    close(fd);
    return result;
}

int mn_lower_open(const struct mn_root *root, const struct mn_handle *handle, int flags)
{
    if (flags & O_PATH)
        return open_handle(root, handle, (flags & O_DIRECTORY) | O_PATH);
    if (!(flags & O_DIRECTORY)) {
        int result = check_holds_data(root, handle);
        if (result < 0)
            return result;
    }
    int wanted = (flags & ~STRIPPED) | ADDED;
    int fd = open_handle(root, handle, wanted | O_NOATIME);
    if (fd == -EPERM)
        fd = open_handle(root, handle, wanted);
    /* An append-only file opens for appending only; its writes then are at its end, by both
     * nodes' rule, so where they fall is not in doubt. */
    if (fd == -EPERM && (flags & O_APPEND))
        fd = open_handle(root, handle, wanted | O_APPEND);
    return fd;
}
