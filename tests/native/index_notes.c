/* See index_notes.h. */
#include "index_notes.h"

#include "check.h"

struct mn_ref index_object(uint32_t number)
{
    struct mn_ref ref = {.name = "hint", .name_size = 4, .root = 2};
    memcpy(ref.id.bytes, &number, sizeof(number));
    ref.id.bytes[15] = 1;
    ref.handle = (struct mn_handle){.type = 1, .size = 8, .bytes = "handle!"};
    if (number % 2 == 0)
        ref.parent_handle = (struct mn_handle){.type = 2, .size = 7, .bytes = "parent"};
    return ref;
}

int index_note(struct mn_index *index, uint32_t object, uint8_t kind, uint64_t region,
               const char *name)
{
    struct mn_ref ref = index_object(object);
    struct mn_place place = {.kind = kind,
                             .region_first = region,
                             .region_last = region,
                             .name = name,
                             .name_size = (uint16_t)(name ? strlen(name) : 0)};
    return mn_index_note(index, &ref, &place, NULL);
}

uint32_t index_read(struct mn_index *index, struct mn_index_entry *entries, uint32_t room)
{
    uint8_t cursor[512];
    uint16_t cursor_size = 0;
    uint32_t count;

    CHECK_INT(mn_index_next(index, cursor, &cursor_size, entries, room, &count), 0);
    return count;
}
