/* Threads on the way of a change have short turns that come early; the others stay as they are. */
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "util/prompt.h"

static int nice_of_this(void)
{
    return getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
}

static void *ordinary(void *unused)
{
    mn_thread_be_prompt();
    CHECK_INT(nice_of_this(), MN_PROMPT_NICE);
    CHECK_INT(sched_getscheduler(0), SCHED_OTHER);
    return unused;
}

static void *nicer(void *unused)
{
    CHECK_INT(setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), -18), 0);
    mn_thread_be_prompt();
    CHECK_INT(nice_of_this(), -18);
    return unused;
}

static void *real_time(void *unused)
{
    const struct sched_param one = {.sched_priority = 1};

    CHECK_INT(sched_setscheduler(0, SCHED_RR, &one), 0);
    mn_thread_be_prompt();
    CHECK_INT(sched_getscheduler(0), SCHED_RR);
    return unused;
}

/* Of this thread alone: the C library would change all of them. */
static void *without_the_right(void *unused)
{
    CHECK_INT(syscall(SYS_setresuid, 65534, 65534, 65534), 0);
    mn_thread_be_prompt();
    CHECK_INT(nice_of_this(), 0);
    return unused;
}

int main(void)
{
    void *(*const threads[])(void *) = {ordinary, nicer, real_time, without_the_right};

    for (size_t i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
        pthread_t thread;

        CHECK_INT(pthread_create(&thread, NULL, threads[i], NULL), 0);
        CHECK_INT(pthread_join(thread, NULL), 0);
        CHECK_INT(nice_of_this(), 0);
    }
    return 0;
}
