/* See connection.h. */
#include "link/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "link/connection_private.h"
#include "wire/frame.h"

enum {
    FRAME_BYTES_MAX = MN_FRAME_HEADER_BYTES + MN_PAYLOAD_BYTES_MAX,
    /* Beyond the largest frame: so that the start of the next one can be there already. */
    IN_BYTES = FRAME_BYTES_MAX + 64 * 1024,
};

/* Both buffers are allocated here, once; pages that no frame was large enough to touch are never
 * given by the kernel, unless the process locks its memory. */
static struct mn_connection *allocate(const char *peer_name)
{
    struct mn_connection *connection = calloc(1, sizeof(*connection));
    uint8_t *out = malloc(FRAME_BYTES_MAX);
    uint8_t *in = malloc(IN_BYTES);

    if (!connection || !out || !in || strlen(peer_name) > MN_PEER_NAME_BYTES_MAX) {
        free(in);
        free(out);
        free(connection);
        return NULL;
    }
    connection->stream.fd = -1;
    connection->version = MN_HANDSHAKE_VERSION;
    connection->send_sequence = MN_SEQUENCE_FIRST;
    connection->receive_sequence = MN_SEQUENCE_FIRST;
    connection->out_frame = out;
    connection->out.data = out + MN_FRAME_HEADER_BYTES;
    connection->out.capacity = MN_PAYLOAD_BYTES_MAX;
    connection->in = in;
    memcpy(connection->peer_name, peer_name, strlen(peer_name));
    return connection;
}

int mn_connection_connect(struct mn_tls *tls, const char *address, uint16_t port,
                          const char *local_address, const char *peer_name, uint32_t timeout_ms,
                          uint32_t io_timeout_ms, struct mn_connection **connection_out)
{
    struct mn_connection *connection = allocate(peer_name);
    int result = 0;

    *connection_out = NULL;
    if (!connection)
        return -ENOMEM;
    result = mn_stream_connect(&connection->stream, address, port, local_address, timeout_ms,
                               timeout_ms);
    if (result == 0)
        result = mn_tls_session_open(&connection->session, tls, &connection->stream, peer_name, 0);
    if (result == 0)
        result = mn_stream_set_timeout(&connection->stream, io_timeout_ms);
    if (result != 0) {
        mn_connection_destroy(connection);
        return result;
    }
    *connection_out = connection;
    return 0;
}

int mn_connection_accept(struct mn_tls *tls, int fd, const char *peer_name, uint32_t timeout_ms,
                         uint32_t io_timeout_ms, struct mn_connection **connection_out)
{
    struct mn_connection *connection = allocate(peer_name);
    int result = 0;

    *connection_out = NULL;
    if (!connection) {
        (void)close(fd);
        return -ENOMEM;
    }
    result = mn_stream_adopt(&connection->stream, fd, timeout_ms);
    if (result == 0)
        result = mn_stream_set_timeout(&connection->stream, timeout_ms);
    if (result == 0) {
        mn_stream_set_deadline(&connection->stream);
        result = mn_tls_session_open(&connection->session, tls, &connection->stream, peer_name, 1);
    }
    if (result == 0)
        result = mn_stream_set_timeout(&connection->stream, io_timeout_ms);
    if (result != 0) {
        mn_connection_destroy(connection);
        return result;
    }
    *connection_out = connection;
    return 0;
}

void mn_connection_shutdown(struct mn_connection *connection)
{
    mn_stream_shutdown(&connection->stream);
}

void mn_connection_destroy(struct mn_connection *connection)
{
    if (!connection)
        return;
    mn_tls_session_close(&connection->session);
    mn_stream_close(&connection->stream);
    free(connection->out_frame);
    free(connection->in);
    free(connection);
}

void mn_connection_set_waiter(struct mn_connection *connection, void (*waiter)(void *, bool),
                              void *argument)
{
    connection->stream.waiter = waiter;
    connection->stream.waiter_argument = argument;
}

const char *mn_connection_peer_name(const struct mn_connection *connection)
{
    return connection->peer_name;
}

void mn_connection_counters(const struct mn_connection *connection, uint64_t *sent_bytes_out,
                            uint64_t *received_bytes_out)
{
    *sent_bytes_out = atomic_load_explicit(&connection->sent_bytes, memory_order_relaxed);
    *received_bytes_out = atomic_load_explicit(&connection->received_bytes, memory_order_relaxed);
}

void mn_connection_set_version(struct mn_connection *connection, uint16_t version)
{
    connection->version = version;
}

void mn_connection_set_features(struct mn_connection *connection, uint64_t features)
{
    connection->features = features;
}

uint64_t mn_connection_features(const struct mn_connection *connection)
{
    return connection->features;
}

const char *mn_connection_refusal(const struct mn_connection *connection)
{
    return connection->refusal ? connection->refusal : "";
}

struct mn_buffer *mn_connection_begin(struct mn_connection *connection)
{
    connection->out.size = 0;
    return &connection->out;
}

