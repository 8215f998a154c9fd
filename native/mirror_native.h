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
#define MN_ABI_VERSION 4

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
int mnf_root_sync(struct mn_plane *plane, int root); /* syncfs */

/* Names phase of reintegration, on the lower directory. handle: MN_HANDLE_SIZE bytes. */
int mnf_root_handle(struct mn_plane *plane, int root, uint8_t *handle_out);
int mnf_open(struct mn_plane *plane, int root, const uint8_t *handle,
             int flags); /* a descriptor */
/* What stands at a name of a directory: identity and handle. Missing: handle_out is valid, id_out
 * is not. -ENOENT. */
int mnf_look(int directory_fd, const char *name, uint8_t *id_out, uint8_t *handle_out);
int mnf_identity_new(uint8_t *id_out);
int mnf_identity_set(int fd, const uint8_t *handle,
                     const uint8_t *id); /* fd: any descriptor of the object */
/* The same, but an object that the capture has named meanwhile keeps its identity: id_inout says
 * which it has. */
int mnf_identity_give(int fd, const uint8_t *handle, uint8_t *id_inout);
/* As messages Create, Attach say; the object gets this identity. */
int mnf_create(int directory_fd, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
               uint64_t rdev, const char *target, const uint8_t *id, uint8_t *handle_out);
int mnf_set_flags(int fd, uint32_t flags, uint32_t valid);

/* Dirty index. */
struct mnf_entry {
    uint8_t kind; /* enum mn_place_kind */
    uint8_t root;
    uint8_t id[16];
    uint64_t region;
    char name[256];
    uint16_t name_size;
    uint8_t parent[16];
    char hint[256];
    uint16_t hint_size;
    uint8_t handle[48];
    uint64_t noted;
};
/* cursor: 512 bytes; *cursor_size 0 to start. Returns the number of entries, 0 at the end. */
int mnf_index_next(struct mn_plane *plane, uint8_t *cursor, uint16_t *cursor_size,
                   struct mnf_entry *entries, uint32_t entry_count_max);
int mnf_index_merge(struct mn_plane *plane, const struct mnf_entry *entries, uint32_t entry_count);
int mnf_index_remove(struct mn_plane *plane, const struct mnf_entry *entries,
                     uint32_t entry_count);
int mnf_index_absorb(struct mn_plane *plane); /* the recent set, durably; then the set is empty */
int mnf_index_clear(struct mn_plane *plane);
uint64_t mnf_index_count(struct mn_plane *plane);
uint64_t mnf_recent_count(struct mn_plane *plane);
void mnf_recent_clear(struct mn_plane *plane);

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
/* The handshake of PROTOCOL 4. sentence_out: 512 bytes. */
int mnf_offer(struct mn_connection *connection, uint8_t lane, uint8_t lane_index,
              const uint8_t *session, const char *module, const char *node, char *sentence_out);
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
uint64_t mnf_apply_operations(struct mn_plane *plane);
uint64_t mnf_apply_epoch(struct mn_plane *plane);

/* Primary. */
int mnf_capture_create(struct mn_plane *plane, uint32_t workers_per_mount, int writeback,
                       int sync_both);
int mnf_capture_mount(struct mn_plane *plane, int root, const char *mountpoint);
int mnf_capture_mount_end(struct mn_plane *plane, int root);
void mnf_capture_destroy(struct mn_plane *plane);
int mnf_event_fd(struct mn_plane *plane); /* the capture's own; readable when an event waits */
int mnf_event_take(struct mn_plane *plane, uint32_t *kind_out, int *error_out,
                   uint64_t *serial_out, char *detail_out);
uint32_t mnf_connections_needed(struct mn_plane *plane);
int mnf_session_begin(struct mn_plane *plane, struct mn_connection **connections,
                      uint32_t connection_count);
void mnf_session_lost(struct mn_plane *plane, int error, const char *why);
int mnf_session_end(struct mn_plane *plane, uint32_t timeout_ms);
int mnf_freeze(struct mn_plane *plane,
               uint32_t timeout_ms); /* freeze, then wait until nobody is inside */
int mnf_go_alone(struct mn_plane *plane);
void mnf_open_gate(struct mn_plane *plane);
int mnf_close_gate(struct mn_plane *plane, uint32_t timeout_ms);
int mnf_checkpoint(struct mn_plane *plane, uint64_t *epoch_out);
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
};
/* Compares [offset, offset + size) with the target by 64 KiB blocks and sends what differs, 1 MiB
 * under one lock at a time. handle: of this node's object. The range may end behind the file. */
int mnf_copy_range(struct mn_plane *plane, int root, const uint8_t *handle, const uint8_t *id,
                   struct mn_connection *connection, uint64_t offset, uint64_t size,
                   struct mnf_copied *copied);
/* The target's size becomes this node's, on a COPY lane. */
int mnf_copy_size(struct mn_plane *plane, int root, const uint8_t *handle, const uint8_t *id,
                  struct mn_connection *connection);
/* Holds the attributes of an object against live changes, while Python sends them all. */
struct mn_object_lock;
struct mn_object_lock *mnf_lock_object(struct mn_plane *plane, const uint8_t *handle);
void mnf_unlock_object(struct mn_plane *plane, struct mn_object_lock *lock);

/* Mounts. */
int mnf_bind(const char *source, const char *target, int read_only); /* private */
/* lazy: what is still used keeps it until then. force: a FUSE mount's connection is aborted first,
 * so that what waits in it gets errors and its workers end. */
int mnf_unmount(const char *target, int lazy, int force);
int mnf_sync(int fd); /* syncfs */
int mnf_protect_process(
    void); /* mlockall, PR_SET_IO_FLUSHER, oom_score_adj: the first error, or 0 */

/* Block hashes, as Python's xxhash gives them (differential test). */
void mn_hash_block(const void *data, size_t size, uint8_t *hash_out);

/* cffi: end */

#endif
