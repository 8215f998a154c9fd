/* Mounts other than the capture's own, and what protects the process. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "mirror_native.h"
#include "util/bus_error.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

int mnf_bind(const char *source, const char *target, int read_only)
{
    int error;

    if (mount(source, target, NULL, MS_BIND, NULL) != 0)
        return -errno;
    if (mount(NULL, target, NULL, MS_PRIVATE, NULL) == 0 &&
        (!read_only || mount(NULL, target, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0))
        return 0;
    error = -errno;
    (void)umount2(target, MNT_DETACH);
    return error;
}

int mnf_unmount(const char *target, int lazy, int force)
{
    int flags = UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0) | (force ? MNT_FORCE : 0);

    return umount2(target, flags) == 0 ? 0 : -errno;
}

int mnf_sync(int fd)
{
    return syncfs(fd) == 0 ? 0 : -errno;
}

int mnf_protect_process(void)
{
    static const char score[] = "-900";
    int error = mn_bus_error_tell();
    int fd;

    /* On fault: the dirty index's map is large and mostly untouched. */
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
        error = error == 0 ? -errno : error;
    /* A server of the write-back path must not wait for its own write-back (prctl(2)). */
    if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0 && error == 0)
        error = -errno;
    fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, score, sizeof(score) - 1) < 0)
        error = error == 0 ? -errno : error;
    if (fd >= 0)
        close(fd);
    return error;
}
