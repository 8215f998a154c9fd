/* Bytes in memory <-> little-endian integers. The only file with casts between pointer types and
 * unaligned access. Knows no message and checks no length: whoever calls has done so. */
#ifndef MN_UTIL_BYTES_H
#define MN_UTIL_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* memcpy of a constant size is one move instruction, and has no alignment to get wrong. */

static inline void mn_store_u16(uint8_t *to, uint16_t value)
{
    uint16_t little = htole16(value);

    memcpy(to, &little, sizeof(little));
}

static inline void mn_store_u32(uint8_t *to, uint32_t value)
{
    uint32_t little = htole32(value);

    memcpy(to, &little, sizeof(little));
}

static inline void mn_store_u64(uint8_t *to, uint64_t value)
{
    uint64_t little = htole64(value);

    memcpy(to, &little, sizeof(little));
}

static inline uint16_t mn_load_u16(const uint8_t *from)
{
    uint16_t little;

    memcpy(&little, from, sizeof(little));
    return le16toh(little);
}

static inline uint32_t mn_load_u32(const uint8_t *from)
{
    uint32_t little;

    memcpy(&little, from, sizeof(little));
    return le32toh(little);
}

static inline uint64_t mn_load_u64(const uint8_t *from)
{
    uint64_t little;

    memcpy(&little, from, sizeof(little));
    return le64toh(little);
}

/* Names and texts are bytes to the codec and characters to the system calls. */
static inline const char *mn_chars(const uint8_t *bytes)
{
    return (const char *)bytes;
}

static inline const uint8_t *mn_octets(const char *characters)
{
    return (const uint8_t *)characters;
}

#endif
