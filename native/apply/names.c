/* Messages that change names: Create, CreateNameless, Link, Unlink, Rename. Each verifies that
 * what stands at a name is what the primary means: the two trees are equal, or the pair is parted
 * (ESTALE). */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <unistd.h>

#include "apply/apply_private.h"
#include "lower/local.h"

/* A directory that a message names, open, with one name in it. */
struct spot {
    struct mn_target directory;
    struct mn_name name;
    int fd;
};

/* 0, fd not yet set; -EBADMSG ends the connection; other errors are answered. */
static int find_name(struct mn_call *call, uint8_t root, const struct mn_id *directory,
                     const char *name, uint16_t name_size, struct spot *spot)
{
    int result = mn_target_find(call->apply, root, directory, &spot->directory);
    if (result < 0)
        return result;
    mn_name_set(&spot->name, name, name_size);
    return mn_name_check(&spot->directory, &spot->name);
}

/* As find_name, and with 0 fd is the call's own descriptor. */
static int find_spot(struct mn_call *call, uint8_t root, const struct mn_id *directory,
                     const char *name, uint16_t name_size, struct spot *spot)
{
    int result = find_name(call, root, directory, name, name_size, spot);
    if (result < 0)
        return result;
    spot->fd = mn_target_directory(call, &spot->directory);
    return spot->fd < 0 ? spot->fd : 0;
}

static int expect(const struct spot *spot, const struct mn_id *id)
{
    return mn_name_expect(spot->directory.root, spot->fd, &spot->name, id);
}

static int answer_or_end(struct mn_call *call, int result)
{
    return result == -EBADMSG ? result : mn_answer(call, result);
}

static int create_at(struct mn_call *call, const struct mn_message_create *message,
                     const struct spot *spot)
{
    char target[PATH_MAX];
    struct mn_handle handle = {0};
    struct mn_id id = message->id; /* nobody else names what is new here */
    int fd = -1;

    if (message->target_size >= sizeof(target))
        return -ENAMETOOLONG;
    if (message->target_size > 0)
        memcpy(target, message->target, message->target_size);
    target[message->target_size] = '\0';
    if (strlen(target) != message->target_size)
        return -EINVAL;
    /* May use ext4's reserved blocks: whether the application may is decided on the primary. */
    int result = mn_lower_act_as(message->uid, message->gid, message->umask, 1);
    if (result == 0)
        result = mn_lower_create(spot->fd, spot->name.text, message->mode, message->rdev, target,
                                 O_RDWR, &id, &handle, &fd);
    int back = mn_lower_act_as(0, 0, 0, 1);
    if (result == 0)
        result = back;
    if (result < 0)
        return result;
    if (S_ISREG(message->mode)) /* it will be written */
        mn_open_files_put(call->apply->files, spot->directory.root, &message->id, fd);
    else
        close(fd);
    return mn_id_map_learn(call->apply->map, message->root, &message->id, &handle,
                           &message->parent, message->name, message->name_size);
}

int mn_apply_create_object(struct mn_call *call)
{
    struct mn_message_create message;
    struct spot spot;

    int result = mn_decode_create(call->payload, call->size, &message);
    if (result < 0)
        return result;
    result =
        find_spot(call, message.root, &message.parent, message.name, message.name_size, &spot);
    if (result < 0)
        return answer_or_end(call, result);
    mn_note_name(call, &spot.directory, &spot.name, message.epoch);
    result = create_at(call, &message, &spot);
    return mn_answer(call, result);
}

static int create_nameless(struct mn_call *call, const struct mn_message_create_nameless *message,
                           const struct spot *spot)
{
    struct mn_handle handle = {0};
    int fd = -1;

    int result = mn_lower_act_as(message->uid, message->gid, 0, 1);
    if (result == 0)
        result =
            mn_lower_create_nameless(spot->fd, message->mode, O_RDWR, &message->id, &handle, &fd);
    int back = mn_lower_act_as(0, 0, 0, 1);
    if (result < 0)
        return result;
    call->nameless_fd = fd;
    call->nameless_root = message->root;
    call->nameless_id = message->id;
    /* Known by the name that it will have: a place noted before its Link is looked for there. */
    return back < 0 ? back
                    : mn_id_map_learn(call->apply->map, message->root, &message->id, &handle,
                                      &message->parent, message->name, message->name_size);
}

int mn_apply_create_nameless(struct mn_call *call)
{
    struct mn_message_create_nameless message;
    struct spot spot;

    int result = mn_decode_create_nameless(call->payload, call->size, &message);
    if (result < 0)
        return result;
    if (!S_ISREG(message.mode))
        return -EBADMSG;
    result =
        find_spot(call, message.root, &message.parent, message.name, message.name_size, &spot);
    if (result < 0)
        return answer_or_end(call, result);
    mn_call_forget_nameless(call);
    /* Of an earlier try, perhaps on another lane. */
    mn_open_files_drop(call->apply->files, spot.directory.root, &message.id);
    return mn_answer(call, create_nameless(call, &message, &spot));
}

int mn_apply_link(struct mn_call *call)
{
    struct mn_message_link message;
    struct mn_target object;
    struct spot spot;

    int result = mn_decode_link(call->payload, call->size, &message);
    if (result < 0)
        return result;
    result = mn_target_find(call->apply, message.root, &message.id, &object);
    if (result == 0)
        result =
            find_spot(call, message.root, &message.parent, message.name, message.name_size, &spot);
    if (result != 0)
        return answer_or_end(call, result);
    mn_note_name(call, &spot.directory, &spot.name, message.epoch);
    int path_fd = mn_target_open(&object, O_PATH);
    result = path_fd < 0 ? path_fd : mn_lower_link(path_fd, spot.fd, spot.name.text);
    if (path_fd >= 0)
        close(path_fd);
    if (mn_id_equal(&call->nameless_id, &message.id) && call->nameless_root == message.root)
        mn_call_forget_nameless(call);
    return mn_answer(call, result);
}

