/* Names that come: create, mknod, mkdir, symlink, link. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "capture/change.h"
#include "capture/operations.h"
#include "capture/reply.h"
#include "capture/undo.h"

struct create_operation {
    struct mn_node *directory;
    const char *name;
    const char *target; /* of a symbolic link */
    uint64_t rdev;
    uint32_t mode, umask, uid, gid;
    int open_access; /* O_RDONLY, O_WRONLY or O_RDWR: how the new file is opened here */
    struct mn_id id;
    struct mn_handle handle; /* out */
    int fd;                  /* out */
    bool local;              /* the name is not replicated */
};

static int encode_create(struct mn_change *change, struct mn_buffer *out)
{
    struct create_operation *op = change->operation;
    struct mn_message_create message = {.epoch = change->epoch,
                                        .root = (uint8_t)change->mount->root->index,
                                        .parent = op->directory->id,
                                        .id = op->id,
                                        .mode = op->mode,
                                        .umask = op->umask,
                                        .uid = op->uid,
                                        .gid = op->gid,
                                        .rdev = op->rdev,
                                        .name = op->name,
                                        .name_size = (uint16_t)strlen(op->name),
                                        .target = (const uint8_t *)op->target,
                                        .target_size =
                                            op->target == NULL ? 0 : (uint32_t)strlen(op->target)};

    return mn_encode_create(&message, out);
}

static int64_t perform_create(struct mn_change *change)
{
    struct create_operation *op = change->operation;
    int fd = mn_worker_directory(change->worker, change->mount, op->directory);
    int result;

    if (fd < 0)
        return fd;
    result = mn_lower_act_as(op->uid, op->gid, op->umask, op->uid == 0);
    if (result == 0)
        result = mn_lower_create(fd, op->name, op->mode, op->rdev, op->target, op->open_access,
                                 op->local ? NULL : &op->id, &op->handle, &op->fd);
    mn_lower_act_as_root();
    if (result == 0)
        mn_change_joined(change, &op->id, &op->handle);
    return result;
}

static int undo_create(struct mn_change *change, uint64_t done_there, int64_t done_here)
{
    struct create_operation *op = change->operation;

    (void)done_there;
    (void)done_here;
    return mn_undo_name(change, op->directory, op->name, &op->id, S_ISDIR(op->mode));
}

/* The new object as a node, pinned; both nodes know its identity already. */
static struct mn_node *adopt(struct mn_change *change, struct create_operation *op)
{
    struct mn_node *node =
        mn_node_get(&change->mount->nodes, &op->handle, op->directory, op->name);

    if (node == NULL)
        return NULL;
    mn_node_classify(node, op->local);
    if (op->local) {
        mn_node_flag_set(node, S_ISDIR(op->mode) ? MN_NODE_DIRECTORY : 0U);
        mn_change_times(change, op->directory);
        return node;
    }
    node->id = op->id;
    if (change->mode == MN_MODE_MIRRORED)
        __atomic_store_n(&node->introduced_serial, change->session_serial, __ATOMIC_RELEASE);
    else
        __atomic_store_n(&node->born_serial, change->alone_serial, __ATOMIC_RELEASE);
    mn_node_flag_set(node, MN_NODE_HAS_ID | (S_ISDIR(op->mode) ? MN_NODE_DIRECTORY : 0));
    mn_change_times(change, op->directory);
    mn_change_times(change, node);
    return node;
}

static bool is_local(struct mn_mount *mount, const struct create_operation *op)
{
    return mn_name_is_local(mount, op->directory, op->name, S_ISDIR(op->mode));
}

static int check_create(struct mn_change *change)
{
    const struct create_operation *op = change->operation;

    return mn_change_still(is_local(change->mount, op), op->local);
}

static void describe(struct mn_change *change, struct mn_worker *worker,
                     struct create_operation *op)
{
    mn_change_init(change, worker, op);
    change->names = true;
    op->local = is_local(worker->mount, op);
    if (op->local) {
        mn_change_local_name(change, op->directory);
    } else {
        mn_change_object(change, op->directory);
        mn_change_place_name(change, op->directory, op->name);
    }
    mn_change_lock_name(change, op->directory, op->name);
    mn_change_lock(change, MN_LOCK_DIRECTORY, op->directory, false);
    if (worker->mount->root->rules != NULL)
        change->prepare = check_create;
    change->code = MN_MESSAGE_CREATE;
    change->encode = encode_create;
    change->perform = perform_create;
    change->undo = undo_create;
}

