/* The life of a capture: mounts, sessions, parting. Called by Python, a few times a day. */
#include "capture/capture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "capture/capture_private.h"

/* Everything the kernel can give us to know better what happens; EXPLICIT_INVAL_DATA: it need not
 * drop pages on a changed mtime, since nobody else changes the files. */
static const uint64_t FEATURES_WANTED =
    FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_DONT_MASK | FUSE_DO_READDIRPLUS |
    FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS | FUSE_POSIX_ACL |
    FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS | FUSE_NO_OPENDIR_SUPPORT | FUSE_EXPLICIT_INVAL_DATA |
    FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT | FUSE_HAS_IOCTL_DIR;

enum { BACKGROUND_REQUESTS = 64 };

int mn_capture_create(const struct mn_capture_config *config, struct mn_capture **capture_out)
{
    struct mn_capture *capture = calloc(1, sizeof(*capture));
    pthread_rwlockattr_t attributes;

    if (capture == NULL)
        return -ENOMEM;
    capture->config = *config;
    mn_gate_init(&capture->gate);
    mn_locks_init(&capture->locks);
    mn_park_init(&capture->park);
    mn_joined_init(&capture->joined);
    mn_awake_init(&capture->awake, MN_AWAKE_DEVICE, MN_AWAKE_DRIVER);
    pthread_rwlockattr_init(&attributes);
    /* An introduction must not wait for ever behind a stream of renames. */
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&capture->tree, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    pthread_mutex_init(&capture->events_mutex, NULL);
    pthread_mutex_init(&capture->deal_mutex, NULL);
    pthread_mutex_init(&capture->keeper_mutex, NULL);
    capture->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    capture->runner = mn_worker_create(capture, NULL, -1);
    capture->keeper = mn_worker_create(capture, NULL, -1);
    capture->alone_serial = 1;
    if (capture->event_fd < 0 || capture->runner == NULL || capture->keeper == NULL ||
        pthread_create(&capture->runner->thread, NULL, mn_runner_run, capture->runner) != 0) {
        mn_worker_destroy(capture->runner);
        mn_worker_destroy(capture->keeper);
        mn_awake_deinit(&capture->awake);
        free(capture);
        return -ENOMEM;
    }
    *capture_out = capture;
    return 0;
}

void mn_capture_destroy(struct mn_capture *capture)
{
    mn_park_end(&capture->park);
    pthread_join(capture->runner->thread, NULL);
    mn_worker_destroy(capture->runner);
    mn_worker_destroy(capture->keeper);
    mn_park_deinit(&capture->park);
    mn_joined_deinit(&capture->joined);
    mn_awake_deinit(&capture->awake);
    mn_locks_deinit(&capture->locks);
    mn_gate_deinit(&capture->gate);
    pthread_rwlock_destroy(&capture->tree);
    pthread_mutex_destroy(&capture->events_mutex);
    pthread_mutex_destroy(&capture->deal_mutex);
    pthread_mutex_destroy(&capture->keeper_mutex);
    close(capture->event_fd);
    free(capture);
}

/* Those from `first` on, which have no thread. */
static void free_workers(struct mn_mount *mount, uint32_t first)
{
    for (uint32_t i = first; i < mount->worker_count; i++) {
        if (mount->workers[i] == NULL)
            continue;
        if (mount->workers[i]->fuse_fd >= 0 && mount->workers[i]->fuse_fd != mount->fuse_fd)
            close(mount->workers[i]->fuse_fd);
        mn_worker_destroy(mount->workers[i]);
    }
    mount->worker_count = first;
}

static void mount_free(struct mn_mount *mount)
{
    mn_turns_deinit(&mount->turns);
    free_workers(mount, 0);
    free(mount->workers);
    if (mount->fuse_fd >= 0)
        close(mount->fuse_fd);
    mn_node_table_deinit(&mount->nodes);
    free(mount);
}

static int make_workers(struct mn_mount *mount, uint32_t count)
{
    mount->workers = calloc(count, sizeof(struct mn_worker *));
    if (mount->workers == NULL)
        return -ENOMEM;
    mount->worker_count = count;
    for (uint32_t i = 0; i < count; i++) {
        int fd = mount->fuse_fd;
        int result = i == 0 ? 0 : mn_fuse_clone(mount->fuse_fd, &fd);

        if (result != 0)
            return result;
        mount->workers[i] = mn_worker_create(mount->capture, mount, fd);
        if (mount->workers[i] == NULL)
            return -ENOMEM;
    }
    return 0;
}

/* One is enough, and a thread that reads from the kernel cannot be called back: where the system
 * gives fewer threads, the mount has fewer workers. */
static int start_workers(struct mn_mount *mount)
{
    uint32_t started = 0;
    int result = 0;

    while (started < mount->worker_count && result == 0) {
        struct mn_worker *worker = mount->workers[started];

        result = -pthread_create(&worker->thread, NULL, mn_worker_run, worker);
        started += result == 0;
    }
    if (started == 0)
        return result;
    free_workers(mount, started);
    return 0;
}

