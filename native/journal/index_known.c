/* Known keys: open addressing, removal by shifting back, so that no search grows with age. The
 * table doubles when it is three quarters full, and is small again once it was cleared. */
#include "journal/index_known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash/xxh3.h"

enum { SLOTS_MIN = 1024, SLOTS_MAX = 1 << 20 };

int mn_known_init(struct mn_known *known)
{
    *known = (struct mn_known){.mask = SLOTS_MIN - 1};
    known->slots = calloc(SLOTS_MIN, sizeof(*known->slots));
    return known->slots == NULL ? -ENOMEM : 0;
}

void mn_known_deinit(struct mn_known *known)
{
    free(known->slots);
    known->slots = NULL;
}

void mn_known_clear(struct mn_known *known)
{
    struct mn_known_slot *fewer = calloc(SLOTS_MIN, sizeof(*fewer));

    if (fewer != NULL) {
        free(known->slots);
        known->slots = fewer;
        known->mask = SLOTS_MIN - 1;
    } else {
        memset(known->slots, 0, ((size_t)known->mask + 1) * sizeof(*known->slots));
    }
    known->count = 0;
    known->floor = ++known->sequence;
}

struct mn_key_hash mn_known_hash(const void *key, size_t size)
{
    XXH128_hash_t hash = XXH3_128bits(key, size);

    return (struct mn_key_hash){.low = hash.low64, .high = hash.high64};
}

/* Where the key stands, or the free slot where it would. */
static uint32_t find(const struct mn_known *known, const struct mn_key_hash *hash)
{
    uint32_t at = (uint32_t)hash->low & known->mask;

    while (known->slots[at].touched != 0 &&
           (known->slots[at].hash.low != hash->low || known->slots[at].hash.high != hash->high))
        at = (at + 1) & known->mask;
    return at;
}

bool mn_known_touch(struct mn_known *known, const struct mn_key_hash *hash)
{
    struct mn_known_slot *slot = &known->slots[find(known, hash)];

    if (slot->touched == 0)
        return false;
    slot->touched = ++known->sequence;
    return true;
}

void mn_known_touch_any(struct mn_known *known, const struct mn_key_hash *hash)
{
    if (!mn_known_touch(known, hash))
        known->floor = ++known->sequence;
}

/* false: it may not grow, or there is no memory for it. */
static bool grow(struct mn_known *known)
{
    struct mn_known_slot *old = known->slots;
    size_t old_count = (size_t)known->mask + 1;
    struct mn_known_slot *slots =
        old_count >= SLOTS_MAX ? NULL : calloc(2 * old_count, sizeof(*slots));

    if (slots == NULL)
        return false;
    known->slots = slots;
    known->mask = (uint32_t)(2 * old_count - 1);
    for (size_t i = 0; i < old_count; i++)
        if (old[i].touched != 0)
            slots[find(known, &old[i].hash)] = old[i];
    free(old);
    return true;
}

static void add(struct mn_known *known, const struct mn_key_hash *hash, uint64_t flag)
{
    if (known->count >= known->mask / 4 * 3 && !grow(known))
        mn_known_clear(known);
    known->slots[find(known, hash)] =
        (struct mn_known_slot){.hash = *hash, .touched = ++known->sequence | flag};
    known->count++;
}

void mn_known_add(struct mn_known *known, const struct mn_key_hash *hash)
{
    if (!mn_known_touch(known, hash))
        add(known, hash, 0);
}

void mn_known_add_ahead(struct mn_known *known, const struct mn_key_hash *hash)
{
    if (known->slots[find(known, hash)].touched == 0)
        add(known, hash, MN_KNOWN_AHEAD);
}

bool mn_known_is_ahead(const struct mn_known *known, const struct mn_key_hash *hash)
{
    return (known->slots[find(known, hash)].touched & MN_KNOWN_AHEAD) != 0;
}

void mn_known_forget(struct mn_known *known, const struct mn_key_hash *hash)
{
    uint32_t hole = find(known, hash);

    if (known->slots[hole].touched == 0)
        return;
    for (uint32_t at = (hole + 1) & known->mask; known->slots[at].touched != 0;
         at = (at + 1) & known->mask) {
        uint32_t home = (uint32_t)known->slots[at].hash.low & known->mask;
        /* It may move into the hole only if that does not put it before its home. */
        if (((at - home) & known->mask) < ((at - hole) & known->mask))
            continue;
        known->slots[hole] = known->slots[at];
        hole = at;
    }
    known->slots[hole].touched = 0;
    known->count--;
}

bool mn_known_untouched_since(const struct mn_known *known, const struct mn_key_hash *hash,
                              uint64_t sequence)
{
    uint64_t touched = known->slots[find(known, hash)].touched;

    return touched == 0 ? sequence >= known->floor : (touched & ~MN_KNOWN_AHEAD) <= sequence;
}
