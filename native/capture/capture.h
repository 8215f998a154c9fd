/* Capture: the mounts over the replicated directories of one module, seen from the primary.
 *
 *   worker    one thread, one descriptor of /dev/fuse, one connection to the secondary
 *   mount     one replicated directory: its session with the kernel, its nodes
 *   capture   what all share: gate, conflict locks, recent set, dirty index, session
 *
 * Python turns the large wheels (mount, attach, go alone); no Python runs on the path of an
 * operation. */
#ifndef MN_CAPTURE_CAPTURE_H
#define MN_CAPTURE_CAPTURE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "capture/gate.h"
#include "capture/joined.h"
#include "capture/locks.h"
#include "capture/node.h"
#include "capture/park.h"
#include "capture/turns.h"
#include "fuse/session.h"
#include "journal/index.h"
#include "journal/recent.h"
#include "link/connection.h"
#include "lower/lower.h"
#include "util/awake.h"

enum {
    MN_WORKERS_MAX = 64, /* over all mounts; each has one connection in a session */
    MN_REASON_BYTES = 160,
};

struct mn_capture;
struct mn_mount;

struct mn_worker {
    struct mn_capture *capture;
    struct mn_mount *mount; /* NULL: the worker for parked requests between two of them */
    struct mn_connection
        *connection; /* owned by the session's owner; set only while nobody is inside the gate */
    uint8_t *request_buffer; /* owned; MN_FUSE_BUFFER_BYTES */
    uint8_t *reply_buffer;   /* owned; MN_FUSE_DATA_BYTES_MAX */
    int fuse_fd;
    bool reply_late;  /* the change is done here, but not yet known to survive: park its reply */
    int directory_fd; /* of the directory used last, or -1 */
    uint64_t directory_key;
    struct mn_mount *directory_mount;
    struct mn_turn turn;
    bool takes_turns; /* it reads requests itself: not the runner, not the keeper */
    pthread_t thread;
};

struct mn_mount {
    struct mn_capture *capture;
    const struct mn_root *root; /* borrowed */
    struct mn_node_table nodes;
    struct mn_fuse_features features;
    struct mn_worker **workers; /* owned */
    uint32_t worker_count;
    struct mn_turns turns; /* of the workers */
    int fuse_fd;
    bool mounted;
};

struct mn_capture_config {
    uint32_t workers_per_mount;
    bool writeback;           /* barrier="fsync" */
    bool sync_both;           /* async="none": fsync waits for both disks */
    struct mn_recent *recent; /* borrowed */
    struct mn_index *index;   /* borrowed */
};

/* What Python is told, in order; the newest MN_EVENTS_MAX are kept. */
enum mn_event_kind {
    MN_EVENT_LINK_LOST = 1,   /* the gate froze by itself; detail says why */
    MN_EVENT_LOCAL_FAULT = 2, /* this node's disk refused what must not fail; error says how */
    MN_EVENT_UNMOUNTED = 3,   /* the kernel ended a mount's session */
};
struct mn_event {
    uint32_t kind;
    int32_t error;
    uint64_t serial; /* of the session, for LINK_LOST */
    char detail[MN_REASON_BYTES];
};
enum { MN_EVENTS_MAX = 64 };

struct mn_counters {
    uint64_t changes;          /* changes let in */
    uint64_t replicated_bytes; /* content sent to the secondary */
    uint64_t requests;         /* all requests of the kernel */
    uint64_t waits_ns;         /* time spent waiting for the secondary */
    uint64_t waits;            /* how often */
};

