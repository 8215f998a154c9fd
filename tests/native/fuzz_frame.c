/* Any bytes as a stream of frames: each is refused, or is one that mn_frame_seal would write. */
#include <stdlib.h>

#include "check.h"
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The generator seldom finds a checksum: where all else is right it is put in. */
static void repair(uint8_t *stream, const struct mn_frame *frame, uint64_t sequence)
{
    mn_frame_seal(stream, frame->size, frame->code, frame->version, sequence);
}

static void read_stream(uint8_t *stream, size_t size, int repaired)
{
    uint64_t sequence = MN_SEQUENCE_FIRST;
    const char *refusal = NULL;
    struct mn_frame frame;

    while (size >= MN_FRAME_HEADER_BYTES) {
        int result =
            mn_frame_read_header(stream, MN_HANDSHAKE_VERSION, sequence, &frame, &refusal);

        CHECK((result == 0) == (refusal == NULL));
        if (result != 0 || size - MN_FRAME_HEADER_BYTES < frame.size)
            return;
        if (repaired) {
            repair(stream, &frame, sequence);
            CHECK_INT(
                mn_frame_read_header(stream, MN_HANDSHAKE_VERSION, sequence, &frame, &refusal), 0);
        }
        result = mn_frame_check(stream, &frame, &refusal);
        CHECK(result == 0 || !repaired);
        if (result != 0)
            return;
        stream += MN_FRAME_HEADER_BYTES + (size_t)frame.size;
        size -= MN_FRAME_HEADER_BYTES + (size_t)frame.size;
        sequence++;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1); /* exactly the input: a read beyond it is seen */

    CHECK(copy != NULL);
    for (int repaired = 0; repaired < 2; repaired++) {
        memcpy(copy, data, size);
        read_stream(copy, size, repaired);
    }
    free(copy);
    return 0;
}
