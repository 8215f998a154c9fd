/* Recent set: what is noted, what subsumes what, and what gives way when the memory is full.
 *
 * Subsumed: DATA and ATTRIBUTES by WHOLE, NAME by DIRECTORY, everything of a root by ALL. A place
 * that subsumes takes the newest epoch of what it replaces, so nothing leaves early. */
#include "journal/recent.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "journal/recent_table.h"

enum {
    /* Larger ranges (fallocate of a whole file) are noted WHOLE: 16 MiB, at most some 20 us. */
    REGIONS_PER_NOTE_MAX = 256,
    /* Places forgotten per hold of the mutex, so that a trim of 100,000 delays nobody. */
    TRIM_BATCH = 512,
};

struct mn_recent {
    pthread_mutex_t mutex;
    /* All below guarded by mutex. */
    struct mn_recent_table table;
    bool all[MN_ROOTS_MAX]; /* the whole root may differ */
    uint64_t all_epoch[MN_ROOTS_MAX];
    uint32_t hand; /* where the search for something to give way goes on */
};

int mn_recent_create(uint32_t place_count_max, struct mn_recent **recent_out)
{
    struct mn_recent *recent = calloc(1, sizeof(*recent));

    if (recent == NULL)
        return -ENOMEM;
    int result = mn_recent_table_init(&recent->table, place_count_max);
    if (result < 0) {
        free(recent);
        return result;
    }
    pthread_mutex_init(&recent->mutex, NULL);
    *recent_out = recent;
    return 0;
}

void mn_recent_destroy(struct mn_recent *recent)
{
    if (recent == NULL)
        return;
    pthread_mutex_destroy(&recent->mutex);
    mn_recent_table_deinit(&recent->table);
    free(recent);
}

/* The kind that covers it within its object, or itself. */
static uint8_t wider(uint8_t kind)
{
    switch (kind) {
    case MN_PLACE_DATA:
    case MN_PLACE_ATTRIBUTES: return MN_PLACE_WHOLE;
    case MN_PLACE_NAME: return MN_PLACE_DIRECTORY;
    default: return kind;
    }
}

static uint64_t newer_of(uint64_t left, uint64_t right)
{
    return left > right ? left : right;
}

/* Drops the places of `object` that `kind` covers; returns the newest epoch among them and
 * `epoch`. One of `kind` is there already, so the object does not go with its last place. */
static uint64_t drop_covered(struct mn_recent_table *table, uint32_t object, uint8_t kind,
                             uint64_t epoch)
{
    uint32_t slot = table->objects[object].first_place;

    while (slot != MN_SLOT_NONE) {
        struct mn_recent_place *place = &table->places[slot];
        uint32_t next = place->object_next;
        if (place->kind != kind && wider(place->kind) == kind) {
            epoch = newer_of(epoch, place->epoch);
            mn_recent_drop_place(table, slot);
        }
        slot = next;
    }
    return epoch;
}

static void mark_all(struct mn_recent *recent, uint8_t root, uint64_t epoch)
{
    struct mn_recent_table *table = &recent->table;
    uint32_t slot = table->oldest;

    if (recent->all[root]) {
        recent->all_epoch[root] = newer_of(recent->all_epoch[root], epoch);
        return;
    }
    while (slot != MN_SLOT_NONE) {
        uint32_t next = table->places[slot].newer;
        if (table->objects[table->places[slot].object].root == root) {
            epoch = newer_of(epoch, table->places[slot].epoch);
            mn_recent_drop_place(table, slot);
        }
        slot = next;
    }
    recent->all_epoch[root] = epoch;
    recent->all[root] = true;
}

/* Replaces all places of the object that `kind` covers by one of that kind. There are two or more
 * of them, hence room for it; the first drop must not take the object along. */
