/* Hashes of a range, block by block, on either node (design 10): what is equal must not travel.
 * Reads with the descriptor's own O_NOATIME. A block with a hole in it has no hash (all zero): it
 * may read the same as data and still differ (invariant 10). Space that is only reserved is a
 * hole. */
#include "lower/lower.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "hash/hash.h"

ssize_t mn_lower_read(int fd, void *buffer, size_t size, uint64_t offset)
{
    size_t done = 0;

    if (offset > INT64_MAX - size)
        return -EFBIG;
    while (done < size) {
        ssize_t count = pread(fd, (char *)buffer + done, size - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        if (count == 0)
            break;
        done += (size_t)count;
    }
    return (ssize_t)done;
}

void mn_lower_forget_cached(int fd, uint64_t offset, uint64_t size)
{
    /* A folio that a range cuts stays as a whole; one lies at a multiple of its size, and the
     * largest of ext4 and XFS are of 2 MiB where pages are of 4 KiB. */
    const uint64_t folio = 2 << 20;
    uint64_t begin = offset - offset % folio;

    if (offset > INT64_MAX - folio || size > INT64_MAX - folio - offset)
        return;
    uint64_t end = (offset + size + folio - 1) / folio * folio;
    if (end > begin)
        (void)posix_fadvise(fd, (off_t)begin, (off_t)(end - begin), POSIX_FADV_DONTNEED);
}

/* What was read last: many blocks at a time, so that the disk is asked once and not for each. */
struct window {
    uint8_t *buffer;
    size_t room;
    uint64_t start;
    size_t size;
};

/* A block, read together with what follows it up to `end`. Returns what there is of it. */
static ssize_t find_block(struct window *window, int fd, uint64_t at, size_t block, uint64_t end,
                          const uint8_t **data_out)
{
    uint64_t behind = window->start + window->size;

    if (at < window->start || at + block > behind) {
        uint64_t wanted = end > at + block ? end - at : block;
        ssize_t got = mn_lower_read(fd, window->buffer,
                                    wanted < window->room ? (size_t)wanted : window->room, at);
        if (got < 0)
            return got;
        window->start = at;
        window->size = (size_t)got;
        behind = at + (uint64_t)got;
    }
    *data_out = window->buffer + (at - window->start);
    return behind - at < block ? (ssize_t)(behind - at) : (ssize_t)block;
}

/* Where holes cannot be asked for there are none. */
static void find_extent(int fd, uint64_t at, uint64_t end, bool *hole_out, uint64_t *end_out)
{
    if (mn_lower_extent(fd, at, end, hole_out, end_out) == 0)
        return;
    *hole_out = false;
    *end_out = UINT64_MAX;
}

int mn_lower_hash_range(int fd, uint64_t offset, uint64_t size, uint32_t block_bytes,
                        uint8_t *buffer, size_t buffer_bytes, uint8_t *hashes,
                        uint32_t hash_count_max, uint32_t *hash_count_out,
                        uint64_t *file_bytes_out)
{
    struct window window = {.buffer = buffer, .room = buffer_bytes};
    struct stat status;
    uint64_t extent_end = 0;
    uint32_t count = 0;
    bool hole = false;

    *hash_count_out = 0;
    if (block_bytes == 0 || block_bytes > buffer_bytes || size > INT64_MAX ||
        offset > INT64_MAX - size)
        return -EINVAL;
    if (fstat(fd, &status) < 0)
        return -errno;
    *file_bytes_out = (uint64_t)status.st_size;
    uint64_t end = offset + size;
    if (end > *file_bytes_out)
        end = *file_bytes_out;
    for (uint64_t at = offset; at < end && count < hash_count_max; at += block_bytes, count++) {
        size_t block = end - at < block_bytes ? (size_t)(end - at) : block_bytes;
        uint8_t *hash = hashes + (size_t)count * MN_HASH_BYTES;
        const uint8_t *data;

        if (at >= extent_end)
            find_extent(fd, at, end, &hole, &extent_end);
        /* A hole is not read: the kernel would fill the memory with zeros for it. */
        if (hole && extent_end >= at + block) {
            memset(hash, 0, MN_HASH_BYTES);
            continue;
        }
        ssize_t got =
            find_block(&window, fd, at, block, extent_end < end ? extent_end : end, &data);
        if (got < 0)
            return (int)got;
        if (got == 0) /* cut meanwhile */
            break;
        if (hole || extent_end < at + (size_t)got ||
            mn_lower_is_reserved(fd, data, (size_t)got, at))
            memset(hash, 0, MN_HASH_BYTES);
        else
            mn_hash_block(data, (size_t)got, hash);
    }
    *hash_count_out = count;
    return 0;
}
