/* Extended attributes, POSIX ACLs among them. What is ours (trusted.mirror.*) applications neither
 * see nor set. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "capture/change.h"
#include "capture/operations.h"
#include "capture/reply.h"
#include "capture/undo.h"
#include "lower/xattr_access.h"

enum { XATTR_KILL_SGID = 256 }; /* flag of message SetXattr */

struct xattr_operation {
    struct mn_node *node;
    const char *name;
    const uint8_t *value;
    uint32_t value_size, flags;
    int fd;
};

static bool is_ours(const char *name)
{
    return strncmp(name, MN_XATTR_PREFIX, sizeof(MN_XATTR_PREFIX) - 1) == 0;
}

static int encode_set(struct mn_change *change, struct mn_buffer *out)
{
    struct xattr_operation *op = change->operation;
    struct mn_message_set_xattr message = {.epoch = change->epoch,
                                           .root = (uint8_t)change->mount->root->index,
                                           .id = op->node->id,
                                           .flags = op->flags,
                                           .name = op->name,
                                           .name_size = (uint16_t)strlen(op->name),
                                           .value = op->value,
                                           .value_size = op->value_size};

    return mn_encode_set_xattr(&message, out);
}

static int64_t perform_set(struct mn_change *change)
{
    struct xattr_operation *op = change->operation;

    return mn_lower_set_xattr(op->fd, op->name, op->value, op->value_size, op->flags);
}

static int encode_remove(struct mn_change *change, struct mn_buffer *out)
{
    struct xattr_operation *op = change->operation;
    struct mn_message_remove_xattr message = {.epoch = change->epoch,
                                              .root = (uint8_t)change->mount->root->index,
                                              .id = op->node->id,
                                              .name = op->name,
                                              .name_size = (uint16_t)strlen(op->name)};

    return mn_encode_remove_xattr(&message, out);
}

static int64_t perform_remove(struct mn_change *change)
{
    struct xattr_operation *op = change->operation;

    return mn_lower_remove_xattr(op->fd, op->name);
}

/* The value that it has here, or none; and the mode, which an ACL may have changed there too. */
static int undo_change(struct mn_change *change, uint64_t done_there, int64_t done_here)
{
    struct xattr_operation *op = change->operation;
    struct xattr_operation before = {
        .node = op->node, .name = op->name, .value = change->worker->reply_buffer};
    struct mn_buffer *out = mn_connection_begin(change->worker->connection);
    ssize_t size =
        mn_xattr_get(op->fd, op->name, change->worker->reply_buffer, MN_FUSE_DATA_BYTES_MAX);
    int result;

    (void)done_there;
    (void)done_here;
    before.value_size = size < 0 ? 0 : (uint32_t)size;
    change->operation = &before;
    result = size == -ENODATA ? encode_remove(change, out)
             : size < 0       ? (int)size
                              : encode_set(change, out);
    change->operation = op;
    if (result == 0)
        result = mn_undo_send(change, size < 0 ? MN_MESSAGE_REMOVE_XATTR : MN_MESSAGE_SET_XATTR);
    if (result == 0 && strncmp(op->name, "system.", 7) == 0)
        result = mn_undo_attributes(change, op->node, op->fd, MN_SET_MODE);
    return result;
}

static int change_xattr(struct mn_worker *worker, const struct mn_fuse_request *request,
                        struct xattr_operation *op, bool remove)
{
    struct mn_borrowed borrowed;
    struct mn_change change;
    int64_t outcome;
    int result;

    if (is_ours(op->name))
        return remove ? -ENODATA : -EPERM;
    result = mn_borrow(worker->mount, op->node, &borrowed);
    if (result != 0)
        return result;
    op->fd = borrowed.fd;
    mn_change_init(&change, worker, op);
    change.subject = op->node;
    mn_change_object(&change, op->node);
    mn_change_place(&change, op->node, MN_PLACE_ATTRIBUTES);
    mn_change_lock(&change, MN_LOCK_EXISTENCE, op->node, false);
    mn_change_lock(&change, MN_LOCK_ATTRIBUTES, op->node, true);
    change.code = remove ? MN_MESSAGE_REMOVE_XATTR : MN_MESSAGE_SET_XATTR;
    change.encode = remove ? encode_remove : encode_set;
    change.perform = remove ? perform_remove : perform_set;
    change.undo = undo_change;
    result = mn_replicate(&change, &outcome);
    if (result != MN_PARK) {
        if (outcome >= 0)
            mn_reply_forget(worker, op->node); /* an access list is the mode, too */
        mn_reply_error(worker, request, (int)outcome);
    }
    mn_give_back(worker->mount, &borrowed);
    return result;
}

