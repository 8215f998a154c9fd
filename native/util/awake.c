#include "util/awake.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    /* The governor of KVM's guests knows two states: it looks again and again, or it halts, which
     * it counts as 1 us. Only 0 keeps it from that. */
    HALTPOLL_LATENCY_US = 0,
    /* The states that are left within that (C1, C1E) cost little; the deep ones are left out. */
    LATENCY_US = 10,
    NO_REQUEST_US = 2000000000, /* PM_QOS_CPU_LATENCY_DEFAULT_VALUE of the kernel */
};

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* Returns: the length of what a short file holds, cut after its last line; or -1. */
static ssize_t read_line(const char *path, char *line, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, line, size - 1);

    if (fd >= 0)
        close(fd);
    if (got >= 0)
        line[got] = '\0';
    if (got >= 0 && strchr(line, '\n') != NULL)
        *strchr(line, '\n') = '\0';
    return got;
}

static void ask_for(const struct mn_awake *awake, int32_t latency_us)
{
    (void)!write(awake->device_fd, &latency_us, sizeof(latency_us));
}

/* Guarded by mutex, given back meanwhile. Returns: the notes of one tick. */
static uint32_t tick(struct mn_awake *awake)
{
    uint32_t before = __atomic_load_n(&awake->count, __ATOMIC_RELAXED);
    uint64_t until_ns = now_ns() + MN_AWAKE_TICK_MS * 1000000U;
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000U),
                             .tv_nsec = (long)(until_ns % 1000000000U)};

    while (!awake->is_ended &&
           pthread_cond_timedwait(&awake->changed, &awake->mutex, &until) != ETIMEDOUT)
        ; /* the condition has not changed */
    return __atomic_load_n(&awake->count, __ATOMIC_RELAXED) - before;
}

/* Guarded by mutex, given back meanwhile. */
static void keep_awake(struct mn_awake *awake)
{
    int quiet_ticks = 0;

    ask_for(awake, awake->latency_us);
    while (!awake->is_ended && quiet_ticks < MN_AWAKE_QUIET_TICKS)
        quiet_ticks = tick(awake) < MN_AWAKE_TICK_NOTES ? quiet_ticks + 1 : 0;
    ask_for(awake, NO_REQUEST_US);
}

static void *watch(void *argument)
{
    struct mn_awake *awake = argument;

    pthread_mutex_lock(&awake->mutex);
    while (!awake->is_ended) {
        if (__atomic_load_n(&awake->is_burst, __ATOMIC_RELAXED)) {
            keep_awake(awake);
            __atomic_store_n(&awake->is_burst, false, __ATOMIC_RELAXED);
        } else {
            pthread_cond_wait(&awake->changed, &awake->mutex);
        }
    }
    pthread_mutex_unlock(&awake->mutex);
    return NULL;
}

void mn_awake_note(struct mn_awake *awake)
{
    uint64_t now, before;

    if (awake->device_fd < 0 ||
        __atomic_add_fetch(&awake->count, 1, __ATOMIC_RELAXED) % MN_AWAKE_NOTES != 0 ||
        __atomic_load_n(&awake->is_burst, __ATOMIC_RELAXED))
        return;
    now = now_ns();
    before = __atomic_exchange_n(&awake->before_ns, now, __ATOMIC_RELAXED);
    if (now - before >= MN_AWAKE_BURST_NS) /* of several threads: or the later came first */
        return;
    pthread_mutex_lock(&awake->mutex);
    __atomic_store_n(&awake->is_burst, true, __ATOMIC_RELAXED);
    pthread_cond_signal(&awake->changed);
    pthread_mutex_unlock(&awake->mutex);
}

void mn_awake_init(struct mn_awake *awake, const char *device, const char *driver)
{
    char name[32];
    pthread_condattr_t attributes;

    memset(awake, 0, sizeof(*awake));
    awake->device_fd = -1;
    pthread_mutex_init(&awake->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&awake->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (read_line(driver, name, sizeof(name)) <= 0 || strcmp(name, "none") == 0)
        return; /* nobody chooses between states here */
    awake->latency_us = strcmp(name, "haltpoll") == 0 ? HALTPOLL_LATENCY_US : LATENCY_US;
    awake->device_fd = open(device, O_WRONLY | O_CLOEXEC);
    if (awake->device_fd < 0)
        return;
    awake->has_watch = pthread_create(&awake->watch, NULL, watch, awake) == 0;
    if (!awake->has_watch) {
        close(awake->device_fd);
        awake->device_fd = -1;
    }
}

void mn_awake_deinit(struct mn_awake *awake)
{
    if (awake->has_watch) {
        pthread_mutex_lock(&awake->mutex);
        awake->is_ended = true;
        pthread_cond_signal(&awake->changed);
        pthread_mutex_unlock(&awake->mutex);
        pthread_join(awake->watch, NULL);
    }
    if (awake->device_fd >= 0)
        close(awake->device_fd); /* the kernel takes the request back */
    awake->device_fd = -1;
    pthread_cond_destroy(&awake->changed);
    pthread_mutex_destroy(&awake->mutex);
}
