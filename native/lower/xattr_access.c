/* Extended attributes by descriptor. The call by descriptor is tried first: it costs no path walk;
 * EBADF says that this one is O_PATH. */
#include "lower/xattr_access.h"

#include <errno.h>
#include <stdio.h>
#include <sys/xattr.h>

void mn_proc_path(int fd, char path[MN_PROC_PATH_BYTES])
{
    snprintf(path, MN_PROC_PATH_BYTES, "/proc/self/fd/%d", fd);
}

ssize_t mn_xattr_get(int fd, const char *name, void *value, size_t size_max)
{
    char path[MN_PROC_PATH_BYTES];

    ssize_t size = fgetxattr(fd, name, value, size_max);
    if (size < 0 && errno == EBADF) {
        mn_proc_path(fd, path);
        size = getxattr(path, name, value, size_max);
    }
    return size < 0 ? -errno : size;
}

int mn_xattr_set(int fd, const char *name, const void *value, size_t size, int flags)
{
    char path[MN_PROC_PATH_BYTES];

    int result = fsetxattr(fd, name, value, size, flags);
    if (result < 0 && errno == EBADF) {
        mn_proc_path(fd, path);
        result = setxattr(path, name, value, size, flags);
    }
    return result < 0 ? -errno : 0;
}

int mn_xattr_remove(int fd, const char *name)
{
    char path[MN_PROC_PATH_BYTES];

    int result = fremovexattr(fd, name);
    if (result < 0 && errno == EBADF) {
        mn_proc_path(fd, path);
        result = removexattr(path, name);
    }
    return result < 0 ? -errno : 0;
}
