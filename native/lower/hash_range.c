/* Hashes of a range, block by block, on either node (design 10): what is equal must not travel.
 * Reads with the descriptor's own O_NOATIME. A block with a hole in it has no hash (all zero): it
 * may read the same as data and still differ (invariant 10). Space that is only reserved is a
 * hole. */
#include "lower/lower.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "hash/hash.h"

/* The first hole at or behind `at`, or the end of the file. Where holes cannot be asked for there
 * are none. */
static uint64_t next_hole(int fd, uint64_t at)
{
    off_t hole = lseek(fd, (off_t)at, SEEK_HOLE);

    return hole < 0 ? UINT64_MAX : (uint64_t)hole;
}

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
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t begin = offset - offset % page;

    if (offset > INT64_MAX - page || size > INT64_MAX - page - offset)
        return;
    /* Whole pages: of others the kernel keeps the rest. */
    uint64_t end = (offset + size + page - 1) / page * page;
    if (end > begin)
        (void)posix_fadvise(fd, (off_t)begin, (off_t)(end - begin), POSIX_FADV_DONTNEED);
}

int mn_lower_hash_range(int fd, uint64_t offset, uint64_t size, uint32_t block_bytes,
                        uint8_t *buffer, uint8_t *hashes, uint32_t hash_count_max,
                        uint32_t *hash_count_out, uint64_t *file_bytes_out)
{
    struct stat status;
    uint32_t count = 0;

    *hash_count_out = 0;
    if (block_bytes == 0 || size > INT64_MAX || offset > INT64_MAX - size)
        return -EINVAL;
    if (fstat(fd, &status) < 0)
        return -errno;
    *file_bytes_out = (uint64_t)status.st_size;
    uint64_t end = offset + size;
    if (end > *file_bytes_out)
        end = *file_bytes_out;
    /* One request to the disk: blocks are read one by one, and the kernel would begin as small. */
    if (end > offset)
        (void)posix_fadvise(fd, (off_t)offset, (off_t)(end - offset), POSIX_FADV_WILLNEED);
    uint64_t hole = next_hole(fd, offset);
    for (uint64_t at = offset; at < end && count < hash_count_max; at += block_bytes) {
        size_t block = end - at < block_bytes ? (size_t)(end - at) : block_bytes;
        ssize_t got = mn_lower_read(fd, buffer, block, at);
        if (got < 0)
            return (int)got;
        if (got == 0) /* cut meanwhile */
            break;
        uint8_t *hash = hashes + (size_t)count * MN_HASH_BYTES;
        if (hole < at)
            hole = next_hole(fd, at);
        if (hole < at + (size_t)got || mn_lower_is_reserved(fd, buffer, (size_t)got, at))
            memset(hash, 0, MN_HASH_BYTES);
        else
            mn_hash_block(buffer, (size_t)got, hash);
        count++;
    }
    *hash_count_out = count;
    return 0;
}
