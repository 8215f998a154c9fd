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
    MN_NODE_LOCAL = 16,   /* not replicated (lower/rules.h): it stays on this node */
    MN_NODE_CLASSED = 32, /* it is known whether it is */
    MN_NODE_LISTED = 64,  /* stands on the times list; guarded by the table's mutex */
    MN_NODE_FIXED = 128,  /* made immutable since the kernel knows it; written under the exclusive
                             lock of its existence */
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
    struct mn_node *times_next; /* list of nodes with MN_NODE_LISTED; pinned while on it */
    struct mn_file *files;      /* open now, the newest first; each pins the node (files.c) */
    char *name;                 /* owned; in `parent` */
    struct mn_other_name *others; /* owned; names known besides, MN_NODE_OTHER_NAMES_MAX at most */
    uint64_t lookup_count;        /* the kernel's */
    int removed_fd; /* owned; of what was removed and may be in use all the same (names.c), until
                       the kernel forgets it; else -1 */
    uint32_t pin_count;         /* children, operations, the times list */
    uint32_t flags;             /* enum mn_node_flag; atomic: read without the mutex */
    uint32_t introduced_serial; /* session in which the secondary learnt this id; atomic */
    uint32_t
        born_serial; /* period alone in which it was made: nothing of it need be noted; atomic */
    uint16_t name_size;
    uint16_t told_to; /* of a directory: who may hold its attributes (reply.h); atomic */
    uint64_t key;     /* hash of the handle: also its key in the conflict locks */
    struct mn_id id;  /* valid with MN_NODE_HAS_ID; written once, before the flag */
    /* A struct mn_handle, as long as this one is: see mn_node_handle. Never changes. */
    _Alignas(int32_t) uint8_t handle_bytes[];
};
/* A million of them are known in a large tree: with the 13 bytes of a handle of ext4, and malloc's
 * 8, a chunk of 128. */
_Static_assert(sizeof(struct mn_node) + 13 + 8 <= 128, "a node of ext4 takes 128 bytes");

struct mn_node_table {
    pthread_mutex_t mutex;
    struct mn_node **buckets; /* owned; guarded by mutex */
    size_t bucket_count;
    size_t node_count;
    struct mn_node *root;  /* pinned for ever */
    struct mn_node *times; /* guarded by mutex */
};

uint64_t mn_handle_key(const struct mn_handle *handle);
/* To be read as far as its size says; copied by mn_handle_copy only. */
static inline const struct mn_handle *mn_node_handle(const struct mn_node *node)
{
    return (const void *)node->handle_bytes;
}
static inline uint32_t mn_node_flags(const struct mn_node *node)
{
    return __atomic_load_n(&node->flags, __ATOMIC_ACQUIRE);
}
static inline void mn_node_flag_set(struct mn_node *node, uint32_t flag)
{
    __atomic_fetch_or(&node->flags, flag, __ATOMIC_ACQ_REL);
}
static inline void mn_node_flag_clear(struct mn_node *node, uint32_t flag)
{
    __atomic_fetch_and(&node->flags, ~flag, __ATOMIC_ACQ_REL);
}

static inline bool mn_node_is_local(const struct mn_node *node)
{
    return (mn_node_flags(node) & MN_NODE_LOCAL) != 0;
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
/* It has this name: seen, or linked. */
void mn_node_place(struct mn_node_table *table, struct mn_node *node, struct mn_node *parent,
                   const char *name);
/* It has this name no more; another one that is known takes its place. */
void mn_node_unplace(struct mn_node_table *table, struct mn_node *node,
                     const struct mn_node *parent, const char *name);

/* It is renamed: between the two it has no moment without a name. */
void mn_node_move(struct mn_node_table *table, struct mn_node *node, const struct mn_node *parent,
                  const char *name, struct mn_node *new_parent, const char *new_name);

/* The path of a name in a directory, from the top. -ENAMETOOLONG, -ESTALE: not known. */
int mn_node_path(struct mn_node_table *table, const struct mn_node *directory, const char *name,
                 char *path_out, size_t size);

/* Marks the mtime as not sent (once); takes the mark back, both nodes having been given the same
 * one; and takes one marked node, mark cleared, pinned for the caller; NULL: none is. */
void mn_node_times_mark(struct mn_node_table *table, struct mn_node *node);
void mn_node_times_unmark(struct mn_node_table *table, struct mn_node *node);
struct mn_node *mn_node_times_take(struct mn_node_table *table);

#endif
