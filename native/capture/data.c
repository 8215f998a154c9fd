/* Changes of content: write, fallocate, copy, and their way to disk. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/change.h"
#include "capture/operations.h"
#include "capture/reply.h"
#include "capture/undo.h"

enum { WRITE_KILL_PRIV = 1, WRITE_DSYNC = 2, WRITE_SYNC = 4 }; /* flags of message Write */

/* Of a copy, whose caller asks for the rest. A file copied in one request would outlast the time
 * that the secondary has for it, and every freeze; the answer has 32 bits, of which kernels before
 * 6.17 take 4 GiB for the end of the file. As many regions as are noted one by one. */
enum { COPIED_AT_ONCE_MAX = 16 << 20 };

struct data_operation {
    struct mn_file *file;
    struct mn_file *to;
    uint64_t offset, to_offset, size;
    const uint8_t *data;
    uint32_t flags;
};

static int finish(struct mn_change *change, const struct mn_fuse_request *request,
                  struct mn_node *changed, bool reply_size)
{
    int64_t outcome;

    if (mn_replicate(change, &outcome) == MN_PARK)
        return MN_PARK;
    if (outcome >= 0 && changed != NULL)
        mn_change_times(change, changed);
    if (outcome >= 0 && change->code == MN_MESSAGE_FALLOCATE)
        mn_reply_forget(change->worker, changed);
    if (outcome < 0) {
        mn_reply_error(change->worker, request, (int)outcome);
    } else if (reply_size) {
        struct fuse_write_out out = {.size = (uint32_t)outcome};

        mn_reply_data(change->worker, request, &out, sizeof(out));
    } else {
        mn_reply_error(change->worker, request, 0);
    }
    return 0;
}

/* Data of one object: its existence shared, the range its own. */
static void prepare_range(struct mn_change *change, struct mn_node *node, uint64_t offset,
                          uint64_t size)
{
    change->subject = node;
    mn_change_object(change, node);
    mn_change_lock(change, MN_LOCK_EXISTENCE, node, false);
    mn_change_lock_range(change, node, offset, size, true);
    mn_change_place_range(change, node, offset, size);
}

static int prepare_write(struct mn_change *change)
{
    struct data_operation *op = change->operation;

    return mn_change_fixed(change, op->file->node);
}

static int encode_write(struct mn_change *change, struct mn_buffer *out)
{
    struct data_operation *op = change->operation;
    struct mn_message_write message = {.epoch = change->epoch,
                                       .root = (uint8_t)change->mount->root->index,
                                       .id = op->file->node->id,
                                       .offset_bytes = op->offset,
                                       .data = op->data,
                                       .data_size = (uint32_t)op->size};

    /* Its disk counts for O_SYNC only where both disks must have it (design 6). */
    message.flags =
        change->worker->capture->config.sync_both ? op->flags : op->flags & WRITE_KILL_PRIV;
    __atomic_fetch_add(&change->worker->capture->counters.replicated_bytes, op->size,
                       __ATOMIC_RELAXED);
    return mn_encode_write(&message, out);
}

static int64_t perform_write(struct mn_change *change)
{
    struct data_operation *op = change->operation;

    return mn_lower_write(op->file->fd, op->data, op->size, op->offset, op->flags);
}

/* The rest of a write that failed or was cut short here. Privileges that it took there and not
 * here have no undo. */
static int undo_write(struct mn_change *change, uint64_t done_there, int64_t done_here)
{
    struct data_operation *op = change->operation;
    uint64_t done = done_here < 0 ? 0 : (uint64_t)done_here;

    if (done_here < 0 && (op->flags & WRITE_KILL_PRIV) != 0)
        return -EOPNOTSUPP;
    return mn_undo_range(change, op->file->node, op->offset + done, done_there - done);
}

