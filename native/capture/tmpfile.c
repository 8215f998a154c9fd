/* Files without a name (O_TMPFILE). Such a file stays on this node until LINK gives it a name;
 * then the secondary gets all of it, under the locks of that one change and before the reply
 * (design 5). There, too, the name comes last: a secondary that takes over in between has all of
 * the file or nothing of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "capture/change.h"
#include "capture/operations.h"
#include "capture/reply.h"
#include "capture/undo.h"
#include "lower/xattr_access.h"

enum { PIECE_BYTES = 256 * 1024, NAMES_BYTES_MAX = 65536 };

static int make_nameless(struct mn_worker *worker, const struct mn_fuse_request *request,
                         const struct fuse_create_in *in, int *fd_out)
{
    struct mn_node *directory = mn_node_of(worker->mount, request->header->nodeid);
    int access = (int)in->flags & O_ACCMODE;
    int directory_fd = mn_worker_directory(worker, worker->mount, directory);
    int fd = -1;
    int result;

    if (directory_fd < 0)
        return directory_fd;
    if (access != O_RDWR && (access != O_WRONLY || worker->capture->config.writeback))
        access = O_RDWR;
    result = mn_lower_act_as(request->header->uid, request->header->gid, in->umask,
                             request->header->uid == 0);
    if (result == 0) {
        int exclusive = (int)in->flags & O_EXCL; /* never to be linked */

        fd = openat(directory_fd, ".", O_TMPFILE | access | exclusive | O_CLOEXEC,
                    in->mode & 07777);
        result = fd < 0 ? -errno : 0;
    }
    mn_lower_act_as_root();
    *fd_out = fd;
    return result;
}

/* A node with an identity that is nowhere yet. */
static int adopt_nameless(struct mn_worker *worker, int fd, struct mn_node **node_out)
{
    struct mn_handle handle;
    struct mn_node *node;
    struct mn_id id;
    int result = mn_lower_handle(fd, "", &handle);

    if (result == 0)
        result = mn_lower_id_new(&id);
    if (result == 0)
        result = mn_lower_id_set(fd, &handle, &id);
    if (result != 0)
        return result;
    node = mn_node_get(&worker->mount->nodes, &handle, NULL, NULL);
    if (node == NULL)
        return -ENOMEM;
    node->id = id;
    mn_node_flag_set(node, MN_NODE_HAS_ID | MN_NODE_UNLINKED);
    *node_out = node;
    return 0;
}

int mn_op_tmpfile(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_create_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct {
        struct fuse_entry_out entry;
        struct fuse_open_out open;
    } out = {0};
    struct mn_node *node;
    struct mn_file *file;
    struct stat status;
    int fd;
    int result;

    if (in == NULL)
        return -EINVAL;
    result = make_nameless(worker, request, in, &fd);
    if (result != 0)
        return result;
    result = adopt_nameless(worker, fd, &node);
    if (result != 0 || fstat(fd, &status) != 0) {
        close(fd);
        return result != 0 ? result : -errno;
    }
    file = mn_file_new(worker->mount, node, fd);
    if (file != NULL) {
        mn_node_looked_up(&worker->mount->nodes, node);
        mn_fill_entry(node, &status, &out.entry);
        out.open.fh = (uint64_t)(uintptr_t)file;
        out.open.open_flags = mn_open_flags(worker);
        mn_reply_data(worker, request, &out, sizeof(out));
    }
    mn_node_unpin(&worker->mount->nodes, node);
    return file == NULL ? -ENOMEM : 0;
}

struct name_operation {
    struct mn_node *node;
    struct mn_node *directory;
    const char *name;
    int fd; /* open for reading */
    struct stat status;
};

static int ask_for_ack(struct mn_change *change, int encoded, uint16_t code,
                       struct mn_ack *ack_out)
{
    struct mn_connection *connection = change->worker->connection;
    int result;

    mn_change_count(change);
    result = encoded == 0 ? mn_connection_send(connection, code) : encoded;
    return result != 0 ? result : mn_connection_receive_ack(connection, ack_out);
}

