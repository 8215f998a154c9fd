#include "capture/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/exchange.h"
#include "hash/hash.h"

int mn_copy_size(const struct mn_copy *copy, struct mn_copied *copied)
{
    struct mn_lock_set locks = {.count = 0};
    uint64_t key = mn_handle_key(&copy->handle);
    struct stat status;
    int result;
    int fd;

    mn_lock_set_add(&locks, MN_LOCK_EXISTENCE, key, 0, 0, false);
    mn_lock_set_add(&locks, MN_LOCK_ATTRIBUTES, key, 0, 0, true);
    mn_lock_set_add(&locks, MN_LOCK_RANGE, key, 0, UINT64_MAX, true);
    mn_locks_take(&copy->capture->locks, &locks);
    fd = mn_copy_open(copy, &status);
    result = fd < 0 ? fd : mn_copy_ask_size(copy, (uint64_t)status.st_size);
    if (result == 0)
        result = mn_copy_receive_ack(copy->connection, copied);
    if (fd >= 0)
        close(fd);
    mn_locks_release(&copy->capture->locks, &locks);
    return result;
}

/* A part of one range, under the locks of its step. */
struct part {
    struct mn_copy_range *left; /* of its range: its begin moves on by what was looked at */
    uint64_t offset;
    uint64_t size;
    bool hole;
    size_t at;   /* in the step's buffer */
    ssize_t got; /* bytes of data read here, or -errno */
};

/* What is looked at under one set of locks: parts of several ranges, whose questions travel
 * together. On the heap: too large for a stack. */
struct step {
    struct part parts[MN_COPY_PARTS_MAX];
    uint32_t part_count;
    uint32_t asked_count;
    uint32_t sent_count; /* blocks that wait for their Ack, behind the answers to all parts */
    uint8_t data[MN_COPY_STEP_BYTES];
    uint8_t theirs[MN_COPY_STEP_BYTES / MN_COPY_BLOCK_BYTES * MN_HASH_BYTES];
};

/* The next parts, MN_COPY_STEP_BYTES in all; false: nothing is left of any range. */
static bool plan(struct step *step, struct mn_copy_range *left, uint32_t range_count)
{
    uint64_t bytes = MN_COPY_STEP_BYTES;

    step->part_count = step->asked_count = step->sent_count = 0;
    for (uint32_t i = 0; i < range_count && bytes > 0; i++) {
        uint64_t size = left[i].size_bytes < bytes ? left[i].size_bytes : bytes;

        if (size == 0)
            continue;
        if (step->part_count == MN_COPY_PARTS_MAX)
            break;
        step->parts[step->part_count++] =
            (struct part){.left = &left[i], .offset = left[i].offset_bytes, .size = size};
        bytes -= size;
    }
    return step->part_count > 0;
}

/* A part goes as far as one extent, and not behind the end of the file: mn_copy_size cuts the
 * secondary's. */
static int limit(struct part *part, int fd, uint64_t file_bytes)
{
    uint64_t end = part->offset + part->size;
    uint64_t extent_end;
    int result;

    if (part->offset >= file_bytes) {
        part->size = part->left->size_bytes = 0;
        return 0;
    }
    if (end > file_bytes)
        end = file_bytes;
    result = mn_lower_extent(fd, part->offset, end, &part->hole, &extent_end);
    if (result != 0)
        return result;
    part->size = (extent_end < end ? extent_end : end) - part->offset;
    part->left->offset_bytes += part->size;
    part->left->size_bytes -= part->size;
    return 0;
}

/* Every part is asked about before any is read, so the secondary reads meanwhile, and the disk
 * here has them all to choose from. One by itself is read by its own: in a file that is read from
 * its begin on, the kernel reads ahead for the next step, and in larger folios. */