int mn_op_write(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_write_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct data_operation op = {0};
    struct mn_change change;
    int result;

    if (in == NULL || in->size > MN_FUSE_DATA_BYTES_MAX ||
        request->body_size - sizeof(*in) < in->size)
        return -EINVAL;
    op.file = mn_file_of(in->fh);
    op.offset = in->offset;
    op.size = in->size;
    op.data = request->body + sizeof(*in);
    if ((in->write_flags & FUSE_WRITE_KILL_SUIDGID) != 0)
        op.flags |= WRITE_KILL_PRIV;
    if ((in->write_flags & FUSE_WRITE_CACHE) == 0 && (in->flags & O_DSYNC) != 0)
        op.flags |= (in->flags & O_SYNC) == O_SYNC ? WRITE_SYNC : WRITE_DSYNC;
    if ((op.flags & (WRITE_SYNC | WRITE_DSYNC)) != 0)
        mn_worker_relieve(worker);
    mn_change_init(&change, worker, &op);
    prepare_range(&change, op.file->node, op.offset, op.size);
    if ((op.flags & WRITE_KILL_PRIV) != 0) {
        mn_change_lock(&change, MN_LOCK_ATTRIBUTES, op.file->node, true);
        mn_change_place(&change, op.file->node, MN_PLACE_ATTRIBUTES);
    }
    change.prepare = prepare_write;
    change.code = MN_MESSAGE_WRITE;
    change.encode = encode_write;
    change.perform = perform_write;
    change.undo = undo_write;
    result = finish(&change, request, op.file->node, true);
    /* It believes its own size and times of what it caches, and would show the blocks of long ago:
     * du of a file just written said 0. */
    if (result == 0 && (in->write_flags & FUSE_WRITE_CACHE) != 0)
        (void)mn_fuse_forget_attributes(worker->fuse_fd, request->header->nodeid);
    return result;
}

static int encode_fallocate(struct mn_change *change, struct mn_buffer *out)
{
    struct data_operation *op = change->operation;
    struct mn_message_fallocate message = {.epoch = change->epoch,
                                           .root = (uint8_t)change->mount->root->index,
                                           .id = op->file->node->id,
                                           .mode = op->flags,
                                           .offset_bytes = op->offset,
                                           .size_bytes = op->size};

    return mn_encode_fallocate(&message, out);
}

static int64_t perform_fallocate(struct mn_change *change)
{
    struct data_operation *op = change->operation;

    return mn_lower_fallocate(op->file->fd, op->flags, op->offset, op->size);
}

/* Room that was only reserved, there wholly and here in part or not at all: no byte has changed,
 * the size may have. */
static int undo_fallocate(struct mn_change *change, uint64_t done_there, int64_t done_here)
{
    struct data_operation *op = change->operation;

    (void)done_there;
    (void)done_here;
    if ((op->flags & ~(uint32_t)FALLOC_FL_KEEP_SIZE) != 0)
        return mn_undo_range(change, op->file->node, op->offset, op->size);
    change->resized = op->file->node;
    return 0;
}

int mn_op_fallocate(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_fallocate_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct data_operation op = {0};
    struct mn_change change;

    if (in == NULL)
        return -EINVAL;
    op.file = mn_file_of(in->fh);
    op.offset = in->offset;
    op.size = in->length;
    op.flags = in->mode;
    mn_worker_relieve(worker);
    mn_change_init(&change, worker, &op);
    prepare_range(&change, op.file->node, op.offset, op.size);
    mn_change_lock(&change, MN_LOCK_ATTRIBUTES, op.file->node, true);
    mn_change_place(&change, op.file->node, MN_PLACE_ATTRIBUTES);
    change.code = MN_MESSAGE_FALLOCATE;
    change.encode = encode_fallocate;
    change.perform = perform_fallocate;
    change.undo = undo_fallocate;
    return finish(&change, request, op.file->node, false);
}

static int encode_copy(struct mn_change *change, struct mn_buffer *out)
{
    struct data_operation *op = change->operation;
    struct mn_message_copy_range message = {.epoch = change->epoch,
                                            .root = (uint8_t)change->mount->root->index,
                                            .id = op->file->node->id,
                                            .offset_bytes = op->offset,
                                            .to = op->to->node->id,
                                            .to_offset_bytes = op->to_offset,
                                            .size_bytes = op->size};

    return mn_encode_copy_range(&message, out);
}

