/* Any bytes as the payload of any message: refused, or encoded again to the same bytes. The first
 * byte chooses the message. */
#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "round_trip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t payload_size = size > 0 ? size - 1 : 0;
    uint8_t *payload = malloc(payload_size + 1);
    uint8_t *again = malloc(payload_size + 1);
    struct mn_buffer out = {.data = again, .capacity = payload_size};

    CHECK(payload != NULL && again != NULL);
    if (size > 0) {
        memcpy(payload, data + 1, payload_size);
        int result = round_trip(data[0], payload, payload_size, &out);

        CHECK(result == 0 || result == -EBADMSG || result == -ENOSYS);
        if (result == 0) {
            CHECK_INT(out.size, payload_size);
            CHECK_BYTES(again, payload, payload_size);
        }
    }
    free(again);
    free(payload);
    return 0;
}
