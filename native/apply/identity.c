/* Messages by which the two nodes agree on who is who: Introduce and SetIdentity (design 8). */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "apply/apply_private.h"

int mn_apply_introduce(struct mn_call *call)
{
    struct mn_message_introduce message;
    struct mn_target parent;
    struct mn_handle handle;
    struct mn_name name;
    struct mn_id found;

    int result = mn_decode_introduce(call->payload, call->size, &message);
    if (result < 0)
        return result;
    result = mn_target_find(call->apply, message.root, &message.parent, &parent);
    if (result < 0)
        return result == -EBADMSG ? result : mn_answer(call, result);
    mn_name_set(&name, message.name, message.name_size);
    result = mn_name_check(&parent, &name);
    if (result < 0)
        return mn_answer(call, result);
    int directory_fd = mn_target_open(&parent, O_PATH | O_DIRECTORY);
    if (directory_fd < 0)
        return mn_answer(call, directory_fd);
    result = mn_name_look(parent.root, directory_fd, &name, &found, &handle, NULL);
    close(directory_fd);
    /* Nothing there, no identity, another one: in each case the two trees are not equal. */
    if (result == -ENOENT || result == MN_ID_MISSING ||
        (result == 0 && !mn_id_equal(&found, &message.id)))
        result = -ESTALE;
    if (result == 0)
        result = mn_id_map_learn(call->apply->map, message.root, &message.id, &handle,
                                 &message.parent, message.name, message.name_size);
    return mn_answer(call, result);
}

static int give(int path_fd, int looked, const struct mn_id *found, const struct mn_handle *handle,
                const struct mn_id *id)
{
    if (looked == 0) /* it has one: the same, or the trees are not equal */
        return mn_id_equal(found, id) ? 0 : -ESTALE;
    return mn_lower_id_set(path_fd, handle, id);
}

int mn_apply_set_identity(struct mn_call *call)
{
    struct mn_message_set_identity message;
    struct mn_target parent;
    struct mn_handle handle;
    struct mn_name name;
    struct mn_id found;
    int path_fd;

    int result = mn_decode_set_identity(call->payload, call->size, &message);
    if (result < 0)
        return result;
    result = mn_target_find(call->apply, message.root, &message.parent, &parent);
    if (result < 0)
        return result == -EBADMSG ? result : mn_answer(call, result);
    mn_name_set(&name, message.name, message.name_size);
    result = mn_name_check(&parent, &name);
    if (result < 0)
        return mn_answer(call, result);
    int directory_fd = mn_target_open(&parent, O_PATH | O_DIRECTORY);
    if (directory_fd < 0)
        return mn_answer(call, directory_fd);
    mn_note_name(call, &parent, &name, message.epoch);
    result = mn_name_look(parent.root, directory_fd, &name, &found, &handle, &path_fd);
    close(directory_fd);
    if (result < 0)
        return mn_answer(call, result);
    result = give(path_fd, result, &found, &handle, &message.id);
    close(path_fd);
    if (result == 0)
        result = mn_id_map_learn(call->apply->map, message.root, &message.id, &handle,
                                 &message.parent, message.name, message.name_size);
    return mn_answer(call, result);
}
