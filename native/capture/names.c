/* Names that go or move: unlink, rmdir, rename. The kernel holds the directories' own locks
 * meanwhile, and nobody else changes the lower directory, so what stands at a name is looked up
 * before the conflict locks are taken. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/change.h"
#include "capture/operations.h"
#include "capture/reply.h"
#include "capture/undo.h"
#include "lower/local.h"

struct remove_operation {
    struct mn_node *directory;
    struct mn_node *node; /* pinned */
    const char *name;
    bool is_directory;
};

/* Whether a process may use it without us: a directory as its working directory, a fifo or a
 * device by a descriptor of the kernel's. Files are held by descriptors of our own. */
static bool is_used_unseen(mode_t mode)
{
    return S_ISDIR(mode) || S_ISFIFO(mode) || S_ISCHR(mode) || S_ISBLK(mode);
}

/* The object behind a path descriptor after one of its names went. Closes the descriptor, or keeps
 * it when the object has no name left and lives on. */
static void note_last_name(struct mn_node *node, int fd)
{
    struct stat status;

    if (fstat(fd, &status) == 0 && (status.st_nlink == 0 || S_ISDIR(status.st_mode))) {
        mn_node_flag_set(node, MN_NODE_UNLINKED);
        if (is_used_unseen(status.st_mode) && node->removed_fd < 0) {
            node->removed_fd = fd; /* under its existence lock */
            return;
        }
    }
    close(fd);
}

static int encode_unlink(struct mn_change *change, struct mn_buffer *out)
{
    struct remove_operation *op = change->operation;
    struct mn_message_unlink message = {.epoch = change->epoch,
                                        .root = (uint8_t)change->mount->root->index,
                                        .parent = op->directory->id,
                                        .id = op->node->id,
                                        .directory = op->is_directory,
                                        .name = op->name,
                                        .name_size = (uint16_t)strlen(op->name)};

    return mn_encode_unlink(&message, out);
}

static int64_t perform_unlink(struct mn_change *change)
{
    struct remove_operation *op = change->operation;
    int directory_fd = mn_worker_directory(change->worker, change->mount, op->directory);
    int fd;
    int result;

    if (directory_fd < 0)
        return directory_fd;
    fd = mn_lower_open(change->mount->root, mn_node_handle(op->node), O_PATH);
    if (fd < 0)
        return fd;
    result = mn_lower_unlink(directory_fd, op->name, op->is_directory);
    if (result == 0) {
        note_last_name(op->node, fd);
        mn_node_unplace(&change->mount->nodes, op->node, op->directory, op->name);
    } else {
        close(fd);
    }
    return result;
}

/* The secondary may have no local entries where this node has some: what is not empty here is not
 * asked to go there. */
static int check_empty(struct mn_change *change)
{
    struct remove_operation *op = change->operation;
    int directory_fd = mn_worker_directory(change->worker, change->mount, op->directory);

    return directory_fd < 0 ? directory_fd : mn_lower_check_empty(directory_fd, op->name);
}

static void describe_remove(struct mn_change *change, struct remove_operation *op)
{
    change->names = true;
    if (mn_node_is_local(op->node)) {
        mn_change_local_name(change, op->directory);
    } else {
        mn_change_object(change, op->directory);
        mn_change_object(change, op->node);
        mn_change_place_name(change, op->directory, op->name);
        if (op->is_directory && change->mount->root->rules != NULL)
            change->prepare = check_empty;
    }
    mn_change_lock_name(change, op->directory, op->name);
    mn_change_lock(change, MN_LOCK_DIRECTORY, op->directory, false);
    mn_change_lock(change, MN_LOCK_EXISTENCE, op->node, true);
    if (op->is_directory)
        mn_change_lock(change, MN_LOCK_DIRECTORY, op->node, true);
    change->code = MN_MESSAGE_UNLINK;
    change->encode = encode_unlink;
    change->perform = perform_unlink;
}

