/* Extended attributes of an object by any descriptor of it, O_PATH too, which fgetxattr and its
 * family refuse. Private to lower/. */
#ifndef MN_LOWER_XATTR_ACCESS_H
#define MN_LOWER_XATTR_ACCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { MN_PROC_PATH_BYTES = 32 };

/* "/proc/self/fd/N": ends in the object itself, a symbolic link too, and goes through no directory
 * that the application could exchange. */
void mn_proc_path(int fd, char path[MN_PROC_PATH_BYTES]);

/* Each returns the size, or 0, or -errno. */
ssize_t mn_xattr_get(int fd, const char *name, void *value, size_t size_max);
int mn_xattr_set(int fd, const char *name, const void *value, size_t size, int flags);
int mn_xattr_remove(int fd, const char *name);

#endif
