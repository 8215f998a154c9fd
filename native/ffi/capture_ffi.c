/* Python's door to the primary's capture. */
#include "capture/copy.h"
#include "ffi/plane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mirror_native.h"

int mnf_capture_create(struct mn_plane *plane, uint32_t workers_per_mount, int writeback,
                       int sync_both)
{
    struct mn_capture_config config = {.workers_per_mount = workers_per_mount,
                                       .writeback = writeback != 0,
                                       .sync_both = sync_both != 0,
                                       .recent = plane->recent,
                                       .index = plane->index};

    return plane->capture != NULL ? -EBUSY : mn_capture_create(&config, &plane->capture);
}

int mnf_capture_mount(struct mn_plane *plane, int root, const char *mountpoint)
{
    return mn_capture_mount(plane->capture, &plane->roots[root], mountpoint);
}

void mnf_capture_watch(struct mn_plane *plane, int root)
{
    plane->capture->roots[root] = &plane->roots[root];
}

int mnf_capture_mount_end(struct mn_plane *plane, int root)
{
    return mn_capture_mount_end(plane->capture, root);
}

void mnf_capture_destroy(struct mn_plane *plane)
{
    if (plane->capture != NULL)
        mn_capture_destroy(plane->capture);
    plane->capture = NULL;
}

int mnf_event_fd(struct mn_plane *plane)
{
    return plane->capture->event_fd;
}

int mnf_event_take(struct mn_plane *plane, uint32_t *kind_out, int *error_out,
                   uint64_t *serial_out, char *detail_out)
{
    struct mn_event event;
    int result = mn_capture_event_take(plane->capture, &event);

    if (result != 0)
        return result;
    *kind_out = event.kind;
    *error_out = event.error;
    *serial_out = event.serial;
    memcpy(detail_out, event.detail, sizeof(event.detail));
    return 0;
}

uint32_t mnf_connections_needed(struct mn_plane *plane)
{
    return mn_capture_worker_count(plane->capture);
}

int mnf_session_begin(struct mn_plane *plane, struct mn_connection **connections,
                      uint32_t connection_count, uint64_t first_epoch)
{
    return mn_capture_session_begin(plane->capture, connections, connection_count, first_epoch);
}

void mnf_session_lost(struct mn_plane *plane, int error, const char *why)
{
    mn_capture_session_lost(plane->capture, error, why);
}

int mnf_session_end(struct mn_plane *plane, uint32_t timeout_ms)
{
    return mn_capture_session_end(plane->capture, timeout_ms);
}

int mnf_freeze(struct mn_plane *plane, uint32_t timeout_ms)
{
    return mn_capture_freeze(plane->capture, timeout_ms);
}

int mnf_go_alone(struct mn_plane *plane)
{
    return mn_capture_go_alone(plane->capture);
}

void mnf_open_gate(struct mn_plane *plane)
{
    mn_capture_open(plane->capture);
}

int mnf_close_gate(struct mn_plane *plane, uint32_t timeout_ms)
{
    mn_capture_close(plane->capture);
    return mn_gate_drain(&plane->capture->gate, timeout_ms);
}

int mnf_checkpoint(struct mn_plane *plane, uint32_t session, uint64_t *epoch_out)
{
    return mn_capture_checkpoint(plane->capture, session, epoch_out);
}

enum { JOINED_AT_ONCE = 256 };

void mnf_joining(struct mn_plane *plane, int joining)
{
    __atomic_store_n(&plane->capture->joining, (uint8_t)(joining != 0), __ATOMIC_RELEASE);
    if (!joining)
        mn_joined_clear(&plane->capture->joined);
}

int mnf_joined_take(struct mn_plane *plane, struct mnf_joined *objects, uint32_t count_max)
{
    struct mn_joined_object taken[JOINED_AT_ONCE];
    uint32_t count = mn_joined_take(&plane->capture->joined, taken,
                                    count_max < JOINED_AT_ONCE ? count_max : JOINED_AT_ONCE);

    for (uint32_t i = 0; i < count; i++) {
        objects[i].root = taken[i].root;
        memcpy(objects[i].id, taken[i].id.bytes, MN_ID_BYTES);
        memcpy(objects[i].handle, &taken[i].handle, sizeof(taken[i].handle));
    }
    return (int)count;
}

void mnf_counters(struct mn_plane *plane, uint64_t *counters_out)
{
    struct mn_capture *capture = plane->capture;

    memset(counters_out, 0, MN_COUNTERS * sizeof(*counters_out));
    if (capture == NULL)
        return;
    pthread_mutex_lock(&capture->gate.mutex);
    counters_out[0] = capture->gate.change_count;
    counters_out[7] = capture->gate.epoch;
    pthread_mutex_unlock(&capture->gate.mutex);
    counters_out[1] = __atomic_load_n(&capture->counters.replicated_bytes, __ATOMIC_RELAXED);
    counters_out[2] = __atomic_load_n(&capture->counters.requests, __ATOMIC_RELAXED);
    counters_out[3] = __atomic_load_n(&capture->counters.waits_ns, __ATOMIC_RELAXED);
    counters_out[4] = __atomic_load_n(&capture->counters.waits, __ATOMIC_RELAXED);
    counters_out[5] = mn_park_count(&capture->park);
    for (int i = 0; i < MN_ROOTS_MAX; i++)
        if (capture->mounts[i] != NULL)
            counters_out[6] += capture->mounts[i]->nodes.node_count;
    counters_out[8] = capture->session_serial;
    counters_out[9] = (__atomic_load_n(&capture->session_live, __ATOMIC_ACQUIRE) != 0 ? 1U : 0U) |
                      (capture->keeper->connection != NULL ? 2U : 0U);
}