int mn_connection_send(struct mn_connection *connection, uint16_t code)
{
    struct mn_buffer *out = &connection->out;
    uint8_t *frame = connection->out_frame;
    size_t frame_bytes = MN_FRAME_HEADER_BYTES + out->size;
    int result = 0;

    mn_frame_seal(frame, (uint32_t)out->size, code, connection->version,
                  connection->send_sequence);
    mn_stream_set_deadline(&connection->stream);
    result = mn_tls_session_send(&connection->session, frame, frame_bytes);
    if (result != 0)
        return result;
    connection->send_sequence++;
    atomic_fetch_add_explicit(&connection->sent_bytes, frame_bytes, memory_order_relaxed);
    return 0;
}

/* Until `needed` bytes stand from in_start on. */
static int fill(struct mn_connection *connection, size_t needed)
{
    assert(needed <= FRAME_BYTES_MAX);
    if (connection->in_start + needed > IN_BYTES) {
        memmove(connection->in, connection->in + connection->in_start,
                connection->in_end - connection->in_start);
        connection->in_end -= connection->in_start;
        connection->in_start = 0;
    }
    while (connection->in_end - connection->in_start < needed) {
        ssize_t count =
            mn_tls_session_receive(&connection->session, connection->in + connection->in_end,
                                   IN_BYTES - connection->in_end);

        if (count < 0)
            return (int)count;
        connection->in_end += (size_t)count;
    }
    return 0;
}

/* The frame that was handed out is the caller's no longer. */
static void consume(struct mn_connection *connection)
{
    connection->in_start += connection->frame_bytes;
    connection->frame_bytes = 0;
    if (connection->in_start == connection->in_end) {
        connection->in_start = 0;
        connection->in_end = 0;
    }
}

/* A refused frame ends the connection: after it nothing in the stream can be trusted. */
static int refuse_frame(struct mn_connection *connection, const char *refusal)
{
    connection->refusal = refusal;
    connection->stream.error = -EBADMSG;
    return -EBADMSG;
}

int mn_connection_receive(struct mn_connection *connection, int idle, uint16_t *code_out,
                          const uint8_t **payload_out, size_t *size_out)
{
    struct mn_frame frame;
    const char *refusal = NULL;
    uint8_t *start = NULL;
    int result = 0;

    consume(connection);
    if (idle && connection->in_start == connection->in_end) {
        mn_stream_clear_deadline(&connection->stream);
        result = fill(connection, 1);
        if (result != 0)
            return result;
    }
    /* The common frame is here already: then nothing below waits, and no clock is needed. */
    if (connection->in_end - connection->in_start < MN_FRAME_HEADER_BYTES)
        mn_stream_set_deadline(&connection->stream);
    result = fill(connection, MN_FRAME_HEADER_BYTES);
    if (result != 0)
        return result;
    if (mn_frame_read_header(connection->in + connection->in_start, connection->version,
                             connection->receive_sequence, &frame, &refusal) != 0)
        return refuse_frame(connection, refusal);
    if (connection->in_end - connection->in_start < MN_FRAME_HEADER_BYTES + (size_t)frame.size)
        mn_stream_set_deadline(&connection->stream);
    result = fill(connection, MN_FRAME_HEADER_BYTES + (size_t)frame.size);
    if (result != 0)
        return result;
    start = connection->in + connection->in_start; /* fill may have moved it */
    if (mn_frame_check(start, &frame, &refusal) != 0)
        return refuse_frame(connection, refusal);
    connection->receive_sequence++;
    connection->frame_bytes = MN_FRAME_HEADER_BYTES + (size_t)frame.size;
    atomic_fetch_add_explicit(&connection->received_bytes, connection->frame_bytes,
                              memory_order_relaxed);
    *code_out = frame.code;
    *payload_out = start + MN_FRAME_HEADER_BYTES;
    *size_out = frame.size;
    return 0;
}

int mn_connection_receive_ack(struct mn_connection *connection, struct mn_ack *ack_out)
{
    struct mn_message_ack message;
    const uint8_t *payload = NULL;
    uint16_t code = 0;
    size_t size = 0;
    int result = mn_connection_receive(connection, 0, &code, &payload, &size);

    if (result != 0)
        return result;
    if (code != MN_MESSAGE_ACK)
        return -EPROTO;
    result = mn_decode_ack(payload, size, &message);
    if (result != 0 || message.error < 0)
        return refuse_frame(connection, "Ack is not well formed");
    *ack_out = (struct mn_ack){.error = message.error, .result = message.result};
    return 0;
}

int mn_connection_send_ack(struct mn_connection *connection, int32_t error, uint64_t result)
{
    struct mn_message_ack message = {.error = error, .result = result};
    int encoded = mn_encode_ack(&message, mn_connection_begin(connection));

    return encoded != 0 ? encoded : mn_connection_send(connection, MN_MESSAGE_ACK);
}
