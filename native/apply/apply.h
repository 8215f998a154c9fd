/* Apply: executes on the secondary what the primary sends (design 5, step 3). Finds objects by
 * identity, notes each place in this node's recent set before it applies, answers with the errno
 * it met. */
#ifndef MN_APPLY_APPLY_H
#define MN_APPLY_APPLY_H

#include "journal/recent.h"
#include "link/connection.h"
#include "lower/lower.h"

struct mn_apply;

enum {
    MN_APPLY_PYTHON = 1
}; /* a message that Python handles; its payload is in the connection's buffer */

/* roots are borrowed and outlive it; recent likewise (this node's). async_none: Sync answered
 * after the disk holds it; it always is. id_count_max bounds the map (a bounded map drops nothing
 * it needs: beyond it the least recently used entry goes and is introduced again: -ESTALE to the
 * primary parts the pair, so be generous: 4,000,000). */
int mn_apply_create(const struct mn_root *roots, uint32_t root_count, struct mn_recent *recent,
                    struct mn_apply **apply_out);
void mn_apply_destroy(struct mn_apply *apply);
/* A new session: forget all identities but the roots', zero the operation counters. No worker may
 * be running. */
int mn_apply_session_begin(struct mn_apply *apply);

/* Serve one connection until it ends (-ECONNRESET, -ESHUTDOWN, ...) or a Python message comes
 * (MN_APPLY_PYTHON: code and payload out, the caller answers on the connection and calls again).
 * LIVE, COPY and the native part of CONTROL. A fatal error (wrong message, disagreement that parts
 * the pair) ends it with that error. When this node's disk refused a change, that is the error,
 * however the source then ended it. */
int mn_apply_serve(struct mn_apply *apply, struct mn_connection *connection, uint8_t lane,
                   uint16_t *code_out, const uint8_t **payload_out, size_t *size_out);
/* Python's attach and detach tell the map what they did. */
int mn_apply_learn(struct mn_apply *apply, uint8_t root, const struct mn_id *id,
                   const struct mn_handle *handle, const struct mn_id *parent, const char *name,
                   uint16_t name_size);
int mn_apply_find(struct mn_apply *apply, uint8_t root, const struct mn_id *id,
                  struct mn_handle *handle_out); /* 0 or 1: unknown */
/* Syncs the disk of a root; between two sessions and in one. -errno: it could not once since the
 * session began, whoever was told. */
int mn_apply_sync_root(struct mn_apply *apply, int root);
/* That -errno, or 0; waits for no disk. */
int mn_apply_unsynced(const struct mn_apply *apply);
/* The reintegration has ended. Until then HashRange hashes what is on the disk: a page that could
 * not be written is in memory still. */
void mn_apply_in_step(struct mn_apply *apply);
/* Operations of this session: every message that begins with an epoch, but Checkpoint, whatever
 * its errno. What Checkpoint says is compared with those tagged <= its epoch (0: the primary does
 * not count). */
uint64_t mn_apply_operation_count(const struct mn_apply *apply);
/* Pings answered in this session: it grows while the source lives and is attended. */
uint64_t mn_apply_ping_count(const struct mn_apply *apply);
/* Highest epoch seen in an operation; used for the record. */
uint64_t mn_apply_epoch(const struct mn_apply *apply);

#endif
