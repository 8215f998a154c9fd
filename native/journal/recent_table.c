/* Objects and places in reserved slots: buckets, free lists, order of age. */
#include "journal/recent_table.h"

#include <errno.h>
#include <stdlib.h>

#include "hash/xxh3.h"

enum { ARENA_BYTES_PER_SLOT = 48 }; /* two names of usual length */

static void *slots(uint32_t count, size_t size)
{
    return calloc(count, size);
}

int mn_recent_table_init(struct mn_recent_table *table, uint32_t slot_count_max)
{
    uint64_t arena_bytes = (uint64_t)slot_count_max * ARENA_BYTES_PER_SLOT;
    uint32_t bucket_count = 1024;

    if (slot_count_max > UINT32_MAX / ARENA_BYTES_PER_SLOT)
        return -ENOMEM;
    while (bucket_count < slot_count_max)
        bucket_count *= 2;
    memset(table, 0, sizeof(*table));
    table->slot_count_max = slot_count_max;
    table->bucket_mask = bucket_count - 1;
    table->objects = slots(slot_count_max, sizeof(*table->objects));
    table->places = slots(slot_count_max, sizeof(*table->places));
    table->object_buckets = slots(bucket_count, sizeof(uint32_t));
    table->place_buckets = slots(bucket_count, sizeof(uint32_t));
    int result = mn_arena_init(&table->arena, (uint32_t)arena_bytes);
    if (result < 0 || !table->objects || !table->places || !table->object_buckets ||
        !table->place_buckets) {
        mn_recent_table_deinit(table);
        return -ENOMEM;
    }
    mn_recent_table_clear(table);
    return 0;
}

void mn_recent_table_deinit(struct mn_recent_table *table)
{
    mn_arena_deinit(&table->arena);
    free(table->objects);
    free(table->places);
    free(table->object_buckets);
    free(table->place_buckets);
}

void mn_recent_table_clear(struct mn_recent_table *table)
{
    size_t bucket_bytes = ((size_t)table->bucket_mask + 1) * sizeof(uint32_t);

    mn_arena_clear(&table->arena);
    memset(table->object_buckets, 0xff, bucket_bytes);
    memset(table->place_buckets, 0xff, bucket_bytes);
    table->objects_used = 0;
    table->places_used = 0;
    table->free_object = MN_SLOT_NONE;
    table->free_place = MN_SLOT_NONE;
    table->oldest = MN_SLOT_NONE;
    table->newest = MN_SLOT_NONE;
    table->place_count = 0;
}

static uint32_t *object_bucket(const struct mn_recent_table *table, uint8_t root,
                               const struct mn_id *id)
{
    uint64_t hash = XXH3_64bits_withSeed(id->bytes, MN_ID_BYTES, root);

    return &table->object_buckets[hash & table->bucket_mask];
}

static uint32_t *place_bucket(const struct mn_recent_table *table, uint32_t object,
                              const struct mn_place_key *key)
{
    uint64_t numbers[2] = {key->region, (uint64_t)object << 8 | key->kind};
    uint64_t hash = XXH3_64bits(numbers, sizeof(numbers));

    if (key->name_size > 0)
        hash = XXH3_64bits_withSeed(key->name, key->name_size, hash);
    return &table->place_buckets[hash & table->bucket_mask];
}

static struct mn_place_key key_of(const struct mn_recent_table *table,
                                  const struct mn_recent_place *place)
{
    return (struct mn_place_key){
        .region = place->region,
        .name = place->name_size > 0 ? mn_arena_get(&table->arena, place->name) : NULL,
        .name_size = place->name_size,
        .kind = place->kind,
    };
}

uint32_t mn_recent_find_object(const struct mn_recent_table *table, uint8_t root,
                               const struct mn_id *id)
{
    uint32_t slot = *object_bucket(table, root, id);

    while (slot != MN_SLOT_NONE) {
        const struct mn_recent_object *object = &table->objects[slot];
        if (object->root == root && mn_id_equal(&object->id, id))
            break;
        slot = object->next;
    }
    return slot;
}

uint32_t mn_recent_find_place(const struct mn_recent_table *table, uint32_t object,
                              const struct mn_place_key *key)
{
    uint32_t slot = *place_bucket(table, object, key);

    while (slot != MN_SLOT_NONE) {
        const struct mn_recent_place *place = &table->places[slot];
        if (place->object == object && place->kind == key->kind && place->region == key->region &&
            place->name_size == key->name_size &&
            (key->name_size == 0 ||
             memcmp(mn_arena_get(&table->arena, place->name), key->name, key->name_size) == 0))
            break;
        slot = place->next;
    }
    return slot;
}

uint32_t mn_recent_add_object(struct mn_recent_table *table, uint8_t root, const struct mn_id *id)
{
    uint32_t slot = table->free_object;

    if (slot != MN_SLOT_NONE)
        table->free_object = table->objects[slot].next;
    else if (table->objects_used < table->slot_count_max)
        slot = table->objects_used++;
    else
        return MN_SLOT_NONE;
    uint32_t *bucket = object_bucket(table, root, id);
    table->objects[slot] = (struct mn_recent_object){
        .id = *id,
        .next = *bucket,
        .first_place = MN_SLOT_NONE,
        .hint = MN_ARENA_NONE,
        .root = root,
    };
    *bucket = slot;
    return slot;
}

