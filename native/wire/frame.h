/* Frames: the 32-byte header before each payload (PROTOCOL 3). Pure: bytes in memory only.
 * The same rules, in the same order, with the same sentences, as mirror/wire/frame.py. */
#ifndef MN_WIRE_FRAME_H
#define MN_WIRE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "wire/wire_messages.h"

/* Hello, Welcome and Refuse keep the layout of version 1 for ever. */
enum { MN_HANDSHAKE_VERSION = 1, MN_SEQUENCE_FIRST = 1 };

struct mn_frame {
    uint32_t size; /* of the payload, in bytes */
    uint16_t code;
    uint16_t version;
    uint64_t sequence;
    uint64_t checksum;
};

/* Write the header of a frame whose payload stands already behind it.
 * frame: room for the header, then payload_size bytes (at most MN_PAYLOAD_BYTES_MAX). */
void mn_frame_seal(uint8_t *frame, uint32_t payload_size, uint16_t code, uint16_t version,
                   uint64_t sequence);

/* Check what the header alone tells: after this the size may be believed.
 * header: MN_FRAME_HEADER_BYTES. Returns 0, or -EBADMSG with a sentence that is never freed. */
int mn_frame_read_header(const uint8_t *header, uint16_t version, uint64_t sequence,
                         struct mn_frame *frame_out, const char **refusal_out);

/* Check the whole frame, header and payload, against its checksum, whose bytes in the header are
 * overwritten by 0. Returns as above. */
int mn_frame_check(uint8_t *frame, const struct mn_frame *header, const char **refusal_out);

#endif
