/* Workers of one mount take turns at a queue: every request is read, nobody rests for ever, and
 * one that waits without a word is noticed: the request that ends its wait is read by another. */
#include <semaphore.h>
#include <unistd.h>

#include "capture/turns.h"
#include "check.h"

enum { WORKERS = 4, REQUESTS = 4000 };
enum request { PLAIN = 1, RELIEVES, WAITS, ENDS_THE_WAIT, LAST };

static struct mn_turns turns;
static int queue[2]; /* a pipe: one byte a request */
static sem_t waited;
static unsigned served_count[LAST + 1]; /* atomic */

static void serve(enum request request)
{
    if (request == RELIEVES)
        mn_turns_relieve(&turns);
    if (request == WAITS)
        sem_wait(&waited);
    if (request == ENDS_THE_WAIT)
        sem_post(&waited);
    __atomic_fetch_add(&served_count[request], 1, __ATOMIC_RELAXED);
}

static void *work(void *argument)
{
    struct mn_turn turn;
    bool is_needed = false;

    mn_turn_init(&turn);
    for (uintptr_t count = (uintptr_t)argument;; count++) {
        unsigned char request = 0;
        ssize_t got;

        mn_turns_listen(&turns, &turn, is_needed);
        got = read(queue[0], &request, 1);
        mn_turns_taken(&turns);
        if (got != 1 || request == LAST)
            break;
        serve((enum request)request);
        is_needed = count % 7 == 0;
    }
    mn_turns_end(&turns);
    mn_turn_deinit(&turn);
    return NULL;
}

static void put(enum request request)
{
    unsigned char byte = (unsigned char)request;

    CHECK_INT(write(queue[1], &byte, 1), 1);
}

int main(void)
{
    pthread_t threads[WORKERS];

    RUN("turns");
    CHECK_INT(pipe(queue), 0);
    CHECK_INT(sem_init(&waited, 0, 0), 0);
    CHECK_INT(mn_turns_init(&turns), 0);
    for (uintptr_t i = 0; i < WORKERS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, work, (void *)i), 0);
    for (int i = 0; i < REQUESTS; i++)
        put(i % 3 == 0 ? RELIEVES : PLAIN);
    for (int i = 0; i < WORKERS - 1; i++)
        put(WAITS);
    for (int i = 0; i < WORKERS - 1; i++)
        put(ENDS_THE_WAIT);
    for (int i = 0; i < WORKERS; i++)
        put(LAST);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(served_count[PLAIN] + served_count[RELIEVES], REQUESTS);
    CHECK_INT(served_count[WAITS], WORKERS - 1);
    CHECK_INT(served_count[ENDS_THE_WAIT], WORKERS - 1);
    mn_turns_deinit(&turns);
    return 0;
}
