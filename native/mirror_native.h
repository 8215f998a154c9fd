/*
 * The public C functions of mirror: what Python may call, and nothing else.
 *
 * The text between the two markers is read by cffi as it stands, so it holds plain declarations
 * and integer constants only: no conditionals, no macros with arguments, no includes.
 * Only native/ffi/ includes this file. Every function here is defined in native/ffi/.
 */
#ifndef MIRROR_NATIVE_H
#define MIRROR_NATIVE_H

#include <stddef.h>
#include <stdint.h>

/* cffi: begin */

/* Goes up when a declaration here changes; adapters/native.py refuses another number. */
#define MN_ABI_VERSION 11

#define MN_ID_SIZE 16
#define MN_HANDLE_SIZE                                                                            \
    48 /* type (4, little-endian), size (1), bytes, padding: opaque to Python                     \
        */
#define MN_IDENTITY_MISSING 1 /* positive condition of mnf_root_add, mnf_look */
#define MN_PYTHON_MESSAGE   1 /* positive condition of mnf_apply_serve */
#define MN_PEER_REFUSED     1 /* positive condition of mnf_offer */
#define MN_COUNTERS         10

int mn_abi_version(void);

/* All functions: 0 (or a count, or the condition named) or -errno. Descriptors are the caller's
 * unless said otherwise. Those that wait may be called from any thread of Python, which gives the
 * interpreter lock away meanwhile. */

/* Plane: the roots, recent set and dirty index of one module. */
struct mn_plane;
int mnf_plane_create(const char *index_directory, uint64_t index_bytes, uint32_t index_entries_max,
                     uint32_t recent_places_max, struct mn_plane **plane_out);
void mnf_plane_destroy(struct mn_plane *plane);
/* Roots are numbered 0, 1, ... in the order added. id_out: MN_ID_SIZE. Missing: added, without an
 * identity yet. */
int mnf_root_add(struct mn_plane *plane, const char *lower_path, uint8_t *id_out);
int mnf_root_adopt(struct mn_plane *plane, int root, const uint8_t *id);
/* syncfs. Of a node that does not serve: -errno also when it failed once since its last session
 * began, whoever was told. */
int mnf_root_sync(struct mn_plane *plane, int root);
/* What is not replicated (lower/rules.h: 1 path, 2 regex, 3 only what the regex is found in):
 * before the root is mounted or followed. -EINVAL: no expression. */
int mnf_root_rule(struct mn_plane *plane, int root, uint8_t kind, const char *text);
/* 1: what has this path, relative to the root, stays on its node. */
int mnf_is_local(struct mn_plane *plane, int root, const char *path, int directory);
/* A directory moves: local entries beneath that would be replicated then are kept aside. -EXDEV: a
 * rule names something beneath one of the paths. */
int mnf_local_move(struct mn_plane *plane, int root, int directory_fd, const char *name,
                   const char *path, const char *new_path);
/* Keeps aside what is local beneath a directory that will be removed; itself: what has the name.
 */
int mnf_local_keep(struct mn_plane *plane, int root, int directory_fd, const char *name,
                   const char *path, int itself);

/* Names phase of reintegration, on the lower directory. handle: MN_HANDLE_SIZE bytes. */
int mnf_root_handle(struct mn_plane *plane, int root, uint8_t *handle_out);
int mnf_open(struct mn_plane *plane, int root, const uint8_t *handle,
             int flags); /* a descriptor */
/* What stands at a name of a directory: identity and handle. Missing: handle_out is valid, id_out
 * is not. -ENOENT. */
int mnf_look(int directory_fd, const char *name, uint8_t *id_out, uint8_t *handle_out);
/* The same in full; an object without a valid identity gets one. A symbolic link's text is not
 * read. */