static void unlink_age(struct mn_recent_table *table, struct mn_recent_place *place)
{
    if (place->older != MN_SLOT_NONE)
        table->places[place->older].newer = place->newer;
    else
        table->oldest = place->newer;
    if (place->newer != MN_SLOT_NONE)
        table->places[place->newer].older = place->older;
    else
        table->newest = place->older;
}

static void append_age(struct mn_recent_table *table, uint32_t slot)
{
    struct mn_recent_place *place = &table->places[slot];

    place->older = table->newest;
    place->newer = MN_SLOT_NONE;
    if (table->newest != MN_SLOT_NONE)
        table->places[table->newest].newer = slot;
    else
        table->oldest = slot;
    table->newest = slot;
}

static uint32_t take_place_slot(struct mn_recent_table *table)
{
    uint32_t slot = table->free_place;

    if (slot != MN_SLOT_NONE)
        table->free_place = table->places[slot].next;
    else if (table->places_used < table->slot_count_max)
        slot = table->places_used++;
    return slot;
}

static void give_place_slot(struct mn_recent_table *table, uint32_t slot)
{
    table->places[slot].next = table->free_place;
    table->free_place = slot;
}

uint32_t mn_recent_add_place(struct mn_recent_table *table, uint32_t object,
                             const struct mn_place_key *key, uint64_t epoch)
{
    struct mn_recent_object *owner = &table->objects[object];
    uint32_t name = MN_ARENA_NONE;

    uint32_t slot = take_place_slot(table);
    if (slot == MN_SLOT_NONE)
        return slot;
    if (key->name_size > 0) {
        name = mn_arena_put(&table->arena, key->name, key->name_size);
        if (name == MN_ARENA_NONE) {
            give_place_slot(table, slot);
            return MN_SLOT_NONE;
        }
    }
    uint32_t *bucket = place_bucket(table, object, key);
    table->places[slot] = (struct mn_recent_place){
        .region = key->region,
        .epoch = epoch,
        .object = object,
        .next = *bucket,
        .object_next = owner->first_place,
        .object_previous = MN_SLOT_NONE,
        .name = name,
        .name_size = key->name_size,
        .kind = key->kind,
    };
    *bucket = slot;
    if (owner->first_place != MN_SLOT_NONE)
        table->places[owner->first_place].object_previous = slot;
    owner->first_place = slot;
    owner->place_count++;
    table->place_count++;
    append_age(table, slot);
    return slot;
}

void mn_recent_refresh(struct mn_recent_table *table, uint32_t slot, uint64_t epoch)
{
    struct mn_recent_place *place = &table->places[slot];

    if (place->epoch < epoch)
        place->epoch = epoch;
    if (table->newest != slot) {
        unlink_age(table, place);
        append_age(table, slot);
    }
}

static void unlink_bucket_object(struct mn_recent_table *table, uint32_t slot)
{
    uint32_t *link = object_bucket(table, table->objects[slot].root, &table->objects[slot].id);

    while (*link != slot)
        link = &table->objects[*link].next;
    *link = table->objects[slot].next;
}

static void unlink_bucket_place(struct mn_recent_table *table, uint32_t slot)
{
    struct mn_place_key key = key_of(table, &table->places[slot]);
    uint32_t *link = place_bucket(table, table->places[slot].object, &key);

    while (*link != slot)
        link = &table->places[*link].next;
    *link = table->places[slot].next;
}

void mn_recent_drop_if_bare(struct mn_recent_table *table, uint32_t slot)
{
    struct mn_recent_object *object = &table->objects[slot];

    if (object->place_count > 0)
        return;
    unlink_bucket_object(table, slot);
    mn_arena_free(&table->arena, object->hint, object->hint_size);
    object->next = table->free_object;
    table->free_object = slot;
}

void mn_recent_drop_place(struct mn_recent_table *table, uint32_t slot)
{
    struct mn_recent_place *place = &table->places[slot];
    struct mn_recent_object *owner = &table->objects[place->object];

    unlink_bucket_place(table, slot);
    unlink_age(table, place);
    if (place->object_previous != MN_SLOT_NONE)
        table->places[place->object_previous].object_next = place->object_next;
    else
        owner->first_place = place->object_next;
    if (place->object_next != MN_SLOT_NONE)
        table->places[place->object_next].object_previous = place->object_previous;
    mn_arena_free(&table->arena, place->name, place->name_size);
    owner->place_count--;
    table->place_count--;
    uint32_t object = place->object;
    give_place_slot(table, slot);
    mn_recent_drop_if_bare(table, object);
}

void mn_recent_hint(struct mn_recent_table *table, uint32_t slot, const struct mn_ref *ref)
{
    struct mn_recent_object *object = &table->objects[slot];

    if (ref->handle.size > 0)
        object->handle = ref->handle;
    if (ref->name_size == 0)
        return;
    object->parent = ref->parent;
    object->parent_handle = ref->parent_handle;
    if (object->hint != MN_ARENA_NONE && object->hint_size == ref->name_size &&
        memcmp(mn_arena_get(&table->arena, object->hint), ref->name, ref->name_size) == 0)
        return;
    mn_arena_free(&table->arena, object->hint, object->hint_size);
    /* Without room the hint is lost, not the place: a hint may be untrue anyhow. */
    object->hint = mn_arena_put(&table->arena, ref->name, ref->name_size);
    object->hint_size = object->hint == MN_ARENA_NONE ? 0 : ref->name_size;
}