static int ask(struct mn_change *change, int encoded, uint16_t code)
{
    struct mn_ack ack;
    int result = ask_for_ack(change, encoded, code, &ack);

    return result != 0 ? result : -ack.error;
}

static int send_content(struct mn_change *change, const struct name_operation *op)
{
    struct mn_worker *worker = change->worker;
    uint8_t root = (uint8_t)change->mount->root->index;
    uint64_t end = (uint64_t)op->status.st_size;
    struct mn_message_set_attributes size = {.epoch = change->epoch,
                                             .root = root,
                                             .id = op->node->id,
                                             .valid = MN_SET_SIZE,
                                             .size_bytes = end};
    off_t at = 0;
    off_t hole = 0;
    int result = 0;

    while (result == 0 && (at = lseek(op->fd, at, SEEK_DATA)) >= 0 &&
           (hole = lseek(op->fd, at, SEEK_HOLE)) >= 0) {
        size_t piece = hole - at < PIECE_BYTES ? (size_t)(hole - at) : PIECE_BYTES;
        ssize_t got = pread(op->fd, worker->reply_buffer, piece, at);
        struct mn_message_write message = {.epoch = change->epoch,
                                           .root = root,
                                           .id = op->node->id,
                                           .offset_bytes = (uint64_t)at,
                                           .data = worker->reply_buffer,
                                           .data_size = (uint32_t)got};

        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        result = ask(change, mn_encode_write(&message, mn_connection_begin(worker->connection)),
                     MN_MESSAGE_WRITE);
        at += got;
    }
    if ((at < 0 || hole < 0) && errno != ENXIO) /* there is no more */
        return -errno;
    if (result == 0)
        result =
            ask(change, mn_encode_set_attributes(&size, mn_connection_begin(worker->connection)),
                MN_MESSAGE_SET_ATTRIBUTES);
    return result;
}

static int send_xattrs(struct mn_change *change, const struct name_operation *op)
{
    struct mn_worker *worker = change->worker;
    char *names = (char *)worker->reply_buffer;
    uint8_t *value = worker->reply_buffer + NAMES_BYTES_MAX;
    ssize_t size = flistxattr(op->fd, names, NAMES_BYTES_MAX);

    if (size < 0)
        return -errno;
    for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
        const char *name = names + at;
        ssize_t value_size = mn_xattr_get(op->fd, name, value, NAMES_BYTES_MAX);
        struct mn_message_set_xattr message = {.epoch = change->epoch,
                                               .root = (uint8_t)change->mount->root->index,
                                               .id = op->node->id,
                                               .name = name,
                                               .name_size = (uint16_t)strlen(name),
                                               .value = value,
                                               .value_size = (uint32_t)value_size};
        int result;

        if (strncmp(name, MN_XATTR_PREFIX, sizeof(MN_XATTR_PREFIX) - 1) == 0)
            continue;
        if (value_size < 0)
            return (int)value_size;
        result =
            ask(change, mn_encode_set_xattr(&message, mn_connection_begin(worker->connection)),
                MN_MESSAGE_SET_XATTR);
        if (result != 0)
            return result;
    }
    return 0;
}

/* There it was made in another directory, and has the access list that this one gives. */
static int take_inherited_list(struct mn_change *change, const struct name_operation *op)
{
    static const char inherited[] = "system.posix_acl_default", list[] = "system.posix_acl_access";
    struct mn_message_remove_xattr message = {.epoch = change->epoch,
                                              .root = (uint8_t)change->mount->root->index,
                                              .id = op->node->id,
                                              .name = list,
                                              .name_size = sizeof(list) - 1};
    int fd = mn_worker_directory(change->worker, change->mount, op->directory);
    int result;

    if (fd < 0)
        return fd;
    if (mn_xattr_get(fd, inherited, NULL, 0) <= 0 || mn_xattr_get(op->fd, list, NULL, 0) > 0)
        return 0;
    result = ask(change,
                 mn_encode_remove_xattr(&message, mn_connection_begin(change->worker->connection)),
                 MN_MESSAGE_REMOVE_XATTR);
    return result == -ENODATA ? 0 : result;
}

