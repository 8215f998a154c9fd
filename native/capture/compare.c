/* Verification: what this node holds against what the secondary does, block by block. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/exchange.h"
#include "hash/hash.h"

/* A block whose hashes differ: is it only a hole on one of the two? A hole reads as zeros. */
static uint8_t judge_block(const uint8_t *data, size_t size, const uint8_t *ours,
                           const uint8_t *theirs)
{
    static const uint8_t hole[MN_HASH_BYTES];
    static const uint8_t zeros[MN_COMPARE_BLOCK_BYTES];
    uint8_t hash[MN_HASH_BYTES];

    if (memcmp(ours, theirs, MN_HASH_BYTES) == 0)
        return MN_BLOCK_EQUAL;
    if (memcmp(theirs, hole, MN_HASH_BYTES) == 0)
        return memcmp(data, zeros, size) == 0 ? MN_BLOCK_HOLE_THERE : MN_BLOCK_DATA;
    if (memcmp(ours, hole, MN_HASH_BYTES) != 0)
        return MN_BLOCK_DATA;
    mn_hash_block(data, size, hash);
    return memcmp(theirs, hash, MN_HASH_BYTES) == 0 ? MN_BLOCK_HOLE_HERE : MN_BLOCK_DATA;
}

struct comparison { /* of one step; on the heap: too large for a stack */
    uint8_t data[MN_COMPARE_STEP_BYTES];
    uint8_t again[MN_COMPARE_STEP_BYTES];
    uint8_t ours[MN_COMPARE_STEP_BYTES / MN_COMPARE_BLOCK_BYTES * MN_HASH_BYTES];
    uint8_t theirs[MN_COMPARE_STEP_BYTES / MN_COMPARE_BLOCK_BYTES * MN_HASH_BYTES];
};

static int compare_locked(const struct mn_copy *copy, int fd, uint64_t offset, uint64_t size,
                          struct comparison *with, uint8_t *blocks_out, uint32_t *count_out,
                          uint64_t *their_bytes_out)
{
    uint32_t count_max = (uint32_t)((size + MN_COMPARE_BLOCK_BYTES - 1) / MN_COMPARE_BLOCK_BYTES);
    struct mn_copied ignored = {0};
    uint64_t bytes;
    ssize_t got;
    int count;
    int result = mn_copy_ask_hashes(copy, offset, size == 0 ? 1 : size);

    if (result != 0)
        return result;
    /* While the secondary hashes too. */
    got = mn_lower_read(fd, with->data, size, offset);
    result = got < 0 ? (int)got
                     : mn_lower_hash_range(fd, offset, size, MN_COMPARE_BLOCK_BYTES, with->again,
                                           sizeof(with->again), with->ours, count_max, count_out,
                                           &bytes);
    count = mn_copy_receive_hashes(copy, with->theirs, size == 0 ? 1 : count_max, their_bytes_out,
                                   &ignored);
    if (count < 0 || result != 0)
        return count < 0 ? count : result;
    for (uint32_t i = 0; i < *count_out; i++) {
        size_t at = (size_t)i * MN_COMPARE_BLOCK_BYTES;
        size_t block =
            (size_t)got - at < MN_COMPARE_BLOCK_BYTES ? (size_t)got - at : MN_COMPARE_BLOCK_BYTES;
        size_t hash = (size_t)i * MN_HASH_BYTES;

        blocks_out[i] = (int)i >= count ? MN_BLOCK_DATA /* behind its end there */
                                        : judge_block(with->data + at, block, with->ours + hash,
                                                      with->theirs + hash);
    }
    return 0;
}

int mn_compare_step(const struct mn_copy *copy, uint64_t offset, uint64_t size,
                    uint8_t *blocks_out, uint32_t *count_out, uint64_t *bytes_out,
                    uint64_t *their_bytes_out)
{
    struct mn_lock_set locks = {.count = 0};
    struct comparison *with = malloc(sizeof(*with));
    uint64_t key = mn_handle_key(&copy->handle);
    struct stat status;
    int fd = mn_copy_open(copy, &status);
    int result = fd < 0 ? fd : with == NULL ? -ENOMEM : 0;

    *count_out = 0;
    if (result != 0)
        goto out;
    mn_lock_set_add(&locks, MN_LOCK_EXISTENCE, key, 0, 0, false);
    mn_lock_set_add(&locks, MN_LOCK_RANGE, key, size == 0 ? 0 : offset,
                    size == 0 ? UINT64_MAX : offset + size - 1, true);
    mn_locks_take(&copy->capture->locks, &locks);
    if (fstat(fd, &status) != 0 || status.st_nlink == 0) {
        result = -ENOENT;
    } else {
        *bytes_out = (uint64_t)status.st_size;
        if (offset > *bytes_out)
            offset = *bytes_out;
        if (size > *bytes_out - offset)
            size = *bytes_out - offset;
        result =
            compare_locked(copy, fd, offset, size, with, blocks_out, count_out, their_bytes_out);
    }
    mn_locks_release(&copy->capture->locks, &locks);
out:
    free(with);
    if (fd >= 0)
        close(fd);
    return result;
}

void mn_compare_lock_name(struct mn_lock_set *set, const struct mn_handle *directory,
                          const char *name)
{
    uint64_t hash = mn_hash_64(name, strlen(name));

    mn_lock_set_add(set, MN_LOCK_NAME, mn_handle_key(directory), hash, hash, true);
}
