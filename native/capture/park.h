/* Parked requests: changes that met a frozen gate, and replies that must wait for it (design 5).
 * The thread that read them went back to /dev/fuse, so reads go on. One runner takes them up
 * again, in order; what nobody waits for any more, because its caller was killed, at once. */
#ifndef MN_CAPTURE_PARK_H
#define MN_CAPTURE_PARK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mn_mount;

enum { MN_PARK_LOOK_MS = 100 };

struct mn_parked {
    struct mn_parked *next;
    struct mn_mount *mount;
    int fuse_fd; /* whose reader took the request: the reply must go there */
    uint64_t unique;
    bool reply;       /* bytes are a finished reply, not a request */
    bool is_given_up; /* its caller was killed: it shall not happen any more */
    bool is_orphan;   /* its mount has gone; guarded by the park's mutex */
    size_t size;
    _Alignas(8) uint8_t bytes[];
};

struct mn_park {
    pthread_mutex_t mutex;
    pthread_cond_t changed;  /* of CLOCK_MONOTONIC */
    struct mn_parked *first; /* owned; guarded by mutex */
    struct mn_parked *last;
    uint64_t count;
    struct mn_mount *served; /* of the one taken last, until the next is asked for */
    pthread_cond_t let_go;
    bool may_run; /* the gate is open or closed: guarded by mutex */
    bool ending;
};

void mn_park_init(struct mn_park *park);
void mn_park_deinit(struct mn_park *park);
/* Copies the bytes. -ENOMEM. */
int mn_park_add(struct mn_park *park, struct mn_mount *mount, int fuse_fd, uint64_t unique,
                bool reply, const void *bytes, size_t size);
/* Whether the caller of a parked request was killed. Never asked of a finished reply: its change
 * has happened. */
typedef bool mn_park_is_given_up(const struct mn_parked *parked);
/* One thread only. Blocks until there is one and it may run, or one is given up (looked for every
 * MN_PARK_LOOK_MS while some wait), or an orphan; NULL when ending. Caller frees. */
struct mn_parked *mn_park_next(struct mn_park *park, mn_park_is_given_up *is_given_up);
/* The mount has ended: waits until none of its requests is here or served any more. Those that are
 * left are not served. */
void mn_park_forget(struct mn_park *park, struct mn_mount *mount);
void mn_park_allow(struct mn_park *park, bool may_run);
void mn_park_end(struct mn_park *park);
uint64_t mn_park_count(struct mn_park *park);

#endif
