/* Apply inside: what the handlers of messages share. Private to apply/. */
#ifndef MN_APPLY_APPLY_PRIVATE_H
#define MN_APPLY_APPLY_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "apply/apply.h"
#include "apply/id_map.h"
#include "apply/open_files.h"
#include "util/awake.h"
#include "wire/wire_messages.h"

enum {
    MN_IDS_MAX = 4000000,
    MN_EPOCHS_OPEN_MAX = 8, /* two are open at a time; the ring only has to be larger */
    MN_BLOCK_BYTES_MAX = 1 << 20,
    MN_HASHES_MAX = 16384, /* in one answer: 1 GiB of 64 KiB blocks */
};

struct mn_apply {
    const struct mn_root *roots[MN_ROOTS_MAX]; /* by index; borrowed; NULL: none */
    struct mn_recent *recent;                  /* borrowed */
    struct mn_id_map *map;
    struct mn_open_files *files;
    struct mn_awake awake;
    _Atomic uint64_t epoch; /* the highest seen */
    _Atomic int disk_error; /* the first of this node's disk in the session: why the source will
                               end it; 0: none */
    _Atomic uint64_t operation_count;                            /* of the session */
    _Atomic uint64_t ping_count;                                 /* of the session */
    _Atomic uint64_t epoch_operation_counts[MN_EPOCHS_OPEN_MAX]; /* by epoch modulo */

    /* The flags of an object change here for its data: a lane COPY takes them away for good,
     * another for a moment; never both at a time. */
    pthread_mutex_t flags_mutex;

    pthread_mutex_t checkpoint_mutex;
    /* Guarded by checkpoint_mutex. */
    uint64_t open_epoch;             /* the first that no checkpoint has closed */
    uint64_t closed_operation_count; /* operations tagged < open_epoch */
    int failed; /* the first error of a checkpoint, answered for the rest of the session (design 8)
                 */
    /* The first error of a syncfs in the session, whoever asked for it. Changed by who holds
     * checkpoint_mutex; read by anybody, since a disk may take long to sync. */
    _Atomic int unsynced;
    _Atomic bool in_step;
};

/* One message on its way through a handler. */
struct mn_call {
    struct mn_apply *apply;
    struct mn_connection *connection;
    const uint8_t *payload; /* borrowed */
    size_t size;
    /* On the lane COPY MN_BLOCK_BYTES_MAX, then room for MN_HASHES_MAX hashes; NULL elsewhere. */
    uint8_t *block;
    /* The directory used last on this connection: names come in runs. Owned; -1: none. */
    int directory_fd;
    uint8_t directory_root;
    struct mn_handle directory_handle;
    /* A file that has no name until its Link (CreateNameless): nothing else keeps it. Owned; -1:
     * none. */
    int nameless_fd;
    uint8_t nameless_root;
    struct mn_id nameless_id;
    uint64_t behind_bytes; /* copied on this connection since the disk was told to begin */
    struct mn_ack ack;
};

/* Fills call->ack and returns 0; or answers by itself and returns MN_ANSWERED; or returns -errno,
 * which ends the connection: the message cannot be what a peer of ours sends. */
enum { MN_ANSWERED = 1 };
typedef int mn_handler(struct mn_call *call);

mn_handler mn_apply_introduce, mn_apply_set_identity, mn_apply_create_object,
    mn_apply_create_nameless, mn_apply_link, mn_apply_unlink, mn_apply_rename, mn_apply_write,
    mn_apply_set_attributes, mn_apply_set_xattr, mn_apply_remove_xattr, mn_apply_fallocate,
    mn_apply_copy_range, mn_apply_sync, mn_apply_set_flags, mn_apply_checkpoint, mn_apply_ping,
    mn_apply_hash_range, mn_apply_copy_block, mn_apply_read_range;

/* Puts a result (a count, or -errno) into the answer; returns 0. */
int mn_answer(struct mn_call *call, int64_t result);

/* An object that a message names, found. ref.name points into found. */
struct mn_target {
    const struct mn_root *root;
    struct mn_ref ref;
    struct mn_found found;
};

/* A name of a message as the system calls want it. */
struct mn_name {
    uint16_t size;
    char text[MN_NAME_BYTES_MAX + 1];
};

/* 0; -ESTALE: the identity is not known in this session; -EBADMSG: no such root. Both -errno are
 * for different ears: the first is answered, the second ends the connection. */
int mn_target_find(struct mn_apply *apply, uint8_t root, const struct mn_id *id,
                   struct mn_target *target_out);
/* A descriptor of the target, to be closed; flags as mn_lower_open. */
int mn_target_open(const struct mn_target *target, int flags);
/* The target as a directory, by O_PATH; the call's own, not to be closed. */
int mn_target_directory(struct mn_call *call, const struct mn_target *target);
void mn_call_forget_directory(struct mn_call *call);
/* It has its name, or gets none: then all of it is gone. */
void mn_call_forget_nameless(struct mn_call *call);
/* The source copies into it: append and immutable are taken away, until the attributes of the
 * object are sent, last (design 10). Returns 0 or -errno. */
int mn_target_allow_changes(struct mn_apply *apply, const struct mn_target *target);
/* A descriptor that writes an append-only file anywhere, to be closed: opened while the flag is
 * away for a moment. A node that dies in that moment gets it back with its attributes: the write
 * that is under way is in the recent set of the primary. -EPERM: it is immutable too. */
int mn_target_open_anywhere(struct mn_apply *apply, const struct mn_target *target);
void mn_name_set(struct mn_name *name, const char *text, uint16_t size);
/* 0, or -EPERM: the name of the hidden directory at the top of the root. */
int mn_name_check(const struct mn_target *directory, const struct mn_name *name);
/* What stands at a name in a directory that is open. path_fd_out may be NULL, else it is the
 * caller's. Returns 0, MN_ID_MISSING (id is zero), -ENOENT, -errno. */
int mn_name_look(const struct mn_root *root, int directory_fd, const struct mn_name *name,
                 struct mn_id *id_out, struct mn_handle *handle_out, int *path_fd_out);
/* 0 when it is the object of this identity; -ESTALE when it is another; -ENOENT, -errno. */
int mn_name_expect(const struct mn_root *root, int directory_fd, const struct mn_name *name,
                   const struct mn_id *id);

/* Invariant 3: before it is applied, each place is in the recent set of this node. */
void mn_note(struct mn_call *call, const struct mn_target *target, uint8_t kind, uint64_t epoch);
void mn_note_range(struct mn_call *call, const struct mn_target *target, uint64_t offset,
                   uint64_t size, uint64_t epoch);
void mn_note_name(struct mn_call *call, const struct mn_target *directory,
                  const struct mn_name *name, uint64_t epoch);

#endif
