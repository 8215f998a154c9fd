/* The gate and its epochs; parked requests. */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "capture/gate.h"
#include "capture/park.h"
#include "check.h"

static struct mn_gate gate;

static void *leave_later(void *argument)
{
    uint64_t *epoch = argument;

    mn_gate_leave(&gate, *epoch);
    return NULL;
}

static void test_states(void)
{
    uint64_t epoch;
    uint8_t mode;

    RUN("closed refuses, frozen parks, open lets in; a drain waits for who is inside");
    mn_gate_init(&gate);
    CHECK_INT(mn_gate_enter(&gate, &epoch, &mode), -ESTALE);
    mn_gate_turn(&gate, MN_GATE_OPEN);
    CHECK_INT(mn_gate_enter(&gate, &epoch, &mode), 0);
    CHECK_INT(mode, MN_MODE_ALONE);
    CHECK(mn_gate_freeze(&gate));
    CHECK(!mn_gate_freeze(&gate));
    CHECK_INT(mn_gate_enter(&gate, &epoch, &mode), MN_PARK);
    CHECK_INT(mn_gate_drain(&gate, 1), -ETIMEDOUT);
    mn_gate_leave(&gate, epoch);
    CHECK_INT(mn_gate_drain(&gate, 1000), 0);

    RUN("what was shut is opened by nobody");
    CHECK(!mn_gate_is_shut(&gate));
    mn_gate_shut(&gate);
    CHECK(mn_gate_is_shut(&gate));
    mn_gate_turn(&gate, MN_GATE_OPEN);
    CHECK(!mn_gate_freeze(&gate));
    CHECK_INT(mn_gate_enter(&gate, &epoch, &mode), -ESTALE);

    RUN("what tells of changes made before enters a closed gate, and is waited for");
    CHECK_INT(mn_gate_enter_after(&gate, &epoch, &mode), 0);
    CHECK_INT(mn_gate_drain(&gate, 1), -ETIMEDOUT);
    mn_gate_leave(&gate, epoch);
    CHECK_INT(mn_gate_drain(&gate, 1000), 0);
    mn_gate_deinit(&gate);
}

static void test_epochs(void)
{
    uint64_t before, after, closed;
    pthread_t thread;
    uint8_t mode;

    RUN("an epoch is closed when its last change has left; changes of the next go on meanwhile");
    mn_gate_init(&gate);
    mn_gate_turn(&gate, MN_GATE_OPEN);
    CHECK_INT(mn_gate_enter(&gate, &before, &mode), 0);
    CHECK_INT(mn_gate_close_epoch(&gate, 1, &closed), -ETIMEDOUT);
    CHECK_INT(mn_gate_enter(&gate, &after, &mode), 0);
    CHECK_INT(after, before + 1);
    CHECK_INT(mn_gate_close_epoch(&gate, 1, &closed), -ETIMEDOUT); /* the first is still inside */
    CHECK_INT(pthread_create(&thread, NULL, leave_later, &before), 0);
    pthread_join(thread, NULL);
    mn_gate_leave(&gate, after);
    CHECK_INT(mn_gate_close_epoch(&gate, 1000, &closed), 0);
    CHECK_INT(closed, after);
    mn_gate_deinit(&gate);
}

static bool is_second(const struct mn_parked *parked)
{
    CHECK(!parked->reply); /* its change has happened: nobody asks */
    return parked->unique == 102;
}

static bool is_none(const struct mn_parked *parked)
{
    (void)parked;
    return false;
}

static void test_park(void)
{
    struct mn_mount *mount = (struct mn_mount *)(uintptr_t)1;
    struct mn_park park;
    struct mn_parked *parked;

    RUN("parked requests come back in order; one that is given up does not wait for its turn");
    mn_park_init(&park);
    CHECK_INT(mn_park_add(&park, mount, 3, 100, false, "one", 4), 0);
    CHECK_INT(mn_park_add(&park, mount, 3, 101, true, "reply", 6), 0);
    CHECK_INT(mn_park_add(&park, mount, 3, 102, false, "two", 4), 0);
    CHECK_INT(mn_park_add(&park, mount, 3, 103, false, "three", 6), 0);
    parked = mn_park_next(&park, is_second);
    CHECK_INT(parked->unique, 102);
    CHECK(parked->is_given_up);
    free(parked);
    mn_park_allow(&park, true);
    for (int i = 0; i < 3; i++) {
        parked = mn_park_next(&park, is_none);
        CHECK(!parked->is_given_up);
        CHECK_INT(parked->unique, i == 2 ? 103 : 100 + i);
        free(parked);
    }
    CHECK_INT(mn_park_count(&park), 0);
    mn_park_end(&park);
    CHECK(mn_park_next(&park, is_none) == NULL);
    mn_park_deinit(&park);
}

