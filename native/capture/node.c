#include "capture/node.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUCKETS_FIRST = 1 << 10 };

uint64_t mn_handle_key(const struct mn_handle *handle)
{
    /* FNV-1a with a last mix: handles are inode number and generation, small and regular. */
    uint64_t key = 1469598103934665603ULL ^ (uint64_t)(uint32_t)handle->type;

    for (unsigned i = 0; i < handle->size; i++)
        key = (key ^ handle->bytes[i]) * 1099511628211ULL;
    key ^= key >> 32;
    key *= 0x9e3779b97f4a7c15ULL;
    return key ^ (key >> 29);
}

static struct mn_node **slot_of(struct mn_node_table *table, const struct mn_handle *handle,
                                uint64_t key)
{
    struct mn_node **slot = &table->buckets[key & (table->bucket_count - 1)];

    while (*slot != NULL &&
           !((*slot)->key == key && mn_handle_equal(mn_node_handle(*slot), handle)))
        slot = &(*slot)->hash_next;
    return slot;
}

static void grow(struct mn_node_table *table)
{
    size_t count = table->bucket_count * 2;
    struct mn_node **buckets = calloc(count, sizeof(struct mn_node *));

    if (buckets == NULL)
        return; /* longer chains, still right */
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct mn_node *node = table->buckets[i];

        while (node != NULL) {
            struct mn_node *next = node->hash_next;

            node->hash_next = buckets[node->key & (count - 1)];
            buckets[node->key & (count - 1)] = node;
            node = next;
        }
    }
    free(table->buckets);
    table->buckets = buckets;
    table->bucket_count = count;
}

static void release_if_unused(struct mn_node_table *table, struct mn_node *node);

/* Guarded by mutex. */
static void unpin_locked(struct mn_node_table *table, struct mn_node *node)
{
    node->pin_count--;
    release_if_unused(table, node);
}

/* Guarded by mutex. Directories have one name, so this recurses no deeper than once. */
static void forget_others(struct mn_node_table *table, struct mn_node *node)
{
    while (node->others != NULL) {
        struct mn_other_name *other = node->others;

        node->others = other->next;
        unpin_locked(table, other->parent);
        free(other);
    }
}

/* Guarded by mutex. Frees the node, and its parents as far as nothing else holds them. */
static void release_if_unused(struct mn_node_table *table, struct mn_node *node)
{
    while (node != NULL && node->pin_count == 0 && node->lookup_count == 0) {
        struct mn_node *parent = node->parent;
        struct mn_node **slot = slot_of(table, mn_node_handle(node), node->key);

        *slot = node->hash_next;
        table->node_count--;
        forget_others(table, node);
        if (node->removed_fd >= 0)
            close(node->removed_fd);
        free(node->name);
        free(node);
        if (parent != NULL)
            parent->pin_count--;
        node = parent;
    }
}

/* Guarded by mutex. The slot of that name in the list; of its end when it is not there. */
static struct mn_other_name **other_slot(struct mn_node *node, const struct mn_node *parent,
                                         const char *name, unsigned *count_out)
{
    struct mn_other_name **slot = &node->others;

    *count_out = 0;
    while (*slot != NULL && !((*slot)->parent == parent && strcmp((*slot)->name, name) == 0)) {
        slot = &(*slot)->next;
        (*count_out)++;
    }
    return slot;
}

static bool stands_at(const struct mn_node *node, const struct mn_node *parent, const char *name)
{
    return node->parent == parent && node->name != NULL && strcmp(node->name, name) == 0;
}

/* Guarded by mutex. Without memory the name stays unknown: it is found again by lookup. */
static void place_locked(struct mn_node_table *table, struct mn_node *node, struct mn_node *parent,
                         const char *name)
{
    struct mn_other_name **slot;
    unsigned count;
    size_t size = strlen(name);

    assert(parent != NULL);
    if (node == table->root || stands_at(node, parent, name))
        return;
    if (node->parent == NULL) {
        char *copy = realloc(node->name, size + 1);

        if (copy == NULL)
            return;
        memcpy(copy, name, size + 1);
        node->name = copy;
        node->name_size = (uint16_t)size;
        node->parent = parent;
        parent->pin_count++;
        return;
    }
    slot = other_slot(node, parent, name, &count);
    if (*slot == NULL && count < MN_NODE_OTHER_NAMES_MAX) {
        struct mn_other_name *other = malloc(sizeof(*other) + size + 1);

        if (other == NULL)
            return;
        other->next = NULL;
        other->parent = parent;
        memcpy(other->name, name, size + 1);
        parent->pin_count++;
        *slot = other;
    }
}

