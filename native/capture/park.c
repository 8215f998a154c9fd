#include "capture/park.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void mn_park_init(struct mn_park *park)
{
    memset(park, 0, sizeof(*park));
    pthread_mutex_init(&park->mutex, NULL);
    pthread_cond_init(&park->changed, NULL);
}

void mn_park_deinit(struct mn_park *park)
{
    while (park->first != NULL) {
        struct mn_parked *parked = park->first;

        park->first = parked->next;
        free(parked);
    }
    pthread_cond_destroy(&park->changed);
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

struct mn_parked *mn_park_withdraw(struct mn_park *park, const struct mn_mount *mount,
                                   uint64_t unique)
{
    struct mn_parked *before = NULL;
    struct mn_parked *found = NULL;

    pthread_mutex_lock(&park->mutex);
    for (struct mn_parked *at = park->first; at != NULL; before = at, at = at->next) {
        /* A finished reply is not withdrawn: its change has happened. */
        if (at->mount == mount && at->unique == unique && !at->reply) {
            found = unlink_parked(park, before, at);
            break;
        }
    }
    pthread_mutex_unlock(&park->mutex);
    return found;
}

struct mn_parked *mn_park_next(struct mn_park *park)
{
    struct mn_parked *parked = NULL;

    pthread_mutex_lock(&park->mutex);
    while (!park->ending && !(park->may_run && park->first != NULL))
        pthread_cond_wait(&park->changed, &park->mutex);
    if (!park->ending)
        parked = unlink_parked(park, NULL, park->first);
    pthread_mutex_unlock(&park->mutex);
    return parked;
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
