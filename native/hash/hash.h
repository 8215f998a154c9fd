/* Hashes of blocks, for the comparison of two copies (design 10), and of frames. Pure functions,
 * any thread. */
#ifndef MN_HASH_HASH_H
#define MN_HASH_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { MN_HASH_BYTES = 16 };

/* XXH3-128 in its canonical, big-endian form: what xxhash.xxh3_128_digest gives in Python. data
 * may be NULL when size is 0. */
void mn_hash_block(const void *data, size_t size, uint8_t hash_out[MN_HASH_BYTES]);

/* XXH3-64 as a number. */
uint64_t mn_hash_64(const void *data, size_t size);

/* 1 when every byte is 0, also when there is none: such a block travels as a hole. */
int mn_hash_is_zero(const void *data, size_t size);

#endif
