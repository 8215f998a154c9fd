/* One write, step by step: the secondary first (design 5). mn_replicate is the whole story; the
 * rest of the file tells each step. What is asserted here: invariant 1 (a primary applies only
 * what its secondary has acknowledged, unless it is alone) and invariant 3 (a place that may
 * differ is noted before it does). */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "capture/change.h"
#include "capture/undo.h"
#include "hash/hash.h"

/* What the secondary answered, as this file needs it. */
enum answer { DONE, REFUSED, LOST };

static enum answer ask_secondary(struct mn_change *change, struct mn_ack *ack_out);
static int settle(struct mn_change *change, const struct mn_ack *ack, int64_t local);
static int64_t apply_here(struct mn_change *change, bool acknowledged);
static void equalise_size(struct mn_change *change);

int mn_replicate(struct mn_change *change, int64_t *result_out)
{
    struct mn_capture *capture = change->worker->capture;
    struct mn_ack ack = {0};
    int result;

    change->local |= change->subject != NULL && mn_node_is_local(change->subject);
    result = (change->after ? mn_gate_enter_after : mn_gate_enter)(&capture->gate, &change->epoch,
                                                                   &change->mode);
    if (result == -ESTALE)
        return *result_out = result, 0;
    if (result == MN_PARK)
        return MN_PARK;
    change->session_serial = __atomic_load_n(&capture->session_serial, __ATOMIC_ACQUIRE);
    change->alone_serial = __atomic_load_n(&capture->alone_serial, __ATOMIC_ACQUIRE);
    result = mn_introduce(change);
    if (result != 0)
        goto leave;
    if (change->moves)
        pthread_rwlock_wrlock(&capture->tree);
    else if (change->names)
        pthread_rwlock_rdlock(&capture->tree);
    if (!mn_locks_queue(&capture->locks, &change->locks)) { /* 1 */
        mn_worker_relieve(change->worker);
        mn_locks_await(&capture->locks, &change->locks);
    }
    if (change->subject != NULL &&
        (mn_node_flags(change->subject) & (MN_NODE_UNLINKED | MN_NODE_LOCAL)) != 0)
        change->local = true;
    result = change->prepare == NULL ? 0 : change->prepare(change);
    if (result == 0)
        result = mn_joining_refuses(change);
    if (result == 0)
        result = mn_change_note(change); /* 2 */
    if (result == 0 && change->mode == MN_MODE_MIRRORED && !change->local && !change->edge) {
        enum answer answer = ask_secondary(change, &ack); /* 3 */

        if (answer == REFUSED && ack.error == EPERM && mn_joining_take_flags(change) == 0)
            answer = ask_secondary(change, &ack);
        if (answer == LOST) {
            result =
                MN_PARK; /* nothing was done here; the place is noted, so the parting knows it */
        } else {
            *result_out = apply_here(change, true); /* 4 */
            result = settle(change, &ack, *result_out);
        }
    } else if (result == 0) {
        *result_out = apply_here(change, false); /* 4, alone */
    }
    mn_locks_release(&capture->locks, &change->locks); /* 5 */
    if (change->names)
        pthread_rwlock_unlock(&capture->tree);
    if (change->resized != NULL)
        equalise_size(change);
leave:
    mn_gate_leave(&capture->gate, change->epoch);
    if (result == MN_PARK)
        return MN_PARK;
    if (result < 0)
        *result_out = result;
    return 0;
}

/* Errors that depend on the two trees alone, which are equal: the secondary's is checked by
 * performing here too. */
static bool deterministic(uint16_t code, int error)
{
    switch (error) {
    /* ext4 has one block for the attributes of an object: too large a value is ENOSPC. */
    case ENOSPC: return code == MN_MESSAGE_SET_XATTR;
    case EEXIST:
    case ENOTEMPTY:
    case ENOENT:
    case ENODATA:
    case EMLINK:
    case ENAMETOOLONG:
    case ENOTDIR:
    case EISDIR:
    case EINVAL:
    case EPERM:
    case ERANGE:
    case E2BIG:
    case EFBIG:
    case ELOOP:
    case EOPNOTSUPP:
    case EXDEV:
    case EACCES:
    case ENXIO:
    case EBADF:
    case ETXTBSY:
    case ENOTTY: return true;
    default: return false;
    }
}

