/* Messages of reintegration's data phase, on the lane COPY: HashRange, CopyBlock, ReadRange. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "apply/apply_private.h"
#include "hash/hash.h"

enum { BEHIND_BYTES = 4 << 20 };

/* Sends what was encoded; MN_ANSWERED, or -errno of the connection. */
static int answered(struct mn_call *call, int encoded, uint16_t code)
{
    if (encoded < 0)
        return encoded;
    int result = mn_connection_send(call->connection, code);
    return result < 0 ? result : MN_ANSWERED;
}

/* For reading only: a file that may not be written can be compared all the same. */
static int open_to_read(struct mn_call *call, uint8_t root, const struct mn_id *id)
{
    struct mn_target target;

    int result = mn_target_find(call->apply, root, id, &target);
    return result < 0 ? result : mn_target_open(&target, O_RDONLY);
}

int mn_apply_hash_range(struct mn_call *call)
{
    struct mn_message_hash_range message;
    struct mn_message_hashes answer = {0};
    uint8_t *hashes = call->block + MN_BLOCK_BYTES_MAX;
    uint32_t count = 0;

    int result = mn_decode_hash_range(call->payload, call->size, &message);
    if (result < 0)
        return result;
    if (message.block_bytes == 0 || message.block_bytes > MN_BLOCK_BYTES_MAX)
        return -EBADMSG;
    /* A range cut short would pass for the end of the file. */
    bool fits = message.size_bytes / message.block_bytes < MN_HASHES_MAX;
    int fd = fits ? open_to_read(call, message.root, &message.id) : -E2BIG;
    if (fd == -EBADMSG)
        return fd;
    /* Of a pair in step nobody doubts what is in memory, and a page that is just being written
     * would look reserved (lower/reserved.c). */
    if (fd >= 0 && !atomic_load(&call->apply->in_step))
        mn_lower_forget_cached(fd, message.offset_bytes, message.size_bytes);
    result = fd < 0 ? fd
                    : mn_lower_hash_range(fd, message.offset_bytes, message.size_bytes,
                                          message.block_bytes, call->block, MN_BLOCK_BYTES_MAX,
                                          hashes, MN_HASHES_MAX, &count, &answer.size_bytes);
    if (fd >= 0)
        close(fd);
    answer.error = result < 0 ? -result : 0;
    answer.hashes = hashes;
    answer.hashes_size = result < 0 ? 0 : count * MN_HASH_BYTES;
    return answered(call, mn_encode_hashes(&answer, mn_connection_begin(call->connection)),
                    MN_MESSAGE_HASHES);
}

/* Where a hole cannot be made, zeros read the same. */
static int write_zeros(struct mn_call *call, int fd, uint64_t offset, uint64_t size)
{
    memset(call->block, 0, MN_BLOCK_BYTES_MAX);
    for (uint64_t done = 0; done < size;) {
        size_t piece =
            size - done < MN_BLOCK_BYTES_MAX ? (size_t)(size - done) : MN_BLOCK_BYTES_MAX;
        ssize_t count = mn_lower_write(fd, call->block, piece, offset + done, 0);
        if (count < 0)
            return (int)count;
        done += (uint64_t)count;
    }
    return 0;
}

static int make_hole(struct mn_call *call, int fd, uint64_t offset, uint64_t size)
{
    struct mn_attributes longer = {.valid = MN_SET_SIZE, .size_bytes = offset + size};
    struct stat status;

    if (size > INT64_MAX || offset > INT64_MAX - size)
        return -EFBIG;
    if (size == 0)
        return 0;
    int result = mn_lower_fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
    if (result == -EOPNOTSUPP)
        return write_zeros(call, fd, offset, size);
    if (result < 0)
        return result;
    if (fstat(fd, &status) < 0)
        return -errno;
    return (uint64_t)status.st_size >= offset + size ? 0 : mn_lower_set_attributes(fd, &longer);
}

/* The disk begins with what is copied before a checkpoint waits for it. Only with what has its
 * place on the disk: what is new gets one when it is written back, and the later the larger (a
 * first copy of 1.5 GiB: 185 extents, 11 to 21 without). Nobody waits here, so an error is left to
 * the checkpoint's syncfs. */
static void write_behind(struct mn_call *call, int fd, uint64_t written)
{
    call->behind_bytes += written;
    if (call->behind_bytes < BEHIND_BYTES)
        return;
    (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    call->behind_bytes = 0;
}

static int64_t write_block(struct mn_call *call, const struct mn_target *target,
                           const struct mn_message_copy_block *message)
{
    uint32_t slot = 0;
    int64_t done;
    int fd = -1;

    int result = mn_open_files_take(call->apply->files, target->root, &message->id,
                                    &target->found.handle, &fd, &slot);
    if (result != 0)
        return result;
    bool replaces =
        message->data_size > 0 && mn_lower_is_all_data(fd, message->offset_bytes,
                                                       message->offset_bytes + message->data_size);
    if (message->data_size > 0)
        done = mn_lower_write(fd, message->data, message->data_size, message->offset_bytes, 0);
    else
        done = make_hole(call, fd, message->offset_bytes, message->hole_bytes);
    if (done > 0 && replaces)
        write_behind(call, fd, (uint64_t)done);
    mn_open_files_give(call->apply->files, slot);
    return done;
}

int mn_apply_copy_block(struct mn_call *call)
{
    struct mn_message_copy_block message;
    struct mn_target target;
    int64_t done;

    int result = mn_decode_copy_block(call->payload, call->size, &message);
    if (result < 0)
        return result;
    result = mn_target_find(call->apply, message.root, &message.id, &target);
    if (result == -EBADMSG)
        return result;
    if (result != 0)
        return mn_answer(call, result);
    done = write_block(call, &target, &message);
    if (done == -EPERM && mn_target_allow_changes(call->apply, &target) == 0) {
        mn_open_files_drop(call->apply->files, target.root, &message.id);
        done = write_block(call, &target, &message);
    }
    return mn_answer(call, done);
}

int mn_apply_read_range(struct mn_call *call)
{
    struct mn_message_read_range message;
    struct mn_message_bytes answer = {0};

    int result = mn_decode_read_range(call->payload, call->size, &message);
    if (result < 0)
        return result;
    if (message.size_bytes > MN_BLOCK_BYTES_MAX)
        return -EBADMSG;
    int fd = open_to_read(call, message.root, &message.id);
    if (fd == -EBADMSG)
        return fd;
    ssize_t count =
        fd < 0 ? fd : mn_lower_read(fd, call->block, message.size_bytes, message.offset_bytes);
    if (fd >= 0)
        close(fd);
    answer.error = count < 0 ? (int32_t)-count : 0;
    answer.data = call->block;
    answer.data_size = count < 0 ? 0 : (uint32_t)count;
    return answered(call, mn_encode_bytes(&answer, mn_connection_begin(call->connection)),
                    MN_MESSAGE_BYTES);
}