/* The path of what stands at a spot; -ESTALE when it is not known. */
static int path_at(const struct spot *spot, char path[PATH_MAX])
{
    int result = mn_lower_path(spot->directory.root, spot->fd, path, PATH_MAX);
    size_t size = result == 0 ? strlen(path) : 0;

    if (result != 0)
        return result;
    if (size + spot->name.size + 2 > PATH_MAX)
        return -ESTALE;
    if (size > 0)
        path[size++] = '/';
    memcpy(path + size, spot->name.text, spot->name.size + 1U);
    return 0;
}

/* The directory at a spot is empty on the primary, and has entries here. If all of them are local
 * they are kept aside, with it. */
static int remove_with_locals(const struct spot *spot)
{
    char path[PATH_MAX];

    if (spot->directory.root->rules == NULL || path_at(spot, path) != 0)
        return -ENOTEMPTY;
    return mn_local_remove_directory(spot->directory.root, spot->fd, spot->name.text, path);
}

int mn_apply_unlink(struct mn_call *call)
{
    struct mn_message_unlink message;
    struct spot spot;

    int result = mn_decode_unlink(call->payload, call->size, &message);
    if (result < 0)
        return result;
    result =
        find_spot(call, message.root, &message.parent, message.name, message.name_size, &spot);
    if (result < 0)
        return answer_or_end(call, result);
    result = expect(&spot, &message.id);
    if (result == 0) {
        mn_note_name(call, &spot.directory, &spot.name, message.epoch);
        result = mn_lower_unlink(spot.fd, spot.name.text, message.directory);
        if (result == -ENOTEMPTY)
            result = remove_with_locals(&spot);
        mn_open_files_drop(call->apply->files, spot.directory.root, &message.id);
    }
    return mn_answer(call, result);
}

/* What the primary says that stands at both names, stands there. */
static int expect_both(const struct mn_message_rename *message, const struct spot *from,
                       const struct spot *to)
{
    int result = expect(from, &message->id);

    if (result < 0 || mn_id_is_zero(&message->replaced)) /* renameat2 sees what is unexpected */
        return result;
    result = expect(to, &message->replaced);
    return result == -ENOENT ? -ESTALE : result;
}

/* Local entries beneath a directory that moves stay local, or are kept aside: the primary has made
 * sure of the replicated ones. What is no directory has nothing beneath it. */
static int move_locals(const struct mn_message_rename *message, const struct spot *from,
                       const struct spot *to)
{
    const struct mn_root *root = from->directory.root;
    char path[PATH_MAX];
    char new_path[PATH_MAX];
    int result = 0;

    if (root->rules == NULL)
        return 0;
    if (path_at(from, path) != 0 || path_at(to, new_path) != 0)
        return -ESTALE;
    result = mn_local_prepare_move(root, from->fd, from->name.text, path, new_path);
    if ((result == 0 || result == -ENOTDIR) && (message->flags & RENAME_EXCHANGE) != 0)
        result = mn_local_prepare_move(root, to->fd, to->name.text, new_path, path);
    return result == -ENOTDIR || result == -ELOOP ? 0 : result;
}

static int rename_between(struct mn_call *call, const struct mn_message_rename *message,
                          const struct spot *from, const struct spot *to)
{
    struct mn_apply *apply = call->apply;
    bool replaces = !mn_id_is_zero(&message->replaced);
    /* Nothing stands there on the primary: if something does here, it must not be replaced. */
    bool guarded = !replaces && !(message->flags & RENAME_EXCHANGE);
    uint32_t flags = guarded ? message->flags | RENAME_NOREPLACE : message->flags;

    int result = expect_both(message, from, to);
    if (result < 0)
        return result;
    mn_note_name(call, &from->directory, &from->name, message->epoch);
    mn_note_name(call, &to->directory, &to->name, message->epoch);
    result = move_locals(message, from, to);
    if (result == 0)
        result = mn_lower_rename(from->fd, from->name.text, to->fd, to->name.text, flags);
    if (result == -ENOTEMPTY && remove_with_locals(to) == 0)
        result = mn_lower_rename(from->fd, from->name.text, to->fd, to->name.text, flags);
    if (result == -EEXIST && guarded && !(message->flags & RENAME_NOREPLACE))
        return -ESTALE;
    if (result < 0)
        return result;
    mn_id_map_moved(apply->map, message->root, &message->id, &message->new_parent, to->name.text,
                    to->name.size);
    if (replaces && (message->flags & RENAME_EXCHANGE))
        mn_id_map_moved(apply->map, message->root, &message->replaced, &message->parent,
                        from->name.text, from->name.size);
    else if (replaces)
        mn_open_files_drop(apply->files, to->directory.root, &message->replaced);
    return 0;
}

int mn_apply_rename(struct mn_call *call)
{
    struct mn_message_rename message;
    struct spot from, to;

    int result = mn_decode_rename(call->payload, call->size, &message);
    if (result < 0)
        return result;
    result =
        find_name(call, message.root, &message.parent, message.name, message.name_size, &from);
    if (result < 0)
        return answer_or_end(call, result);
    result = find_spot(call, message.root, &message.new_parent, message.new_name,
                       message.new_name_size, &to);
    if (result < 0)
        return answer_or_end(call, result);
    /* The call keeps one directory, and it is the other one. */
    from.fd = mn_target_open(&from.directory, O_PATH | O_DIRECTORY);
    if (from.fd < 0)
        return mn_answer(call, from.fd);
    result = rename_between(call, &message, &from, &to);
    close(from.fd);
    return answer_or_end(call, result);
}
