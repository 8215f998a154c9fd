/* Messages that change data: Write, Fallocate, CopyRange, and Sync. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "apply/apply_private.h"

/* An object that a message names, open for reading and writing. */
struct data_file {
    struct mn_target target;
    int fd;
    uint32_t slot;
    bool is_own; /* not of the open files yet; slot does not count */
};

/* 0; -EBADMSG ends the connection; other errors are answered. With 0 it must be given back. */
static int take(struct mn_call *call, uint8_t root, const struct mn_id *id, struct data_file *file)
{
    int result = mn_target_find(call->apply, root, id, &file->target);
    if (result < 0)
        return result;
    file->is_own = false;
    return mn_open_files_take(call->apply->files, file->target.root, id,
                              &file->target.found.handle, &file->fd, &file->slot);
}

static void give(struct mn_call *call, const struct data_file *file)
{
    if (!file->is_own) {
        mn_open_files_give(call->apply->files, file->slot);
        return;
    }
    mn_open_files_drop(call->apply->files, file->target.root, &file->target.ref.id);
    mn_open_files_put(call->apply->files, file->target.root, &file->target.ref.id, file->fd);
}

static int answer_or_end(struct mn_call *call, int64_t result)
{
    return result == -EBADMSG ? -EBADMSG : mn_answer(call, result);
}

/* An append-only file opens for its end alone. But the primary's application may have opened it
 * before it was append-only, or it is not any more (reintegration took the flag away, which tells
 * nobody). AS_IT_WAS: that is not so. 0: held by a descriptor that writes anywhere. After an error
 * it is not held any more. */
enum { AS_IT_WAS = 1 };

static int take_anywhere(struct mn_call *call, struct data_file *file, uint64_t epoch)
{
    int flags = fcntl(file->fd, F_GETFL);

    if (flags < 0 || (flags & O_APPEND) == 0)
        return AS_IT_WAS;
    give(call, file);
    mn_note(call, &file->target, MN_PLACE_ATTRIBUTES, epoch);
    file->fd = mn_target_open_anywhere(call->apply, &file->target);
    file->is_own = true;
    return file->fd < 0 ? file->fd : 0;
}

static ssize_t write_at(const struct data_file *file, const struct mn_message_write *message)
{
    return mn_lower_write(file->fd, message->data, message->data_size, message->offset_bytes,
                          message->flags);
}

int mn_apply_write(struct mn_call *call)
{
    struct mn_message_write message;
    struct data_file file;

    int result = mn_decode_write(call->payload, call->size, &message);
    if (result < 0)
        return result;
    result = take(call, message.root, &message.id, &file);
    if (result < 0)
        return answer_or_end(call, result);
    mn_note_range(call, &file.target, message.offset_bytes, message.data_size, message.epoch);
    if (message.flags & MN_WRITE_KILL_PRIV)
        mn_note(call, &file.target, MN_PLACE_ATTRIBUTES, message.epoch);
    ssize_t count = write_at(&file, &message);
    if (count == -EPERM) {
        result = take_anywhere(call, &file, message.epoch);
        if (result < 0)
            return mn_answer(call, result);
        if (result == 0)
            count = write_at(&file, &message);
    }
    give(call, &file);
    return mn_answer(call, count);
}

int mn_apply_fallocate(struct mn_call *call)
{
    struct mn_message_fallocate message;
    struct data_file file;

    int result = mn_decode_fallocate(call->payload, call->size, &message);
    if (result < 0)
        return result;
    result = take(call, message.root, &message.id, &file);
    if (result < 0)
        return answer_or_end(call, result);
    mn_note_range(call, &file.target, message.offset_bytes, message.size_bytes, message.epoch);
    mn_note(call, &file.target, MN_PLACE_ATTRIBUTES, message.epoch);
    result = mn_lower_fallocate(file.fd, message.mode, message.offset_bytes, message.size_bytes);
    give(call, &file);
    return mn_answer(call, result);
}

static ssize_t copy_at(const struct data_file *from, const struct data_file *to,
                       const struct mn_message_copy_range *message)
{
    return mn_lower_copy_range(from->fd, message->offset_bytes, to->fd, message->to_offset_bytes,
                               message->size_bytes);
}

int mn_apply_copy_range(struct mn_call *call)
{
    struct mn_message_copy_range message;
    struct data_file from, to;

    int result = mn_decode_copy_range(call->payload, call->size, &message);
    if (result < 0)
        return result;
    result = take(call, message.root, &message.id, &from);
    if (result < 0)
        return answer_or_end(call, result);
    result = take(call, message.root, &message.to, &to);
    if (result < 0) {
        give(call, &from);
        return answer_or_end(call, result);
    }
    mn_note_range(call, &to.target, message.to_offset_bytes, message.size_bytes, message.epoch);
    ssize_t count = copy_at(&from, &to, &message);
    if (count == -EBADF) {
        result = take_anywhere(call, &to, message.epoch);
        if (result < 0) {
            give(call, &from);
            return mn_answer(call, result);
        }
        if (result == 0)
            count = copy_at(&from, &to, &message);
    }
    give(call, &to);
    give(call, &from);
    return mn_answer(call, count);
}

int mn_apply_sync(struct mn_call *call)
{
    struct mn_message_sync message;
    struct mn_target target;

    int result = mn_decode_sync(call->payload, call->size, &message);
    if (result < 0)
        return result;
    result = mn_target_find(call->apply, message.root, &message.id, &target);
    if (result < 0)
        return answer_or_end(call, result);
    /* Directories too, hence not through the open files. A descriptor opened just now sees the
     * errors that nobody has seen yet; those seen by another are the checkpoint's affair. */
    int fd = mn_target_open(&target, O_RDONLY);
    if (fd < 0)
        return mn_answer(call, fd);
    result = mn_lower_sync(fd, message.datasync);
    close(fd);
    return mn_answer(call, result);
}
