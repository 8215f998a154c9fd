/* Checkpoints (design 8): times first, then both disks, then the recent sets forget what both
 * disks hold. Runs on a thread of Python's with the keeper's connection, about once a second while
 * there are changes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/change.h"
#include "capture/operations.h"

enum { EPOCH_DRAIN_MS_MAX = 120000 }; /* bounded by the connections' own time limits long before */

struct times_operation {
    struct mn_node *node;
    struct mn_attributes attributes;
};

static int read_times(struct mn_change *change)
{
    struct times_operation *op = change->operation;
    struct mn_borrowed borrowed;
    struct statx status;
    int result = mn_borrow(change->mount, op->node, &borrowed);

    if (result != 0)
        return result;
    result = statx(borrowed.fd, "", AT_EMPTY_PATH, STATX_MTIME, &status) == 0 ? 0 : -errno;
    mn_give_back(change->mount, &borrowed);
    if (result != 0)
        return result;
    /* Such an object takes no time any more; it was sent before the flag (attributes.c). */
    change->local |= (status.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) != 0;
    op->attributes.valid = MN_SET_MTIME;
    op->attributes.mtime_ns =
        (int64_t)status.stx_mtime.tv_sec * 1000000000 + status.stx_mtime.tv_nsec;
    return 0;
}

static int encode_times(struct mn_change *change, struct mn_buffer *out)
{
    struct times_operation *op = change->operation;
    struct mn_message_set_attributes message = {.epoch = change->epoch,
                                                .root = (uint8_t)change->mount->root->index,
                                                .id = op->node->id,
                                                .valid = op->attributes.valid,
                                                .mtime_ns = op->attributes.mtime_ns};

    return mn_encode_set_attributes(&message, out);
}

static int64_t already_here(struct mn_change *change)
{
    (void)change; /* this node's times are the authoritative ones (invariant 10) */
    return 0;
}

/* Sends the mtimes that have changed since the last time, of this mount. MN_PARK: the session is
 * lost. */
static int send_times(struct mn_capture *capture, struct mn_mount *mount)
{
    struct mn_worker *keeper = capture->keeper;
    struct mn_node *node;
    int result = 0;

    keeper->mount = mount;
    while (result == 0 && (node = mn_node_times_take(&mount->nodes)) != NULL) {
        struct times_operation op = {.node = node};
        struct mn_change change;
        int64_t outcome;

        mn_change_init(&change, keeper, &op);
        change.subject = node;
        change.after = true;
        mn_change_object(&change, node);
        mn_change_place(&change, node, MN_PLACE_ATTRIBUTES);
        mn_change_lock(&change, MN_LOCK_EXISTENCE, node, false);
        mn_change_lock(&change, MN_LOCK_ATTRIBUTES, node, true);
        change.prepare = read_times;
        change.code = MN_MESSAGE_SET_ATTRIBUTES;
        change.encode = encode_times;
        change.perform = already_here;
        if ((mn_node_flags(node) & MN_NODE_UNLINKED) == 0)
            result = mn_replicate(&change, &outcome);
        mn_node_unpin(&mount->nodes, node);
    }
    return result;
}

static int mark_here(struct mn_capture *capture, uint64_t epoch, uint64_t stable_epoch)
{
    int result = 0;

    for (int i = 0; i < MN_ROOTS_MAX && result == 0; i++)
        if (capture->roots[i] != NULL)
            result = mn_lower_mark(capture->roots[i], epoch, stable_epoch);
    return result;
}

/* *is_marked_out false: a full disk that copies what it changes (btrfs) has no room for its mark.
 * It holds everything all the same; but nothing newer than its mark may be called stable, or it
 * would look like a disk that was put back to an earlier day. */
static int sync_here(struct mn_capture *capture, uint64_t epoch, uint64_t stable_epoch,
                     bool *is_marked_out)
{
    int result = mark_here(capture, epoch, stable_epoch);

    *is_marked_out = result == 0;
    if (mn_lower_is_full(result))
        result = 0;
    for (int i = 0; i < MN_ROOTS_MAX && result == 0; i++)
        if (capture->roots[i] != NULL && syncfs(capture->roots[i]->directory_fd) != 0)
            result = -errno; /* never retried into success (design 8) */
    return result;
}

