/* Creation: one object of any type, and its identity. */
#include "lower/lower.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lower/xattr_access.h"

enum { OPEN_KEPT = O_ACCMODE | O_SYNC | O_DSYNC };

static int open_path(int directory_fd, const char *name)
{
    int fd = openat(directory_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Returns a descriptor of the new object, or -errno with nothing created. */
static int make(int directory_fd, const char *name, uint32_t mode, uint64_t rdev,
                const char *target, int open_flags)
{
    mode_t permissions = mode & 07777;
    int result;

    switch (mode & S_IFMT) {
    case S_IFREG: {
        int flags = (open_flags & OPEN_KEPT) | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
        int fd = openat(directory_fd, name, flags, permissions);
        return fd < 0 ? -errno : fd;
    }
    case S_IFDIR: result = mkdirat(directory_fd, name, permissions); break;
    case S_IFLNK:
        if (target == NULL)
            return -EINVAL;
        result = symlinkat(target, directory_fd, name);
        break;
    case S_IFIFO:
    case S_IFSOCK:
    case S_IFCHR:
    case S_IFBLK: result = mknodat(directory_fd, name, (mode_t)mode, (dev_t)rdev); break;
    default: return -EINVAL;
    }
    if (result < 0)
        return -errno;
    int fd = open_path(directory_fd, name);
    if (fd < 0)
        (void)unlinkat(directory_fd, name, S_ISDIR(mode) ? AT_REMOVEDIR : 0);
    return fd;
}

int mn_lower_create(int directory_fd, const char *name, uint32_t mode, uint64_t rdev,
                    const char *target, int open_flags, struct mn_id *id,
                    struct mn_handle *handle_out, int *path_fd_out)
{
    int fd = make(directory_fd, name, mode, rdev, target, open_flags);
    if (fd < 0)
        return fd;
    int result = mn_lower_handle(fd, "", handle_out);
    if (result == 0 && id != NULL)
        result = mn_lower_id_give(fd, handle_out, id);
    if (result < 0) {
        /* Both nodes would count it as an object without identity: better not there at all. */
        (void)unlinkat(directory_fd, name, S_ISDIR(mode) ? AT_REMOVEDIR : 0);
        close(fd);
        return result;
    }
    *path_fd_out = fd;
    return 0;
}

int mn_lower_create_nameless(int directory_fd, uint32_t mode, int open_flags,
                             const struct mn_id *id, struct mn_handle *handle_out, int *fd_out)
{
    int flags = (open_flags & OPEN_KEPT) | O_TMPFILE | O_CLOEXEC;
    int fd = openat(directory_fd, ".", flags, mode & 07777);
    if (fd < 0)
        return -errno;
    int result = mn_lower_handle(fd, "", handle_out);
    if (result == 0)
        result = mn_lower_id_set(fd, handle_out, id);
    if (result < 0) {
        close(fd);
        return result;
    }
    *fd_out = fd;
    return 0;
}

int mn_lower_make_unfinished(int directory_fd, const char *name, uint32_t mode, uint64_t rdev,
                             const char *target, const char *mark, const struct mn_id *id,
                             struct mn_handle *handle_out)
{
    int fd = make(directory_fd, name, mode, rdev, target, O_RDWR);
    if (fd < 0)
        return fd;
    int result = mn_lower_handle(fd, "", handle_out);
    if (result == 0)
        result = mn_xattr_set(fd, MN_FRESH_XATTR, mark, strlen(mark), 0);
    if (result == 0)
        result = mn_lower_id_set(fd, handle_out, id);
    close(fd);
    if (result < 0)
        (void)unlinkat(directory_fd, name, S_ISDIR(mode) ? AT_REMOVEDIR : 0);
    return result;
}