enum { ADDED_MAX = 500, ADD_MS = 10 };

struct adding {
    struct mn_park *park;
    bool ended; /* atomic */
    int count;  /* atomic */
};

/* Requests that come while all wait: each wakes the runner. */
static void *add_many(void *argument)
{
    struct adding *adding = argument;
    struct timespec pause = {.tv_nsec = ADD_MS * 1000000L};

    for (int i = 0; i < ADDED_MAX && !__atomic_load_n(&adding->ended, __ATOMIC_ACQUIRE); i++) {
        CHECK_INT(mn_park_add(adding->park, NULL, 3, 200, false, "more", 5), 0);
        __atomic_store_n(&adding->count, i, __ATOMIC_RELEASE);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void test_given_up_among_many(void)
{
    struct mn_park park;
    struct adding adding = {.park = &park};
    struct mn_parked *parked;
    pthread_t thread;

    RUN("who was killed is seen although requests come all the time");
    mn_park_init(&park);
    CHECK_INT(mn_park_add(&park, NULL, 3, 102, false, "two", 4), 0);
    CHECK_INT(pthread_create(&thread, NULL, add_many, &adding), 0);
    parked = mn_park_next(&park, is_second);
    CHECK_INT(parked->unique, 102);
    CHECK(__atomic_load_n(&adding.count, __ATOMIC_ACQUIRE) < ADDED_MAX / 2);
    __atomic_store_n(&adding.ended, true, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    free(parked);
    mn_park_deinit(&park);
}

struct forgetting {
    struct mn_park *park;
    struct mn_mount *mount;
    int is_done; /* atomic */
};

static void *forget(void *argument)
{
    struct forgetting *forgetting = argument;

    mn_park_forget(forgetting->park, forgetting->mount);
    __atomic_store_n(&forgetting->is_done, 1, __ATOMIC_RELEASE);
    return NULL;
}

static bool is_orphan(struct mn_park *park)
{
    bool is;

    pthread_mutex_lock(&park->mutex);
    is = park->last->is_orphan;
    pthread_mutex_unlock(&park->mutex);
    return is;
}

static void test_park_of_a_mount_that_ends(void)
{
    struct mn_mount *ends = (struct mn_mount *)(uintptr_t)1;
    struct mn_mount *stays = (struct mn_mount *)(uintptr_t)2;
    const struct timespec moment = {.tv_nsec = 50000000L};
    struct forgetting forgetting = {.mount = ends};
    struct mn_parked *parked;
    struct mn_park park;
    pthread_t thread;

    RUN("a mount ends once none of its requests is served, and those left are orphans");
    mn_park_init(&park);
    forgetting.park = &park;
    mn_park_allow(&park, true);
    CHECK_INT(mn_park_add(&park, ends, 3, 100, false, "served", 7), 0);
    CHECK_INT(mn_park_add(&park, stays, 4, 200, false, "other", 6), 0);
    parked = mn_park_next(&park, is_none);
    CHECK_INT(parked->unique, 100);
    CHECK_INT(pthread_create(&thread, NULL, forget, &forgetting), 0);
    (void)nanosleep(&moment, NULL);
    CHECK(!__atomic_load_n(&forgetting.is_done, __ATOMIC_ACQUIRE));
    free(parked);
    parked = mn_park_next(&park, is_none);
    pthread_join(thread, NULL);
    CHECK_INT(parked->unique, 200);
    CHECK(!parked->is_orphan);
    free(parked);

    CHECK_INT(mn_park_add(&park, stays, 4, 201, false, "other", 6), 0);
    CHECK_INT(mn_park_add(&park, ends, 3, 101, false, "left", 5), 0);
    CHECK_INT(pthread_create(&thread, NULL, forget, &forgetting), 0);
    while (!is_orphan(&park))
        (void)nanosleep(&moment, NULL);
    parked = mn_park_next(&park, is_none);
    CHECK_INT(parked->unique, 101);
    CHECK(parked->is_orphan);
    free(parked);
    parked = mn_park_next(&park, is_none);
    pthread_join(thread, NULL);
    CHECK_INT(parked->unique, 201);
    free(parked);
    mn_park_end(&park);
    mn_park_deinit(&park);
}

int main(void)
{
    test_states();
    test_epochs();
    test_park();
    test_given_up_among_many();
    test_park_of_a_mount_that_ends();
    return 0;
}
