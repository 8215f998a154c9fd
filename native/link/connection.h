/* Connection: one authenticated, encrypted stream of frames to the peer (TLS 1.3, both sides show
 * a certificate of the cluster's CA). One thread uses a connection at a time;
 * mn_connection_shutdown may be called by any. Decides nothing about what is said on it. */
#ifndef MN_LINK_CONNECTION_H
#define MN_LINK_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/buffer.h"

struct mn_tls;
struct mn_connection;

struct mn_ack {
    int32_t error; /* 0 or a positive errno */
    uint64_t result;
};

/* Paths of PEM files. Returns 0, -EINVAL (not usable; the sentence in error_out), -errno. */
int mn_tls_create(const char *ca_path, const char *certificate_path, const char *key_path,
                  char *error_out, size_t error_size, struct mn_tls **tls_out);
void mn_tls_destroy(struct mn_tls *tls);

/* peer_name: the node name its certificate must bear (SAN DNS). timeout_ms bounds connect and
 * handshake, and how long the network may lose everything (TCP_USER_TIMEOUT: a cut cable is not a
 * slow disk); io_timeout_ms bounds every later send and receive of a request (0: none). Returns 0,
 * -ECONNREFUSED, -ETIMEDOUT, -EPERM (certificate), -errno. */
int mn_connection_connect(struct mn_tls *tls, const char *address, uint16_t port,
                          const char *local_address, const char *peer_name, uint32_t timeout_ms,
                          uint32_t io_timeout_ms, struct mn_connection **connection_out);
/* fd: an accepted TCP socket, owned from now on. */
int mn_connection_accept(struct mn_tls *tls, int fd, const char *peer_name, uint32_t timeout_ms,
                         uint32_t io_timeout_ms, struct mn_connection **connection_out);
/* Who is told while a receive waits: waiter(argument, sleeps), sleeps before it sleeps. NULL:
 * nobody. Not while another thread uses the connection. */
void mn_connection_set_waiter(struct mn_connection *connection, void (*waiter)(void *, bool),
                              void *argument);
/* Any thread: blocked calls return -ESHUTDOWN soon; idempotent. */
void mn_connection_shutdown(struct mn_connection *connection);
void mn_connection_destroy(struct mn_connection *connection);
/* The name in the peer's certificate; valid as long as the connection. */
const char *mn_connection_peer_name(const struct mn_connection *connection);
/* Fill two counters: bytes of frames sent and received, before encryption. */
void mn_connection_counters(const struct mn_connection *connection, uint64_t *sent_bytes_out,
                            uint64_t *received_bytes_out);

/* The version that Hello and Welcome agreed on: of every frame after it, in both directions. */
void mn_connection_set_version(struct mn_connection *connection, uint16_t version);
/* The features that both ends have (MN_FEATURE_*); 0 before Welcome, and at the end that answers.
 */
void mn_connection_set_features(struct mn_connection *connection, uint64_t features);
uint64_t mn_connection_features(const struct mn_connection *connection);
/* Why a frame was refused (-EBADMSG), for the log; "" when none was. Never freed. */
const char *mn_connection_refusal(const struct mn_connection *connection);

/* Encode here (room for the frame header is kept), then send. Owned by the connection. */
struct mn_buffer *mn_connection_begin(struct mn_connection *connection);
int mn_connection_send(struct mn_connection *connection, uint16_t code);
/* Blocks for one frame, checked (length, checksum, sequence). *payload_out is the connection's own
 * buffer, valid until the next receive. -ECONNRESET at the end, -ETIMEDOUT, -EBADMSG for a frame
 * that is refused. idle: wait without time limit for the first byte. */
int mn_connection_receive(struct mn_connection *connection, int idle, uint16_t *code_out,
                          const uint8_t **payload_out, size_t *size_out);
/* receive, which must be an Ack (or a Refuse: -EPROTO). */
int mn_connection_receive_ack(struct mn_connection *connection, struct mn_ack *ack_out);
int mn_connection_send_ack(struct mn_connection *connection, int32_t error, uint64_t result);

#endif