static void collapse(struct mn_recent_table *table, uint32_t object, uint8_t kind)
{
    struct mn_place_key key = {.kind = kind};
    uint32_t covered = MN_SLOT_NONE;
    uint32_t slot = table->objects[object].first_place;

    while (slot != MN_SLOT_NONE && covered == MN_SLOT_NONE) {
        if (table->places[slot].kind != kind && wider(table->places[slot].kind) == kind)
            covered = slot;
        slot = table->places[slot].object_next;
    }
    uint64_t epoch = table->places[covered].epoch;
    mn_recent_drop_place(table, covered);
    uint32_t wide = mn_recent_add_place(table, object, &key, epoch);
    mn_recent_refresh(table, wide, drop_covered(table, object, kind, epoch));
}

/* A kind to which two or more places of the object can be joined, or 0. */
static uint8_t collapsible(const struct mn_recent_table *table, uint32_t object)
{
    uint32_t data_count = 0;
    uint32_t name_count = 0;
    uint32_t slot = table->objects[object].first_place;

    if (table->objects[object].place_count < 2)
        return 0;
    for (; slot != MN_SLOT_NONE; slot = table->places[slot].object_next) {
        uint8_t kind = table->places[slot].kind;
        data_count += kind == MN_PLACE_DATA || kind == MN_PLACE_ATTRIBUTES;
        name_count += kind == MN_PLACE_NAME;
        if (data_count == 2)
            return MN_PLACE_WHOLE;
        if (name_count == 2)
            return MN_PLACE_DIRECTORY;
    }
    return 0;
}

/* Joins places of some object. false: there is nothing to join. */
static bool make_room(struct mn_recent *recent)
{
    struct mn_recent_table *table = &recent->table;

    for (uint32_t steps = 0; steps < table->objects_used; steps++) {
        recent->hand = (recent->hand + 1) % table->objects_used;
        uint8_t kind = collapsible(table, recent->hand);
        if (kind != 0) {
            collapse(table, recent->hand, kind);
            return true;
        }
    }
    return false;
}

/* false: no room. */
static bool try_note(struct mn_recent_table *table, const struct mn_ref *ref,
                     const struct mn_place_key *key, uint64_t epoch)
{
    struct mn_place_key wide = {.kind = wider(key->kind)};
    uint32_t object = mn_recent_find_object(table, ref->root, &ref->id);
    uint32_t place = MN_SLOT_NONE;

    if (object == MN_SLOT_NONE)
        object = mn_recent_add_object(table, ref->root, &ref->id);
    else {
        place = mn_recent_find_place(table, object, &wide);
        if (place == MN_SLOT_NONE && key->kind != wide.kind)
            place = mn_recent_find_place(table, object, key);
    }
    if (object == MN_SLOT_NONE)
        return false;
    if (place != MN_SLOT_NONE) {
        mn_recent_refresh(table, place, epoch);
    } else {
        place = mn_recent_add_place(table, object, key, epoch);
        if (place == MN_SLOT_NONE) {
            mn_recent_drop_if_bare(table, object);
            return false;
        }
        if (key->kind == wide.kind)
            mn_recent_refresh(table, place, drop_covered(table, object, wide.kind, epoch));
    }
    mn_recent_hint(table, object, ref);
    return true;
}

static void note_one(struct mn_recent *recent, const struct mn_ref *ref,
                     const struct mn_place_key *key, uint64_t epoch)
{
    while (!recent->all[ref->root]) {
        if (try_note(&recent->table, ref, key, epoch))
            return;
        if (!make_room(recent))
            break;
    }
    mark_all(recent, ref->root, epoch);
}

