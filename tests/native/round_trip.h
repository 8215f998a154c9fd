/* Decoding and encoding a payload by its code. */
#ifndef MIRROR_TESTS_ROUND_TRIP_H
#define MIRROR_TESTS_ROUND_TRIP_H

#include <errno.h>

#include "check.h"
#include "wire/wire_messages.h"

/* Decode and, when that succeeds, encode again into out. Returns what decode returned; -ENOSYS
 * for a message that C does not decode. */
static inline int round_trip(uint16_t code, const uint8_t *payload, size_t size,
                             struct mn_buffer *out)
{
    int result = -ENOSYS;

    switch (code) {
#define ROW(code_, name)                                                                          \
    case code_: {                                                                                 \
        struct mn_message_##name message;                                                         \
        result = mn_decode_##name(payload, size, &message);                                       \
        if (result == 0)                                                                          \
            CHECK_INT(mn_encode_##name(&message, out), 0);                                        \
        break;                                                                                    \
    }
        MN_EACH_NATIVE_MESSAGE(ROW)
#undef ROW
    default: break;
    }
    return result;
}

#endif
