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

static int sync_here(struct mn_capture *capture, uint64_t epoch, uint64_t stable_epoch)
{
    int result = mark_here(capture, epoch, stable_epoch);

    for (int i = 0; i < MN_ROOTS_MAX && result == 0; i++)
        if (capture->roots[i] != NULL && syncfs(capture->roots[i]->directory_fd) != 0)
            result = -errno; /* never retried into success (design 8) */
    return result;
}

/* A disk may take long to sync: the session may have ended meanwhile, and another one begun. */
static bool is_of_now(const struct mn_capture *capture, uint32_t serial)
{
    return __atomic_load_n(&capture->session_serial, __ATOMIC_ACQUIRE) == serial;
}

static int ask(struct mn_capture *capture, uint32_t serial, uint64_t epoch, uint64_t stable_epoch)
{
    struct mn_connection *connection = capture->keeper->connection;
    struct mn_message_checkpoint message = {.epoch = epoch,
                                            .stable_epoch = stable_epoch,
                                            .operation_count = capture->sent_closed_count};
    struct mn_ack ack = {0};
    int local;
    int result = mn_encode_checkpoint(&message, mn_connection_begin(connection));

    if (result == 0)
        result = mn_connection_send(connection, MN_MESSAGE_CHECKPOINT);
    local = sync_here(capture, epoch, stable_epoch);
    if (result == 0)
        result = mn_connection_receive_ack(connection, &ack);
    if (result == 0)
        result = -ack.error;
    if (result != 0 && is_of_now(capture, serial))
        mn_capture_session_lost(capture, result, "a checkpoint failed");
    if (local != 0) /* this node's copy is the bad one: the secondary is kept, to take over */
        mn_capture_event(capture, MN_EVENT_LOCAL_FAULT, local, 0,
                         "this node's disk failed to sync");
    return result != 0 ? result : local;
}

int mn_capture_checkpoint(struct mn_capture *capture, uint64_t *epoch_out)
{
    uint32_t serial = __atomic_load_n(&capture->session_serial, __ATOMIC_ACQUIRE);
    int result = 0;

    for (int i = 0; i < MN_ROOTS_MAX && result == 0; i++)
        if (capture->mounts[i] != NULL)
            result = send_times(capture, capture->mounts[i]);
    if (result != 0)
        return -ECONNRESET;
    result = mn_gate_close_epoch(&capture->gate, EPOCH_DRAIN_MS_MAX, epoch_out);
    if (result != 0)
        return result;
    if (!__atomic_load_n(&capture->session_live, __ATOMIC_ACQUIRE) ||
        !is_of_now(capture, serial) || capture->keeper->connection == NULL)
        return -ECONNRESET;
    capture->sent_closed_count +=
        __atomic_exchange_n(&capture->sent_count[*epoch_out & 1], 0, __ATOMIC_ACQ_REL);
    result = ask(capture, serial, *epoch_out, capture->stable_epoch);
    if (result == 0 && !is_of_now(capture, serial))
        result = -ECONNRESET;
    if (result != 0)
        return result;
    /* One epoch behind: a change that came between its times' sending and the end of the epoch
     * keeps its place until the next checkpoint has sent them. */
    capture->stable_epoch = *epoch_out - 1;
    mn_recent_trim(capture->config.recent, capture->stable_epoch);
    return mark_here(capture, *epoch_out, capture->stable_epoch);
}
