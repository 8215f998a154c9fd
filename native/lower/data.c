/* Data of regular files: write, allocate, copy within the node, sync. */
#include "lower/lower.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

/* A descriptor of an append-only file writes at the end, whatever offset it is given. */
static bool would_move(int fd, uint64_t offset)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && (flags & O_APPEND) != 0 && lseek(fd, 0, SEEK_END) != (off_t)offset;
}

ssize_t mn_lower_write(int fd, const void *data, size_t size, uint64_t offset, uint32_t flags)
{
    size_t done = 0;
    int how = flags & MN_WRITE_SYNC ? RWF_SYNC : flags & MN_WRITE_DSYNC ? RWF_DSYNC : 0;

    if (offset > INT64_MAX - size)
        return -EFBIG;
    if (would_move(fd, offset))
        return -EPERM;
    /* Before the bytes: a crash in between leaves a file without privileges, never one with
     * foreign bytes and privileges. */
    if (flags & MN_WRITE_KILL_PRIV) {
        int result = mn_lower_kill_priv(fd);
        if (result < 0)
            return result;
    }
    while (done < size) {
        struct iovec rest = {(char *)(uintptr_t)data + done, size - done};
        ssize_t count = pwritev2(fd, &rest, 1, (off_t)(offset + done), how);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return done > 0 ? (ssize_t)done : count == 0 ? -EIO : -errno;
        done += (size_t)count;
    }
    return (ssize_t)done;
}

int mn_lower_fallocate(int fd, uint32_t mode, uint64_t offset, uint64_t size)
{
    if (offset > INT64_MAX || size > INT64_MAX - offset)
        return -EFBIG;
    int result;
    do
        result = fallocate(fd, (int)mode, (off_t)offset, (off_t)size);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

ssize_t mn_lower_copy_range(int fd, uint64_t offset, int to_fd, uint64_t to_offset, uint64_t size)
{
    uint64_t done = 0;

    if (size > INT64_MAX || offset > INT64_MAX - size || to_offset > INT64_MAX - size)
        return -EFBIG;
    loff_t from = (loff_t)offset;
    loff_t to = (loff_t)to_offset;
    while (done < size) {
        ssize_t count = copy_file_range(fd, &from, to_fd, &to, size - done, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return done > 0 ? (ssize_t)done : -errno;
        if (count == 0) /* the source ends here */
            break;
        done += (uint64_t)count;
    }
    return (ssize_t)done;
}

int mn_lower_sync(int fd, int datasync)
{
    return (datasync ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
}
