/* See hash.h. */
#include "hash/hash.h"

#include <string.h>

#include "hash/xxh3.h"

_Static_assert(sizeof(XXH128_canonical_t) == MN_HASH_BYTES, "128 bits, without padding");

void mn_hash_block(const void *data, size_t size, uint8_t hash_out[MN_HASH_BYTES])
{
    XXH128_canonical_t canonical;

    XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, size));
    memcpy(hash_out, canonical.digest, MN_HASH_BYTES);
}

uint64_t mn_hash_64(const void *data, size_t size)
{
    return XXH3_64bits(data, size);
}

int mn_hash_is_zero(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    enum { PROBE_BYTES = 16 };

    /* Most blocks that hold something show it at once. */
    for (size_t index = 0; index < size && index < PROBE_BYTES; index++)
        if (bytes[index] != 0)
            return 0;
    if (size <= PROBE_BYTES)
        return 1;
    /* The first bytes are zero, and each byte equals the one PROBE_BYTES before it: all are zero.
     * memcmp is the vectorised loop of the C library for this processor. */
    return memcmp(bytes, bytes + PROBE_BYTES, size - PROBE_BYTES) == 0;
}
