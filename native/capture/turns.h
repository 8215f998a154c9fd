/* Turns: which worker of a mount reads the next request. One listens at a time; the others rest,
 * and the last that came to rest is the first to be called: an application with one thread is
 * served by one warm worker, without waking any other (the kernel itself wakes its readers in
 * turn, so that each request meets the coldest one).
 *
 * Whoever serves a request calls another to listen when it is about to wait, or when more requests
 * are there. What waits without knowing it beforehand (a disk) is seen by the watch within
 * MN_TURNS_WATCH_MS. Must never: leave requests unread while a worker rests. */
#ifndef MN_CAPTURE_TURNS_H
#define MN_CAPTURE_TURNS_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

enum { MN_TURNS_WATCH_MS = 1 };

/* One worker's part. A semaphore: whoever is called needs no mutex, which who calls may hold yet,
 * and may end at once. */
struct mn_turn {
    sem_t called;
    struct mn_turn *below; /* of the rest; guarded by mutex */
};

struct mn_turns {
    pthread_mutex_t mutex;
    pthread_cond_t watched;
    struct mn_turn *resting; /* a stack; guarded by mutex, as is the next */
    bool is_ended;
    uint32_t listening_count; /* who reads, or is called to; atomic, changed under mutex or by
                                 taken */
    uint32_t taken_count;     /* requests read; atomic, wraps */
    bool watch_sleeps;        /* atomic */
    bool has_watch;
    pthread_t watch;
};

void mn_turn_init(struct mn_turn *turn);
void mn_turn_deinit(struct mn_turn *turn);

/* Starts the watch. Returns 0 or -errno. */
int mn_turns_init(struct mn_turns *turns);
/* Every worker has ended. */
void mn_turns_deinit(struct mn_turns *turns);

/* A worker, before it reads: returns when it is to listen, or all is over. With is_needed it does
 * not rest although another one listens: a request is there already. */
void mn_turns_listen(struct mn_turns *turns, struct mn_turn *turn, bool is_needed);
/* After it has read, whatever that gave. */
void mn_turns_taken(struct mn_turns *turns);
/* Another worker shall listen, if none does and one rests. Any thread; cheap when there is
 * nothing to do. */
void mn_turns_relieve(struct mn_turns *turns);
static inline bool mn_turns_are_covered(const struct mn_turns *turns)
{
    return __atomic_load_n(&turns->listening_count, __ATOMIC_ACQUIRE) > 0;
}
/* The session is over: nobody rests any more. */
void mn_turns_end(struct mn_turns *turns);

#endif