int mn_op_setxattr(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_setxattr_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct xattr_operation op = {.node = mn_node_of(worker->mount, request->header->nodeid)};
    size_t offset = sizeof(*in);

    if (in == NULL)
        return -EINVAL;
    op.name = mn_fuse_text(request, &offset);
    if (op.name == NULL || request->body_size - offset < in->size)
        return -EINVAL;
    op.value = request->body + offset;
    op.value_size = in->size;
    op.flags = in->flags |
               ((in->setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID) != 0 ? XATTR_KILL_SGID : 0);
    return change_xattr(worker, request, &op, false);
}

int mn_op_removexattr(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    struct xattr_operation op = {.node = mn_node_of(worker->mount, request->header->nodeid)};
    size_t offset = 0;

    op.name = mn_fuse_text(request, &offset);
    return op.name == NULL ? -EINVAL : change_xattr(worker, request, &op, true);
}

/* Both questions come as "how long" (size 0) or "what" (size of the caller's buffer). */
static int answer(struct mn_worker *worker, const struct mn_fuse_request *request, uint32_t room,
                  ssize_t size)
{
    if (size < 0)
        return (int)size;
    if (room == 0) {
        struct fuse_getxattr_out out = {.size = (uint32_t)size};

        mn_reply_data(worker, request, &out, sizeof(out));
    } else if ((size_t)size > room) {
        return -ERANGE;
    } else {
        mn_reply_data(worker, request, worker->reply_buffer, (size_t)size);
    }
    return 0;
}

int mn_op_getxattr(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_getxattr_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct mn_node *node = mn_node_of(worker->mount, request->header->nodeid);
    size_t offset = sizeof(*in);
    struct mn_borrowed borrowed;
    const char *name;
    ssize_t size;
    int result;

    if (in == NULL)
        return -EINVAL;
    name = mn_fuse_text(request, &offset);
    if (name == NULL)
        return -EINVAL;
    if (is_ours(name))
        return -ENODATA;
    result = mn_borrow(worker->mount, node, &borrowed);
    if (result != 0)
        return result;
    size = mn_xattr_get(borrowed.fd, name, worker->reply_buffer, MN_FUSE_DATA_BYTES_MAX);
    mn_give_back(worker->mount, &borrowed);
    return answer(worker, request, in->size, size);
}

/* Leaves out the names that are ours. Returns the size that is left. */
static ssize_t filter(uint8_t *names, ssize_t size)
{
    ssize_t kept = 0;

    for (ssize_t at = 0; at < size;) {
        const char *name = (const char *)names + at;
        ssize_t name_size = (ssize_t)strlen(name) + 1;

        if (!is_ours(name)) {
            memmove(names + kept, name, (size_t)name_size);
            kept += name_size;
        }
        at += name_size;
    }
    return kept;
}

int mn_op_listxattr(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_getxattr_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct mn_node *node = mn_node_of(worker->mount, request->header->nodeid);
    char path[MN_PROC_PATH_BYTES];
    ssize_t size;
    int fd;

    if (in == NULL)
        return -EINVAL;
    fd = mn_lower_open(worker->mount->root, mn_node_handle(node), O_PATH);
    if (fd < 0)
        return fd;
    mn_proc_path(fd, path);
    size = listxattr(path, (char *)worker->reply_buffer, MN_FUSE_DATA_BYTES_MAX);
    if (size < 0)
        size = -errno;
    close(fd);
    return answer(worker, request, in->size, size < 0 ? size : filter(worker->reply_buffer, size));
}