static int start_mount(struct mn_mount *mount, const char *mountpoint)
{
    const struct mn_capture_config *config = &mount->capture->config;
    uint64_t wanted = FEATURES_WANTED | (config->writeback ? FUSE_WRITEBACK_CACHE : 0);
    struct mn_handle handle;
    int result = mn_lower_handle(mount->root->directory_fd, "", &handle);

    if (result == 0)
        result = mn_node_table_init(&mount->nodes, &handle, &mount->root->id);
    if (result == 0)
        result = mn_fuse_mount(mountpoint, "mirror", &mount->fuse_fd);
    if (result == 0)
        result = mn_fuse_negotiate(mount->fuse_fd, wanted, BACKGROUND_REQUESTS, &mount->features);
    if (result == 0)
        result = mn_turns_init(&mount->turns);
    if (result == 0)
        result = make_workers(mount, config->workers_per_mount);
    return result != 0 ? result : start_workers(mount);
}

int mn_capture_mount(struct mn_capture *capture, const struct mn_root *root,
                     const char *mountpoint)
{
    struct mn_mount *mount;
    int result;

    if (capture->mounts[root->index] != NULL)
        return -EBUSY;
    mount = calloc(1, sizeof(*mount));
    if (mount == NULL)
        return -ENOMEM;
    mount->capture = capture;
    mount->root = root;
    mount->fuse_fd = -1;
    result = start_mount(mount, mountpoint);
    if (result != 0) {
        mount_free(mount); /* closing /dev/fuse ends the kernel's side; the caller unmounts what is
                              left */
        return result;
    }
    capture->mounts[root->index] = mount;
    capture->roots[root->index] = root;
    return 0;
}

int mn_capture_mount_end(struct mn_capture *capture, int root_index)
{
    struct mn_mount *mount = capture->mounts[root_index];

    if (mount == NULL)
        return 0;
    for (uint32_t i = 0; i < mount->worker_count; i++)
        pthread_join(mount->workers[i]->thread, NULL);
    mn_park_forget(&capture->park, mount); /* the runner may serve one of it still */
    capture->mounts[root_index] = NULL;
    capture->roots[root_index] = NULL;
    mn_worker_forget_directory(capture->keeper);
    mount_free(mount);
    return 0;
}

uint32_t mn_capture_worker_count(const struct mn_capture *capture)
{
    uint32_t count = 2; /* the runner and the keeper */

    for (int i = 0; i < MN_ROOTS_MAX; i++)
        if (capture->mounts[i] != NULL)
            count += capture->mounts[i]->worker_count;
    return count;
}

static void deal(struct mn_worker *worker, struct mn_connection *connection)
{
    worker->connection = connection;
    if (connection != NULL)
        mn_connection_set_waiter(connection, mn_worker_waits, worker);
}

/* connections NULL: takes them away. */
static void deal_connections(struct mn_capture *capture, struct mn_connection **connections)
{
    uint32_t next = 0;

    pthread_mutex_lock(&capture->deal_mutex);
    deal(capture->keeper, connections == NULL ? NULL : connections[next++]);
    deal(capture->runner, connections == NULL ? NULL : connections[next++]);
    for (int i = 0; i < MN_ROOTS_MAX; i++) {
        struct mn_mount *mount = capture->mounts[i];

        for (uint32_t j = 0; mount != NULL && j < mount->worker_count; j++)
            deal(mount->workers[j], connections == NULL ? NULL : connections[next++]);
    }
    pthread_mutex_unlock(&capture->deal_mutex);
}

int mn_capture_session_begin(struct mn_capture *capture, struct mn_connection **connections,
                             uint32_t connection_count, uint64_t first_epoch)
{
    if (connection_count != mn_capture_worker_count(capture))
        return -EINVAL;
    if (mn_gate_freeze(&capture->gate))
        return -EBUSY; /* it was open: the caller is wrong */
    mn_park_allow(&capture->park, false);
    if (mn_gate_drain(&capture->gate, 0) != 0)
        return -EBUSY;
    pthread_mutex_lock(&capture->keeper_mutex);
    deal_connections(capture, connections);
    __atomic_fetch_add(&capture->session_serial, 1, __ATOMIC_ACQ_REL);
    __atomic_store_n(&capture->session_live, 1, __ATOMIC_RELEASE);
    mn_recent_clear(capture->config.recent);
    mn_gate_epochs_from(&capture->gate, first_epoch);
    capture->stable_epoch = 0; /* nothing of this session is on both disks yet */
    capture->sent_count[0] = capture->sent_count[1] = capture->sent_closed_count = 0;
    mn_gate_set_mode(&capture->gate, MN_MODE_MIRRORED);
    pthread_mutex_unlock(&capture->keeper_mutex);
    return 0;
}

