#include "capture/turns.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum { QUIET_TICKS_MAX = 20 }; /* then the watch sleeps until a request wakes it */

void mn_turn_init(struct mn_turn *turn)
{
    memset(turn, 0, sizeof(*turn));
    (void)sem_init(&turn->called, 0, 0);
}

void mn_turn_deinit(struct mn_turn *turn)
{
    (void)sem_destroy(&turn->called);
}

/* Guarded by mutex. Who is to be called, or NULL. */
static struct mn_turn *take_one(struct mn_turns *turns)
{
    struct mn_turn *turn = turns->resting;

    if (turn == NULL || mn_turns_are_covered(turns))
        return NULL;
    turns->resting = turn->below;
    __atomic_fetch_add(&turns->listening_count, 1, __ATOMIC_ACQ_REL);
    return turn;
}

static void call(struct mn_turn *turn)
{
    if (turn != NULL)
        (void)sem_post(&turn->called);
}

void mn_turns_relieve(struct mn_turns *turns)
{
    struct mn_turn *turn;

    if (mn_turns_are_covered(turns))
        return;
    pthread_mutex_lock(&turns->mutex);
    turn = take_one(turns);
    pthread_mutex_unlock(&turns->mutex);
    call(turn);
}

void mn_turns_listen(struct mn_turns *turns, struct mn_turn *turn, bool is_needed)
{
    bool rests;

    pthread_mutex_lock(&turns->mutex);
    rests = !is_needed && !turns->is_ended && mn_turns_are_covered(turns);
    if (rests) {
        turn->below = turns->resting;
        turns->resting = turn;
    } else {
        __atomic_fetch_add(&turns->listening_count, 1, __ATOMIC_ACQ_REL);
    }
    pthread_mutex_unlock(&turns->mutex);
    while (rests && sem_wait(&turn->called) != 0)
        ; /* interrupted */
}

void mn_turns_taken(struct mn_turns *turns)
{
    __atomic_fetch_sub(&turns->listening_count, 1, __ATOMIC_ACQ_REL);
    /* Counted, then looked: the watch says that it sleeps, then looks at the count. */
    __atomic_fetch_add(&turns->taken_count, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&turns->watch_sleeps, __ATOMIC_SEQ_CST)) {
        pthread_mutex_lock(&turns->mutex);
        __atomic_store_n(&turns->watch_sleeps, false, __ATOMIC_SEQ_CST);
        pthread_cond_signal(&turns->watched);
        pthread_mutex_unlock(&turns->mutex);
    }
}

void mn_turns_end(struct mn_turns *turns)
{
    pthread_mutex_lock(&turns->mutex);
    turns->is_ended = true;
    while (turns->resting != NULL) {
        struct mn_turn *turn = turns->resting;

        turns->resting = turn->below;
        __atomic_fetch_add(&turns->listening_count, 1, __ATOMIC_ACQ_REL);
        call(turn);
    }
    pthread_cond_signal(&turns->watched);
    pthread_mutex_unlock(&turns->mutex);
}

/* Guarded by mutex, given back meanwhile. */
static void tick(struct mn_turns *turns)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += MN_TURNS_WATCH_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    (void)pthread_cond_timedwait(&turns->watched, &turns->mutex, &until);
}

/* Guarded by mutex, given back meanwhile. Until a request is taken. */
static void sleep_deeply(struct mn_turns *turns, uint32_t taken_before)
{
    __atomic_store_n(&turns->watch_sleeps, true, __ATOMIC_SEQ_CST);
    while (!turns->is_ended && __atomic_load_n(&turns->watch_sleeps, __ATOMIC_SEQ_CST) &&
           __atomic_load_n(&turns->taken_count, __ATOMIC_SEQ_CST) == taken_before)
        pthread_cond_wait(&turns->watched, &turns->mutex);
    __atomic_store_n(&turns->watch_sleeps, false, __ATOMIC_SEQ_CST);
}

/* Nobody has listened for a whole tick: whoever serves waits for something. */
static void *watch(void *argument)
{
    struct mn_turns *turns = argument;
    unsigned quiet_ticks = 0;

    pthread_mutex_lock(&turns->mutex);
    while (!turns->is_ended) {
        uint32_t taken_before = __atomic_load_n(&turns->taken_count, __ATOMIC_ACQUIRE);

        tick(turns);
        if (taken_before != __atomic_load_n(&turns->taken_count, __ATOMIC_ACQUIRE)) {
            quiet_ticks = 0;
        } else if (!mn_turns_are_covered(turns)) {
            call(take_one(turns));
        } else if (++quiet_ticks >= QUIET_TICKS_MAX) {
            sleep_deeply(turns, taken_before);
            quiet_ticks = 0;
        }
    }
    pthread_mutex_unlock(&turns->mutex);
    return NULL;
}

int mn_turns_init(struct mn_turns *turns)
{
    pthread_condattr_t attributes;
    int result;

    memset(turns, 0, sizeof(*turns));
    pthread_mutex_init(&turns->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&turns->watched, &attributes);
    pthread_condattr_destroy(&attributes);
    result = pthread_create(&turns->watch, NULL, watch, turns);
    turns->has_watch = result == 0;
    return -result;
}

void mn_turns_deinit(struct mn_turns *turns)
{
    if (turns->has_watch) {
        mn_turns_end(turns);
        pthread_join(turns->watch, NULL);
    }
    pthread_cond_destroy(&turns->watched);
    pthread_mutex_destroy(&turns->mutex);
}
