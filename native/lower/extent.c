/* Where a file holds data and where it has holes, as the file system tells. */
#include "lower/lower.h"

#include <errno.h>
#include <unistd.h>

int mn_lower_extent(int fd, uint64_t offset, bool *hole_out, uint64_t *end_out)
{
    off_t data = lseek(fd, (off_t)offset, SEEK_DATA);
    off_t next = data;

    if (data < 0 && errno != ENXIO)
        return -errno;
    *hole_out = data != (off_t)offset;
    if (!*hole_out)
        next = lseek(fd, (off_t)offset, SEEK_HOLE);
    *end_out = next < 0 ? UINT64_MAX : (uint64_t)next;
    return 0;
}