/* Returns 0: *node_out is pinned and op->fd open; MN_PARK; or -errno. */
static int make(struct mn_worker *worker, const struct mn_fuse_request *request,
                struct create_operation *op, struct mn_node **node_out, struct stat *status_out)
{
    struct mn_change change;
    int64_t outcome;
    int result;

    if (op->name == NULL || strlen(op->name) > MN_NAME_BYTES_MAX)
        return op->name == NULL ? -EINVAL : -ENAMETOOLONG;
    op->directory = mn_node_of(worker->mount, request->header->nodeid);
    if (mn_is_hidden(worker->mount, op->directory, op->name))
        return -EPERM;
    op->uid = request->header->uid;
    op->gid = request->header->gid;
    op->fd = -1;
    result = mn_lower_id_new(&op->id);
    if (result != 0)
        return result;
    describe(&change, worker, op);
    if (mn_replicate(&change, &outcome) == MN_PARK)
        return MN_PARK;
    if (outcome < 0)
        return (int)outcome;
    mn_reply_changed(worker, request, op->directory);
    *node_out = adopt(&change, op);
    result = *node_out == NULL ? -ENOMEM : 0;
    if (result == 0 && fstat(op->fd, status_out) != 0)
        result = -errno;
    if (result != 0)
        close(op->fd);
    return result;
}

static int make_entry(struct mn_worker *worker, const struct mn_fuse_request *request,
                      struct create_operation *op)
{
    struct fuse_entry_out entry;
    struct mn_node *node = NULL;
    struct stat status;
    int result = make(worker, request, op, &node, &status);

    if (result != 0)
        return result;
    close(op->fd);
    mn_node_looked_up(&worker->mount->nodes, node);
    mn_fill_entry(node, &status, &entry);
    mn_reply_data(worker, request, &entry, sizeof(entry));
    mn_node_unpin(&worker->mount->nodes, node);
    return 0;
}

int mn_op_mknod(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_mknod_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct create_operation op = {0};
    size_t offset = sizeof(*in);

    if (in == NULL)
        return -EINVAL;
    op.name = mn_fuse_text(request, &offset);
    op.mode = in->mode;
    op.umask = in->umask;
    /* The kernel's 32-bit form of a device number (new_decode_dev). */
    op.rdev = makedev((in->rdev & 0xfff00) >> 8, (in->rdev & 0xff) | ((in->rdev >> 12) & 0xfff00));
    return make_entry(worker, request, &op);
}

int mn_op_mkdir(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_mkdir_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct create_operation op = {0};
    size_t offset = sizeof(*in);

    if (in == NULL)
        return -EINVAL;
    op.name = mn_fuse_text(request, &offset);
    op.mode = (in->mode & 07777) | S_IFDIR;
    op.umask = in->umask;
    return make_entry(worker, request, &op);
}

int mn_op_symlink(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    struct create_operation op = {.mode = S_IFLNK | 0777};
    size_t offset = 0;

    op.name = mn_fuse_text(request, &offset);
    op.target = mn_fuse_text(request, &offset);
    if (op.target == NULL)
        return -EINVAL;
    return make_entry(worker, request, &op);
}

int mn_op_create(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_create_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct create_operation op = {0};
    struct {
        struct fuse_entry_out entry;
        struct fuse_open_out open;
    } out = {0};
    size_t offset = sizeof(*in);
    struct mn_file *file;
    struct mn_node *node = NULL;
    struct stat status;
    int result;

    if (in == NULL)
        return -EINVAL;
    op.name = mn_fuse_text(request, &offset);
    op.mode = (in->mode & 07777) | S_IFREG;
    op.umask = in->umask;
    op.open_access = (int)in->flags & O_ACCMODE;
    if (op.open_access == O_WRONLY && worker->capture->config.writeback)
        op.open_access = O_RDWR; /* as OPEN */
    result = make(worker, request, &op, &node, &status);
    if (result != 0)
        return result;
    file = mn_file_new(worker->mount, node, op.fd);
    if (file != NULL) {
        mn_node_looked_up(&worker->mount->nodes, node);
        mn_fill_entry(node, &status, &out.entry);
        out.open.fh = (uint64_t)(uintptr_t)file;
        out.open.open_flags = mn_open_flags(worker);
        mn_reply_data(worker, request, &out, sizeof(out));
    } else {
        result = -ENOMEM;
    }
    mn_node_unpin(&worker->mount->nodes, node);
    return result;
}