struct mn_capture {
    struct mn_capture_config config;
    struct mn_gate gate;
    struct mn_lock_table locks;
    struct mn_park park;
    struct mn_awake awake;
    pthread_rwlock_t
        tree; /* names change: shared; a path is introduced: exclusive (introduce.c) */
    struct mn_mount *mounts[MN_ROOTS_MAX];
    const struct mn_root *roots[MN_ROOTS_MAX]; /* whose disks a checkpoint marks and syncs */
    struct mn_worker *runner;                  /* runs what was parked */
    struct mn_worker *keeper; /* checkpoints and times; no thread of ours, see checkpoint.c */
    uint32_t session_serial;  /* rises with each session; atomic */
    uint32_t alone_serial;    /* rises with each period alone; atomic */
    uint8_t session_live;     /* atomic; 0 once lost */
    uint8_t joining;          /* atomic; the secondary is being brought up to date */
    struct mn_joined joined;  /* filled while joining */
    pthread_mutex_t events_mutex;
    struct mn_event events[MN_EVENTS_MAX];
    uint32_t event_first, event_count; /* guarded by events_mutex */
    int event_fd;
    pthread_mutex_t deal_mutex; /* of every worker's connection, against who shuts them down */
    /* Held by whoever begins or ends a session, and by a checkpoint whenever it uses anything of
     * one: a checkpoint that a disk holds up may outlive its session. */
    pthread_mutex_t keeper_mutex;
    uint64_t stable_epoch; /* on both disks; guarded by keeper_mutex */
    /* Operations sent in this session, by parity of their epoch (two are open at a time), and in
     * closed epochs. The secondary compares at each checkpoint: a change lost on the way is not
     * Ready (design 8). */
    uint64_t sent_count[2];      /* atomic */
    uint64_t sent_closed_count;  /* guarded by keeper_mutex */
    struct mn_counters counters; /* atomic, relaxed */
};

int mn_capture_create(const struct mn_capture_config *config, struct mn_capture **capture_out);
/* Every mount must have been taken away. */
void mn_capture_destroy(struct mn_capture *capture);

/* Mounts over mountpoint and starts its workers; the gate is as it is. root is borrowed. */
int mn_capture_mount(struct mn_capture *capture, const struct mn_root *root,
                     const char *mountpoint);
/* After umount(2) (or abort): joins the workers and frees the mount. */
int mn_capture_mount_end(struct mn_capture *capture, int root_index);
uint32_t mn_capture_worker_count(
    const struct mn_capture *capture); /* connections a session needs: workers, runner, keeper */

/* The gate is frozen or closed, and nobody inside: gives each worker its connection; then
 * MIRRORED. connections: mn_capture_worker_count() of them, borrowed until mn_capture_session_end.
 * first_epoch: above what both disks have seen, so that epochs order the pair's checkpoints. */
int mn_capture_session_begin(struct mn_capture *capture, struct mn_connection **connections,
                             uint32_t connection_count, uint64_t first_epoch);
/* Any thread: the session is over; the gate freezes, every connection is shut down, Python is told
 * once. */
void mn_capture_session_lost(struct mn_capture *capture, int error, const char *why);
/* Waits until nobody is inside, then takes the connections away. The gate stays frozen or closed.
 */
int mn_capture_session_end(struct mn_capture *capture, uint32_t timeout_ms);

/* The gate is frozen, nobody inside, no session: the recent set goes into the index, durably; then
 * the gate opens and parked changes go on (invariant 3; the caller has made the record durable:
 * invariant 2). -ESTALE: the gate was closed. */
int mn_capture_go_alone(struct mn_capture *capture);
/* Parks every change from now on, and waits until nobody is inside. */
int mn_capture_freeze(struct mn_capture *capture, uint32_t timeout_ms);
/* Opens the gate and lets parked requests run, unless it was closed. */
void mn_capture_open(struct mn_capture *capture);
/* For good: parked requests answer ESTALE, and so does every change from now on. */
void mn_capture_close(struct mn_capture *capture);

/* One checkpoint of this session (0: of the one that is now): times, then both disks (design 8).
 * One at a time. 0, or the session is lost and -errno; -ECONNRESET when it is another session's.
 * *epoch_out: the epoch closed. */
int mn_capture_checkpoint(struct mn_capture *capture, uint32_t session, uint64_t *epoch_out);

void mn_capture_event(struct mn_capture *capture, uint32_t kind, int error, uint64_t serial,
                      const char *detail);
int mn_capture_event_take(struct mn_capture *capture,
                          struct mn_event *event_out); /* 0, or 1: none */

/* A descriptor of the lower directory for a node, cached for this worker; not to be closed.
 * Negative: -errno. */
int mn_worker_directory(struct mn_worker *worker, struct mn_mount *mount,
                        const struct mn_node *node);
/* What the worker does next may take long: another one shall read requests meanwhile. */
void mn_worker_relieve(struct mn_worker *worker);
/* Serve one request in worker->request_buffer; replies, or parks it. */
void mn_worker_serve(struct mn_worker *worker, const struct mn_fuse_request *request);
struct mn_worker *mn_worker_create(struct mn_capture *capture, struct mn_mount *mount,
                                   int fuse_fd);
void mn_worker_destroy(struct mn_worker *worker);

#endif
