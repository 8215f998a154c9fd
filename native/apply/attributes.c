/* Messages that change attributes: SetAttributes, SetXattr, RemoveXattr, SetFlags. Values are
 * absolute: the primary has resolved what depends on the caller. */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <unistd.h>

#include "apply/apply_private.h"

/* Finds and opens; 0 with *fd_out open, or answered_out says what the handler returns. */
static int open_target(struct mn_call *call, uint8_t root, const struct mn_id *id, int flags,
                       struct mn_target *target, int *fd_out)
{
    int result = mn_target_find(call->apply, root, id, target);
    if (result < 0)
        return result;
    *fd_out = mn_target_open(target, flags);
    return *fd_out < 0 ? *fd_out : 0;
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
    struct mn_target target;
    int fd;

    int result = mn_decode_set_attributes(call->payload, call->size, &message);
    if (result < 0)
        return result;
    result = open_target(call, message.root, &message.id, O_PATH, &target, &fd);
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
    mn_note(call, &target, MN_PLACE_ATTRIBUTES, message.epoch);
    if (message.valid & MN_SET_SIZE)
        result = note_resize(call, &target, fd, message.size_bytes, message.epoch);
    if (result == 0)
        result = mn_lower_set_attributes(fd, &attributes);
    close(fd);
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
    struct mn_target target;
    char name[XATTR_NAME_MAX + 1];
    int fd;

    int result = mn_decode_set_xattr(call->payload, call->size, &message);
    if (result < 0)
        return result;
    result = xattr_name(message.name, message.name_size, name);
    if (result == 0)
        result = open_target(call, message.root, &message.id, O_PATH, &target, &fd);
    if (result < 0)
        return answer_or_end(call, result);
    mn_note(call, &target, MN_PLACE_ATTRIBUTES, message.epoch);
    result = mn_lower_set_xattr(fd, name, message.value, message.value_size, message.flags);
    close(fd);
    return mn_answer(call, result);
}

int mn_apply_remove_xattr(struct mn_call *call)
{
    struct mn_message_remove_xattr message;
    struct mn_target target;
    char name[XATTR_NAME_MAX + 1];
    int fd;

    int result = mn_decode_remove_xattr(call->payload, call->size, &message);
    if (result < 0)
        return result;
    result = xattr_name(message.name, message.name_size, name);
    if (result == 0)
        result = open_target(call, message.root, &message.id, O_PATH, &target, &fd);
    if (result < 0)
        return answer_or_end(call, result);
    mn_note(call, &target, MN_PLACE_ATTRIBUTES, message.epoch);
    result = mn_lower_remove_xattr(fd, name);
    close(fd);
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
    result = open_target(call, message.root, &message.id, O_RDONLY, &target, &fd);
    if (result < 0)
        return answer_or_end(call, result);
    mn_note(call, &target, MN_PLACE_ATTRIBUTES, message.epoch);
    result = mn_lower_set_flags(fd, message.flags, message.valid);
    close(fd);
    /* A descriptor opened before may write what one opened now may not. */
    mn_open_files_drop(call->apply->files, target.root, &message.id);
    return mn_answer(call, result);
}