/* The keeper mutex is held: a disk may take long to sync, and another session have begun. */
static bool is_of_now(const struct mn_capture *capture, uint32_t session)
{
    return capture->session_serial == session && capture->keeper->connection != NULL &&
           __atomic_load_n(&capture->session_live, __ATOMIC_ACQUIRE);
}

/* One checkpoint while its disks sync. */
struct checkpoint {
    uint32_t session;
    uint64_t epoch, stable_epoch;
    struct mn_connection *connection; /* freed once this checkpoint has ended (late.py) */
    bool is_sent;
    bool is_marked;
};

/* The keeper mutex is held. Times, the end of the epoch, the question. */
static int begin(struct mn_capture *capture, struct checkpoint *checkpoint)
{
    struct mn_message_checkpoint message;
    int result = 0;

    if (checkpoint->session == 0)
        checkpoint->session = capture->session_serial;
    if (!is_of_now(capture, checkpoint->session))
        return -ECONNRESET;
    for (int i = 0; i < MN_ROOTS_MAX && result == 0; i++)
        if (capture->mounts[i] != NULL)
            result = send_times(capture, capture->mounts[i]);
    if (result != 0)
        return -ECONNRESET;
    result = mn_gate_close_epoch(&capture->gate, EPOCH_DRAIN_MS_MAX, &checkpoint->epoch);
    if (result != 0)
        return result;
    if (!is_of_now(capture, checkpoint->session))
        return -ECONNRESET;
    capture->sent_closed_count +=
        __atomic_exchange_n(&capture->sent_count[checkpoint->epoch & 1], 0, __ATOMIC_ACQ_REL);
    checkpoint->stable_epoch = capture->stable_epoch;
    checkpoint->connection = capture->keeper->connection;
    message = (struct mn_message_checkpoint){.epoch = checkpoint->epoch,
                                             .stable_epoch = checkpoint->stable_epoch,
                                             .operation_count = capture->sent_closed_count};
    result = mn_encode_checkpoint(&message, mn_connection_begin(checkpoint->connection));
    if (result == 0)
        result = mn_connection_send(checkpoint->connection, MN_MESSAGE_CHECKPOINT);
    checkpoint->is_sent = true;
    return result;
}

/* The keeper mutex is held. result: what became of the question; local: of this node's disk. */
static int end(struct mn_capture *capture, const struct checkpoint *checkpoint, int result,
               int local)
{
    bool is_live = is_of_now(capture, checkpoint->session);

    if (result != 0 && is_live)
        mn_capture_session_lost(capture, result, "a checkpoint failed");
    if (local != 0) /* this node's copy is the bad one: the secondary is kept, to take over */
        mn_capture_event(capture, MN_EVENT_LOCAL_FAULT, local, 0,
                         "this node's disk failed to sync");
    if (result != 0 || local != 0)
        return result != 0 ? result : local;
    if (!is_live)
        return -ECONNRESET;
    if (!checkpoint->is_marked)
        return 0;
    /* One epoch behind: a change that came between its times' sending and the end of the epoch
     * keeps its place until the next checkpoint has sent them. */
    capture->stable_epoch = checkpoint->epoch - 1;
    mn_recent_trim(capture->config.recent, capture->stable_epoch);
    result = mark_here(capture, checkpoint->epoch, capture->stable_epoch);
    return mn_lower_is_full(result) ? 0 : result;
}

int mn_capture_checkpoint(struct mn_capture *capture, uint32_t session, uint64_t *epoch_out)
{
    struct checkpoint checkpoint = {.session = session};
    struct mn_ack ack = {0};
    int local;
    int result;

    pthread_mutex_lock(&capture->keeper_mutex);
    result = begin(capture, &checkpoint);
    pthread_mutex_unlock(&capture->keeper_mutex);
    if (!checkpoint.is_sent)
        return result;
    local = sync_here(capture, checkpoint.epoch, checkpoint.stable_epoch, &checkpoint.is_marked);
    if (result == 0)
        result = mn_connection_receive_ack(checkpoint.connection, &ack);
    if (result == 0)
        result = -ack.error;
    pthread_mutex_lock(&capture->keeper_mutex);
    result = end(capture, &checkpoint, result, local);
    pthread_mutex_unlock(&capture->keeper_mutex);
    *epoch_out = checkpoint.epoch;
    return result;
}
