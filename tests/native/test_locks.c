/* Conflict locks: what conflicts waits, what does not goes on, and nobody overtakes for ever. */
#include <pthread.h>
#include <unistd.h>

#include "capture/locks.h"
#include "check.h"

static struct mn_lock_table table;

struct waiter {
    struct mn_lock_set set;
    pthread_t thread;
    int granted; /* atomic */
};

static void *take(void *argument)
{
    struct waiter *waiter = argument;

    mn_locks_take(&table, &waiter->set);
    __atomic_store_n(&waiter->granted, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void start(struct waiter *waiter)
{
    CHECK_INT(pthread_create(&waiter->thread, NULL, take, waiter), 0);
}

/* True once `count` threads wait in the table. */
static void await_waiting(uint32_t count)
{
    uint32_t waiting;

    do {
        pthread_mutex_lock(&table.mutex);
        waiting = table.waiting_count;
        pthread_mutex_unlock(&table.mutex);
    } while (waiting < count && usleep(100) == 0);
}

static void finish(struct waiter *waiter)
{
    pthread_join(waiter->thread, NULL);
    CHECK_INT(waiter->granted, 1);
    mn_locks_release(&table, &waiter->set);
}

static struct mn_lock_set set_of(uint8_t kind, uint64_t key, uint64_t first, uint64_t last,
                                 bool exclusive)
{
    struct mn_lock_set set = {.count = 0};

    mn_lock_set_add(&set, kind, key, first, last, exclusive);
    return set;
}

static void test_ranges(void)
{
    struct mn_lock_set low = set_of(MN_LOCK_RANGE, 7, 0, 99, true);
    struct mn_lock_set high = set_of(MN_LOCK_RANGE, 7, 100, 199, true);
    struct mn_lock_set other = set_of(MN_LOCK_RANGE, 8, 0, 99, true);
    struct waiter across = {.set = set_of(MN_LOCK_RANGE, 7, 99, 100, false)};

    RUN("ranges that do not touch are held together; one across both waits for both");
    mn_locks_take(&table, &low);
    mn_locks_take(&table, &high);
    mn_locks_take(&table, &other);
    start(&across);
    await_waiting(1);
    mn_locks_release(&table, &low);
    CHECK_INT(__atomic_load_n(&across.granted, __ATOMIC_ACQUIRE), 0);
    mn_locks_release(&table, &high);
    finish(&across);
    mn_locks_release(&table, &other);
}

static void test_shared_and_kinds(void)
{
    struct mn_lock_set reader = set_of(MN_LOCK_EXISTENCE, 7, 0, 0, false);
    struct mn_lock_set second_reader = set_of(MN_LOCK_EXISTENCE, 7, 0, 0, false);
    struct mn_lock_set attributes = set_of(MN_LOCK_ATTRIBUTES, 7, 0, 0, true);
    struct waiter writer = {.set = set_of(MN_LOCK_EXISTENCE, 7, 0, 0, true)};
    struct waiter late_reader = {.set = set_of(MN_LOCK_EXISTENCE, 7, 0, 0, false)};

    RUN("shared locks go together, kinds are apart, and a late reader does not overtake a writer");
    mn_locks_take(&table, &reader);
    mn_locks_take(&table, &second_reader);
    mn_locks_take(&table, &attributes);
    start(&writer);
    await_waiting(1);
    start(&late_reader);
    await_waiting(2);
    mn_locks_release(&table, &reader);
    mn_locks_release(&table, &second_reader);
    pthread_join(writer.thread, NULL);
    CHECK_INT(__atomic_load_n(&late_reader.granted, __ATOMIC_ACQUIRE), 0);
    mn_locks_release(&table, &writer.set);
    finish(&late_reader);
    mn_locks_release(&table, &attributes);
}

int main(void)
{
    mn_locks_init(&table);
    test_ranges();
    test_shared_and_kinds();
    CHECK(table.first == NULL && table.last == NULL);
    mn_locks_deinit(&table);
    return 0;
}
