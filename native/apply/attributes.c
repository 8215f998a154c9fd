/* Messages that change attributes: SetAttributes, SetXattr, RemoveXattr, SetFlags. Values are
 * absolute: the primary has resolved what depends on the caller. */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <unistd.h>

#include "apply/apply_private.h"

/* An object that a message names, and a descriptor of it: that of the open files if it is there,
 * else one by O_PATH. */
struct held {
    struct mn_target target;
    int fd;
    uint32_t slot;
    bool is_borrowed;
};

/* 0: to be given back; -EBADMSG ends the connection; other errors are answered. */
static int hold(struct mn_call *call, uint8_t root, const struct mn_id *id, struct held *held)
{
    int result = mn_target_find(call->apply, root, id, &held->target);
    if (result < 0)
        return result;
    held->is_borrowed = mn_open_files_borrow(call->apply->files, held->target.root, id, &held->fd,
                                             &held->slot) == 0;
    if (!held->is_borrowed)
        held->fd = mn_target_open(&held->target, O_PATH);
    return held->fd < 0 ? held->fd : 0;
}

static void give(struct mn_call *call, const struct held *held)
{
    if (held->is_borrowed)
        mn_open_files_give(call->apply->files, held->slot);
    else
        close(held->fd);
}

static int answer_or_end(struct mn_call *call, int result)
{
    return result == -EBADMSG ? result : mn_answer(call, result);
}

/* The bytes between the old size and the new one change. */
static int note_resize(struct mn_call *call, const struct mn_target *target, int fd,
                       uint64_t size_bytes, uint64_t epoch)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    uint64_t before = (uint64_t)status.st_size;
    uint64_t low = before < size_bytes ? before : size_bytes;
    uint64_t high = before < size_bytes ? size_bytes : before;
    if (high > low)
        mn_note_range(call, target, low, high - low, epoch);
    return 0;
}

int mn_apply_set_attributes(struct mn_call *call)
{
    struct mn_message_set_attributes message;
    struct held held;

    int result = mn_decode_set_attributes(call->payload, call->size, &message);
    if (result < 0)
        return result;
    result = hold(call, message.root, &message.id, &held);
    if (result < 0)
        return answer_or_end(call, result);
    struct mn_attributes attributes = {
        .valid = message.valid,
        .mode = message.mode,
        .uid = message.uid,
        .gid = message.gid,
        .size_bytes = message.size_bytes,
        .atime_ns = message.atime_ns,
        .mtime_ns = message.mtime_ns,
    };
    mn_note(call, &held.target, MN_PLACE_ATTRIBUTES, message.epoch);
    if (message.valid & MN_SET_SIZE)
        result = note_resize(call, &held.target, held.fd, message.size_bytes, message.epoch);
    if (result == 0)
        result = mn_lower_set_attributes(held.fd, &attributes);
    if (result == -EPERM && call->block != NULL) { /* the lane COPY */
        result = mn_target_allow_changes(call->apply, &held.target);
        if (result == 0)
            result = mn_lower_set_attributes(held.fd, &attributes);
    }
    give(call, &held);
    return mn_answer(call, result);
}

/* Terminated; -ERANGE as the kernel says of a name that is too long or empty. */
static int xattr_name(const char *text, uint16_t size, char name_out[XATTR_NAME_MAX + 1])
{
    if (size == 0 || size > XATTR_NAME_MAX)
        return -ERANGE;
    memcpy(name_out, text, size);
    name_out[size] = '\0';
    return 0;
}

int mn_apply_set_xattr(struct mn_call *call)
{
    struct mn_message_set_xattr message;
    struct held held;
    char name[XATTR_NAME_MAX + 1];

    int result = mn_decode_set_xattr(call->payload, call->size, &message);
    if (result < 0)
        return result;
    result = xattr_name(message.name, message.name_size, name);
    if (result == 0)
        result = hold(call, message.root, &message.id, &held);
    if (result < 0)
        return answer_or_end(call, result);
    mn_note(call, &held.target, MN_PLACE_ATTRIBUTES, message.epoch);
    result = mn_lower_set_xattr(held.fd, name, message.value, message.value_size, message.flags);
    give(call, &held);
    return mn_answer(call, result);
}

int mn_apply_remove_xattr(struct mn_call *call)
{
    struct mn_message_remove_xattr message;
    struct held held;
    char name[XATTR_NAME_MAX + 1];

    int result = mn_decode_remove_xattr(call->payload, call->size, &message);
    if (result < 0)
        return result;
    result = xattr_name(message.name, message.name_size, name);
    if (result == 0)
        result = hold(call, message.root, &message.id, &held);
    if (result < 0)
        return answer_or_end(call, result);
    mn_note(call, &held.target, MN_PLACE_ATTRIBUTES, message.epoch);
    result = mn_lower_remove_xattr(held.fd, name);
    give(call, &held);
    return mn_answer(call, result);
}

int mn_apply_set_flags(struct mn_call *call)
{
    struct mn_message_set_flags message;
    struct mn_target target;
    int fd;

    int result = mn_decode_set_flags(call->payload, call->size, &message);
    if (result < 0)
        return result;
    result = mn_target_find(call->apply, message.root, &message.id, &target);
    if (result < 0)
        return answer_or_end(call, result);
    fd = mn_target_open(&target, O_RDONLY);
    if (fd < 0)
        return mn_answer(call, fd);
    mn_note(call, &target, MN_PLACE_ATTRIBUTES, message.epoch);
    result = mn_lower_set_flags(fd, message.flags, message.valid);
    close(fd);
    /* A descriptor opened before may write what one opened now may not. */
    mn_open_files_drop(call->apply->files, target.root, &message.id);
    return mn_answer(call, result);
}
