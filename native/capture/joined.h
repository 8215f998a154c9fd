/* Objects whose attributes may differ because of a live change made while the secondary is being
 * brought up to date: what is made in a directory takes its group and ACL from it, and that
 * directory may not have them there yet. Reintegration sends the attributes of these once more.
 * Any thread; bounded; empty and without memory when nobody joins. */
#ifndef MN_CAPTURE_JOINED_H
#define MN_CAPTURE_JOINED_H

#include <pthread.h>

#include "util/object.h"

enum { MN_JOINED_MAX = 1 << 20 };

struct mn_joined_object {
    struct mn_id id;
    struct mn_handle handle;
    uint8_t root;
};

struct mn_joined {
    pthread_mutex_t mutex;
    struct mn_joined_object *objects; /* owned; guarded by mutex, as are the counts */
    uint32_t count;
    uint32_t room;
};

void mn_joined_init(struct mn_joined *joined);
void mn_joined_deinit(struct mn_joined *joined);
/* Values are copied. 0, or -ENOMEM: there are too many, the session cannot go on. */
int mn_joined_note(struct mn_joined *joined, uint8_t root, const struct mn_id *id,
                   const struct mn_handle *handle);
/* Takes out at most count_max; returns how many. */
uint32_t mn_joined_take(struct mn_joined *joined, struct mn_joined_object *objects_out,
                        uint32_t count_max);
void mn_joined_clear(struct mn_joined *joined);

#endif