struct mnf_seen {
    uint8_t id[16];
    uint8_t handle[48];
    uint32_t mode;
    uint64_t links;
    uint64_t rdev;
    uint64_t size_bytes;
    int64_t mtime_ns;
};
int mnf_see(int directory_fd, const char *name, struct mnf_seen *seen_out);
/* Many objects opened for reading, and all attributes of those that are plain: no inode flags, no
 * extended attributes but ours. fd: the caller's, -1: gone, or left to the caller (plain is 0). */
struct mnf_opened {
    uint8_t handle[48];
    int fd;
    int plain;
    uint32_t mode, uid, gid;
    int64_t atime_ns, mtime_ns, ctime_ns;
};
int mnf_open_plain(struct mn_plane *plane, int root, struct mnf_opened *objects, uint32_t count);
int mnf_identity_new(uint8_t *id_out);
int mnf_identity_set(int fd, const uint8_t *handle,
                     const uint8_t *id); /* fd: any descriptor of the object */
int mnf_set_flags(int fd, uint32_t flags, uint32_t valid);

/* Dirty index. */
struct mnf_entry {
    uint8_t kind; /* enum mn_place_kind */
    uint8_t root;
    uint8_t id[16];
    uint64_t region;
    uint32_t region_count; /* DATA: side by side from `region` on; else 1 */
    char name[256];
    uint16_t name_size;
    uint8_t parent[16];
    char hint[256];
    uint16_t hint_size;
    uint8_t handle[48];
    uint8_t parent_handle[48];
    uint64_t noted;
    uint8_t ahead;
};
/* cursor: 512 bytes; *cursor_size 0 to start. Returns the number of entries, 0 at the end. */
int mnf_index_next(struct mn_plane *plane, uint8_t *cursor, uint16_t *cursor_size,
                   struct mnf_entry *entries, uint32_t entry_count_max);
int mnf_index_merge(struct mn_plane *plane, const struct mnf_entry *entries, uint32_t entry_count);
int mnf_index_remove(struct mn_plane *plane, const struct mnf_entry *entries,
                     uint32_t entry_count);
int mnf_index_absorb(struct mn_plane *plane); /* the recent set, durably; then the set is empty */
int mnf_index_clear(struct mn_plane *plane);
uint64_t mnf_index_now(struct mn_plane *plane);
uint64_t mnf_index_count(struct mn_plane *plane);
uint64_t mnf_recent_count(struct mn_plane *plane);

/* Connections (native/link). */
struct mn_tls;
struct mn_connection;
int mn_tls_create(const char *ca_path, const char *certificate_path, const char *key_path,
                  char *error_out, size_t error_size, struct mn_tls **tls_out);
void mn_tls_destroy(struct mn_tls *tls);
int mn_connection_connect(struct mn_tls *tls, const char *address, uint16_t port,
                          const char *local_address, const char *peer_name, uint32_t timeout_ms,
                          uint32_t io_timeout_ms, struct mn_connection **connection_out);
int mn_connection_accept(struct mn_tls *tls, int fd, const char *peer_name, uint32_t timeout_ms,
                         uint32_t io_timeout_ms, struct mn_connection **connection_out);
void mn_connection_shutdown(struct mn_connection *connection);
void mn_connection_destroy(struct mn_connection *connection);
void mn_connection_counters(const struct mn_connection *connection, uint64_t *sent_bytes_out,
                            uint64_t *received_bytes_out);
/* The handshake of PROTOCOL 4. features_out: those both have. sentence_out: 512 bytes. */
int mnf_offer(struct mn_connection *connection, uint8_t lane, uint8_t lane_index,
              const uint8_t *session, const char *module, const char *node, uint64_t *features_out,
              char *sentence_out);
int mnf_receive_hello(struct mn_connection *connection, uint8_t *lane_out, uint8_t *lane_index_out,
                      uint8_t *session_out, char *module_out, char *node_out);
/* refuse_code 0: Welcome; else Refuse with the sentence. Right after mnf_receive_hello, same
 * thread. */
int mnf_answer_hello(struct mn_connection *connection, const char *node, uint16_t refuse_code,
                     const char *sentence);
