/* One change on its way through the five steps (design 5). An operation fills it, mn_replicate
 * performs it. */
#ifndef MN_CAPTURE_CHANGE_H
#define MN_CAPTURE_CHANGE_H

#include "capture/capture.h"
#include "wire/wire_messages.h"

enum {
    MN_CHANGE_OBJECTS_MAX = 4,
    MN_CHANGE_PLACES_MAX = 8,
    MN_REGIONS_NOTED_TOGETHER = 16, /* 1 MiB; a power of two */
    MN_REGIONS_NOTED_MAX =
        4096, /* a range of more regions is noted as the whole object: 256 MiB */
};

struct mn_change {
    struct mn_worker *worker;
    struct mn_mount *mount;

    /* Filled by the operation. */
    struct mn_lock_set locks;
    struct mn_node *objects[MN_CHANGE_OBJECTS_MAX]; /* what the message names: introduced first */
    uint32_t object_count;
    struct {
        struct mn_node *object;
        struct mn_place place;
    } places[MN_CHANGE_PLACES_MAX];
    uint32_t place_count;
    struct mn_node *subject; /* when it has no name left (seen under the locks), the change stays
                                local; or NULL */
    bool names;              /* it changes names: no path may be introduced meanwhile */
    bool moves;              /* a directory moves: no name at all may change meanwhile */
    bool local;              /* nothing is sent, nothing noted */
    bool edge;  /* of a local name in a replicated directory: nothing is sent, and what is noted is
                   the directory, whose mtime moves */
    bool after; /* it tells of changes made before: a gate that was closed lets it in */
    uint16_t code;   /* MN_MESSAGE_... */
    void *operation; /* the operation's own struct, for the functions below */
    /* Under the locks, before anything else: what could not be known without them (who stands at a
     * name). May add places; returns 0, -errno, which is the reply, or MN_PARK: it begins anew.
     * NULL: nothing. */
    int (*prepare)(struct mn_change *change);
    int (*encode)(struct mn_change *change, struct mn_buffer *out);
    /* The secondary has done it: what else belongs to the same change, on worker->connection. 0,
     * or -errno: the session is lost. Puts the answer to its last message into *ack if that may
     * refuse all of the change. NULL: nothing. */
    int (*more)(struct mn_change *change, struct mn_ack *ack);
    /* On this node's own lower directory. Returns >= 0, or -errno. */
    int64_t (*perform)(struct mn_change *change);
    /* The secondary has done all of it (done_there), and this node less: bytes, or -errno. Has it
     * undone there (undo.h), under the same locks. NULL or a non-zero return: the two differ. */
    int (*undo)(struct mn_change *change, uint64_t done_there, int64_t done_here);
    /* By undo: the size of this object may differ, which is mended after the locks. Or NULL. */
    struct mn_node *resized;
    /* Filled by mn_replicate inside the gate; true of this change however long it takes after it.
     */
    uint64_t epoch;
    uint8_t mode;
    uint32_t session_serial;
    uint32_t alone_serial;
};

void mn_change_init(struct mn_change *change, struct mn_worker *worker, void *operation);
void mn_change_object(struct mn_change *change, struct mn_node *node);
void mn_change_place(struct mn_change *change, struct mn_node *node, uint8_t kind);
void mn_change_place_name(struct mn_change *change, struct mn_node *directory, const char *name);
void mn_change_place_range(struct mn_change *change, struct mn_node *node, uint64_t offset,
                           uint64_t size);
void mn_change_lock(struct mn_change *change, uint8_t kind, const struct mn_node *node,
                    bool exclusive);
void mn_change_lock_name(struct mn_change *change, const struct mn_node *directory,
                         const char *name);
void mn_change_lock_range(struct mn_change *change, const struct mn_node *node, uint64_t offset,
                          uint64_t size, bool exclusive);

/* The change is of a name that is not replicated, in this directory; for each of its directories,
 * instead of mn_change_object and mn_change_place_name. */
void mn_change_local_name(struct mn_change *change, struct mn_node *directory);

/* Under the locks: a change is described before they are taken, and whether its name is replicated
 * may have changed since, with a directory above it. 0, or MN_PARK: it begins anew. */
static inline int mn_change_still(bool local, bool described)
{
    return local == described ? 0 : MN_PARK;
}

/* Under the locks: 0, or -EPERM, of an immutable file that somebody has open for writing since
 * before. Of writes and of its size: there ext4 refuses, while xfs and btrfs let the descriptor go
 * on, but not the secondary, which opens the file anew. All else the kernel itself refuses, alike
 * on both. */
static inline int mn_change_fixed(const struct mn_change *change, const struct mn_node *node)
{
    return !change->local && (mn_node_flags(node) & MN_NODE_FIXED) != 0 ? -EPERM : 0;
}

/* The change has moved the mtime of node: the next checkpoint tells the secondary. Alone, the
 * place noted says it. */
static inline void mn_change_times(struct mn_change *change, struct mn_node *node)
{
    if (change->mode == MN_MODE_MIRRORED && !mn_node_is_local(node))
        mn_node_times_mark(&change->mount->nodes, node);
}

/* Before each operation of the stream (a message that begins with its epoch) is sent. */
static inline void mn_change_count(const struct mn_change *change)
{
    __atomic_fetch_add(&change->worker->capture->sent_count[change->epoch & 1], 1,
                       __ATOMIC_RELAXED);
}

/* Done here, inside the gate: while joining, reintegration sends this object's attributes. */
void mn_change_joined(const struct mn_change *change, const struct mn_id *id,
                      const struct mn_handle *handle);

/* Under the locks, before anything is noted or sent: 0, or -EPERM (joining_flags.c). */
int mn_joining_refuses(const struct mn_change *change);
/* The secondary has refused it by EPERM: takes the flags of the objects away there, until the end.
 * 0: it may be asked once more; -EPERM: that is its answer; else the link failed. */
int mn_joining_take_flags(const struct mn_change *change);

/* The five steps. Returns 0: *result_out is the outcome, >= 0 or -errno, to be replied
 * (worker->reply_late may be set). Or MN_PARK: nothing has happened here; keep the request. */
int mn_replicate(struct mn_change *change, int64_t *result_out);

/* Step 2, under the locks: 0, or -errno: the change must not be made. */
int mn_change_note(struct mn_change *change);
/* Step 0 of a session: the secondary learns these identities (introduce.c). 0, MN_PARK, or -errno.
 */
int mn_introduce(struct mn_change *change);
/* The identity of a node, read from disk once; MN_ID_MISSING. */
int mn_node_identify(struct mn_mount *mount, struct mn_node *node);
void mn_node_ref(const struct mn_mount *mount, const struct mn_node *node, struct mn_ref *ref_out);

#endif
