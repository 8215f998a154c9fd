#include "capture/park.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void mn_park_init(struct mn_park *park)
{
    pthread_condattr_t attributes;

    memset(park, 0, sizeof(*park));
    pthread_mutex_init(&park->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&park->changed, &attributes);
    pthread_cond_init(&park->let_go, NULL);
    pthread_condattr_destroy(&attributes);
}

void mn_park_deinit(struct mn_park *park)
{
    while (park->first != NULL) {
        struct mn_parked *parked = park->first;

        park->first = parked->next;
        free(parked);
    }
    pthread_cond_destroy(&park->changed);
    pthread_cond_destroy(&park->let_go);
    pthread_mutex_destroy(&park->mutex);
}

int mn_park_add(struct mn_park *park, struct mn_mount *mount, int fuse_fd, uint64_t unique,
                bool reply, const void *bytes, size_t size)
{
    struct mn_parked *parked = malloc(sizeof(*parked) + size);

    if (parked == NULL)
        return -ENOMEM;
    parked->next = NULL;
    parked->mount = mount;
    parked->fuse_fd = fuse_fd;
    parked->unique = unique;
    parked->reply = reply;
    parked->is_given_up = false;
    parked->is_orphan = false;
    parked->size = size;
    memcpy(parked->bytes, bytes, size);
    pthread_mutex_lock(&park->mutex);
    if (park->last != NULL)
        park->last->next = parked;
    else
        park->first = parked;
    park->last = parked;
    park->count++;
    pthread_cond_signal(&park->changed);
    pthread_mutex_unlock(&park->mutex);
    return 0;
}

/* Guarded by mutex. */
static struct mn_parked *unlink_parked(struct mn_park *park, struct mn_parked *before,
                                       struct mn_parked *parked)
{
    if (before != NULL)
        before->next = parked->next;
    else
        park->first = parked->next;
    if (park->last == parked)
        park->last = before;
    park->count--;
    parked->next = NULL;
    return parked;
}

/* Guarded by mutex. */
static struct mn_parked *take_orphan(struct mn_park *park)
{
    struct mn_parked *before = NULL;

    for (struct mn_parked *at = park->first; at != NULL; before = at, at = at->next)
        if (at->is_orphan)
            return unlink_parked(park, before, at);
    return NULL;
}

/* The mutex is not held while one is asked about: only this thread takes any out. */
static struct mn_parked *take_given_up(struct mn_park *park, mn_park_is_given_up *is_given_up)
{
    struct mn_parked *before = NULL;
    struct mn_parked *at = park->first;

    while (at != NULL && !park->may_run && !park->ending) {
        pthread_mutex_unlock(&park->mutex);
        if (!at->reply)
            at->is_given_up = is_given_up(at);
        pthread_mutex_lock(&park->mutex);
        if (at->is_given_up)
            return unlink_parked(park, before, at);
        before = at;
        at = at->next;
    }
    return NULL;
}

static struct timespec time_of_next_look(void)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += MN_PARK_LOOK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    return until;
}

struct mn_parked *mn_park_next(struct mn_park *park, mn_park_is_given_up *is_given_up)
{
    struct timespec next_look = time_of_next_look(); /* however much comes until then */
    struct mn_parked *parked = NULL;

    pthread_mutex_lock(&park->mutex);
    park->served = NULL;
    pthread_cond_broadcast(&park->let_go);
    while (!park->ending && parked == NULL) {
        if (park->first == NULL)
            pthread_cond_wait(&park->changed, &park->mutex);
        else if ((parked = take_orphan(park)) != NULL)
            break;
        else if (park->may_run)
            parked = unlink_parked(park, NULL, park->first);
        else if (pthread_cond_timedwait(&park->changed, &park->mutex, &next_look) != 0) {
            parked = take_given_up(park, is_given_up);
            next_look = time_of_next_look();
        }
    }
    park->served = parked == NULL ? NULL : parked->mount;
    pthread_mutex_unlock(&park->mutex);
    return parked;
}

/* Guarded by mutex. */
static bool has_any_of(struct mn_park *park, const struct mn_mount *mount)
{
    bool has = park->served == mount;

    for (struct mn_parked *at = park->first; at != NULL; at = at->next) {
        if (at->mount != mount)
            continue;
        at->is_orphan = true;
        has = true;
    }
    return has;
}

void mn_park_forget(struct mn_park *park, struct mn_mount *mount)
{
    pthread_mutex_lock(&park->mutex);
    while (has_any_of(park, mount)) {
        pthread_cond_broadcast(&park->changed);
        pthread_cond_wait(&park->let_go, &park->mutex);
    }
    pthread_mutex_unlock(&park->mutex);
}

void mn_park_allow(struct mn_park *park, bool may_run)
{
    pthread_mutex_lock(&park->mutex);
    park->may_run = may_run;
    pthread_cond_broadcast(&park->changed);
    pthread_mutex_unlock(&park->mutex);
}

void mn_park_end(struct mn_park *park)
{
    pthread_mutex_lock(&park->mutex);
    park->ending = true;
    pthread_cond_broadcast(&park->changed);
    pthread_mutex_unlock(&park->mutex);
}

uint64_t mn_park_count(struct mn_park *park)
{
    uint64_t count;

    pthread_mutex_lock(&park->mutex);
    count = park->count;
    pthread_mutex_unlock(&park->mutex);
    return count;
}