struct link_operation {
    struct mn_node *node;
    struct mn_node *directory;
    const char *name;
    struct stat status; /* out */
};

static int encode_link(struct mn_change *change, struct mn_buffer *out)
{
    struct link_operation *op = change->operation;
    struct mn_message_link message = {.epoch = change->epoch,
                                      .root = (uint8_t)change->mount->root->index,
                                      .id = op->node->id,
                                      .parent = op->directory->id,
                                      .name = op->name,
                                      .name_size = (uint16_t)strlen(op->name)};

    return mn_encode_link(&message, out);
}

static int64_t perform_link(struct mn_change *change)
{
    struct link_operation *op = change->operation;
    int directory_fd = mn_worker_directory(change->worker, change->mount, op->directory);
    int fd;
    int result;

    if (directory_fd < 0)
        return directory_fd;
    fd = mn_lower_open(change->mount->root, mn_node_handle(op->node), O_PATH);
    if (fd < 0)
        return fd;
    result = mn_lower_link(fd, directory_fd, op->name);
    if (result == 0) {
        mn_node_place(&change->mount->nodes, op->node, op->directory, op->name);
        if (fstat(fd, &op->status) != 0)
            result = -errno;
    }
    close(fd);
    return result;
}

static int undo_link(struct mn_change *change, uint64_t done_there, int64_t done_here)
{
    struct link_operation *op = change->operation;

    (void)done_there;
    (void)done_here;
    return mn_undo_name(change, op->directory, op->name, &op->node->id, false);
}

static int check_link(struct mn_change *change)
{
    const struct link_operation *op = change->operation;

    return mn_change_still(mn_name_is_local(change->mount, op->directory, op->name, false),
                           mn_node_is_local(op->node));
}

int mn_op_link(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_link_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct link_operation op = {.directory = mn_node_of(worker->mount, request->header->nodeid)};
    struct fuse_entry_out entry;
    struct mn_change change;
    size_t offset = sizeof(*in);
    int64_t outcome;
    bool local;

    if (in == NULL)
        return -EINVAL;
    op.name = mn_fuse_text(request, &offset);
    op.node = mn_node_of(worker->mount, in->oldnodeid);
    if (op.name == NULL || strlen(op.name) > MN_NAME_BYTES_MAX)
        return op.name == NULL ? -EINVAL : -ENAMETOOLONG;
    if (mn_is_hidden(worker->mount, op.directory, op.name))
        return -EPERM;
    if ((mn_node_flags(op.node) & MN_NODE_UNLINKED) != 0)
        return mn_link_nameless(worker, request, op.node, op.directory, op.name);
    local = mn_name_is_local(worker->mount, op.directory, op.name, false);
    if (local != mn_node_is_local(op.node))
        return -EXDEV; /* replicated under one name and local under another: neither would be true
                        */
    mn_change_init(&change, worker, &op);
    change.names = true;
    if (local) {
        mn_change_local_name(&change, op.directory);
    } else {
        mn_change_object(&change, op.directory);
        mn_change_object(&change, op.node);
        mn_change_place_name(&change, op.directory, op.name);
    }
    mn_change_lock_name(&change, op.directory, op.name);
    mn_change_lock(&change, MN_LOCK_DIRECTORY, op.directory, false);
    mn_change_lock(&change, MN_LOCK_EXISTENCE, op.node, true);
    if (worker->mount->root->rules != NULL)
        change.prepare = check_link;
    change.code = MN_MESSAGE_LINK;
    change.encode = encode_link;
    change.perform = perform_link;
    change.undo = undo_link;
    if (mn_replicate(&change, &outcome) == MN_PARK)
        return MN_PARK;
    if (outcome < 0)
        return (int)outcome;
    mn_change_times(&change, op.directory);
    mn_reply_changed(worker, request, op.directory);
    mn_node_looked_up(&worker->mount->nodes, op.node);
    mn_fill_entry(op.node, &op.status, &entry);
    mn_reply_data(worker, request, &entry, sizeof(entry));
    return 0;
}
