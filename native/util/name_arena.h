/* Memory for names of 1 to 255 bytes, all of it reserved at the start. Not thread safe: whoever
 * owns it holds a mutex. */
#ifndef MN_UTIL_NAME_ARENA_H
#define MN_UTIL_NAME_ARENA_H

#include <stdint.h>

enum { MN_ARENA_CLASSES = 5 }; /* blocks of 16, 32, 64, 128, 256 bytes */

static const uint32_t MN_ARENA_NONE = UINT32_MAX;

struct mn_arena {
    uint8_t *bytes; /* owned */
    uint32_t size;
    uint32_t used; /* beyond lies what was never given out */
    uint32_t free_heads[MN_ARENA_CLASSES];
};

/* size: rounded down to whole blocks of 256. Returns 0 or -ENOMEM. */
int mn_arena_init(struct mn_arena *arena, uint32_t size);
void mn_arena_deinit(struct mn_arena *arena);
void mn_arena_clear(struct mn_arena *arena);
/* Copies the name; returns where it stands, or MN_ARENA_NONE when it is empty or no room is left.
 */
uint32_t mn_arena_put(struct mn_arena *arena, const char *name, uint16_t size);
/* size: the one it was put with. MN_ARENA_NONE: nothing happens. */
void mn_arena_free(struct mn_arena *arena, uint32_t where, uint16_t size);
const char *mn_arena_get(const struct mn_arena *arena, uint32_t where);

#endif