/* Those that a link is made in spite of. Also when there are none: there the file was made in
 * another directory, whose flags it has. */
static int send_flags(struct mn_change *change, const struct name_operation *op)
{
    struct mn_message_set_flags message = {.epoch = change->epoch,
                                           .root = (uint8_t)change->mount->root->index,
                                           .id = op->node->id,
                                           .valid = MN_FLAGS_REPLICATED & ~MN_FLAGS_THAT_FORBID};
    int flags, result;

    if (ioctl(op->fd, FS_IOC_GETFLAGS, &flags) != 0)
        return 0; /* a file system without flags */
    message.flags = (uint32_t)flags & message.valid;
    result =
        ask(change, mn_encode_set_flags(&message, mn_connection_begin(change->worker->connection)),
            MN_MESSAGE_SET_FLAGS);
    return (result == -ENOTTY || result == -EOPNOTSUPP) && message.flags == 0 ? 0 : result;
}

static int encode_nameless(struct mn_change *change, struct mn_buffer *out)
{
    struct name_operation *op = change->operation;
    struct mn_message_create_nameless message = {.epoch = change->epoch,
                                                 .root = (uint8_t)change->mount->root->index,
                                                 .parent = op->directory->id,
                                                 .id = op->node->id,
                                                 .mode = op->status.st_mode,
                                                 .uid = op->status.st_uid,
                                                 .gid = op->status.st_gid,
                                                 .name = op->name,
                                                 .name_size = (uint16_t)strlen(op->name)};

    return mn_encode_create_nameless(&message, out);
}

/* For a secondary of an earlier version, where the name comes first. */
static int encode_named(struct mn_change *change, struct mn_buffer *out)
{
    struct name_operation *op = change->operation;
    struct mn_message_create message = {.epoch = change->epoch,
                                        .root = (uint8_t)change->mount->root->index,
                                        .parent = op->directory->id,
                                        .id = op->node->id,
                                        .mode = op->status.st_mode,
                                        .uid = op->status.st_uid,
                                        .gid = op->status.st_gid,
                                        .name = op->name,
                                        .name_size = (uint16_t)strlen(op->name)};

    return mn_encode_create(&message, out);
}

/* The rest of the object: content, attributes and times as they are here. */
static int send_rest(struct mn_change *change, const struct name_operation *op)
{
    const struct stat *status = &op->status;
    struct mn_message_set_attributes message = {
        .epoch = change->epoch,
        .root = (uint8_t)change->mount->root->index,
        .id = op->node->id,
        .valid = MN_SET_UID | MN_SET_GID | MN_SET_MODE | MN_SET_MTIME,
        .mode = status->st_mode & 07777,
        .uid = status->st_uid,
        .gid = status->st_gid,
        .mtime_ns = (int64_t)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec};
    int result = send_content(change, op);

    if (result == 0)
        result = send_xattrs(change, op);
    if (result == 0)
        result = take_inherited_list(change, op);
    if (result == 0)
        result = ask(
            change,
            mn_encode_set_attributes(&message, mn_connection_begin(change->worker->connection)),
            MN_MESSAGE_SET_ATTRIBUTES);
    if (result == 0)
        result = send_flags(change, op);
    return result;
}

static int finish_nameless(struct mn_change *change, struct mn_ack *ack)
{
    struct name_operation *op = change->operation;
    struct mn_message_link message = {.epoch = change->epoch,
                                      .root = (uint8_t)change->mount->root->index,
                                      .id = op->node->id,
                                      .parent = op->directory->id,
                                      .name = op->name,
                                      .name_size = (uint16_t)strlen(op->name)};
    int result = send_rest(change, op);

    if (result != 0)
        return result;
    return ask_for_ack(change,
                       mn_encode_link(&message, mn_connection_begin(change->worker->connection)),
                       MN_MESSAGE_LINK, ack);
}

static int finish_named(struct mn_change *change, struct mn_ack *ack)
{
    (void)ack;
    return send_rest(change, change->operation);
}