int mnf_send(struct mn_connection *connection, uint16_t code, const uint8_t *payload, size_t size);
/* *payload_out is the connection's own, valid until its next use. */
int mnf_receive(struct mn_connection *connection, int idle, uint16_t *code_out,
                const uint8_t **payload_out, size_t *size_out);

/* Secondary. */
int mnf_apply_begin(struct mn_plane *plane); /* a new session; makes the apply at first use; no
                                                worker may be running */
int mnf_apply_serve(struct mn_plane *plane, struct mn_connection *connection, uint8_t lane,
                    uint16_t *code_out, const uint8_t **payload_out, size_t *size_out);
int mnf_apply_learn(struct mn_plane *plane, int root, const uint8_t *id, const uint8_t *handle,
                    const uint8_t *parent, const char *name);
int mnf_apply_find(struct mn_plane *plane, int root, const uint8_t *id,
                   uint8_t *handle_out); /* 1: unknown */
/* Many objects of a reintegration at once (apply/bring.h). outcomes: a byte an object: 0 done, 1
 * done, its mode or owner were others, 255 left to the caller. mode with its type bits. */
struct mnf_new_object {
    uint8_t id[16];
    uint8_t parent[16];
    const char *name;
    const char *target;
    uint64_t rdev;
    uint32_t mode;
};
int mnf_apply_make_new(struct mn_plane *plane, int root, int stash_fd, const char *mark,
                       const struct mnf_new_object *objects, uint32_t count, uint8_t *outcomes);
struct mnf_whole_attributes {
    uint8_t id[16];
    uint32_t mode, uid, gid;
    int64_t atime_ns, mtime_ns;
};
int mnf_apply_complete(struct mn_plane *plane, int root,
                       const struct mnf_whole_attributes *objects, uint32_t count,
                       uint8_t *outcomes);
void mnf_apply_in_step(struct mn_plane *plane); /* the reintegration of the session has ended */
int mnf_apply_unsynced(struct mn_plane *plane); /* 0, or how a sync of this session failed */
uint64_t mnf_apply_operations(struct mn_plane *plane);
uint64_t mnf_apply_pings(struct mn_plane *plane);

/* Primary. */
int mnf_capture_create(struct mn_plane *plane, uint32_t workers_per_mount, int writeback,
                       int sync_both);
int mnf_capture_mount(struct mn_plane *plane, int root, const char *mountpoint);
int mnf_capture_mount_end(struct mn_plane *plane, int root);
/* Nothing is mounted over this root, and checkpoints are of its disk all the same. */
void mnf_capture_watch(struct mn_plane *plane, int root);
void mnf_capture_destroy(struct mn_plane *plane);
int mnf_event_fd(struct mn_plane *plane); /* the capture's own; readable when an event waits */
int mnf_event_take(struct mn_plane *plane, uint32_t *kind_out, int *error_out,
                   uint64_t *serial_out, char *detail_out);
uint32_t mnf_connections_needed(struct mn_plane *plane);
int mnf_session_begin(struct mn_plane *plane, struct mn_connection **connections,
                      uint32_t connection_count, uint64_t first_epoch);
void mnf_session_lost(struct mn_plane *plane, int error, const char *why);
int mnf_session_end(struct mn_plane *plane, uint32_t timeout_ms);
int mnf_freeze(struct mn_plane *plane,
               uint32_t timeout_ms); /* freeze, then wait until nobody is inside */
int mnf_go_alone(struct mn_plane *plane);
void mnf_open_gate(struct mn_plane *plane);
int mnf_close_gate(struct mn_plane *plane, uint32_t timeout_ms);
/* session: its number, or 0 for the one that is now. */
int mnf_checkpoint(struct mn_plane *plane, uint32_t session, uint64_t *epoch_out);
void mnf_joining(struct mn_plane *plane, int joining);
/* Objects whose attributes must be sent once more, made by live changes while joining. At most 256
 * at once. Returns the number, 0 when there is none now. */