void mn_recent_note(struct mn_recent *recent, const struct mn_ref *ref,
                    const struct mn_place *place, uint64_t epoch)
{
    struct mn_place_key key = {.kind = place->kind};

    assert(ref->root < MN_ROOTS_MAX);
    pthread_mutex_lock(&recent->mutex);
    if (recent->all[ref->root] || place->kind == MN_PLACE_ALL) {
        mark_all(recent, ref->root, epoch);
    } else if (place->kind != MN_PLACE_DATA) {
        if (place->kind == MN_PLACE_NAME) {
            key.name = place->name;
            key.name_size = place->name_size;
        }
        note_one(recent, ref, &key, epoch);
    } else if (place->region_last - place->region_first >= REGIONS_PER_NOTE_MAX) {
        key.kind = MN_PLACE_WHOLE;
        note_one(recent, ref, &key, epoch);
    } else {
        uint64_t count = place->region_last - place->region_first + 1;
        for (uint64_t i = 0; i < count; i++) {
            key.region = place->region_first + i;
            note_one(recent, ref, &key, epoch);
        }
    }
    pthread_mutex_unlock(&recent->mutex);
}

/* Places are in the order of their last note. One that came late with an old epoch stays behind a
 * newer one until that goes: later than it could, which is safe. */
static bool trim_some(struct mn_recent_table *table, uint64_t epoch)
{
    for (int count = 0; count < TRIM_BATCH; count++) {
        uint32_t slot = table->oldest;
        if (slot == MN_SLOT_NONE || table->places[slot].epoch > epoch)
            return false;
        mn_recent_drop_place(table, slot);
    }
    return true;
}

void mn_recent_trim(struct mn_recent *recent, uint64_t epoch)
{
    bool more = true;

    while (more) {
        pthread_mutex_lock(&recent->mutex);
        more = trim_some(&recent->table, epoch);
        for (int root = 0; root < MN_ROOTS_MAX; root++)
            recent->all[root] = recent->all[root] && recent->all_epoch[root] > epoch;
        pthread_mutex_unlock(&recent->mutex);
    }
}

void mn_recent_clear(struct mn_recent *recent)
{
    pthread_mutex_lock(&recent->mutex);
    mn_recent_table_clear(&recent->table);
    memset(recent->all, 0, sizeof(recent->all));
    pthread_mutex_unlock(&recent->mutex);
}

uint64_t mn_recent_count(struct mn_recent *recent)
{
    pthread_mutex_lock(&recent->mutex);
    uint64_t count = recent->table.place_count;
    for (int root = 0; root < MN_ROOTS_MAX; root++)
        count += recent->all[root];
    pthread_mutex_unlock(&recent->mutex);
    return count;
}

static int visit_place(const struct mn_recent_table *table, const struct mn_recent_place *place,
                       mn_recent_visitor *visit, void *context)
{
    const struct mn_recent_object *object = &table->objects[place->object];
    struct mn_ref ref = {
        .id = object->id,
        .parent = object->parent,
        .handle = object->handle,
        .parent_handle = object->parent_handle,
        .name = object->hint_size > 0 ? mn_arena_get(&table->arena, object->hint) : "",
        .name_size = object->hint_size,
        .root = object->root,
    };
    struct mn_place copy = {
        .kind = place->kind,
        .region_first = place->region,
        .region_last = place->region,
        .name = place->name_size > 0 ? mn_arena_get(&table->arena, place->name) : "",
        .name_size = place->name_size,
    };
    return visit(context, &ref, &copy);
}

int mn_recent_visit(struct mn_recent *recent, mn_recent_visitor *visit, void *context)
{
    const struct mn_recent_table *table = &recent->table;
    int result = 0;

    pthread_mutex_lock(&recent->mutex);
    for (uint32_t slot = table->oldest; slot != MN_SLOT_NONE && result == 0;
         slot = table->places[slot].newer)
        result = visit_place(table, &table->places[slot], visit, context);
    for (uint8_t root = 0; root < MN_ROOTS_MAX && result == 0; root++) {
        struct mn_ref ref = {.name = "", .root = root};
        struct mn_place all = {.kind = MN_PLACE_ALL, .name = ""};
        if (recent->all[root])
            result = visit(context, &ref, &all);
    }
    pthread_mutex_unlock(&recent->mutex);
    return result;
}