static int remove_name(struct mn_worker *worker, const struct mn_fuse_request *request,
                       bool is_directory)
{
    struct remove_operation op = {.directory = mn_node_of(worker->mount, request->header->nodeid),
                                  .is_directory = is_directory};
    struct mn_change change;
    struct stat status;
    size_t offset = 0;
    int64_t outcome;
    int result;

    op.name = mn_fuse_text(request, &offset);
    result = op.name == NULL ? -EINVAL : mn_look(worker, op.directory, op.name, &op.node, &status);
    if (result != 0)
        return result;
    mn_change_init(&change, worker, &op);
    describe_remove(&change, &op);
    result = mn_replicate(&change, &outcome);
    if (result != MN_PARK) {
        if (outcome >= 0) {
            mn_change_times(&change, op.directory);
            mn_reply_changed(worker, request, op.directory);
        }
        mn_reply_error(worker, request, (int)outcome);
    }
    mn_node_unpin(&worker->mount->nodes, op.node);
    return result;
}

int mn_op_unlink(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    return remove_name(worker, request, false);
}

int mn_op_rmdir(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    return remove_name(worker, request, true);
}

struct rename_operation {
    struct mn_node *directory, *new_directory;
    struct mn_node *node;     /* pinned */
    struct mn_node *replaced; /* pinned; NULL: nothing stands at the new name */
    const char *name, *new_name;
    uint32_t flags;
};

static int encode_rename(struct mn_change *change, struct mn_buffer *out)
{
    struct rename_operation *op = change->operation;
    struct mn_message_rename message = {.epoch = change->epoch,
                                        .root = (uint8_t)change->mount->root->index,
                                        .parent = op->directory->id,
                                        .id = op->node->id,
                                        .new_parent = op->new_directory->id,
                                        .flags = op->flags,
                                        .name = op->name,
                                        .name_size = (uint16_t)strlen(op->name),
                                        .new_name = op->new_name,
                                        .new_name_size = (uint16_t)strlen(op->new_name)};

    if (op->replaced != NULL)
        message.replaced = op->replaced->id;
    return mn_encode_rename(&message, out);
}

/* Where everything stands now, for introductions to come. */
static void place_renamed(struct mn_change *change, const struct rename_operation *op,
                          int *replaced_fd)
{
    struct mn_node_table *nodes = &change->mount->nodes;

    if (op->replaced == op->node)
        return; /* two names of one file: rename does nothing */
    mn_node_move(nodes, op->node, op->directory, op->name, op->new_directory, op->new_name);
    if (op->replaced != NULL && (op->flags & RENAME_EXCHANGE) != 0) {
        mn_node_move(nodes, op->replaced, op->new_directory, op->new_name, op->directory,
                     op->name);
    } else if (op->replaced != NULL) {
        note_last_name(op->replaced, *replaced_fd);
        *replaced_fd = -1;
        mn_node_unplace(nodes, op->replaced, op->new_directory, op->new_name);
    }
}

static int64_t perform_rename(struct mn_change *change)
{
    struct rename_operation *op = change->operation;
    struct mn_mount *mount = change->mount;
    int replaced_fd = -1;
    int from;
    int to;
    int result;

    /* The worker keeps one directory only; the second is opened beside it. */
    to = mn_lower_open(mount->root, mn_node_handle(op->new_directory), O_PATH | O_DIRECTORY);
    if (to < 0)
        return to;
    from = mn_worker_directory(change->worker, mount, op->directory);
    result = from < 0 ? from : 0;
    if (result == 0 && op->replaced != NULL) {
        replaced_fd = mn_lower_open(mount->root, mn_node_handle(op->replaced), O_PATH);
        result = replaced_fd < 0 ? replaced_fd : 0;
    }
    if (result == 0)
        result = mn_lower_rename(from, op->name, to, op->new_name, op->flags);
    if (result == 0)
        place_renamed(change, op, &replaced_fd);
    if (replaced_fd >= 0)
        close(replaced_fd);
    close(to);
    return result;
}

