/* Space that is reserved and was never written reads as zeros, and is a hole for who compares. But
 * SEEK_DATA takes it for data once somebody has read it into memory; only the extent map tells.
 * Asked for blocks of zeros alone, so it costs nothing where there is data. */
#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lower/lower.h"

static bool is_zeros(const uint8_t *data, size_t size)
{
    return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

bool mn_lower_is_reserved(int fd, const uint8_t *data, size_t size, uint64_t offset)
{
    union {
        struct fiemap map;
        uint8_t bytes[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
    } question = {.map = {.fm_start = offset, .fm_length = size, .fm_extent_count = 1}};
    const struct fiemap_extent *extent = question.map.fm_extents;

    if (!is_zeros(data, size) || ioctl(fd, FS_IOC_FIEMAP, &question.map) != 0)
        return false;
    return question.map.fm_mapped_extents == 1 &&
           (extent->fe_flags & FIEMAP_EXTENT_UNWRITTEN) != 0 && extent->fe_logical <= offset &&
           extent->fe_logical + extent->fe_length >= offset + size;
}
