#include "capture/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash/hash.h"
#include "wire/wire_messages.h"

/* Compared in the blocks that databases and file systems write, so that a changed page is all that
 * travels of its region; neighbours that differ travel together. */
enum { BLOCK_BYTES = 4096, SEND_BYTES_MAX = 4 * MN_REGION_BYTES };

static int refused(struct mn_copied *copied, int32_t error)
{
    copied->remote_error = error;
    return -EREMOTEIO;
}

static int receive_ack(struct mn_connection *connection, struct mn_copied *copied)
{
    struct mn_ack ack;
    int result = mn_connection_receive_ack(connection, &ack);

    return result != 0 ? result : ack.error != 0 ? refused(copied, ack.error) : 0;
}

static int open_here(const struct mn_copy *copy, struct stat *status_out)
{
    int fd = mn_lower_open(copy->root, &copy->handle, O_RDONLY | O_NOATIME);

    if (fd < 0)
        return fd == -ESTALE ? -ENOENT : fd;
    if (fstat(fd, status_out) != 0 || status_out->st_nlink == 0) {
        close(fd);
        return -ENOENT;
    }
    return fd;
}

int mn_copy_size(const struct mn_copy *copy, struct mn_copied *copied)
{
    struct mn_lock_set locks = {.count = 0};
    struct mn_message_set_attributes message = {
        .root = (uint8_t)copy->root->index, .id = copy->id, .valid = MN_SET_SIZE};
    uint64_t key = mn_handle_key(&copy->handle);
    struct stat status;
    int result;
    int fd;

    mn_lock_set_add(&locks, MN_LOCK_EXISTENCE, key, 0, 0, false);
    mn_lock_set_add(&locks, MN_LOCK_ATTRIBUTES, key, 0, 0, true);
    mn_lock_set_add(&locks, MN_LOCK_RANGE, key, 0, UINT64_MAX, true);
    mn_locks_take(&copy->capture->locks, &locks);
    fd = open_here(copy, &status);
    result = fd < 0 ? fd : 0;
    if (result == 0) {
        message.size_bytes = (uint64_t)status.st_size;
        result = mn_encode_set_attributes(&message, mn_connection_begin(copy->connection));
        if (result == 0)
            result = mn_connection_send(copy->connection, MN_MESSAGE_SET_ATTRIBUTES);
        if (result == 0)
            result = receive_ack(copy->connection, copied);
        close(fd);
    }
    mn_locks_release(&copy->capture->locks, &locks);
    return result;
}

static int ask_hashes(const struct mn_copy *copy, uint64_t offset, uint64_t size)
{
    struct mn_message_hash_range message = {.root = (uint8_t)copy->root->index,
                                            .id = copy->id,
                                            .offset_bytes = offset,
                                            .size_bytes = size,
                                            .block_bytes = BLOCK_BYTES};
    int result = mn_encode_hash_range(&message, mn_connection_begin(copy->connection));

    return result != 0 ? result : mn_connection_send(copy->connection, MN_MESSAGE_HASH_RANGE);
}

/* Copies the answer out: the connection's buffer is used for the blocks next. Returns the count of
 * hashes, or -errno. */
static int receive_hashes(const struct mn_copy *copy, uint8_t *hashes_out, uint32_t count_max,
                          uint64_t *their_bytes_out, struct mn_copied *copied)
{
    struct mn_message_hashes message;
    const uint8_t *payload;
    uint16_t code;
    size_t size;
    int result = mn_connection_receive(copy->connection, 0, &code, &payload, &size);

    if (result != 0)
        return result;
    if (code != MN_MESSAGE_HASHES || mn_decode_hashes(payload, size, &message) != 0)
        return -EPROTO;
    if (message.error != 0)
        return refused(copied, message.error);
    if (message.hashes_size > count_max * MN_HASH_BYTES)
        return -EPROTO;
    memcpy(hashes_out, message.hashes, message.hashes_size);
    *their_bytes_out = message.size_bytes;
    return (int)(message.hashes_size / MN_HASH_BYTES);
}

static int send_block(const struct mn_copy *copy, uint64_t offset, uint64_t hole_bytes,
                      const uint8_t *data, size_t size)
{
    struct mn_message_copy_block message = {.root = (uint8_t)copy->root->index,
                                            .id = copy->id,
                                            .offset_bytes = offset,
                                            .hole_bytes = hole_bytes,
                                            .data = data,
                                            .data_size = (uint32_t)size};
    int result = mn_encode_copy_block(&message, mn_connection_begin(copy->connection));

    return result != 0 ? result : mn_connection_send(copy->connection, MN_MESSAGE_COPY_BLOCK);
}

