/* Nodes: what the kernel knows of one mount, by file handle; no descriptor is held for a node
 * (design 3). A node lives while the kernel holds a lookup, a child is beneath it, or an operation
 * uses it. */
#ifndef MN_CAPTURE_NODE_H
#define MN_CAPTURE_NODE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/object.h"

enum { MN_NODE_OTHER_NAMES_MAX = 64 };

enum mn_node_flag {
    MN_NODE_HAS_ID = 1,   /* `id` was read from disk or given */
    MN_NODE_UNLINKED = 2, /* no name is left: changes stay on this node (design 5) */
    MN_NODE_TIMES = 4,    /* its mtime here has not been sent to the secondary yet */
    MN_NODE_DIRECTORY = 8,
};

/* One more name of an object with several, besides the one in the node. */
struct mn_other_name {
    struct mn_other_name *next;
    struct mn_node *parent; /* pinned */
    char name[];
};

/* Fields up to `flags` are guarded by the table's mutex, or by the conflict locks where said. */
struct mn_node {
    struct mn_node *hash_next;
    struct mn_node *parent;     /* pinned; NULL for the root, or when no name is known any more */
    struct mn_node *times_next; /* list of nodes with MN_NODE_TIMES; pinned while on it */
    char *name;                 /* owned; in `parent` */
    struct mn_other_name *others; /* owned; names known besides, MN_NODE_OTHER_NAMES_MAX at most */
    uint64_t lookup_count;        /* the kernel's */
    int removed_fd; /* owned; of a removed directory, which lives as long as this node: who is in
                       it still sees it; else -1 */
    uint32_t pin_count;         /* children, operations, the times list */
    uint32_t flags;             /* enum mn_node_flag; atomic: read without the mutex */
    uint32_t introduced_serial; /* session in which the secondary learnt this id; atomic */
    uint32_t
        born_serial; /* period alone in which it was made: nothing of it need be noted; atomic */
    uint64_t key;    /* hash of the handle: also its key in the conflict locks */
    struct mn_id id; /* valid with MN_NODE_HAS_ID; written once, before the flag */
    uint16_t name_size;
    struct mn_handle handle; /* never changes */
};

struct mn_node_table {
    pthread_mutex_t mutex;
    struct mn_node **buckets; /* owned; guarded by mutex */
    size_t bucket_count;
    size_t node_count;
    struct mn_node *root;  /* pinned for ever */
    struct mn_node *times; /* guarded by mutex */
};

uint64_t mn_handle_key(const struct mn_handle *handle);
static inline uint32_t mn_node_flags(const struct mn_node *node)
{
    return __atomic_load_n(&node->flags, __ATOMIC_ACQUIRE);
}
static inline void mn_node_flag_set(struct mn_node *node, uint32_t flag)
{
    __atomic_fetch_or(&node->flags, flag, __ATOMIC_ACQ_REL);
}

int mn_node_table_init(struct mn_node_table *table, const struct mn_handle *root_handle,
                       const struct mn_id *root_id);
void mn_node_table_deinit(struct mn_node_table *table);

/* The node of this handle, made if new, with its place as just seen; pinned once for the caller.
 * NULL: no memory. */
struct mn_node *mn_node_get(struct mn_node_table *table, const struct mn_handle *handle,
                            struct mn_node *parent, const char *name);
/* As get, but NULL when the kernel does not know it; pinned. */
struct mn_node *mn_node_find(struct mn_node_table *table, const struct mn_handle *handle);
void mn_node_pin(struct mn_node_table *table, struct mn_node *node);
void mn_node_unpin(struct mn_node_table *table, struct mn_node *node);
void mn_node_looked_up(struct mn_node_table *table,
                       struct mn_node *node); /* the kernel was told of it once more */
void mn_node_forget(struct mn_node_table *table, struct mn_node *node, uint64_t count);
/* It has this name: seen, linked, or renamed to, the old name being unplaced before. */
void mn_node_place(struct mn_node_table *table, struct mn_node *node, struct mn_node *parent,
                   const char *name);
/* It has this name no more; another one that is known takes its place. */
void mn_node_unplace(struct mn_node_table *table, struct mn_node *node,
                     const struct mn_node *parent, const char *name);

/* Marks the mtime as not sent (once); and takes one marked node, mark cleared, pinned for the
 * caller; NULL: none is. */
void mn_node_times_mark(struct mn_node_table *table, struct mn_node *node);
struct mn_node *mn_node_times_take(struct mn_node_table *table);

#endif