static int ask(const struct mn_copy *copy, int fd, uint64_t file_bytes, struct step *step)
{
    size_t at = 0;

    for (uint32_t i = 0; i < step->part_count; i++) {
        struct part *part = &step->parts[i];
        int result = limit(part, fd, file_bytes);

        if (result == 0 && part->size > 0)
            result = part->hole ? mn_copy_send_block(copy, part->offset, part->size, NULL, 0)
                                : mn_copy_ask_hashes(copy, part->offset, part->size);
        if (result != 0)
            return result;
        step->asked_count++;
        if (part->size == 0 || part->hole)
            continue;
        if (step->part_count > 1)
            (void)posix_fadvise(fd, (off_t)part->offset, (off_t)part->size, POSIX_FADV_WILLNEED);
        part->at = at;
        at += part->size;
    }
    return 0;
}

static void read_here(int fd, struct step *step)
{
    for (uint32_t i = 0; i < step->asked_count; i++) {
        struct part *part = &step->parts[i];

        if (part->size > 0 && !part->hole)
            part->got = mn_lower_read(fd, step->data + part->at, part->size, part->offset);
    }
}

/* Takes the answer to one part, and sends the blocks that differ unless something has failed
 * already. A block in which the target has a hole has no hash there, and so is sent
 * (invariant 10). */
static int answer(const struct mn_copy *copy, int fd, const struct part *part, struct step *step,
                  int failed, struct mn_copied *copied)
{
    uint64_t their_bytes;
    int count;

    if (part->size == 0)
        return 0;
    if (part->hole) {
        copied->hole_bytes += part->size;
        return mn_copy_receive_ack(copy->connection, copied);
    }
    count = mn_copy_receive_hashes(copy, step->theirs, sizeof(step->theirs) / MN_HASH_BYTES,
                                   &their_bytes, copied);
    if (count < 0 || failed != 0)
        return count < 0 ? count : 0;
    if (part->got < 0)
        return -EIO;
    copied->compared_bytes += (uint64_t)part->got;
    return mn_copy_send_different(copy, fd, part->offset, step->data + part->at, (size_t)part->got,
                                  step->theirs, (size_t)count, &step->sent_count, copied);
}

/* Whatever fails, what was asked is answered: the connection goes on with the next file when this
 * one has gone. */
static int exchange(const struct mn_copy *copy, int fd, uint64_t file_bytes, struct step *step,
                    struct mn_copied *copied)
{
    int result = ask(copy, fd, file_bytes, step);

    read_here(fd, step);
    for (uint32_t i = 0; i < step->asked_count; i++) {
        int one = answer(copy, fd, &step->parts[i], step, result, copied);

        result = result == 0 ? one : result;
        if (one != 0 && one != -EREMOTEIO && one != -EIO)
            return result; /* of the connection */
    }
    return mn_copy_receive_acks(copy, step->sent_count, result, copied);
}

static int copy_step(const struct mn_copy *copy, int fd, struct step *step,
                     struct mn_copied *copied)
{
    struct mn_lock_set locks = {.count = 0};
    uint64_t key = mn_handle_key(&copy->handle);
    struct stat status;
    int result;

    mn_lock_set_add(&locks, MN_LOCK_EXISTENCE, key, 0, 0, false);
    for (uint32_t i = 0; i < step->part_count; i++)
        mn_lock_set_add(&locks, MN_LOCK_RANGE, key, step->parts[i].offset,
                        step->parts[i].offset + step->parts[i].size - 1, true);
    mn_locks_take(&copy->capture->locks, &locks);
    if (fstat(fd, &status) != 0 || status.st_nlink == 0)
        result = -ENOENT;
    else
        result = exchange(copy, fd, (uint64_t)status.st_size, step, copied);
    mn_locks_release(&copy->capture->locks, &locks);
    return result;
}

int mn_copy_ranges(const struct mn_copy *copy, const struct mn_copy_range *ranges,
                   uint32_t range_count, struct mn_copied *copied)
{
    struct step *step = malloc(sizeof(*step));
    struct mn_copy_range *left = calloc(range_count, sizeof(*left));
    struct stat status;
    int fd = mn_copy_open(copy, &status);
    int result = fd < 0 ? fd : step == NULL || left == NULL ? -ENOMEM : 0;

    if (result == 0)
        memcpy(left, ranges, range_count * sizeof(*left));
    while (result == 0 && plan(step, left, range_count))
        result = copy_step(copy, fd, step, copied);
    free(left);
    free(step);
    if (fd >= 0)
        close(fd);
    return result;
}
