/* What a connection is made of: for connection.c, and for tests that must reach inside. */
#ifndef MN_LINK_CONNECTION_PRIVATE_H
#define MN_LINK_CONNECTION_PRIVATE_H

#include <stdatomic.h>

#include "link/connection.h"
#include "link/tls.h"

enum { MN_PEER_NAME_BYTES_MAX = 255 };

/* Of one thread at a time, but for is_down in the stream and the two counters. */
struct mn_connection {
    struct mn_stream stream;
    struct mn_tls_session session;
    uint16_t version;    /* of every frame from now on */
    uint64_t features;   /* that both ends have, as Welcome said */
    const char *refusal; /* why the last frame was refused; never freed */
    uint64_t send_sequence;
    uint64_t receive_sequence;
    uint8_t *out_frame;   /* owned: room for the header, then the payload */
    struct mn_buffer out; /* the payload being written, in out_frame */
    uint8_t *in;          /* owned; [in_start, in_end) is received and not consumed */
    size_t in_start;
    size_t in_end;
    size_t frame_bytes; /* of the frame at in_start that was handed out */
    atomic_uint_least64_t sent_bytes;
    atomic_uint_least64_t received_bytes;
    char peer_name[MN_PEER_NAME_BYTES_MAX + 1];
};

#endif