/* Guarded by mutex. */
static void unplace_locked(struct mn_node_table *table, struct mn_node *node,
                           const struct mn_node *parent, const char *name)
{
    struct mn_node *parent_before = node->parent;
    struct mn_other_name **slot;
    struct mn_other_name *other;
    unsigned count;

    if (!stands_at(node, parent, name)) {
        slot = other_slot(node, parent, name, &count);
        other = *slot;
        if (other != NULL) {
            *slot = other->next;
            unpin_locked(table, other->parent);
            free(other);
        }
        return;
    }
    free(node->name);
    node->name = NULL;
    node->name_size = 0;
    node->parent = NULL;
    other = node->others;
    if (other != NULL) {
        node->others = other->next;
        place_locked(table, node, other->parent, other->name);
        unpin_locked(table, other->parent);
        free(other);
    }
    unpin_locked(table, parent_before);
}

int mn_node_table_init(struct mn_node_table *table, const struct mn_handle *root_handle,
                       const struct mn_id *root_id)
{
    memset(table, 0, sizeof(*table));
    table->bucket_count = BUCKETS_FIRST;
    table->buckets = calloc(table->bucket_count, sizeof(struct mn_node *));
    if (table->buckets == NULL)
        return -ENOMEM;
    pthread_mutex_init(&table->mutex, NULL);
    table->root = mn_node_get(table, root_handle, NULL, NULL);
    if (table->root == NULL)
        return -ENOMEM;
    table->root->id = *root_id;
    mn_node_flag_set(table->root, MN_NODE_HAS_ID | MN_NODE_DIRECTORY);
    return 0;
}

void mn_node_table_deinit(struct mn_node_table *table)
{
    for (size_t i = 0; i < table->bucket_count; i++) {
        while (table->buckets[i] != NULL) {
            struct mn_node *node = table->buckets[i];

            table->buckets[i] = node->hash_next;
            while (node->others != NULL) {
                struct mn_other_name *other = node->others;

                node->others = other->next;
                free(other);
            }
            if (node->removed_fd >= 0)
                close(node->removed_fd);
            free(node->name);
            free(node);
        }
    }
    free(table->buckets);
    pthread_mutex_destroy(&table->mutex);
    memset(table, 0, sizeof(*table));
}

struct mn_node *mn_node_get(struct mn_node_table *table, const struct mn_handle *handle,
                            struct mn_node *parent, const char *name)
{
    uint64_t key = mn_handle_key(handle);
    struct mn_node **slot;
    struct mn_node *node;

    pthread_mutex_lock(&table->mutex);
    slot = slot_of(table, handle, key);
    node = *slot;
    if (node == NULL) {
        node = calloc(1, sizeof(*node) + offsetof(struct mn_handle, bytes) + handle->size);
        if (node == NULL)
            goto out;
        memcpy(node->handle_bytes, handle, offsetof(struct mn_handle, bytes) + handle->size);
        node->key = key;
        node->removed_fd = -1;
        *slot = node;
        if (++table->node_count > table->bucket_count)
            grow(table);
    }
    node->pin_count++;
    if (parent != NULL)
        place_locked(table, node, parent, name);
out:
    pthread_mutex_unlock(&table->mutex);
    return node;
}

struct mn_node *mn_node_find(struct mn_node_table *table, const struct mn_handle *handle)
{
    struct mn_node *node;

    pthread_mutex_lock(&table->mutex);
    node = *slot_of(table, handle, mn_handle_key(handle));
    if (node != NULL)
        node->pin_count++;
    pthread_mutex_unlock(&table->mutex);
    return node;
}

void mn_node_pin(struct mn_node_table *table, struct mn_node *node)
{
    pthread_mutex_lock(&table->mutex);
    node->pin_count++;
    pthread_mutex_unlock(&table->mutex);
}

void mn_node_unpin(struct mn_node_table *table, struct mn_node *node)
{
    pthread_mutex_lock(&table->mutex);
    node->pin_count--;
    release_if_unused(table, node);
    pthread_mutex_unlock(&table->mutex);
}

