/* Many threads, few places: what an exclusive lock guards is never touched by two, and all of them
 * end (no deadlock, no starvation), though each takes several places in an order of its own. */
#include <pthread.h>

#include "capture/locks.h"
#include "check.h"

enum { THREADS = 6, TURNS = 3000, PLACES = 5 };

static struct mn_lock_table table;
static int guarded[PLACES]; /* written under the exclusive lock of its place only */

static void *work(void *argument)
{
    unsigned state = (unsigned)(uintptr_t)argument * 2654435761u + 1;

    for (int turn = 0; turn < TURNS; turn++) {
        struct mn_lock_set set = {.count = 0};
        unsigned first, second;

        state = state * 1103515245u + 12345u;
        first = (state >> 16) % PLACES;
        second = (state >> 20) % PLACES;
        mn_lock_set_add(&set, MN_LOCK_NAME, first, 0, 0, true);
        if (second != first)
            mn_lock_set_add(&set, MN_LOCK_NAME, second, 0, 0, true);
        mn_locks_take(&table, &set);
        guarded[first]++;
        if (second != first)
            guarded[second]++;
        mn_locks_release(&table, &set);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    int total = 0;

    RUN("exclusive places under load");
    mn_locks_init(&table);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, work, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < PLACES; i++)
        total += guarded[i];
    CHECK(total >= THREADS * TURNS);
    CHECK(table.first == NULL);
    mn_locks_deinit(&table);
    return 0;
}
