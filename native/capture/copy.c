#include "capture/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash/hash.h"
#include "wire/wire_messages.h"

/* Compared in the blocks that databases and file systems write, so that a changed page is all that
 * travels of its region; neighbours that differ travel together. */
enum { BLOCK_BYTES = 4096, SEND_BYTES_MAX = MN_REGION_BYTES };

static int receive_ack(struct mn_connection *connection)
{
    struct mn_ack ack;
    int result = mn_connection_receive_ack(connection, &ack);

    return result != 0 ? result : ack.error != 0 ? -EREMOTEIO : 0;
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

int mn_copy_size(const struct mn_copy *copy)
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
            result = receive_ack(copy->connection);
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
static int receive_hashes(const struct mn_copy *copy, uint8_t *hashes_out, uint32_t count_max)
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
        return -EREMOTEIO;
    if (message.hashes_size > count_max * MN_HASH_BYTES)
        return -EPROTO;
    memcpy(hashes_out, message.hashes, message.hashes_size);
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
static int receive_acks(const struct mn_copy *copy, uint32_t count, int result)
{
    for (; count > 0; count--) {
        int ack = receive_ack(copy->connection);

        result = result == 0 ? ack : result;
        if (ack != 0 && ack != -EREMOTEIO)
            break;
    }
    return result;
}

/* Sends the blocks that have no equal in `theirs`, the target's hashes, in runs of at most
 * SEND_BYTES_MAX. *sent: how many went out, and will be acknowledged, whatever the result. */
static int send_different(const struct mn_copy *copy, uint64_t offset, const uint8_t *data,
                          size_t size, const uint8_t *theirs, size_t count, uint32_t *sent,
                          struct mn_copied *copied)
{
    size_t start = 0; /* of the run; what lies before it is equal or sent */

    for (size_t at = 0; at < size;) {
        size_t index = at / BLOCK_BYTES;
        size_t end = size - at < BLOCK_BYTES ? size : at + BLOCK_BYTES;
        uint8_t ours[MN_HASH_BYTES];

        mn_hash_block(data + at, end - at, ours);
        bool equal =
            index < count && memcmp(ours, theirs + index * MN_HASH_BYTES, MN_HASH_BYTES) == 0;
        size_t run = (equal ? at : end) - start;
        if (run > 0 && (equal || end == size || run >= SEND_BYTES_MAX)) {
            int result = send_block(copy, offset + start, 0, data + start, run);
            if (result != 0)
                return result;
            ++*sent;
            copied->copied_bytes += run;
            start += run;
        }
        if (equal)
            start = end;
        at = end;
    }
    return 0;
}

/* Data of this node at [offset, offset + size), size <= MN_COPY_STEP_BYTES. A block in which the
 * target has a hole has no hash there, and so is sent (invariant 10). */
static int copy_data(const struct mn_copy *copy, int fd, uint64_t offset, uint64_t size,
                     uint8_t *buffer, struct mn_copied *copied)
{
    enum { COUNT_MAX = MN_COPY_STEP_BYTES / BLOCK_BYTES };
    uint8_t theirs[COUNT_MAX * MN_HASH_BYTES];
    uint32_t sent = 0;
    ssize_t got;
    int count;
    int result = ask_hashes(copy, offset, size);

    if (result != 0)
        return result;
    got = pread(fd, buffer, size, (off_t)offset); /* while the secondary hashes */
    count = receive_hashes(copy, theirs, COUNT_MAX);
    if (count < 0 || got < 0)
        return count < 0 ? count : -EIO;
    result =
        send_different(copy, offset, buffer, (size_t)got, theirs, (size_t)count, &sent, copied);
    copied->compared_bytes += (uint64_t)got;
    return receive_acks(copy, sent, result);
}

/* What lies at offset here: data or a hole, up to *end_out <= end. */
static int find_extent(int fd, uint64_t offset, uint64_t end, bool *hole_out, uint64_t *end_out)
{
    off_t data = lseek(fd, (off_t)offset, SEEK_DATA);
    off_t next = data;

    if (data < 0 && errno != ENXIO)
        return -errno;
    *hole_out = data != (off_t)offset;
    if (!*hole_out)
        next = lseek(fd, (off_t)offset, SEEK_HOLE);
    *end_out = next < 0 || (uint64_t)next > end ? end : (uint64_t)next;
    return 0;
}

/* One step under the locks, [offset, *end): as far as one extent goes, and of data at most
 * MN_COPY_STEP_BYTES. */
static int copy_step(const struct mn_copy *copy, int fd, uint64_t offset, uint64_t *end,
                     uint8_t *buffer, struct mn_copied *copied)
{
    uint64_t extent_end = *end;
    bool hole = false;
    int result = find_extent(fd, offset, *end, &hole, &extent_end);

    *end = extent_end;
    if (result != 0)
        return result;
    if (!hole)
        return copy_data(copy, fd, offset, extent_end - offset, buffer, copied);
    copied->hole_bytes += extent_end - offset;
    result = send_block(copy, offset, extent_end - offset, NULL, 0);
    return result != 0 ? result : receive_ack(copy->connection);
}

int mn_copy_range(const struct mn_copy *copy, uint64_t offset, uint64_t size,
                  struct mn_copied *copied)
{
    uint64_t key = mn_handle_key(&copy->handle);
    uint8_t *buffer = malloc(MN_COPY_STEP_BYTES);
    uint64_t end = offset + size;
    struct stat status;
    int fd = open_here(copy, &status);
    int result = fd < 0 ? fd : 0;

    if (buffer == NULL)
        result = result == 0 ? -ENOMEM : result;
    while (result == 0 && offset < end) {
        uint64_t step_end = end - offset < MN_COPY_STEP_BYTES ? end : offset + MN_COPY_STEP_BYTES;
        struct mn_lock_set locks = {.count = 0};

        mn_lock_set_add(&locks, MN_LOCK_EXISTENCE, key, 0, 0, false);
        mn_lock_set_add(&locks, MN_LOCK_RANGE, key, offset, step_end - 1, true);
        mn_locks_take(&copy->capture->locks, &locks);
        if (fstat(fd, &status) != 0 || status.st_nlink == 0) {
            result = -ENOENT;
        } else if (offset >= (uint64_t)status.st_size) {
            end = offset; /* behind the end of the file: mn_copy_size cuts the secondary's */
        } else {
            if (step_end > (uint64_t)status.st_size)
                step_end = (uint64_t)status.st_size;
            result = copy_step(copy, fd, offset, &step_end, buffer, copied);
        }
        mn_locks_release(&copy->capture->locks, &locks);
        offset = step_end;
    }
    free(buffer);
    if (fd >= 0)
        close(fd);
    return result;
}
