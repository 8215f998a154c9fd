/* TLS 1.3 over a stream: keys, the handshake, and bytes in both directions. Both ends show a
 * certificate of the cluster's authority, and the peer's must bear the name that is expected
 * (design 13, invariant 12). Knows no frame. mn_tls_create and _destroy are in connection.h. */
#ifndef MN_LINK_TLS_H
#define MN_LINK_TLS_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "link/stream.h"

struct mn_tls;

struct mn_tls_session {
    SSL *ssl;
    struct mn_stream *stream; /* borrowed */
    uint64_t record_count;    /* sent under the current key, at most */
    uint64_t record_count_max;
};

/* The stream's deadline bounds it. Returns 0, -EPERM when a certificate is refused by either end,
 * -EPROTO when it is no TLS 1.3, -ENOMEM, or the stream's error. */
int mn_tls_session_open(struct mn_tls_session *session, struct mn_tls *tls,
                        struct mn_stream *stream, const char *peer_name, int is_server);
void mn_tls_session_close(struct mn_tls_session *session);

/* At least one byte, at most one record. Returns the count or -errno as above. */
ssize_t mn_tls_session_receive(struct mn_tls_session *session, uint8_t *data, size_t size);
/* All of it, in records of 16 KiB. Returns 0 or -errno. */
int mn_tls_session_send(struct mn_tls_session *session, const uint8_t *data, size_t size);

#endif