static int64_t perform_copy(struct mn_change *change)
{
    struct data_operation *op = change->operation;

    return mn_lower_copy_range(op->file->fd, op->offset, op->to->fd, op->to_offset, op->size);
}

static int undo_copy(struct mn_change *change, uint64_t done_there, int64_t done_here)
{
    struct data_operation *op = change->operation;
    uint64_t done = done_here < 0 ? 0 : (uint64_t)done_here;

    return mn_undo_range(change, op->to->node, op->to_offset + done, done_there - done);
}

/* While the secondary is being brought up to date, its source range may be old; and a file
 * without a name, or a local one, is not there at all. The kernel then copies by reading and
 * writing. */
static bool has_no_source_there(const struct mn_worker *worker, const struct data_operation *op)
{
    return __atomic_load_n(&worker->capture->joining, __ATOMIC_ACQUIRE) ||
           (mn_node_flags(op->file->node) & MN_NODE_UNLINKED) != 0 ||
           mn_node_is_local(op->file->node) != mn_node_is_local(op->to->node);
}

/* Inside the gate, under the locks: a session may have begun since, or the source lost its name.
 */
static int prepare_copy(struct mn_change *change)
{
    return has_no_source_there(change->worker, change->operation) ? -EOPNOTSUPP : 0;
}

int mn_op_copy_file_range(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_copy_file_range_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct data_operation op = {0};
    struct mn_change change;

    if (in == NULL || in->flags != 0)
        return -EINVAL;
    op.file = mn_file_of(in->fh_in);
    op.to = mn_file_of(in->fh_out);
    op.offset = in->off_in;
    op.to_offset = in->off_out;
    op.size = in->len < COPIED_AT_ONCE_MAX ? in->len : COPIED_AT_ONCE_MAX;
    mn_worker_relieve(worker);
    if (has_no_source_there(worker, &op))
        return -EOPNOTSUPP;
    mn_change_init(&change, worker, &op);
    prepare_range(&change, op.to->node, op.to_offset, op.size);
    mn_change_object(&change, op.file->node);
    if (op.file->node != op.to->node)
        mn_change_lock(&change, MN_LOCK_EXISTENCE, op.file->node, false);
    mn_change_lock_range(&change, op.file->node, op.offset, op.size, false);
    change.prepare = prepare_copy;
    change.code = MN_MESSAGE_COPY_RANGE;
    change.encode = encode_copy;
    change.perform = perform_copy;
    change.undo = undo_copy;
    return finish(&change, request, op.to->node, true);
}

struct sync_operation {
    struct mn_node *node;
    int fd;
    bool datasync;
    int64_t local; /* what became of it on this node's disk */
};

static int encode_sync(struct mn_change *change, struct mn_buffer *out)
{
    struct sync_operation *op = change->operation;
    struct mn_message_sync message = {.epoch = change->epoch,
                                      .root = (uint8_t)change->mount->root->index,
                                      .id = op->node->id,
                                      .datasync = op->datasync};

    return mn_encode_sync(&message, out);
}

static int64_t sync_here(const struct sync_operation *op)
{
    int result = op->datasync ? fdatasync(op->fd) : fsync(op->fd);

    return result == 0 ? 0 : -errno;
}

static void report_failed_sync(struct mn_worker *worker, int64_t error)
{
    mn_capture_event(worker->capture, MN_EVENT_LOCAL_FAULT, (int)error, 0,
                     "this node's disk failed to sync");
}

/* A sync changes nothing, so who turns the gate need not wait until this disk has written what is
 * dirty; but its success is told only by a node that may still tell it. */