/* Blocks are acknowledged in one go: a step costs two round trips. */
static int receive_acks(const struct mn_copy *copy, uint32_t count, int result,
                        struct mn_copied *copied)
{
    for (; count > 0; count--) {
        int ack = receive_ack(copy->connection, copied);

        result = result == 0 ? ack : result;
        if (ack != 0 && ack != -EREMOTEIO)
            break;
    }
    return result;
}

enum block_state { EQUAL, OTHER_DATA, SHOULD_BE_HOLE };

/* theirs: the target's hash of the block, or NULL. What is only reserved here is made a hole there
 * in any case: that its block has no hash says only that there is a hole somewhere in it. */
static enum block_state compare_block(int fd, const uint8_t *data, size_t size, uint64_t offset,
                                      const uint8_t *theirs)
{
    static const uint8_t none[MN_HASH_BYTES];
    uint8_t ours[MN_HASH_BYTES];

    if (mn_lower_is_reserved(fd, data, size, offset))
        return SHOULD_BE_HOLE;
    if (theirs == NULL || memcmp(theirs, none, MN_HASH_BYTES) == 0)
        return OTHER_DATA;
    mn_hash_block(data, size, ours);
    return memcmp(theirs, ours, MN_HASH_BYTES) == 0 ? EQUAL : OTHER_DATA;
}

/* Sends the blocks that have no equal in `theirs`, the target's hashes, in runs of one kind and of
 * at most SEND_BYTES_MAX. *sent: how many went out, and will be acknowledged, whatever the result.
 */
static int send_different(const struct mn_copy *copy, int fd, uint64_t offset, const uint8_t *data,
                          size_t size, const uint8_t *theirs, size_t count, uint32_t *sent,
                          struct mn_copied *copied)
{
    size_t start = 0; /* of the run; what lies before it is equal or sent */
    enum block_state kind = EQUAL;

    for (size_t at = 0; at <= size;) {
        size_t index = at / BLOCK_BYTES;
        size_t end = size - at < BLOCK_BYTES ? size : at + BLOCK_BYTES;
        enum block_state next = EQUAL; /* behind the last block */

        if (at < size)
            next = compare_block(fd, data + at, end - at, offset + at,
                                 index < count ? theirs + index * MN_HASH_BYTES : NULL);
        if (next != kind || at - start >= SEND_BYTES_MAX) {
            bool is_hole = kind == SHOULD_BE_HOLE;

            if (kind != EQUAL) {
                int result = send_block(copy, offset + start, is_hole ? at - start : 0,
                                        is_hole ? NULL : data + start, is_hole ? 0 : at - start);
                if (result != 0)
                    return result;
                ++*sent;
                if (is_hole)
                    copied->hole_bytes += at - start;
                else
                    copied->copied_bytes += at - start;
            }
            start = at;
            kind = next;
        }
        at = at < size ? end : size + 1;
    }
    return 0;
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
    uint8_t theirs[MN_COPY_STEP_BYTES / BLOCK_BYTES * MN_HASH_BYTES];
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
            result = part->hole ? send_block(copy, part->offset, part->size, NULL, 0)
                                : ask_hashes(copy, part->offset, part->size);
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
        return receive_ack(copy->connection, copied);
    }
    count = receive_hashes(copy, step->theirs, sizeof(step->theirs) / MN_HASH_BYTES, &their_bytes,
                           copied);
    if (count < 0 || failed != 0)
        return count < 0 ? count : 0;
    if (part->got < 0)
        return -EIO;
    copied->compared_bytes += (uint64_t)part->got;
    return send_different(copy, fd, part->offset, step->data + part->at, (size_t)part->got,
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
    return receive_acks(copy, step->sent_count, result, copied);
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
    int fd = open_here(copy, &status);
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
    uint32_t count_max = (uint32_t)((size + BLOCK_BYTES - 1) / BLOCK_BYTES);
    struct mn_copied ignored = {0};
    uint64_t bytes;
    ssize_t got;
    int count;
    int result = ask_hashes(copy, offset, size == 0 ? 1 : size);

    if (result != 0)
        return result;
    /* While the secondary hashes too. */
    got = mn_lower_read(fd, with->data, size, offset);
    result = got < 0 ? (int)got
                     : mn_lower_hash_range(fd, offset, size, BLOCK_BYTES, with->again,
                                           sizeof(with->again), with->ours, count_max, count_out,
                                           &bytes);
    count =
        receive_hashes(copy, with->theirs, size == 0 ? 1 : count_max, their_bytes_out, &ignored);
    if (count < 0 || result != 0)
        return count < 0 ? count : result;
    for (uint32_t i = 0; i < *count_out; i++) {
        size_t at = (size_t)i * BLOCK_BYTES;
        size_t block = (size_t)got - at < BLOCK_BYTES ? (size_t)got - at : BLOCK_BYTES;
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
    int fd = open_here(copy, &status);
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
