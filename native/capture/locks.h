/* Conflict locks (design 5): two operations that touch the same place are never in flight
 * together, so operations on different connections need no order between them.
 *
 * An operation takes its whole set at once, or waits; sets are granted in order of arrival among
 * those that conflict. So there is no deadlock and no starvation. Sets are few (one a thread),
 * hence plain lists. */
#ifndef MN_CAPTURE_LOCKS_H
#define MN_CAPTURE_LOCKS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum mn_lock_kind {
    MN_LOCK_NAME, /* one name of one directory: key of the directory, hash of the name in `first`
                   */
    MN_LOCK_DIRECTORY,  /* shared: a name in it changes; exclusive: it is removed or moved */
    MN_LOCK_EXISTENCE,  /* shared: data or attributes; exclusive: a name of it comes or goes */
    MN_LOCK_ATTRIBUTES, /* mode, owner, xattrs, size */
    MN_LOCK_RANGE,      /* bytes [first, last] */
};

enum { MN_LOCKS_MAX = 16 };

struct mn_lock {
    uint64_t key; /* mn_handle_key: two objects with one key only wait for each other in vain */
    uint64_t first;
    uint64_t last;
    uint8_t kind;
    uint8_t exclusive;
};

struct mn_lock_set {
    struct mn_lock_set *next;
    uint32_t count;
    bool granted;
    struct mn_lock locks[MN_LOCKS_MAX];
};

struct mn_lock_table {
    pthread_mutex_t mutex;
    pthread_cond_t released;
    struct mn_lock_set *first; /* held and waiting, in order of arrival; guarded by mutex */
    struct mn_lock_set *last;
    uint32_t waiting_count;
};

void mn_locks_init(struct mn_lock_table *table);
void mn_locks_deinit(struct mn_lock_table *table);

static inline void mn_lock_set_add(struct mn_lock_set *set, uint8_t kind, uint64_t key,
                                   uint64_t first, uint64_t last, bool exclusive)
{
    set->locks[set->count++] = (struct mn_lock){
        .key = key, .first = first, .last = last, .kind = kind, .exclusive = exclusive};
}

/* The set is the caller's until released; it stands on its stack. */
void mn_locks_take(struct mn_lock_table *table, struct mn_lock_set *set);
/* The two halves of take: false: mn_locks_await must follow, which may wait. */
bool mn_locks_queue(struct mn_lock_table *table, struct mn_lock_set *set);
void mn_locks_await(struct mn_lock_table *table, struct mn_lock_set *set);
void mn_locks_release(struct mn_lock_table *table, struct mn_lock_set *set);

#endif