void mn_node_looked_up(struct mn_node_table *table, struct mn_node *node)
{
    pthread_mutex_lock(&table->mutex);
    node->lookup_count++;
    pthread_mutex_unlock(&table->mutex);
}

void mn_node_forget(struct mn_node_table *table, struct mn_node *node, uint64_t count)
{
    int fd = -1;

    pthread_mutex_lock(&table->mutex);
    if (node != table->root) {
        node->lookup_count -= count < node->lookup_count ? count : node->lookup_count;
        /* Nobody is in it any more; the node may be pinned until the next checkpoint. */
        if (node->lookup_count == 0) {
            fd = node->removed_fd;
            node->removed_fd = -1;
        }
        release_if_unused(table, node);
    }
    pthread_mutex_unlock(&table->mutex);
    if (fd >= 0)
        close(fd);
}

void mn_node_place(struct mn_node_table *table, struct mn_node *node, struct mn_node *parent,
                   const char *name)
{
    pthread_mutex_lock(&table->mutex);
    place_locked(table, node, parent, name);
    pthread_mutex_unlock(&table->mutex);
}

void mn_node_unplace(struct mn_node_table *table, struct mn_node *node,
                     const struct mn_node *parent, const char *name)
{
    pthread_mutex_lock(&table->mutex);
    unplace_locked(table, node, parent, name);
    pthread_mutex_unlock(&table->mutex);
}

void mn_node_move(struct mn_node_table *table, struct mn_node *node, const struct mn_node *parent,
                  const char *name, struct mn_node *new_parent, const char *new_name)
{
    pthread_mutex_lock(&table->mutex);
    unplace_locked(table, node, parent, name);
    place_locked(table, node, new_parent, new_name);
    pthread_mutex_unlock(&table->mutex);
}

int mn_node_path(struct mn_node_table *table, const struct mn_node *directory, const char *name,
                 char *path_out, size_t size)
{
    size_t start = size; /* filled from the end */
    size_t length = strlen(name) + 1;
    int result = 0;

    if (length > start)
        return -ENAMETOOLONG;
    start -= length;
    memcpy(path_out + start, name, length);
    pthread_mutex_lock(&table->mutex);
    for (; directory != table->root && result == 0; directory = directory->parent) {
        if (directory->parent == NULL)
            result = -ESTALE;
        else if ((size_t)directory->name_size + 1 > start)
            result = -ENAMETOOLONG;
        if (result != 0)
            break;
        path_out[--start] = '/';
        start -= directory->name_size;
        memcpy(path_out + start, directory->name, directory->name_size);
    }
    pthread_mutex_unlock(&table->mutex);
    memmove(path_out, path_out + start, size - start);
    return result;
}

void mn_node_times_mark(struct mn_node_table *table, struct mn_node *node)
{
    if ((mn_node_flags(node) & (MN_NODE_TIMES | MN_NODE_UNLINKED)) != 0)
        return;
    pthread_mutex_lock(&table->mutex);
    mn_node_flag_set(node, MN_NODE_TIMES);
    if ((mn_node_flags(node) & MN_NODE_LISTED) == 0) {
        mn_node_flag_set(node, MN_NODE_LISTED);
        node->pin_count++;
        node->times_next = table->times;
        table->times = node;
    }
    pthread_mutex_unlock(&table->mutex);
}

void mn_node_times_unmark(struct mn_node_table *table, struct mn_node *node)
{
    if ((mn_node_flags(node) & MN_NODE_TIMES) == 0)
        return;
    pthread_mutex_lock(&table->mutex);
    mn_node_flag_clear(node, MN_NODE_TIMES); /* it stays listed: whoever takes it passes over it */
    pthread_mutex_unlock(&table->mutex);
}

struct mn_node *mn_node_times_take(struct mn_node_table *table)
{
    struct mn_node *node;
    bool marked = false;

    pthread_mutex_lock(&table->mutex);
    while (!marked && (node = table->times) != NULL) {
        table->times = node->times_next;
        node->times_next = NULL;
        marked = (mn_node_flags(node) & MN_NODE_TIMES) != 0;
        mn_node_flag_clear(node, MN_NODE_TIMES | MN_NODE_LISTED);
        if (!marked)
            unpin_locked(table, node);
    }
    pthread_mutex_unlock(&table->mutex);
    return marked ? node : NULL;
}