/* Once per turn through the gate: a session may have begun since the last one. */
static void choose_messages(struct mn_change *change)
{
    const struct mn_connection *connection = change->worker->connection;
    bool name_last =
        connection != NULL && (mn_connection_features(connection) & MN_FEATURE_NAMELESS) != 0;

    change->code = name_last ? MN_MESSAGE_CREATE_NAMELESS : MN_MESSAGE_CREATE;
    change->encode = name_last ? encode_nameless : encode_named;
    change->more = name_last ? finish_nameless : finish_named;
}

/* From now on it is an object like any other. Under its locks: what waits for them, a page that is
 * written back, must not take it for one that the secondary has not. */
static void become_named(struct mn_change *change, const struct name_operation *op)
{
    mn_node_place(&change->mount->nodes, op->node, op->directory, op->name);
    mn_node_classify(op->node, change->local || change->edge);
    if (change->mode == MN_MODE_MIRRORED)
        __atomic_store_n(&op->node->introduced_serial, change->session_serial, __ATOMIC_RELEASE);
    else
        __atomic_store_n(&op->node->born_serial, change->alone_serial, __ATOMIC_RELEASE);
    mn_node_flag_clear(op->node, MN_NODE_UNLINKED);
    mn_change_times(change, op->directory);
}

static int64_t perform_name(struct mn_change *change)
{
    struct name_operation *op = change->operation;
    int directory_fd = mn_worker_directory(change->worker, change->mount, op->directory);
    int result;

    if (directory_fd < 0)
        return directory_fd;
    mn_change_joined(change, &op->node->id, mn_node_handle(op->node));
    result = mn_lower_link(op->fd, directory_fd, op->name);
    if (result == 0)
        become_named(change, op);
    return result;
}

static int undo_name(struct mn_change *change, uint64_t done_there, int64_t done_here)
{
    struct name_operation *op = change->operation;

    (void)done_there;
    (void)done_here;
    return mn_undo_name(change, op->directory, op->name, &op->node->id, false);
}

static int check_name(struct mn_change *change)
{
    struct name_operation *op = change->operation;

    if (fstat(op->fd, &op->status) != 0)
        return -errno;
    choose_messages(change);
    /* Alone, the note of its name says that all of it is new. But a secondary that has taken it
     * and loses its power may keep the name, and nothing of what came after. */
    if (change->mode == MN_MODE_MIRRORED && !change->local && !change->edge)
        mn_change_place(change, op->node, MN_PLACE_WHOLE);
    return mn_change_still(mn_name_is_local(change->mount, op->directory, op->name, false),
                           change->local || change->edge);
}

int mn_link_nameless(struct mn_worker *worker, const struct mn_fuse_request *request,
                     struct mn_node *node, struct mn_node *directory, const char *name)
{
    struct name_operation op = {.node = node, .directory = directory, .name = name};
    struct fuse_entry_out entry;
    struct mn_change change;
    int64_t outcome = 0;
    int result;

    op.fd = mn_lower_open(worker->mount->root, mn_node_handle(node), O_RDONLY);
    if (op.fd < 0)
        return op.fd == -ESTALE ? -ENOENT : op.fd;
    mn_change_init(&change, worker, &op);
    change.names = true;
    if (mn_name_is_local(worker->mount, directory, name, false)) {
        mn_change_local_name(&change, directory);
    } else {
        mn_change_object(&change, directory);
        mn_change_place_name(&change, directory, name);
    }
    mn_change_lock_name(&change, directory, name);
    mn_change_lock(&change, MN_LOCK_DIRECTORY, directory, false);
    mn_change_lock(&change, MN_LOCK_EXISTENCE, node, true);
    change.prepare = check_name;
    change.perform = perform_name;
    change.undo = undo_name;
    result = mn_replicate(&change, &outcome);
    if (result == 0 && outcome >= 0)
        outcome = fstat(op.fd, &op.status) == 0 ? 0 : -errno;
    close(op.fd);
    if (result != 0 || outcome < 0)
        return result != 0 ? result : (int)outcome;
    mn_node_looked_up(&worker->mount->nodes, node);
    mn_fill_entry(node, &op.status, &entry);
    mn_reply_changed(worker, request, directory);
    mn_reply_data(worker, request, &entry, sizeof(entry));
    return 0;
}
