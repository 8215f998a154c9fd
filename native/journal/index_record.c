/* Entries <-> bytes. What is read back is checked in full: a torn page must not pass for an entry.
 */
#include "journal/index_record.h"

#include <endian.h>
#include <errno.h>

#include "hash/xxh3.h"
#include "util/bytes.h"

enum {
    PARENT = 8,
    TYPE = PARENT + MN_ID_BYTES,
    HANDLE_SIZE = TYPE + 4,
    HINT_SIZE = HANDLE_SIZE + 1,
    PARENT_TYPE_BYTES = 4,
};

uint8_t mn_kind_wider(uint8_t kind)
{
    switch (kind) {
    case MN_PLACE_DATA:
    case MN_PLACE_ATTRIBUTES: return MN_PLACE_WHOLE;
    case MN_PLACE_NAME: return MN_PLACE_DIRECTORY;
    default: return kind;
    }
}

int mn_entry_check(const struct mn_index_entry *entry)
{
    bool named = entry->kind == MN_PLACE_NAME;

    if (entry->kind < MN_PLACE_DATA || entry->kind > MN_PLACE_ALL || entry->root >= MN_ROOTS_MAX)
        return -EINVAL;
    if (named != (entry->name_size > 0) || entry->name_size > MN_NAME_BYTES_MAX)
        return -EINVAL;
    if (entry->hint_size > MN_NAME_BYTES_MAX || entry->handle.size > MN_HANDLE_BYTES_MAX ||
        entry->parent_handle.size > MN_HANDLE_BYTES_MAX)
        return -EINVAL;
    return 0;
}

static void put_object(uint8_t root, const struct mn_id *id, uint8_t kind, struct mn_key *key)
{
    key->bytes[0] = root;
    key->bytes[1] = kind;
    memcpy(key->bytes + 2, id->bytes, MN_ID_BYTES);
    key->size = MN_KEY_OBJECT_BYTES;
}

void mn_wide_key(uint8_t root, const struct mn_id *id, uint8_t kind, struct mn_key *key_out)
{
    static const struct mn_id zero;

    put_object(root, kind == MN_PLACE_ALL ? &zero : id, kind, key_out);
}

void mn_entry_key(const struct mn_index_entry *entry, struct mn_key *key_out)
{
    mn_wide_key(entry->root, &entry->id, entry->kind, key_out);
    if (entry->kind == MN_PLACE_DATA) {
        uint64_t big = htobe64(entry->region);
        memcpy(key_out->bytes + key_out->size, &big, sizeof(big));
        key_out->size += sizeof(big);
    } else if (entry->kind == MN_PLACE_NAME) {
        memcpy(key_out->bytes + key_out->size, entry->name, entry->name_size);
        key_out->size += entry->name_size;
    }
}

static uint64_t checksum(const uint8_t *key, size_t key_size, const uint8_t *value,
                         size_t value_size)
{
    uint64_t seed = XXH3_64bits(key, key_size);

    return XXH3_64bits_withSeed(value + PARENT, value_size - PARENT, seed);
}

void mn_entry_value(const struct mn_index_entry *entry, const struct mn_key *key,
                    struct mn_value *value_out)
{
    uint8_t *bytes = value_out->bytes;

    memcpy(bytes + PARENT, entry->parent.bytes, MN_ID_BYTES);
    mn_store_u32(bytes + TYPE, (uint32_t)entry->handle.type);
    bytes[HANDLE_SIZE] = entry->handle.size;
    bytes[HINT_SIZE] = (uint8_t)entry->hint_size;
    memcpy(bytes + MN_VALUE_FIXED_BYTES, entry->handle.bytes, entry->handle.size);
    memcpy(bytes + MN_VALUE_FIXED_BYTES + entry->handle.size, entry->hint, entry->hint_size);
    value_out->size = (size_t)MN_VALUE_FIXED_BYTES + entry->handle.size + entry->hint_size;
    if (entry->parent_handle.size > 0) {
        mn_store_u32(bytes + value_out->size, (uint32_t)entry->parent_handle.type);
        memcpy(bytes + value_out->size + PARENT_TYPE_BYTES, entry->parent_handle.bytes,
               entry->parent_handle.size);
        value_out->size += PARENT_TYPE_BYTES + entry->parent_handle.size;
    }
    mn_store_u64(bytes, checksum(key->bytes, key->size, bytes, value_out->size));
}

static int decode_key(const uint8_t *key, size_t size, struct mn_index_entry *entry)
{
    uint64_t big;

    if (size < MN_KEY_OBJECT_BYTES || size > MN_KEY_BYTES_MAX)
        return -EUCLEAN;
    entry->root = key[0];
    entry->kind = key[1];
    memcpy(entry->id.bytes, key + 2, MN_ID_BYTES);
    size_t rest = size - MN_KEY_OBJECT_BYTES;
    if (entry->kind == MN_PLACE_DATA) {
        if (rest != sizeof(big))
            return -EUCLEAN;
        memcpy(&big, key + MN_KEY_OBJECT_BYTES, sizeof(big));
        entry->region = be64toh(big);
    } else if (entry->kind == MN_PLACE_NAME) {
        memcpy(entry->name, key + MN_KEY_OBJECT_BYTES, rest);
        entry->name_size = (uint16_t)rest;
    } else if (rest > 0) {
        return -EUCLEAN;
    }
    return 0;
}

static int decode_parent(const uint8_t *bytes, size_t size, struct mn_handle *handle_out)
{
    if (size == 0)
        return 0;
    if (size <= PARENT_TYPE_BYTES || size - PARENT_TYPE_BYTES > MN_HANDLE_BYTES_MAX)
        return -EUCLEAN;
    handle_out->type = (int32_t)mn_load_u32(bytes);
    handle_out->size = (uint8_t)(size - PARENT_TYPE_BYTES);
    memcpy(handle_out->bytes, bytes + PARENT_TYPE_BYTES, handle_out->size);
    return 0;
}

int mn_entry_decode(const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size,
                    struct mn_index_entry *entry_out)
{
    struct mn_index_entry *entry = entry_out;
    uint64_t noted = entry->noted;

    memset(entry, 0, sizeof(*entry));
    entry->noted = noted;
    int result = decode_key(key, key_size, entry);
    if (result < 0)
        return result;
    if (value_size < MN_VALUE_FIXED_BYTES || value_size > MN_VALUE_BYTES_MAX)
        return -EUCLEAN;
    if (mn_load_u64(value) != checksum(key, key_size, value, value_size))
        return -EUCLEAN;
    entry->handle.size = value[HANDLE_SIZE];
    entry->hint_size = value[HINT_SIZE];
    size_t known = (size_t)MN_VALUE_FIXED_BYTES + entry->handle.size + entry->hint_size;
    if (value_size < known || mn_entry_check(entry) < 0)
        return -EUCLEAN;
    result = decode_parent(value + known, value_size - known, &entry->parent_handle);
    if (result < 0)
        return result;
    memcpy(entry->parent.bytes, value + PARENT, MN_ID_BYTES);
    entry->handle.type = (int32_t)mn_load_u32(value + TYPE);
    memcpy(entry->handle.bytes, value + MN_VALUE_FIXED_BYTES, entry->handle.size);
    memcpy(entry->hint, value + MN_VALUE_FIXED_BYTES + entry->handle.size, entry->hint_size);
    return 0;
}