int mnf_copy_ranges(struct mn_plane *plane, int root, const uint8_t *handle, const uint8_t *id,
                    struct mn_connection *connection, const uint64_t *ranges, uint32_t range_count,
                    struct mnf_copied *copied)
{
    struct mn_copied result_copied = {0};
    struct mn_copy copy = {
        .capture = plane->capture, .root = &plane->roots[root], .connection = connection};
    int result;

    memcpy(&copy.handle, handle, sizeof(copy.handle));
    memcpy(copy.id.bytes, id, MN_ID_BYTES);
    result =
        mn_copy_ranges(&copy, (const struct mn_copy_range *)ranges, range_count, &result_copied);
    copied->compared_bytes = result_copied.compared_bytes;
    copied->copied_bytes = result_copied.copied_bytes;
    copied->hole_bytes = result_copied.hole_bytes;
    copied->remote_error = result_copied.remote_error;
    return result;
}

int mnf_copy_size(struct mn_plane *plane, int root, const uint8_t *handle, const uint8_t *id,
                  struct mn_connection *connection, struct mnf_copied *copied)
{
    struct mn_copied result_copied = {0};
    struct mn_copy copy = {
        .capture = plane->capture, .root = &plane->roots[root], .connection = connection};
    int result;

    memcpy(&copy.handle, handle, sizeof(copy.handle));
    memcpy(copy.id.bytes, id, MN_ID_BYTES);
    result = mn_copy_size(&copy, &result_copied);
    copied->remote_error = result_copied.remote_error;
    return result;
}

int mnf_compare_step(struct mn_plane *plane, int root, const uint8_t *handle, const uint8_t *id,
                     struct mn_connection *connection, uint64_t offset, uint64_t size,
                     uint8_t *blocks_out, uint64_t *bytes_out, uint64_t *their_bytes_out)
{
    struct mn_copy copy = {
        .capture = plane->capture, .root = &plane->roots[root], .connection = connection};
    uint32_t count;
    int result;

    memcpy(&copy.handle, handle, sizeof(copy.handle));
    memcpy(copy.id.bytes, id, MN_ID_BYTES);
    result = mn_compare_step(&copy, offset, size, blocks_out, &count, bytes_out, their_bytes_out);
    return result != 0 ? result : (int)count;
}

struct mn_object_lock {
    struct mn_lock_set locks;
};

struct mn_object_lock *mnf_lock_name(struct mn_plane *plane, const uint8_t *handle,
                                     const char *name)
{
    struct mn_object_lock *lock = calloc(1, sizeof(*lock));
    struct mn_handle value;

    if (lock == NULL)
        return NULL;
    memcpy(&value, handle, sizeof(value));
    mn_compare_lock_name(&lock->locks, &value, name);
    mn_locks_take(&plane->capture->locks, &lock->locks);
    return lock;
}

static void lock_attributes(struct mn_plane *plane, const uint8_t *handle,
                            struct mn_lock_set *locks)
{
    struct mn_handle value;

    memcpy(&value, handle, sizeof(value));
    mn_lock_set_add(locks, MN_LOCK_EXISTENCE, mn_handle_key(&value), 0, 0, false);
    mn_lock_set_add(locks, MN_LOCK_ATTRIBUTES, mn_handle_key(&value), 0, 0, true);
    mn_locks_take(&plane->capture->locks, locks);
}

struct mn_object_lock *mnf_lock_object(struct mn_plane *plane, const uint8_t *handle)
{
    struct mn_object_lock *lock = calloc(1, sizeof(*lock));

    if (lock != NULL)
        lock_attributes(plane, handle, &lock->locks);
    return lock;
}

int mnf_has_changed(struct mn_plane *plane, const struct mnf_opened *objects, uint32_t count,
                    uint8_t *changed_out)
{
    enum { SAME, CHANGED, NAMELESS };
    int result = 0;

    for (uint32_t i = 0; i < count && result == 0; i++) {
        struct mn_lock_set locks = {.count = 0};
        struct stat status;

        lock_attributes(plane, objects[i].handle, &locks);
        result = fstat(objects[i].fd, &status) == 0 ? 0 : -errno;
        mn_locks_release(&plane->capture->locks, &locks);
        if (result != 0)
            break;
        int64_t ctime_ns = (int64_t)status.st_ctim.tv_sec * 1000000000 + status.st_ctim.tv_nsec;
        changed_out[i] = status.st_nlink == 0              ? NAMELESS
                         : ctime_ns == objects[i].ctime_ns ? SAME
                                                           : CHANGED;
    }
    return result;
}

void mnf_unlock_object(struct mn_plane *plane, struct mn_object_lock *lock)
{
    mn_locks_release(&plane->capture->locks, &lock->locks);
    free(lock);
}