/* A name that found no room here goes back there. One that was replaced is gone there. */
static int undo_rename(struct mn_change *change, uint64_t done_there, int64_t done_here)
{
    struct rename_operation *op = change->operation;
    struct mn_message_rename message = {.epoch = change->epoch,
                                        .root = (uint8_t)change->mount->root->index,
                                        .parent = op->new_directory->id,
                                        .id = op->node->id,
                                        .new_parent = op->directory->id,
                                        .name = op->new_name,
                                        .name_size = (uint16_t)strlen(op->new_name),
                                        .new_name = op->name,
                                        .new_name_size = (uint16_t)strlen(op->name)};
    int result;

    (void)done_there;
    (void)done_here;
    if (op->replaced != NULL)
        return -EOPNOTSUPP;
    result = mn_encode_rename(&message, mn_connection_begin(change->worker->connection));
    return result != 0 ? result : mn_undo_send(change, MN_MESSAGE_RENAME);
}

static bool is_directory(const struct mn_node *node)
{
    return (mn_node_flags(node) & MN_NODE_DIRECTORY) != 0;
}

/* Both ends are replicated, or both are local, and stay so: 0, else -EXDEV, as between two file
 * systems; who moves then copies. */
static int check_edge(struct mn_mount *mount, const struct rename_operation *op)
{
    bool local = mn_node_is_local(op->node);

    if (mn_name_is_local(mount, op->new_directory, op->new_name, is_directory(op->node)) != local)
        return -EXDEV;
    if ((op->flags & RENAME_EXCHANGE) == 0 || op->replaced == NULL)
        return 0;
    return mn_node_is_local(op->replaced) == local &&
                   mn_name_is_local(mount, op->directory, op->name, is_directory(op->replaced)) ==
                       local
               ? 0
               : -EXDEV;
}

/* Under the locks, no name changes anywhere: what is beneath a directory that moves stays what it
 * is, and what is replaced is empty here. */
static int check_move(struct mn_change *change)
{
    struct rename_operation *op = change->operation;
    struct mn_mount *mount = change->mount;
    int from = mn_worker_directory(change->worker, mount, op->directory);
    int to = mn_lower_open(mount->root, mn_node_handle(op->new_directory), O_PATH | O_DIRECTORY);
    bool exchange = (op->flags & RENAME_EXCHANGE) != 0;
    char path[PATH_MAX];
    char new_path[PATH_MAX];
    int result = from < 0 ? from : to < 0 ? to : 0;

    if (result == 0)
        result = mn_node_path(&mount->nodes, op->directory, op->name, path, sizeof(path));
    if (result == 0)
        result = mn_node_path(&mount->nodes, op->new_directory, op->new_name, new_path,
                              sizeof(new_path));
    if (result == 0 && is_directory(op->node))
        result = mn_local_check_move(mount->root, from, op->name, path, new_path);
    if (result == 0 && op->replaced != NULL && is_directory(op->replaced))
        result = exchange ? mn_local_check_move(mount->root, to, op->new_name, new_path, path)
                          : mn_lower_check_empty(to, op->new_name);
    if (to >= 0)
        close(to);
    return result;
}

/* Under the locks: a directory above the new name may have moved before they were taken. */
static int check_rename(struct mn_change *change)
{
    int result = check_edge(change->mount, change->operation);

    return result != 0 || !change->moves ? result : check_move(change);
}

