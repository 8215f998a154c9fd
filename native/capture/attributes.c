/* Changes of attributes: mode, owner, size, times, flags; extended attributes are in xattrs.c. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "capture/change.h"
#include "capture/operations.h"
#include "capture/reply.h"
#include "capture/undo.h"

enum { FATTR_KILL_PRIV = 1 << 11 }; /* FATTR_KILL_SUIDGID */

struct attribute_operation {
    struct mn_node *node;
    struct mn_attributes attributes;
    int fd; /* path descriptor or the file's own */
    uint32_t flags, flags_valid;
};

static int stamped_fd = -1; /* a file in memory, for as long as the process lives */

static void open_stamped(void)
{
    stamped_fd = memfd_create("mirror-now", MFD_CLOEXEC);
}

/* The kernel's own time for files. Since 6.13 it is finer than the coarse clock where somebody has
 * looked, and never goes back over all file systems (its documentation, multigrain timestamps): a
 * file touched now may not be older than one made before, nor newer than its own ctime. */
static int64_t now_ns(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct timespec now;
    struct stat status;

    (void)pthread_once(&once, open_stamped);
    if (stamped_fd >= 0 && futimens(stamped_fd, NULL) == 0 && fstat(stamped_fd, &status) == 0)
        now = status.st_mtim;
    else
        (void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* In 64 bits of nanoseconds, as on the wire: from 1677 to 2262. */
static int64_t bounded_ns(uint64_t seconds, uint32_t nanoseconds)
{
    int64_t result;

    if (__builtin_mul_overflow((int64_t)seconds, (int64_t)1000000000, &result) ||
        __builtin_add_overflow(result, (int64_t)nanoseconds, &result))
        return (int64_t)seconds < 0 ? INT64_MIN : INT64_MAX;
    return result;
}

static void read_request(const struct fuse_setattr_in *in, struct mn_attributes *out)
{
    out->mode = in->mode;
    out->uid = in->uid;
    out->gid = in->gid;
    out->size_bytes = in->size;
    /* "Now" is this node's now on both (absolute values only, PROTOCOL). */
    out->atime_ns =
        (in->valid & FATTR_ATIME_NOW) != 0 ? now_ns() : bounded_ns(in->atime, in->atimensec);
    out->mtime_ns =
        (in->valid & FATTR_MTIME_NOW) != 0 ? now_ns() : bounded_ns(in->mtime, in->mtimensec);
    out->valid = ((in->valid & FATTR_MODE) != 0 ? MN_SET_MODE : 0) |
                 ((in->valid & FATTR_UID) != 0 ? MN_SET_UID : 0) |
                 ((in->valid & FATTR_GID) != 0 ? MN_SET_GID : 0) |
                 ((in->valid & FATTR_SIZE) != 0 ? MN_SET_SIZE : 0) |
                 ((in->valid & FATTR_ATIME) != 0 ? MN_SET_ATIME : 0) |
                 ((in->valid & FATTR_MTIME) != 0 ? MN_SET_MTIME : 0) |
                 ((in->valid & FATTR_KILL_PRIV) != 0 ? MN_SET_KILL_PRIV : 0);
}

/* The bytes between the old size and the new one change; what lay there may come back as zeros
 * later. */
static int prepare_size(struct mn_change *change)
{
    struct attribute_operation *op = change->operation;
    struct stat status;
    uint64_t low, high;
    int result = mn_change_fixed(change, op->node);

    if (result != 0)
        return result;
    if (fstat(op->fd, &status) != 0)
        return -errno;
    low = (uint64_t)status.st_size;
    high = op->attributes.size_bytes;
    if (low > high) {
        low = high;
        high = (uint64_t)status.st_size;
    }
    if (high > low)
        mn_change_place_range(change, op->node, low, high - low);
    return 0;
}

/* Whether a change of owner or mode leaves everything but ctime as it is: tar and cp -a give a
 * file made by root to root. It then stays on this node: ctimes differ anyway (design 6). While
 * the secondary is brought up to date nothing is known to be equal. */
static bool changes_nothing(const struct mn_change *change, const struct attribute_operation *op)
{
    const struct mn_attributes *wanted = &op->attributes;
    struct stat status;

    if ((wanted->valid & ~(uint32_t)(MN_SET_MODE | MN_SET_UID | MN_SET_GID | MN_SET_KILL_PRIV)) !=
            0 ||
        __atomic_load_n(&change->worker->capture->joining, __ATOMIC_ACQUIRE) ||
        fstat(op->fd, &status) != 0)
        return false;
    if ((wanted->valid & MN_SET_UID) != 0 && wanted->uid != status.st_uid)
        return false;
    if ((wanted->valid & MN_SET_GID) != 0 && wanted->gid != status.st_gid)
        return false;
    if ((wanted->valid & MN_SET_MODE) != 0 && (wanted->mode & 07777) != (status.st_mode & 07777))
        return false;
    if ((wanted->valid & ~(uint32_t)MN_SET_MODE) == 0)
        return true;
    /* A change of owner takes privileges away, even to the same owner. */
    return (status.st_mode & (S_ISUID | S_ISGID)) == 0 &&
           (S_ISDIR(status.st_mode) || mn_lower_has_capabilities(op->fd) == 0);
}

static int prepare_attributes(struct mn_change *change)
{
    change->local |= changes_nothing(change, change->operation);
    return 0;
}

/* A directory's mtime moves by names, whose locks are others: there the mark stays. */
static bool sets_mtime_of_data(const struct attribute_operation *op)
{
    return (op->attributes.valid & MN_SET_MTIME) != 0 &&
           (mn_node_flags(op->node) & MN_NODE_DIRECTORY) == 0;
}

static int encode_attributes(struct mn_change *change, struct mn_buffer *out)
{
    struct attribute_operation *op = change->operation;
    struct mn_message_set_attributes message = {.epoch = change->epoch,
                                                .root = (uint8_t)change->mount->root->index,
                                                .id = op->node->id,
                                                .valid = op->attributes.valid,
                                                .mode = op->attributes.mode,
                                                .uid = op->attributes.uid,
                                                .gid = op->attributes.gid,
                                                .size_bytes = op->attributes.size_bytes,
                                                .atime_ns = op->attributes.atime_ns,
                                                .mtime_ns = op->attributes.mtime_ns};

    return mn_encode_set_attributes(&message, out);
}

static int64_t perform_attributes(struct mn_change *change)
{
    struct attribute_operation *op = change->operation;
    int result = mn_lower_set_attributes(op->fd, &op->attributes);

    /* Under the lock of all its bytes, so that no write is between the two nodes: both have just
     * been given the same mtime. */
    if (result == 0 && sets_mtime_of_data(op))
        mn_node_times_unmark(&change->mount->nodes, op->node);
    return result;
}

/* A full disk that copies what it changes (btrfs) has no room for this either; a broken one hands
 * over. What was cut there comes back first: the time is the last that is set. */
static int undo_attributes(struct mn_change *change, uint64_t done_there, int64_t done_here)
{
    const struct attribute_operation *op = change->operation;
    struct stat status;
    int result = 0;

    (void)done_there;
    if (!mn_lower_is_full((int)done_here))
        return -EOPNOTSUPP;
    if ((op->attributes.valid & MN_SET_SIZE) != 0) {
        uint64_t low = op->attributes.size_bytes;

        if (fstat(op->fd, &status) != 0)
            return -errno;
        uint64_t size = (uint64_t)status.st_size;

        result = mn_undo_range(change, op->node, low, size > low ? size - low : 0);
    }
    return result != 0 ? result
                       : mn_undo_attributes(change, op->node, op->fd, op->attributes.valid);
}

static int change_attributes(struct mn_worker *worker, const struct mn_fuse_request *request,
                             struct attribute_operation *op)
{
    struct mn_change change;
    struct stat status;
    int64_t outcome;

    mn_change_init(&change, worker, op);
    change.subject = op->node;
    mn_change_object(&change, op->node);
    mn_change_place(&change, op->node, MN_PLACE_ATTRIBUTES);
    mn_change_lock(&change, MN_LOCK_EXISTENCE, op->node, false);
    mn_change_lock(&change, MN_LOCK_ATTRIBUTES, op->node, true);
    change.prepare = (op->attributes.valid & MN_SET_SIZE) != 0 ? prepare_size : prepare_attributes;
    if ((op->attributes.valid & MN_SET_SIZE) != 0 || sets_mtime_of_data(op))
        mn_change_lock_range(&change, op->node, 0, UINT64_MAX, true);
    change.code = MN_MESSAGE_SET_ATTRIBUTES;
    change.encode = encode_attributes;
    change.perform = perform_attributes;
    change.undo = undo_attributes;
    if (mn_replicate(&change, &outcome) == MN_PARK)
        return MN_PARK;
    if (outcome >= 0 && (op->attributes.valid & MN_SET_SIZE) != 0)
        mn_change_times(&change, op->node);
    if (outcome >= 0 && fstat(op->fd, &status) != 0)
        outcome = -errno;
    if (outcome < 0)
        mn_reply_error(worker, request, (int)outcome);
    else
        mn_reply_attributes(worker, request, &status);
    return 0;
}

int mn_op_setattr(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_setattr_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct attribute_operation op = {.node = mn_node_of(worker->mount, request->header->nodeid)};
    struct mn_borrowed borrowed;
    int result;

    if (in == NULL)
        return -EINVAL;
    read_request(in, &op.attributes);
    if ((in->valid & FATTR_FH) != 0) {
        op.fd = mn_file_of(in->fh)->fd;
        return change_attributes(worker, request, &op);
    }
    result = mn_borrow(worker->mount, op.node, &borrowed);
    if (result == -ESTALE && (mn_node_flags(op.node) & MN_NODE_UNLINKED) != 0 &&
        (op.attributes.valid & ~(uint32_t)(MN_SET_ATIME | MN_SET_MTIME)) == 0) {
        /* With its own cache the kernel writes back the times of what was unlinked, too late, and
         * would keep the error for the next syncfs. It looks at no attributes of this answer. */
        struct fuse_attr_out out = {0};

        mn_reply_data(worker, request, &out, sizeof(out));
        return 0;
    }
    if (result != 0)
        return result;
    op.fd = borrowed.fd;
    result = change_attributes(worker, request, &op);
    mn_give_back(worker->mount, &borrowed);
    return result;
}

static int encode_flags(struct mn_change *change, struct mn_buffer *out)
{
    struct attribute_operation *op = change->operation;
    struct mn_message_set_flags message = {.epoch = change->epoch,
                                           .root = (uint8_t)change->mount->root->index,
                                           .id = op->node->id,
                                           .flags = op->flags,
                                           .valid = op->flags_valid};

    return mn_encode_set_flags(&message, out);
}

static int64_t perform_flags(struct mn_change *change)
{
    struct attribute_operation *op = change->operation;
    int result = mn_lower_set_flags(op->fd, op->flags, op->flags_valid);

    if (result == 0 && (op->flags & FS_IMMUTABLE_FL) != 0)
        mn_node_flag_set(op->node, MN_NODE_FIXED);
    else if (result == 0)
        mn_node_flag_clear(op->node, MN_NODE_FIXED);
    if (result == 0 && (op->flags & FS_APPEND_FL) == 0)
        mn_files_write_anywhere(change->mount, op->node);
    return result;
}

/* Once append or immutable, the secondary's copy takes no mtime any more: it goes first. */
static int send_time(struct mn_change *change)
{
    struct attribute_operation *op = change->operation;
    struct mn_worker *worker = change->worker;
    struct mn_message_set_attributes message = {.epoch = change->epoch,
                                                .root = (uint8_t)change->mount->root->index,
                                                .id = op->node->id,
                                                .valid = MN_SET_MTIME};
    struct stat status;
    struct mn_ack ack = {0};
    int result;

    if (change->mode != MN_MODE_MIRRORED || change->local || worker->connection == NULL)
        return 0;
    if (fstat(op->fd, &status) != 0)
        return -errno;
    message.mtime_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
    mn_change_count(change);
    result = mn_encode_set_attributes(&message, mn_connection_begin(worker->connection));
    if (result == 0)
        result = mn_connection_send(worker->connection, MN_MESSAGE_SET_ATTRIBUTES);
    if (result == 0)
        result = mn_connection_receive_ack(worker->connection, &ack);
    /* EPERM: it is fixed already, and has the time since then. */
    if (result == 0 && (ack.error == 0 || ack.error == EPERM))
        return 0;
    mn_capture_session_lost(worker->capture, result != 0 ? result : -ack.error,
                            "the secondary could not take a time");
    return MN_PARK;
}

static int undo_flags(struct mn_change *change, uint64_t done_there, int64_t done_here)
{
    struct attribute_operation *op = change->operation;
    struct attribute_operation before = *op;
    int result;

    (void)done_there;
    if (!mn_lower_is_full((int)done_here))
        return -EOPNOTSUPP;
    if (ioctl(op->fd, FS_IOC_GETFLAGS, &before.flags) != 0)
        return -errno;
    change->operation = &before;
    result = encode_flags(change, mn_connection_begin(change->worker->connection));
    change->operation = op;
    return result != 0 ? result : mn_undo_send(change, MN_MESSAGE_SET_FLAGS);
}

static int set_flags(struct mn_worker *worker, const struct mn_fuse_request *request,
                     struct attribute_operation *op)
{
    struct mn_change change;
    int64_t outcome;

    mn_change_init(&change, worker, op);
    change.subject = op->node;
    mn_change_object(&change, op->node);
    mn_change_place(&change, op->node, MN_PLACE_ATTRIBUTES);
    mn_change_lock(&change, MN_LOCK_EXISTENCE, op->node,
                   true); /* append and immutable forbid other changes */
    mn_change_lock(&change, MN_LOCK_ATTRIBUTES, op->node, true);
    if ((op->flags & MN_FLAGS_THAT_FORBID) != 0)
        change.prepare = send_time;
    change.code = MN_MESSAGE_SET_FLAGS;
    change.encode = encode_flags;
    change.perform = perform_flags;
    change.undo = undo_flags;
    if (mn_replicate(&change, &outcome) == MN_PARK)
        return MN_PARK;
    if (outcome < 0) {
        mn_reply_error(worker, request, (int)outcome);
    } else {
        struct fuse_ioctl_out out = {0};

        /* What was appended meanwhile has changed a time that the secondary could not take. */
        if ((op->flags_valid & ~op->flags & (FS_APPEND_FL | FS_IMMUTABLE_FL)) != 0)
            mn_change_times(&change, op->node);
        mn_reply_forget(worker, op->node); /* the kernel does not know that it moves ctime */
        mn_reply_data(worker, request, &out, sizeof(out));
    }
    return 0;
}

/* What FS_IOC_GETFLAGS and FS_IOC_FSGETXATTR answer. */
static int get_flags(struct mn_worker *worker, const struct mn_fuse_request *request, int fd,
                     uint32_t command)
{
    struct {
        struct fuse_ioctl_out out;
        union {
            uint32_t flags;
            struct fsxattr extended;
        } value;
    } answer = {0};
    size_t size =
        command == FS_IOC_GETFLAGS ? sizeof(answer.value.flags) : sizeof(answer.value.extended);

    if (ioctl(fd, command, &answer.value) != 0)
        return -errno;
    mn_reply_data(worker, request, &answer, offsetof(__typeof__(answer), value) + size);
    return 0;
}

int mn_op_ioctl(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_ioctl_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct attribute_operation op = {.node = mn_node_of(worker->mount, request->header->nodeid)};
    int result;

    if (in == NULL)
        return -EINVAL;
    /* Before it sets flags the kernel asks for the extended ones, and keeps what it does not know.
     */
    if (in->cmd != FS_IOC_GETFLAGS && in->cmd != FS_IOC_SETFLAGS && in->cmd != FS_IOC_FSGETXATTR)
        return -ENOTTY;
    op.fd = mn_lower_open(worker->mount->root, mn_node_handle(op.node), O_RDONLY | O_NONBLOCK);
    if (op.fd < 0)
        return op.fd == -ENXIO || op.fd == -ELOOP ? -ENOTTY : op.fd;
    if (in->cmd != FS_IOC_SETFLAGS) {
        result = get_flags(worker, request, op.fd, in->cmd);
    } else if (request->body_size < sizeof(*in) + sizeof(uint32_t)) {
        result = -EINVAL;
    } else {
        memcpy(&op.flags, in + 1, sizeof(op.flags));
        op.flags_valid = MN_FLAGS_REPLICATED;
        result = set_flags(worker, request, &op);
    }
    close(op.fd);
    return result;
}
