#include "capture/joined.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST = 1024 };

void mn_joined_init(struct mn_joined *joined)
{
    pthread_mutex_init(&joined->mutex, NULL);
    joined->objects = NULL;
    joined->count = 0;
    joined->room = 0;
}

void mn_joined_deinit(struct mn_joined *joined)
{
    mn_joined_clear(joined);
    pthread_mutex_destroy(&joined->mutex);
}

/* The mutex is held. */
static int grow(struct mn_joined *joined)
{
    uint32_t room = joined->room == 0 ? ROOM_FIRST : 2 * joined->room;
    struct mn_joined_object *objects;

    if (room > MN_JOINED_MAX)
        return -ENOMEM;
    objects = realloc(joined->objects, room * sizeof(*objects));
    if (objects == NULL)
        return -ENOMEM;
    joined->objects = objects;
    joined->room = room;
    return 0;
}

int mn_joined_note(struct mn_joined *joined, uint8_t root, const struct mn_id *id,
                   const struct mn_handle *handle)
{
    int result = 0;

    pthread_mutex_lock(&joined->mutex);
    if (joined->count == joined->room)
        result = grow(joined);
    if (result == 0) {
        struct mn_joined_object *object = &joined->objects[joined->count++];

        object->id = *id;
        object->root = root;
        mn_handle_copy(&object->handle, handle);
    }
    pthread_mutex_unlock(&joined->mutex);
    return result;
}

uint32_t mn_joined_take(struct mn_joined *joined, struct mn_joined_object *objects_out,
                        uint32_t count_max)
{
    uint32_t count;

    pthread_mutex_lock(&joined->mutex);
    /* The oldest first: a directory comes before what was made in it. */
    count = joined->count < count_max ? joined->count : count_max;
    if (count > 0)
        memcpy(objects_out, joined->objects, count * sizeof(*objects_out));
    if (count < joined->count)
        memmove(joined->objects, joined->objects + count,
                (joined->count - count) * sizeof(*objects_out));
    joined->count -= count;
    pthread_mutex_unlock(&joined->mutex);
    return count;
}

void mn_joined_clear(struct mn_joined *joined)
{
    pthread_mutex_lock(&joined->mutex);
    free(joined->objects);
    joined->objects = NULL;
    joined->count = 0;
    joined->room = 0;
    pthread_mutex_unlock(&joined->mutex);
}
