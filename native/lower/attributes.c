/* Attributes: owner, mode, size, times, flags and extended attributes, by any descriptor of the
 * object. */
#include "lower/lower.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lower/xattr_access.h"

enum { NS_PER_S = 1000000000 };

static int set_mode(int path_fd, mode_t mode)
{
    char path[MN_PROC_PATH_BYTES];

    int result = fchmod(path_fd, mode);
    if (result < 0 && errno == EBADF) {
        mn_proc_path(path_fd, path);
        result = chmod(path, mode);
    }
    return result < 0 ? -errno : 0;
}

static int set_owner(int path_fd, const struct mn_attributes *attributes)
{
    uid_t uid = attributes->valid & MN_SET_UID ? attributes->uid : (uid_t)-1;
    gid_t gid = attributes->valid & MN_SET_GID ? attributes->gid : (gid_t)-1;
    int result = fchownat(path_fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
    return result < 0 ? -errno : 0;
}

static int set_size(int path_fd, uint64_t size_bytes)
{
    char path[MN_PROC_PATH_BYTES];

    if (size_bytes > INT64_MAX)
        return -EFBIG;
    int result = ftruncate(path_fd, (off_t)size_bytes);
    /* EINVAL: opened for reading only. */
    if (result < 0 && (errno == EBADF || errno == EINVAL)) {
        mn_proc_path(path_fd, path);
        result = truncate(path, (off_t)size_bytes);
    }
    return result < 0 ? -errno : 0;
}

static struct timespec time_of(int64_t ns)
{
    int64_t seconds = ns / NS_PER_S;
    int64_t rest = ns % NS_PER_S;

    if (rest < 0) { /* before 1970: tv_nsec counts upwards from the second before */
        seconds -= 1;
        rest += NS_PER_S;
    }
    return (struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = (long)rest};
}

static int set_times(int path_fd, const struct mn_attributes *attributes)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};

    if (attributes->valid & MN_SET_ATIME)
        times[0] = time_of(attributes->atime_ns);
    if (attributes->valid & MN_SET_MTIME)
        times[1] = time_of(attributes->mtime_ns);
    int result = utimensat(path_fd, "", times, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
    return result < 0 ? -errno : 0;
}

int mn_lower_set_attributes(int path_fd, const struct mn_attributes *attributes)
{
    uint32_t valid = attributes->valid;
    int result = 0;

    /* The order matters: a change of size sets mtime, a change of owner clears setuid and setgid,
     * so mode comes after it and times come last. */
    if (valid & MN_SET_SIZE)
        result = set_size(path_fd, attributes->size_bytes);
    if (result == 0 && (valid & MN_SET_KILL_PRIV))
        result = mn_lower_kill_priv(path_fd);
    if (result == 0 && (valid & (MN_SET_UID | MN_SET_GID)))
        result = set_owner(path_fd, attributes);
    if (result == 0 && (valid & MN_SET_MODE))
        result = set_mode(path_fd, (mode_t)(attributes->mode & 07777));
    if (result == 0 && (valid & (MN_SET_ATIME | MN_SET_MTIME)))
        result = set_times(path_fd, attributes);
    return result;
}

int mn_lower_has_capabilities(int path_fd)
{
    ssize_t size = mn_xattr_get(path_fd, "security.capability", NULL, 0);

    if (size == -ENODATA || size == -EOPNOTSUPP)
        return 0;
    return size < 0 ? (int)size : 1;
}

int mn_lower_kill_priv(int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return 0;
    mode_t mode = status.st_mode & 07777 & ~(mode_t)S_ISUID;
    if (mode & S_IXGRP) /* without group execute, setgid is no privilege */
        mode &= ~(mode_t)S_ISGID;
    return mode == (status.st_mode & 07777) ? 0 : set_mode(fd, mode);
}

static int clear_setgid(int path_fd)
{
    struct stat status;

    if (fstat(path_fd, &status) < 0)
        return -errno;
    if (!(status.st_mode & S_ISGID))
        return 0;
    return set_mode(path_fd, status.st_mode & 07777 & ~(mode_t)S_ISGID);
}

static int is_ours(const char *name)
{
    return strncmp(name, MN_XATTR_PREFIX, strlen(MN_XATTR_PREFIX)) == 0;
}

int mn_lower_set_xattr(int path_fd, const char *name, const void *value, size_t size,
                       uint32_t flags)
{
    if (is_ours(name))
        return -EPERM;
    int how = (int)(flags & (MN_XATTR_CREATE | MN_XATTR_REPLACE));
    int result = mn_xattr_set(path_fd, name, value, size, how);
    if (result == 0 && (flags & MN_XATTR_CLEAR_SETGID))
        result = clear_setgid(path_fd);
    return result;
}

int mn_lower_remove_xattr(int path_fd, const char *name)
{
    return is_ours(name) ? -EPERM : mn_xattr_remove(path_fd, name);
}

int mn_lower_set_flags(int fd, uint32_t flags, uint32_t valid)
{
    int current;

    if (ioctl(fd, FS_IOC_GETFLAGS, &current) < 0)
        return -errno;
    int wanted = (int)(((uint32_t)current & ~valid) | (flags & valid));
    if (wanted == current)
        return 0;
    return ioctl(fd, FS_IOC_SETFLAGS, &wanted) < 0 ? -errno : 0;
}

bool mn_lower_is_plain(int fd)
{
    char names[256];
    int flags = 0;

    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || (flags & MN_FLAGS_REPLICATED) != 0)
        return false;
    ssize_t size = flistxattr(fd, names, sizeof(names));
    for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1)
        if (strcmp(names + at, MN_ID_XATTR) != 0 && strcmp(names + at, MN_FRESH_XATTR) != 0)
            return false;
    return size >= 0;
}
