/* One write, step by step: the secondary first (design 5). mn_replicate is the whole story; the
 * rest of the file tells each step. What is asserted here: invariant 1 (a primary applies only
 * what its secondary has acknowledged, unless it is alone) and invariant 3 (a place that may
 * differ is noted before it does). */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "capture/change.h"
#include "hash/hash.h"

/* What the secondary answered, as this file needs it. */
enum answer { DONE, REFUSED, LOST };

static int note(struct mn_change *change);
static enum answer ask_secondary(struct mn_change *change,
                                 int (*meanwhile)(struct mn_change *, int64_t *),
                                 struct mn_ack *ack_out, int64_t *local_out);
static int settle(struct mn_change *change, const struct mn_ack *ack, int64_t local);
static int perform_meanwhile(struct mn_change *change, int64_t *local_out);
static int64_t apply_here(struct mn_change *change, bool acknowledged);

int mn_replicate(struct mn_change *change, int64_t *result_out)
{
    struct mn_capture *capture = change->worker->capture;
    struct mn_ack ack = {0};
    int result;

    result = mn_gate_enter(&capture->gate, &change->epoch, &change->mode);
    if (result == -ESTALE)
        return *result_out = result, 0;
    if (result == MN_PARK)
        return MN_PARK;
    result = mn_introduce(change);
    if (result != 0)
        goto leave;
    if (change->names)
        pthread_rwlock_rdlock(&capture->tree);
    mn_locks_take(&capture->locks, &change->locks); /* 1 */
    if (change->subject != NULL && (mn_node_flags(change->subject) & MN_NODE_UNLINKED) != 0)
        change->local = true;
    result = change->prepare == NULL ? 0 : change->prepare(change);
    if (result == 0)
        result = note(change); /* 2 */
    if (result == 0 && change->mode == MN_MODE_MIRRORED && !change->local) {
        int64_t local = 0;
        enum answer answer = ask_secondary(change, change->together ? perform_meanwhile : NULL,
                                           &ack, &local); /* 3 */

        if (answer == LOST) {
            result =
                MN_PARK; /* nothing was done here; the place is noted, so the parting knows it */
        } else {
            *result_out = change->together ? local : apply_here(change, true); /* 4 */
            result = settle(change, &ack, *result_out);
        }
    } else if (result == 0) {
        *result_out = apply_here(change, false); /* 4, alone */
    }
    mn_locks_release(&capture->locks, &change->locks); /* 5 */
    if (change->names)
        pthread_rwlock_unlock(&capture->tree);
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

/* Alone, a first touch costs a write to disk: neighbours are noted with it, so that a database
 * that writes back in order pays once a MiB. What is noted and equal costs a comparison, and does
 * not travel. */
static void widen(struct mn_place *place)
{
    if (place->kind == MN_PLACE_DATA) {
        place->region_first &= ~(uint64_t)(MN_REGIONS_NOTED_TOGETHER - 1);
        place->region_last |= MN_REGIONS_NOTED_TOGETHER - 1;
    }
}

static int note(struct mn_change *change)
{
    struct mn_capture *capture = change->worker->capture;
    uint32_t alone = __atomic_load_n(&capture->alone_serial, __ATOMIC_RELAXED);

    if (change->local)
        return 0;
    for (uint32_t i = 0; i < change->place_count; i++) {
        struct mn_node *object = change->places[i].object;
        struct mn_ref ref;
        int result;

        mn_node_ref(change->mount, object, &ref);
        if (change->mode == MN_MODE_MIRRORED) {
            mn_recent_note(capture->config.recent, &ref, &change->places[i].place, change->epoch);
            continue;
        }
        /* Made in this very period alone: the note of its name says that all of it is new. */
        if (__atomic_load_n(&object->born_serial, __ATOMIC_RELAXED) == alone)
            continue;
        widen(&change->places[i].place);
        result = mn_index_note(capture->config.index, &ref, &change->places[i].place);
        if (result != 0) {
            mn_capture_event(capture, MN_EVENT_LOCAL_FAULT, result, 0,
                             "the dirty index cannot be written");
            return result;
        }
    }
    return 0;
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

static int perform_meanwhile(struct mn_change *change, int64_t *local_out)
{
    *local_out = change->perform(change);
    return 0;
}

static enum answer ask_secondary(struct mn_change *change,
                                 int (*meanwhile)(struct mn_change *, int64_t *),
                                 struct mn_ack *ack_out, int64_t *local_out)
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
    if (result == 0 && meanwhile != NULL)
        meanwhile(change, local_out);
    if (result == 0)
        result = mn_connection_receive_ack(connection, ack_out);
    __atomic_fetch_add(&capture->counters.waits_ns, now_ns() - start_ns, __ATOMIC_RELAXED);
    __atomic_fetch_add(&capture->counters.waits, 1, __ATOMIC_RELAXED);
    if (result != 0) {
        mn_capture_session_lost(capture, result, "the secondary does not answer");
        return LOST;
    }
    if (ack_out->error == 0) {
        result = change->more == NULL ? 0 : change->more(change);
        if (result == 0)
            return DONE;
        mn_capture_session_lost(capture, result, "the secondary could not finish a change");
        return LOST;
    }
    if (deterministic(change->code, ack_out->error))
        return REFUSED;
    /* Its disk is full or broken, or it has another object there: that never reaches the
     * application (design 5). */
    snprintf(why, sizeof(why), "the secondary could not apply a change: %s",
             mn_message_name(change->code));
    mn_capture_session_lost(capture, -ack_out->error, why);
    return LOST;
}

static int64_t apply_here(struct mn_change *change, bool acknowledged)
{
    /* Invariant 1. */
    assert(acknowledged || change->local || change->mode == MN_MODE_ALONE);
    return change->perform(change);
}

/* 0: the secondary has undone what this node could not do. */
static int undo(struct mn_change *change)
{
    struct mn_connection *connection = change->worker->connection;
    struct mn_ack ack;
    uint16_t code;
    int result;

    if (change->encode_undo == NULL)
        return -EOPNOTSUPP;
    result = change->encode_undo(change, mn_connection_begin(connection), &code);
    if (result != 0)
        return result;
    mn_change_count(change);
    result = mn_connection_send(connection, code);
    if (result == 0)
        result = mn_connection_receive_ack(connection, &ack);
    return result != 0 ? result : -ack.error;
}

void mn_change_joined(const struct mn_change *change, const struct mn_id *id,
                      const struct mn_handle *handle)
{
    struct mn_capture *capture = change->worker->capture;
    int result;

    if (change->mode != MN_MODE_MIRRORED || !__atomic_load_n(&capture->joining, __ATOMIC_ACQUIRE))
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

/* Both have done it, or both have refused it alike; else the secondary is not equal any more.
 * Returns 0; the reply is late when it must wait until this node may go on alone. */
static int settle(struct mn_change *change, const struct mn_ack *ack, int64_t local)
{
    struct mn_worker *worker = change->worker;
    struct mn_capture *capture = worker->capture;
    char why[MN_REASON_BYTES];

    if (ack->error == 0 && local >= 0 && (ack->result == (uint64_t)local || change->together))
        return 0;
    if (ack->error != 0 && local == -ack->error)
        return 0;
    if (is_unequal_yet(change)) {
        mn_change_joined(change, &change->subject->id, &change->subject->handle);
        return 0;
    }
    if (ack->error == 0 && local < 0 && undo(change) == 0)
        return 0; /* undone under the same locks: still equal */
    snprintf(why, sizeof(why), "the two nodes disagree about a change: %s here %lld, there %d",
             mn_message_name(change->code), (long long)local, -ack->error);
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
    change->local = false;
    change->together = false;
    change->operation = operation;
    change->prepare = NULL;
    change->encode = NULL;
    change->more = NULL;
    change->perform = NULL;
    change->encode_undo = NULL;
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
