/* Names: link, unlink, rename, each on single names in directories held by descriptor. */
#include "lower/lower.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int mn_lower_link(int path_fd, int directory_fd, const char *name)
{
    return linkat(path_fd, "", directory_fd, name, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int mn_lower_unlink(int directory_fd, const char *name, int directory)
{
    return unlinkat(directory_fd, name, directory ? AT_REMOVEDIR : 0) < 0 ? -errno : 0;
}

int mn_lower_rename(int directory_fd, const char *name, int new_directory_fd, const char *new_name,
                    uint32_t flags)
{
    /* A whiteout would be an object that no message announces. */
    if (flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE))
        return -EINVAL;
    int result = renameat2(directory_fd, name, new_directory_fd, new_name, flags);
    return result < 0 ? -errno : 0;
}