static const char *error_text(int error)
{
    const char *text = strerrordesc_np(error);

    return text == NULL ? "an unknown error" : text;
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

static enum answer ask_secondary(struct mn_change *change, struct mn_ack *ack_out)
{
    struct mn_worker *worker = change->worker;
    struct mn_capture *capture = worker->capture;
    struct mn_connection *connection = worker->connection;
    char why[MN_REASON_BYTES];
    uint64_t start_ns;
    int result;

    if (connection == NULL || !__atomic_load_n(&capture->session_live, __ATOMIC_ACQUIRE))
        return LOST;
    start_ns = now_ns();
    mn_change_count(change);
    result = change->encode(change, mn_connection_begin(connection));
    if (result == 0)
        result = mn_connection_send(connection, change->code);
    if (result == 0)
        result = mn_connection_receive_ack(connection, ack_out);
    __atomic_fetch_add(&capture->counters.waits_ns, now_ns() - start_ns, __ATOMIC_RELAXED);
    __atomic_fetch_add(&capture->counters.waits, 1, __ATOMIC_RELAXED);
    if (result != 0) {
        mn_capture_session_lost(capture, result, "the secondary does not answer");
        return LOST;
    }
    if (ack_out->error == 0 && change->more != NULL) {
        result = change->more(change, ack_out);
        if (result != 0) {
            mn_capture_session_lost(capture, result, "the secondary could not finish a change");
            return LOST;
        }
    }
    if (ack_out->error == 0)
        return DONE;
    if (deterministic(change->code, ack_out->error))
        return REFUSED;
    /* Its disk is full or broken, or it has another object there: that never reaches the
     * application (design 5). */
    snprintf(why, sizeof(why), "the secondary could not apply a change: %s: %s",
             mn_message_name(change->code), error_text(ack_out->error));
    mn_capture_session_lost(capture, -ack_out->error, why);
    return LOST;
}

static int64_t apply_here(struct mn_change *change, bool acknowledged)
{
    /* Invariant 1. */
    assert(acknowledged || change->local || change->edge || change->mode == MN_MODE_ALONE);
    return change->perform(change);
}

/* Under the same locks. 0: equal again, as if nothing had been asked; only its times have moved.
 */
static int undo(struct mn_change *change, const struct mn_ack *ack, int64_t local)
{
    int result;

    if (ack->error != 0 || local >= (int64_t)ack->result || change->undo == NULL)
        return -EOPNOTSUPP;
    result = change->undo(change, ack->result, local);
    for (uint32_t i = 0; i < change->object_count && result == 0; i++)
        mn_change_times(change, change->objects[i]);
    return result;
}

static void equalise_size(struct mn_change *change)
{
    int result = mn_undo_size(change);

    if (result == 0)
        return;
    mn_capture_session_lost(change->worker->capture, result,
                            "the secondary could not undo a change of size");
    change->worker->reply_late = true;
}

void mn_change_joined(const struct mn_change *change, const struct mn_id *id,
                      const struct mn_handle *handle)
{
    struct mn_capture *capture = change->worker->capture;
    int result;

    if (change->mode != MN_MODE_MIRRORED || change->local || change->edge ||
        !__atomic_load_n(&capture->joining, __ATOMIC_ACQUIRE))
        return;
    result = mn_joined_note(&capture->joined, (uint8_t)change->mount->root->index, id, handle);
    if (result != 0)
        mn_capture_session_lost(capture, result, "too much is made while the secondary joins");
}

/* While joining, an extended attribute may be there on one node and not on the other: whether the
 * change was refused then says nothing. */
static bool is_unequal_yet(const struct mn_change *change)
{
    return __atomic_load_n(&change->worker->capture->joining, __ATOMIC_ACQUIRE) &&
           change->subject != NULL &&
           (change->code == MN_MESSAGE_SET_XATTR || change->code == MN_MESSAGE_REMOVE_XATTR);
}

/* This node's disk refused what the secondary has done and keeps: its copy is the good one, so
 * the service moves there. Not while it is being brought up to date, or has gone. */
static bool hands_over(const struct mn_change *change, int64_t local)
{
    const struct mn_capture *capture = change->worker->capture;

    return local < 0 && !deterministic(change->code, (int)-local) &&
           __atomic_load_n(&capture->session_live, __ATOMIC_ACQUIRE) &&
           !__atomic_load_n(&capture->joining, __ATOMIC_ACQUIRE);
}

/* Both have done it, or both have refused it alike; else the secondary is not equal any more.
 * Returns 0; the reply is late when it must wait until this node may go on alone. */
static int settle(struct mn_change *change, const struct mn_ack *ack, int64_t local)
{
    struct mn_worker *worker = change->worker;
    struct mn_capture *capture = worker->capture;
    char why[MN_REASON_BYTES];

    if (ack->error == 0 && local >= 0 && ack->result == (uint64_t)local)
        return 0;
    if (ack->error != 0 && local == -ack->error)
        return 0;
    if (is_unequal_yet(change)) {
        mn_change_joined(change, &change->subject->id, mn_node_handle(change->subject));
        return 0;
    }
    if (undo(change, ack, local) == 0)
        return 0;
    if (hands_over(change, local)) {
        snprintf(why, sizeof(why), "this node's disk refused a change: %s: %s",
                 mn_message_name(change->code), error_text((int)-local));
        mn_capture_event(capture, MN_EVENT_LOCAL_FAULT, (int)local, 0, why);
        return 0;
    }
    snprintf(why, sizeof(why), "the two nodes disagree about a change: %s here %lld, there %lld",
             mn_message_name(change->code), (long long)local,
             ack->error != 0 ? -(long long)ack->error : (long long)ack->result);
    mn_capture_session_lost(capture, local < 0 ? (int)local : -ack->error, why);
    worker->reply_late = true;
    return 0;
}

void mn_change_init(struct mn_change *change, struct mn_worker *worker, void *operation)
{
    /* Not memset: the lock and place arrays are large, and their counts say what is valid. */
    change->worker = worker;
    change->mount = worker->mount;
    change->locks.count = 0;
    change->object_count = 0;
    change->place_count = 0;
    change->subject = NULL;
    change->names = false;
    change->moves = false;
    change->local = false;
    change->edge = false;
    change->after = false;
    change->operation = operation;
    change->prepare = NULL;
    change->encode = NULL;
    change->more = NULL;
    change->perform = NULL;
    change->undo = NULL;
    change->resized = NULL;
}

void mn_change_object(struct mn_change *change, struct mn_node *node)
{
    assert(change->object_count < MN_CHANGE_OBJECTS_MAX);
    change->objects[change->object_count++] = node;
}

static struct mn_place *add_place(struct mn_change *change, struct mn_node *node, uint8_t kind)
{
    struct mn_place *place;

    assert(change->place_count < MN_CHANGE_PLACES_MAX);
    change->places[change->place_count].object = node;
    place = &change->places[change->place_count++].place;
    place->kind = kind;
    place->region_first = 0;
    place->region_last = 0;
    place->name = NULL;
    place->name_size = 0;
    return place;
}

void mn_change_place(struct mn_change *change, struct mn_node *node, uint8_t kind)
{
    (void)add_place(change, node, kind);
}

void mn_change_place_name(struct mn_change *change, struct mn_node *directory, const char *name)
{
    struct mn_place *place = add_place(change, directory, MN_PLACE_NAME);

    place->name = name;
    place->name_size = (uint16_t)strlen(name);
}

void mn_change_local_name(struct mn_change *change, struct mn_node *directory)
{
    if (mn_node_is_local(directory)) {
        change->local = !change->edge;
        return;
    }
    change->edge = true;
    change->local = false;
    mn_change_object(change, directory);
    mn_change_place(change, directory, MN_PLACE_ATTRIBUTES);
}

void mn_change_place_range(struct mn_change *change, struct mn_node *node, uint64_t offset,
                           uint64_t size)
{
    uint64_t first = offset / MN_REGION_BYTES;
    uint64_t last = size == 0 ? first : (offset + size - 1) / MN_REGION_BYTES;

    if (last - first >= MN_REGIONS_NOTED_MAX) {
        mn_change_place(change, node, MN_PLACE_WHOLE);
    } else {
        struct mn_place *place = add_place(change, node, MN_PLACE_DATA);

        place->region_first = first;
        place->region_last = last;
    }
}

void mn_change_lock(struct mn_change *change, uint8_t kind, const struct mn_node *node,
                    bool exclusive)
{
    assert(change->locks.count < MN_LOCKS_MAX);
    mn_lock_set_add(&change->locks, kind, node->key, 0, 0, exclusive);
}

void mn_change_lock_name(struct mn_change *change, const struct mn_node *directory,
                         const char *name)
{
    uint64_t hash = mn_hash_64(name, strlen(name));

    assert(change->locks.count < MN_LOCKS_MAX);
    mn_lock_set_add(&change->locks, MN_LOCK_NAME, directory->key, hash, hash, true);
}

void mn_change_lock_range(struct mn_change *change, const struct mn_node *node, uint64_t offset,
                          uint64_t size, bool exclusive)
{
    assert(change->locks.count < MN_LOCKS_MAX);
    mn_lock_set_add(&change->locks, MN_LOCK_RANGE, node->key, offset,
                    size == 0 ? offset : offset + size - 1, exclusive);
}
