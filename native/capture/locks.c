#include "capture/locks.h"

#include <string.h>

void mn_locks_init(struct mn_lock_table *table)
{
    memset(table, 0, sizeof(*table));
    pthread_mutex_init(&table->mutex, NULL);
    pthread_cond_init(&table->released, NULL);
}

void mn_locks_deinit(struct mn_lock_table *table)
{
    pthread_cond_destroy(&table->released);
    pthread_mutex_destroy(&table->mutex);
}

static bool conflicts(const struct mn_lock_set *left, const struct mn_lock_set *right)
{
    for (uint32_t i = 0; i < left->count; i++) {
        const struct mn_lock *a = &left->locks[i];

        for (uint32_t j = 0; j < right->count; j++) {
            const struct mn_lock *b = &right->locks[j];

            if (a->key == b->key && a->kind == b->kind && (a->exclusive || b->exclusive) &&
                a->first <= b->last && b->first <= a->last)
                return true;
        }
    }
    return false;
}

/* Guarded by mutex. True when nothing that came earlier, held or waiting, conflicts. */
static bool may_go(const struct mn_lock_table *table, const struct mn_lock_set *set)
{
    for (const struct mn_lock_set *other = table->first; other != set; other = other->next)
        if (conflicts(other, set))
            return false;
    return true;
}

bool mn_locks_queue(struct mn_lock_table *table, struct mn_lock_set *set)
{
    bool granted;

    pthread_mutex_lock(&table->mutex);
    set->next = NULL;
    if (table->last != NULL)
        table->last->next = set;
    else
        table->first = set;
    table->last = set;
    granted = set->granted = may_go(table, set);
    pthread_mutex_unlock(&table->mutex);
    return granted;
}

void mn_locks_await(struct mn_lock_table *table, struct mn_lock_set *set)
{
    pthread_mutex_lock(&table->mutex);
    while (!may_go(table, set)) {
        table->waiting_count++;
        pthread_cond_wait(&table->released, &table->mutex);
        table->waiting_count--;
    }
    set->granted = true;
    pthread_mutex_unlock(&table->mutex);
}

void mn_locks_take(struct mn_lock_table *table, struct mn_lock_set *set)
{
    if (!mn_locks_queue(table, set))
        mn_locks_await(table, set);
}

void mn_locks_release(struct mn_lock_table *table, struct mn_lock_set *set)
{
    struct mn_lock_set *before = NULL;

    pthread_mutex_lock(&table->mutex);
    for (struct mn_lock_set *at = table->first; at != set; at = at->next)
        before = at;
    if (before != NULL)
        before->next = set->next;
    else
        table->first = set->next;
    if (table->last == set)
        table->last = before;
    set->granted = false;
    if (table->waiting_count > 0)
        pthread_cond_broadcast(&table->released);
    pthread_mutex_unlock(&table->mutex);
}