struct mnf_joined {
    uint8_t root;
    uint8_t id[16];
    uint8_t handle[48];
};
int mnf_joined_take(struct mn_plane *plane, struct mnf_joined *objects, uint32_t count_max);
/* changes, replicated_bytes, requests, waits_ns, waits, parked, nodes, epoch, session, link: 1
 * live, 2 attached */
void mnf_counters(struct mn_plane *plane, uint64_t *counters_out);

/* Reintegration of one object, each under the conflict locks of live changes. */
struct mnf_copied {
    uint64_t compared_bytes;
    uint64_t copied_bytes;
    uint64_t hole_bytes;
    int remote_error; /* the target's errno, when the result is -EREMOTEIO */
};
/* Compares ranges with the target by blocks of 4096 bytes and sends what differs, at most 1 MiB
 * under one lock. handle: of this node's object. ranges: offset and size of each, in bytes; one
 * may end behind the file. */
int mnf_copy_ranges(struct mn_plane *plane, int root, const uint8_t *handle, const uint8_t *id,
                    struct mn_connection *connection, const uint64_t *ranges, uint32_t range_count,
                    struct mnf_copied *copied);
/* The target's size becomes this node's, on a COPY lane. */
int mnf_copy_size(struct mn_plane *plane, int root, const uint8_t *handle, const uint8_t *id,
                  struct mn_connection *connection, struct mnf_copied *copied);
/* Small files, several in one exchange (capture/copy_small.h). kind: 0 the target has just made
 * it, and it holds nothing; 1 what differs of it is sent; 2 its size only. outcome: 0 copied, 1
 * gone here, 2 left: to be copied by mnf_copy_ranges. */
struct mnf_small {
    uint8_t handle[48];
    uint8_t id[16];
    uint8_t kind;
    uint8_t outcome;
};
int mnf_copy_small(struct mn_plane *plane, int root, struct mn_connection *connection,
                   struct mnf_small *files, uint32_t count, struct mnf_copied *copied);
/* Compares one step and sends nothing (capture/copy.h): at most 64 blocks of 4096 bytes, a byte
 * each: 0 equal, 1 other data, 2 a hole there only, 3 here only. size 0: only the sizes. Returns
 * the count. */
int mnf_compare_step(struct mn_plane *plane, int root, const uint8_t *handle, const uint8_t *id,
                     struct mn_connection *connection, uint64_t offset, uint64_t size,
                     uint8_t *blocks_out, uint64_t *bytes_out, uint64_t *their_bytes_out);
/* Of objects opened by mnf_open_plain, each under the lock of its attributes, after any live
 * change of it: a byte each: 0 not changed since, 1 changed, 2 it has no name left. */
int mnf_has_changed(struct mn_plane *plane, const struct mnf_opened *objects, uint32_t count,
                    uint8_t *changed_out);
/* Holds the attributes of an object against live changes, while Python sends them all. */
struct mn_object_lock;
struct mn_object_lock *mnf_lock_object(struct mn_plane *plane, const uint8_t *handle);
/* Holds one name of a directory; unlocked as an object. */
struct mn_object_lock *mnf_lock_name(struct mn_plane *plane, const uint8_t *handle,
                                     const char *name);
void mnf_unlock_object(struct mn_plane *plane, struct mn_object_lock *lock);

/* Mounts. */
int mnf_bind(const char *source, const char *target, int read_only); /* private */
/* lazy: what is still used keeps it until then. force: a FUSE mount's connection is aborted first,
 * so that what waits in it gets errors and its workers end. */
int mnf_unmount(const char *target, int lazy, int force);
int mnf_sync(int fd); /* syncfs */
/* mlockall, PR_SET_IO_FLUSHER, oom_score_adj, a sentence on SIGBUS: the first error, or 0. */
int mnf_protect_process(void);

/* Block hashes, as Python's xxhash gives them (differential test). */
void mn_hash_block(const void *data, size_t size, uint8_t *hash_out);

/* cffi: end */

#endif
