/* Handshake: the first messages of each connection (PROTOCOL 4). The one that connects offers
 * (Hello) and is answered by Welcome or Refuse. Whether a session is agreed is not decided here:
 * the accepting side asks whoever knows, between receive_hello and welcome or refuse. */
#ifndef MN_LINK_HANDSHAKE_H
#define MN_LINK_HANDSHAKE_H

#include <stddef.h>
#include <stdint.h>

#include "link/connection.h"
#include "util/object.h"

enum {
    MN_HANDSHAKE_REFUSED = 1, /* the other node said Refuse; the sentence says why */
    MN_HANDSHAKE_NO_VERSION = 1,
    MN_HANDSHAKE_TEXT_BYTES = 256,
    MN_HANDSHAKE_SENTENCE_BYTES = 512,
};

struct mn_versions {
    uint16_t oldest;
    uint16_t newest;
};

struct mn_hello {
    struct mn_versions versions;
    uint8_t lane; /* enum mn_lane */
    uint8_t lane_index;
    struct mn_id session;
    uint64_t features;
    char module[MN_HANDSHAKE_TEXT_BYTES];
    char node[MN_HANDSHAKE_TEXT_BYTES]; /* who says Hello */
};

struct mn_welcome {
    uint16_t version;
    uint64_t features;
    char node[MN_HANDSHAKE_TEXT_BYTES]; /* who says Welcome */
};

/* What a Refuse said. */
struct mn_refused {
    uint16_t code; /* enum mn_refusal */
    char sentence[MN_HANDSHAKE_SENTENCE_BYTES];
};

/* Pure: the newest version that both speak. Returns 0, or MN_HANDSHAKE_NO_VERSION and a sentence
 * that names both ranges. The same rule as mirror/wire/handshake.py. */
int mn_handshake_negotiate(struct mn_versions ours, struct mn_versions theirs,
                           uint16_t *version_out, char *sentence_out, size_t sentence_size);

/* Fill hello with this program's versions and features; empty or too long texts: -EINVAL. */
int mn_handshake_prepare(struct mn_hello *hello, uint8_t lane, uint8_t lane_index,
                         const struct mn_id *session, const char *module, const char *node);

/* Connecting side: send Hello, receive the answer. With 0 the connection speaks the agreed
 * version. Returns 0, MN_HANDSHAKE_REFUSED with *refused_out, -EBADMSG for an answer that breaks
 * the protocol (another session, another node than its certificate says), -errno. */
int mn_handshake_offer(struct mn_connection *connection, const struct mn_hello *hello,
                       struct mn_welcome *welcome_out, struct mn_refused *refused_out);

/* Accepting side: receive Hello. Its node is the one of the certificate, its lane exists, and a
 * version is in common; where not, Refuse was sent and -EPROTO is returned. Or -EBADMSG, -errno.
 */
int mn_handshake_receive_hello(struct mn_connection *connection, struct mn_hello *hello_out);
/* Then one of these. node: this node's name. code: enum mn_refusal; the sentence is cut at
 * MN_TEXT_BYTES_MAX. Returns 0 or -errno. */
int mn_handshake_welcome(struct mn_connection *connection, const struct mn_hello *hello,
                         const char *node);
int mn_handshake_refuse(struct mn_connection *connection, uint16_t code, const char *sentence);

#endif
