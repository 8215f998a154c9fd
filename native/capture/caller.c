#include "capture/caller.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_BYTES = 4096 }; /* SigPnd stands within the first 1,200 bytes (Linux 6.18) */

/* The numbers of the header are of this process's pid namespace; /proc may be of another one. */
static bool proc_is_of_our_namespace(void)
{
    char self[16];
    ssize_t size = readlink("/proc/self", self, sizeof(self) - 1);

    if (size <= 0)
        return false;
    self[size] = 0;
    return strtol(self, NULL, 10) == (long)getpid();
}

bool mn_caller_is_killed(uint32_t thread)
{
    char status[STATUS_BYTES];
    char path[32];
    const char *pending;
    ssize_t size;
    int fd;

    if (thread == 0 || !proc_is_of_our_namespace())
        return false;
    /* Of all files there this one takes no lock of the address space, which a caller that waits
     * for a page of ours may hold. */
    snprintf(path, sizeof(path), "/proc/%u/status", thread);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size = read(fd, status, sizeof(status) - 1);
    close(fd);
    if (size <= 0)
        return false;
    status[size] = 0;
    /* Whoever is killed, with whatever signal that ends a process at once, has SIGKILL pending in
     * each of its threads. */
    pending = strstr(status, "\nSigPnd:");
    return pending != NULL &&
           (strtoull(pending + sizeof("\nSigPnd:") - 1, NULL, 16) & (1ULL << (SIGKILL - 1))) != 0;
}