static void describe_rename(struct mn_change *change, struct rename_operation *op)
{
    bool local = mn_node_is_local(op->node);

    change->names = true;
    if (local) {
        mn_change_local_name(change, op->directory);
        mn_change_local_name(change, op->new_directory);
    } else {
        mn_change_object(change, op->directory);
        mn_change_object(change, op->new_directory);
        mn_change_object(change, op->node);
        mn_change_place_name(change, op->directory, op->name);
        mn_change_place_name(change, op->new_directory, op->new_name);
    }
    mn_change_lock_name(change, op->directory, op->name);
    mn_change_lock_name(change, op->new_directory, op->new_name);
    mn_change_lock(change, MN_LOCK_DIRECTORY, op->directory, false);
    mn_change_lock(change, MN_LOCK_DIRECTORY, op->new_directory, false);
    mn_change_lock(change, MN_LOCK_EXISTENCE, op->node, true);
    if (is_directory(op->node))
        mn_change_lock(change, MN_LOCK_DIRECTORY, op->node, true);
    if (op->replaced != NULL) {
        if (!local)
            mn_change_object(change, op->replaced);
        mn_change_lock(change, MN_LOCK_EXISTENCE, op->replaced, true);
        if (is_directory(op->replaced))
            mn_change_lock(change, MN_LOCK_DIRECTORY, op->replaced, true);
    }
    if (change->mount->root->rules != NULL) {
        change->moves = !local && (is_directory(op->node) ||
                                   (op->replaced != NULL && is_directory(op->replaced)));
        change->prepare = check_rename;
    }
    change->code = MN_MESSAGE_RENAME;
    change->encode = encode_rename;
    change->perform = perform_rename;
    change->undo = undo_rename;
}

static int rename_name(struct mn_worker *worker, const struct mn_fuse_request *request,
                       struct rename_operation *op)
{
    struct mn_change change;
    struct stat status;
    int64_t outcome;
    int result;

    if ((op->flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0)
        return -EINVAL;
    if (strlen(op->new_name) > MN_NAME_BYTES_MAX)
        return -ENAMETOOLONG;
    if (mn_is_hidden(worker->mount, op->new_directory, op->new_name))
        return -EPERM;
    result = mn_look(worker, op->directory, op->name, &op->node, &status);
    if (result != 0)
        return result;
    result = mn_look(worker, op->new_directory, op->new_name, &op->replaced, &status);
    if (result == -ENOENT) {
        op->replaced = NULL;
        result = 0;
    }
    if (result == 0)
        result = check_edge(worker->mount, op);
    if (result == 0) {
        mn_change_init(&change, worker, op);
        describe_rename(&change, op);
        result = mn_replicate(&change, &outcome);
        if (result != MN_PARK) {
            if (outcome >= 0) {
                mn_change_times(&change, op->directory);
                mn_change_times(&change, op->new_directory);
                mn_reply_changed(worker, request, op->directory);
                mn_reply_changed(worker, request, op->new_directory);
            }
            mn_reply_error(worker, request, (int)outcome);
        }
    }
    if (op->replaced != NULL)
        mn_node_unpin(&worker->mount->nodes, op->replaced);
    mn_node_unpin(&worker->mount->nodes, op->node);
    return result;
}

static int rename_request(struct mn_worker *worker, const struct mn_fuse_request *request,
                          uint64_t new_directory, uint32_t flags, size_t fixed_size)
{
    struct rename_operation op = {.directory = mn_node_of(worker->mount, request->header->nodeid),
                                  .flags = flags};
    size_t offset = fixed_size;

    op.new_directory = mn_node_of(worker->mount, new_directory);
    op.name = mn_fuse_text(request, &offset);
    op.new_name = mn_fuse_text(request, &offset);
    if (op.name == NULL || op.new_name == NULL)
        return -EINVAL;
    return rename_name(worker, request, &op);
}

int mn_op_rename(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_rename_in *in = mn_fuse_fixed(request, sizeof(*in));

    return in == NULL ? -EINVAL : rename_request(worker, request, in->newdir, 0, sizeof(*in));
}

int mn_op_rename2(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_rename2_in *in = mn_fuse_fixed(request, sizeof(*in));

    return in == NULL ? -EINVAL
                      : rename_request(worker, request, in->newdir, in->flags, sizeof(*in));
}
