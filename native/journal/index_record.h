/* One entry of the dirty index as bytes (disk format 1). Pure. Private to journal/.
 *
 * Key:    root (1), kind (1), id (16), then region (8, big-endian, so that they come in order) for
 *         DATA, the name for NAME, nothing for others.
 * Value:  checksum (8) of the key and of what follows, parent (16), handle type (4), handle size
 *         (1), hint size (1), handle, hint; then the parent's handle, if known: its type (4) and
 *         its bytes, to the end. Integers little-endian, checksum XXH3-64.
 *
 * Example: region 2 of object 0102..10 of root 0, seen as "a" in the directory 00..00, with the
 * 8-byte handle of type 1:
 *   key    00 01 0102030405060708090a0b0c0d0e0f10 0000000000000002
 *   value  cc*8  00*16  01000000 08 01 hh*8 61
 */
#ifndef MN_JOURNAL_INDEX_RECORD_H
#define MN_JOURNAL_INDEX_RECORD_H

#include <stddef.h>

#include "journal/index.h"

enum {
    MN_KEY_OBJECT_BYTES = 2 + MN_ID_BYTES,
    MN_KEY_BYTES_MAX = MN_KEY_OBJECT_BYTES + MN_NAME_BYTES_MAX,
    MN_VALUE_FIXED_BYTES = 8 + MN_ID_BYTES + 4 + 1 + 1,
    MN_VALUE_BYTES_MAX = MN_VALUE_FIXED_BYTES + MN_HANDLE_BYTES_MAX + MN_NAME_BYTES_MAX + 4 +
        MN_HANDLE_BYTES_MAX,
};

struct mn_key {
    size_t size;
    uint8_t bytes[MN_KEY_BYTES_MAX];
};

struct mn_value {
    size_t size;
    uint8_t bytes[MN_VALUE_BYTES_MAX];
};

/* The kind that covers a place within its object (WHOLE, DIRECTORY), or the kind itself. */
uint8_t mn_kind_wider(uint8_t kind);
/* 0 or -EINVAL: a kind, root or size that cannot be. */
int mn_entry_check(const struct mn_index_entry *entry);
void mn_entry_key(const struct mn_index_entry *entry, struct mn_key *key_out);
/* The key of the place of `kind` that covers the whole object, or for ALL the whole root. */
void mn_wide_key(uint8_t root, const struct mn_id *id, uint8_t kind, struct mn_key *key_out);
void mn_entry_value(const struct mn_index_entry *entry, const struct mn_key *key,
                    struct mn_value *value_out);
/* 0 or -EUCLEAN: not what was written. noted is left alone. */
int mn_entry_decode(const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size,
                    struct mn_index_entry *entry_out);

#endif