static void reply_synced(struct mn_worker *worker, const struct mn_fuse_request *request,
                         int64_t local)
{
    uint8_t state = mn_gate_state(&worker->capture->gate);

    if (local < 0)
        report_failed_sync(worker, local);
    else if (state == MN_GATE_CLOSED)
        local = -ESTALE;
    worker->reply_late = local == 0 && state == MN_GATE_FROZEN;
    mn_reply_error(worker, request, (int)local);
}

/* On this node alone. */
static int synchronise_here(struct mn_worker *worker, const struct mn_fuse_request *request,
                            struct mn_change *change)
{
    struct mn_gate *gate = &worker->capture->gate;
    int result = mn_gate_enter(gate, &change->epoch, &change->mode);

    if (result == MN_PARK)
        return MN_PARK;
    if (result != 0) {
        mn_reply_error(worker, request, result);
        return 0;
    }
    mn_gate_leave(gate, change->epoch);
    if (change->mode == MN_MODE_MIRRORED && worker->capture->config.sync_both)
        return MN_PARK; /* a session has just begun: once more, with the secondary */
    reply_synced(worker, request, sync_here(change->operation));
    return 0;
}

static void *sync_beside(void *argument)
{
    struct sync_operation *op = argument;

    op->local = sync_here(op);
    return NULL;
}

static int64_t perform_sync(struct mn_change *change)
{
    (void)change; /* this node's disk syncs beside, outside the gate */
    return 0;
}

/* async="none": both disks at once. The secondary's within the gate, since its answer belongs to
 * the session. */
static int synchronise_both(struct mn_worker *worker, const struct mn_fuse_request *request,
                            struct mn_change *change)
{
    struct sync_operation *op = change->operation;
    int64_t outcome = 0;
    pthread_t beside;
    bool is_beside = pthread_create(&beside, NULL, sync_beside, op) == 0;
    int result = mn_replicate(change, &outcome);

    if (is_beside)
        (void)pthread_join(beside, NULL);
    else if (result == 0 && outcome == 0)
        op->local = sync_here(op);
    if (op->local < 0) /* the disk tells an error of a sync once: it is not tried again */
        reply_synced(worker, request, op->local);
    else if (result == MN_PARK)
        return MN_PARK;
    else if (outcome < 0)
        mn_reply_error(worker, request, (int)outcome);
    else
        reply_synced(worker, request, 0);
    return 0;
}

/* fsync and fsyncdir. All earlier writes are at the secondary already; whether its disk must have
 * them too is the administrator's choice (design 6). */
static int synchronise(struct mn_worker *worker, const struct mn_fuse_request *request,
                       struct mn_node *node, int fd, bool datasync)
{
    struct sync_operation op = {.node = node, .fd = fd, .datasync = datasync};
    struct mn_change change;

    mn_worker_relieve(worker);
    mn_change_init(&change, worker, &op);
    if (!worker->capture->config.sync_both ||
        mn_gate_mode(&worker->capture->gate) == MN_MODE_ALONE)
        return synchronise_here(worker, request, &change);
    change.subject = node;
    mn_change_object(&change, node);
    mn_change_lock(&change, MN_LOCK_EXISTENCE, node, false);
    change.code = MN_MESSAGE_SYNC;
    change.encode = encode_sync;
    change.perform = perform_sync;
    return synchronise_both(worker, request, &change);
}

int mn_op_fsync(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_fsync_in *in = mn_fuse_fixed(request, sizeof(*in));

    if (in == NULL)
        return -EINVAL;
    return synchronise(worker, request, mn_file_of(in->fh)->node, mn_file_of(in->fh)->fd,
                       (in->fsync_flags & FUSE_FSYNC_FDATASYNC) != 0);
}

int mn_op_fsyncdir(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_fsync_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct mn_node *node = mn_node_of(worker->mount, request->header->nodeid);
    int result;
    int fd;

    if (in == NULL)
        return -EINVAL;
    fd = mn_lower_open(worker->mount->root, mn_node_handle(node), O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return fd;
    result = synchronise(worker, request, node, fd, (in->fsync_flags & FUSE_FSYNC_FDATASYNC) != 0);
    close(fd);
    return result;
}