static void shut(struct mn_worker *worker)
{
    struct mn_connection *connection = worker->connection;

    if (connection != NULL)
        mn_connection_shutdown(connection);
}

void mn_capture_session_lost(struct mn_capture *capture, int error, const char *why)
{
    uint8_t live = 1;

    if (!__atomic_compare_exchange_n(&capture->session_live, &live, 0, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        return; /* another thread saw it first */
    mn_park_allow(&capture->park, false);
    (void)mn_gate_freeze(&capture->gate);
    pthread_mutex_lock(&capture->deal_mutex);
    shut(capture->keeper);
    shut(capture->runner);
    for (int i = 0; i < MN_ROOTS_MAX; i++)
        for (uint32_t j = 0; capture->mounts[i] != NULL && j < capture->mounts[i]->worker_count;
             j++)
            shut(capture->mounts[i]->workers[j]);
    pthread_mutex_unlock(&capture->deal_mutex);
    mn_capture_event(capture, MN_EVENT_LINK_LOST, error, capture->session_serial, why);
}

int mn_capture_session_end(struct mn_capture *capture, uint32_t timeout_ms)
{
    int result = mn_capture_freeze(capture, timeout_ms);

    if (result == 0) {
        pthread_mutex_lock(&capture->keeper_mutex);
        __atomic_store_n(&capture->session_live, 0, __ATOMIC_RELEASE);
        deal_connections(capture, NULL);
        pthread_mutex_unlock(&capture->keeper_mutex);
    }
    return result;
}

/* Times that were not sent: their places are in the recent set still (checkpoint.c trims one epoch
 * late). */
static void drop_times(struct mn_capture *capture)
{
    for (int i = 0; i < MN_ROOTS_MAX; i++) {
        struct mn_node *node;

        while (capture->mounts[i] != NULL &&
               (node = mn_node_times_take(&capture->mounts[i]->nodes)) != NULL)
            mn_node_unpin(&capture->mounts[i]->nodes, node);
    }
}

int mn_capture_go_alone(struct mn_capture *capture)
{
    int result = mn_gate_is_shut(&capture->gate)
                     ? -ESTALE
                     : mn_index_absorb(capture->config.index, capture->config.recent);

    if (result != 0)
        return result; /* invariant 3: no change is accepted before its place is on disk */
    mn_recent_clear(capture->config.recent);
    drop_times(capture);
    __atomic_fetch_add(&capture->alone_serial, 1, __ATOMIC_ACQ_REL);
    mn_gate_set_mode(&capture->gate, MN_MODE_ALONE);
    mn_capture_open(capture);
    return 0;
}

int mn_capture_freeze(struct mn_capture *capture, uint32_t timeout_ms)
{
    mn_park_allow(&capture->park, false);
    (void)mn_gate_freeze(&capture->gate);
    return mn_gate_drain(&capture->gate, timeout_ms);
}

void mn_capture_open(struct mn_capture *capture)
{
    mn_gate_turn(&capture->gate, MN_GATE_OPEN);
    mn_park_allow(&capture->park, true);
}

void mn_capture_close(struct mn_capture *capture)
{
    mn_gate_shut(&capture->gate);
    mn_park_allow(&capture->park, true);
}

void mn_runner_reply(struct mn_worker *runner, const struct mn_parked *parked)
{
    if (mn_gate_state(&runner->capture->gate) == MN_GATE_CLOSED) {
        (void)mn_fuse_reply(parked->fuse_fd, parked->unique, -ESTALE, NULL, 0);
    } else if (write(parked->fuse_fd, parked->bytes, parked->size) < 0) {
        /* Its caller was killed, or the mount has gone: nobody waits for it. */
    }
}

void mn_capture_event(struct mn_capture *capture, uint32_t kind, int error, uint64_t serial,
                      const char *detail)
{
    struct mn_event *event;
    uint64_t one = 1;

    pthread_mutex_lock(&capture->events_mutex);
    if (capture->event_count == MN_EVENTS_MAX) {
        capture->event_first = (capture->event_first + 1) % MN_EVENTS_MAX;
        capture->event_count--;
    }
    event = &capture->events[(capture->event_first + capture->event_count++) % MN_EVENTS_MAX];
    event->kind = kind;
    event->error = error;
    event->serial = serial;
    snprintf(event->detail, sizeof(event->detail), "%s", detail);
    pthread_mutex_unlock(&capture->events_mutex);
    if (write(capture->event_fd, &one, sizeof(one)) < 0) {
        /* The counter is full: its reader is woken already. */
    }
}

int mn_capture_event_take(struct mn_capture *capture, struct mn_event *event_out)
{
    int result = 1;

    pthread_mutex_lock(&capture->events_mutex);
    if (capture->event_count > 0) {
        *event_out = capture->events[capture->event_first];
        capture->event_first = (capture->event_first + 1) % MN_EVENTS_MAX;
        capture->event_count--;
        result = 0;
    }
    pthread_mutex_unlock(&capture->events_mutex);
    return result;
}
