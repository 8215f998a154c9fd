/* Writing and reading the fields of a payload (PROTOCOL 5). Knows field types, and no message.
 *
 * A writer asks once for room (mn_buffer_room), then puts; the put functions only assert.
 * A reader takes; the first field that does not fit makes it bad, all later ones are zero, and
 * mn_reader_end says so: a decoder therefore reads all fields and checks once. */
#ifndef MN_WIRE_BUFFER_H
#define MN_WIRE_BUFFER_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "util/bytes.h"
#include "util/object.h"

enum { MN_TEXT_BYTES_MAX = 4096 };

/* data belongs to whoever made the buffer; size <= capacity. */
struct mn_buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

/* A view on a payload, which is borrowed. */
struct mn_reader {
    const uint8_t *next;
    size_t left;
    bool bad;
};

static inline size_t mn_buffer_room(const struct mn_buffer *buffer)
{
    return buffer->capacity - buffer->size;
}

static inline uint8_t *mn_buffer_extend(struct mn_buffer *buffer, size_t size)
{
    uint8_t *place = buffer->data + buffer->size;

    assert(size <= mn_buffer_room(buffer));
    buffer->size += size;
    return place;
}

static inline void mn_put_u8(struct mn_buffer *buffer, uint8_t value)
{
    *mn_buffer_extend(buffer, 1) = value;
}

static inline void mn_put_u16(struct mn_buffer *buffer, uint16_t value)
{
    mn_store_u16(mn_buffer_extend(buffer, sizeof(value)), value);
}

static inline void mn_put_u32(struct mn_buffer *buffer, uint32_t value)
{
    mn_store_u32(mn_buffer_extend(buffer, sizeof(value)), value);
}

static inline void mn_put_u64(struct mn_buffer *buffer, uint64_t value)
{
    mn_store_u64(mn_buffer_extend(buffer, sizeof(value)), value);
}

static inline void mn_put_i32(struct mn_buffer *buffer, int32_t value)
{
    mn_put_u32(buffer, (uint32_t)value);
}

static inline void mn_put_i64(struct mn_buffer *buffer, int64_t value)
{
    mn_put_u64(buffer, (uint64_t)value);
}

static inline void mn_put_id(struct mn_buffer *buffer, const struct mn_id *id)
{
    memcpy(mn_buffer_extend(buffer, MN_ID_BYTES), id->bytes, MN_ID_BYTES);
}

/* Without a length: the caller has put it. data may be NULL when size is 0. */
static inline void mn_put_raw(struct mn_buffer *buffer, const uint8_t *data, size_t size)
{
    uint8_t *place = mn_buffer_extend(buffer, size);

    if (size > 0)
        memcpy(place, data, size);
}

/* name and text. */
static inline void mn_put_text(struct mn_buffer *buffer, const char *text, uint16_t size)
{
    mn_put_u16(buffer, size);
    mn_put_raw(buffer, mn_octets(text), size);
}

static inline void mn_put_bytes(struct mn_buffer *buffer, const uint8_t *data, uint32_t size)
{
    mn_put_u32(buffer, size);
    mn_put_raw(buffer, data, size);
}

static inline struct mn_reader mn_reader_of(const uint8_t *payload, size_t size)
{
    return (struct mn_reader){.next = payload, .left = size, .bad = false};
}

/* NULL when there are not that many bytes left. */
static inline const uint8_t *mn_take(struct mn_reader *reader, size_t size)
{
    const uint8_t *place = reader->next;

    if (reader->bad || size > reader->left) {
        reader->bad = true;
        return NULL;
    }
    reader->next += size;
    reader->left -= size;
    return place;
}

static inline uint8_t mn_take_u8(struct mn_reader *reader)
{
    const uint8_t *place = mn_take(reader, 1);

    return place ? *place : 0;
}

static inline uint16_t mn_take_u16(struct mn_reader *reader)
{
    const uint8_t *place = mn_take(reader, sizeof(uint16_t));

    return place ? mn_load_u16(place) : 0;
}

static inline uint32_t mn_take_u32(struct mn_reader *reader)
{
    const uint8_t *place = mn_take(reader, sizeof(uint32_t));

    return place ? mn_load_u32(place) : 0;
}

static inline uint64_t mn_take_u64(struct mn_reader *reader)
{
    const uint8_t *place = mn_take(reader, sizeof(uint64_t));

    return place ? mn_load_u64(place) : 0;
}

static inline int32_t mn_take_i32(struct mn_reader *reader)
{
    return (int32_t)mn_take_u32(reader);
}

static inline int64_t mn_take_i64(struct mn_reader *reader)
{
    return (int64_t)mn_take_u64(reader);
}

static inline struct mn_id mn_take_id(struct mn_reader *reader)
{
    const uint8_t *place = mn_take(reader, MN_ID_BYTES);
    struct mn_id id = {{0}};

    if (place)
        memcpy(id.bytes, place, MN_ID_BYTES);
    return id;
}

/* Returns a borrowed place in the payload, not terminated; NULL and size 0 when bad. */
static inline const char *mn_take_text(struct mn_reader *reader, uint16_t *size_out)
{
    uint16_t size = mn_take_u16(reader);
    const uint8_t *place = mn_take(reader, size);

    if (place && (size > MN_TEXT_BYTES_MAX || memchr(place, 0, size)))
        reader->bad = true;
    *size_out = reader->bad ? 0 : size;
    return reader->bad ? NULL : mn_chars(place);
}

/* A name as a directory may hold it: what fails here could leave the replicated directory. */
static inline const char *mn_take_name(struct mn_reader *reader, uint16_t *size_out)
{
    const char *name = mn_take_text(reader, size_out);
    uint16_t size = *size_out;
    bool dots = (size == 1 && name[0] == '.') || (size == 2 && name[0] == '.' && name[1] == '.');

    if (size == 0 || size > MN_NAME_BYTES_MAX || dots || memchr(name, '/', size)) {
        reader->bad = true;
        *size_out = 0;
        return NULL;
    }
    return name;
}

static inline const uint8_t *mn_take_bytes(struct mn_reader *reader, uint32_t *size_out)
{
    uint32_t size = mn_take_u32(reader);
    const uint8_t *place = mn_take(reader, size);

    *size_out = place ? size : 0;
    return place;
}

/* 0, or -EBADMSG: a field did not fit, or bytes are left over. */
static inline int mn_reader_end(const struct mn_reader *reader)
{
    return reader->bad || reader->left > 0 ? -EBADMSG : 0;
}

#endif
