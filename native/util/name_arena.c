/* Names in reserved memory: a free list per size of block; a larger block is halved when its class
 * has none left. Blocks are not joined again: names have the same few lengths all the time. */
#include "util/name_arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 16, LARGEST = SMALLEST << (MN_ARENA_CLASSES - 1) };

static int class_of(uint16_t size)
{
    int class = 0;

    while (SMALLEST << class < size)
        class++;
    return class;
}

int mn_arena_init(struct mn_arena *arena, uint32_t size)
{
    arena->size = size / LARGEST * LARGEST;
    arena->bytes = malloc(arena->size);
    mn_arena_clear(arena);
    return arena->bytes == NULL ? -ENOMEM : 0;
}

void mn_arena_deinit(struct mn_arena *arena)
{
    free(arena->bytes);
    arena->bytes = NULL;
}

void mn_arena_clear(struct mn_arena *arena)
{
    arena->used = 0;
    for (int class = 0; class < MN_ARENA_CLASSES; class++)
        arena->free_heads[class] = MN_ARENA_NONE;
}

static void push(struct mn_arena *arena, int class, uint32_t where)
{
    memcpy(arena->bytes + where, &arena->free_heads[class], sizeof(uint32_t));
    arena->free_heads[class] = where;
}

static uint32_t pop(struct mn_arena *arena, int class)
{
    uint32_t where = arena->free_heads[class];

    if (where != MN_ARENA_NONE)
        memcpy(&arena->free_heads[class], arena->bytes + where, sizeof(uint32_t));
    return where;
}

static uint32_t take(struct mn_arena *arena, int class)
{
    uint32_t size = (uint32_t)SMALLEST << class;
    uint32_t where = pop(arena, class);

    if (where != MN_ARENA_NONE)
        return where;
    if (arena->used + size <= arena->size) {
        where = arena->used;
        arena->used += size;
        return where;
    }
    for (int larger = class + 1; larger < MN_ARENA_CLASSES; larger++) {
        where = pop(arena, larger);
        if (where == MN_ARENA_NONE)
            continue;
        while (larger-- > class)
            push(arena, larger, where + ((uint32_t)SMALLEST << larger));
        return where;
    }
    return MN_ARENA_NONE;
}

uint32_t mn_arena_put(struct mn_arena *arena, const char *name, uint16_t size)
{
    if (size == 0 || size > LARGEST)
        return MN_ARENA_NONE;
    uint32_t where = take(arena, class_of(size));
    if (where != MN_ARENA_NONE)
        memcpy(arena->bytes + where, name, size);
    return where;
}

void mn_arena_free(struct mn_arena *arena, uint32_t where, uint16_t size)
{
    if (where != MN_ARENA_NONE)
        push(arena, class_of(size), where);
}

const char *mn_arena_get(const struct mn_arena *arena, uint32_t where)
{
    return (const char *)arena->bytes + where;
}
