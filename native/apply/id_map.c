/* Identities of a session, sharded. A shard grows by chunks of entries, each with room for their
 * names, and by doubling its buckets; it never moves an entry. */
#include "apply/id_map.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "hash/hash.h"
#include "util/name_arena.h"

enum {
    SHARDS = 64,
    CHUNK_ENTRIES = 1024,
    CHUNK_NAME_BYTES = CHUNK_ENTRIES * 32, /* two thirds of usual names fit in 16 bytes */
    CHUNKS_MAX = 256,
    USES_MAX = 7, /* what is in steady use outlives several rounds of the hand */
};

static const uint32_t NONE = UINT32_MAX;

struct entry {
    struct mn_id id;
    struct mn_id parent;
    struct mn_handle handle;
    uint32_t next; /* in its bucket */
    uint32_t name; /* in its chunk's arena */
    uint16_t name_size;
    uint8_t root;
    uint8_t uses; /* counts to USES_MAX; the hand that looks for room takes one off */
};

struct chunk {
    struct mn_arena names;
    struct entry entries[CHUNK_ENTRIES];
};

struct shard {
    pthread_mutex_t mutex;
    /* Guarded by mutex. */
    struct chunk *chunks[CHUNKS_MAX]; /* owned */
    uint32_t *buckets;                /* owned */
    uint32_t bucket_mask;
    uint32_t count;
    uint32_t hand;
};

struct mn_id_map {
    uint32_t shard_count_max; /* entries in one shard */
    struct shard shards[SHARDS];
};

static uint64_t hash_of(uint8_t root, const struct mn_id *id)
{
    uint8_t key[MN_ID_BYTES + 1];

    memcpy(key, id->bytes, MN_ID_BYTES);
    key[MN_ID_BYTES] = root;
    return mn_hash_64(key, sizeof(key));
}

static struct shard *shard_of(struct mn_id_map *map, uint64_t hash)
{
    return &map->shards[hash % SHARDS];
}

static uint32_t *bucket_of(const struct shard *shard, uint64_t hash)
{
    return &shard->buckets[(hash / SHARDS) & shard->bucket_mask];
}

static struct chunk *chunk_of(const struct shard *shard, uint32_t at)
{
    return shard->chunks[at / CHUNK_ENTRIES];
}

static struct entry *entry_at(const struct shard *shard, uint32_t at)
{
    return &chunk_of(shard, at)->entries[at % CHUNK_ENTRIES];
}

static void empty(struct shard *shard)
{
    for (uint32_t i = 0; i < CHUNKS_MAX && shard->chunks[i] != NULL; i++) {
        mn_arena_deinit(&shard->chunks[i]->names);
        free(shard->chunks[i]);
        shard->chunks[i] = NULL;
    }
    free(shard->buckets);
    shard->buckets = NULL;
    shard->bucket_mask = 0;
    shard->count = 0;
    shard->hand = 0;
}

int mn_id_map_create(uint32_t id_count_max, struct mn_id_map **map_out)
{
    struct mn_id_map *map = calloc(1, sizeof(*map));

    if (map == NULL)
        return -ENOMEM;
    map->shard_count_max = id_count_max / SHARDS + 1;
    if (map->shard_count_max > CHUNKS_MAX * CHUNK_ENTRIES)
        map->shard_count_max = CHUNKS_MAX * CHUNK_ENTRIES;
    for (int i = 0; i < SHARDS; i++)
        pthread_mutex_init(&map->shards[i].mutex, NULL);
    *map_out = map;
    return 0;
}

void mn_id_map_destroy(struct mn_id_map *map)
{
    if (map == NULL)
        return;
    mn_id_map_clear(map);
    for (int i = 0; i < SHARDS; i++)
        pthread_mutex_destroy(&map->shards[i].mutex);
    free(map);
}

void mn_id_map_clear(struct mn_id_map *map)
{
    for (int i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&map->shards[i].mutex);
        empty(&map->shards[i]);
        pthread_mutex_unlock(&map->shards[i].mutex);
    }
}

static uint32_t find(const struct shard *shard, uint64_t hash, uint8_t root,
                     const struct mn_id *id)
{
    uint32_t at = shard->buckets == NULL ? NONE : *bucket_of(shard, hash);

    while (at != NONE) {
        const struct entry *entry = entry_at(shard, at);
        if (entry->root == root && mn_id_equal(&entry->id, id))
            break;
        at = entry->next;
    }
    return at;
}

static int grow_buckets(struct shard *shard)
{
    uint32_t bucket_count = shard->buckets == NULL ? 256 : (shard->bucket_mask + 1) * 2;

    uint32_t *buckets = malloc((size_t)bucket_count * sizeof(*buckets));
    if (buckets == NULL)
        return -ENOMEM;
    memset(buckets, 0xff, (size_t)bucket_count * sizeof(*buckets));
    free(shard->buckets);
    shard->buckets = buckets;
    shard->bucket_mask = bucket_count - 1;
    for (uint32_t at = 0; at < shard->count; at++) {
        struct entry *entry = entry_at(shard, at);
        uint32_t *bucket = bucket_of(shard, hash_of(entry->root, &entry->id));
        entry->next = *bucket;
        *bucket = at;
    }
    return 0;
}

static int grow_entries(struct shard *shard)
{
    struct chunk *chunk = calloc(1, sizeof(*chunk));

    if (chunk == NULL)
        return -ENOMEM;
    if (mn_arena_init(&chunk->names, CHUNK_NAME_BYTES) < 0) {
        free(chunk);
        return -ENOMEM;
    }
    shard->chunks[shard->count / CHUNK_ENTRIES] = chunk;
    return 0;
}

static void put_name(struct shard *shard, uint32_t at, const char *name, uint16_t name_size)
{
    struct entry *entry = entry_at(shard, at);
    struct mn_arena *names = &chunk_of(shard, at)->names;

    mn_arena_free(names, entry->name, entry->name_size);
    entry->name = mn_arena_put(names, name, name_size);
    /* Without room the name is not kept: it is a hint, the handle is what finds the object. */
    entry->name_size = entry->name == MN_ARENA_NONE ? 0 : name_size;
}

/* An entry that was not used for some rounds of the hand; it leaves its bucket. */
static uint32_t evict(struct shard *shard)
{
    for (;;) {
        shard->hand = (shard->hand + 1) % shard->count;
        struct entry *entry = entry_at(shard, shard->hand);
        if (entry->uses > 0) {
            entry->uses--;
            continue;
        }
        uint32_t *link = bucket_of(shard, hash_of(entry->root, &entry->id));
        while (*link != shard->hand)
            link = &entry_at(shard, *link)->next;
        *link = entry->next;
        return shard->hand;
    }
}

/* Room for one more entry, in no bucket; NONE: no memory. */
static uint32_t add(struct shard *shard, uint32_t count_max)
{
    if (shard->count >= count_max)
        return evict(shard);
    if ((shard->buckets == NULL || shard->count > shard->bucket_mask) && grow_buckets(shard) < 0)
        return NONE;
    if (shard->count % CHUNK_ENTRIES == 0 && shard->chunks[shard->count / CHUNK_ENTRIES] == NULL &&
        grow_entries(shard) < 0)
        return NONE;
    entry_at(shard, shard->count)->name = MN_ARENA_NONE;
    return shard->count++;
}

int mn_id_map_learn(struct mn_id_map *map, uint8_t root, const struct mn_id *id,
                    const struct mn_handle *handle, const struct mn_id *parent, const char *name,
                    uint16_t name_size)
{
    uint64_t hash = hash_of(root, id);
    struct shard *shard = shard_of(map, hash);
    int result = 0;

    pthread_mutex_lock(&shard->mutex);
    uint32_t at = find(shard, hash, root, id);
    if (at == NONE) {
        at = add(shard, map->shard_count_max);
        if (at == NONE) {
            result = -ENOMEM;
            goto out;
        }
        struct entry *entry = entry_at(shard, at);
        uint32_t *bucket = bucket_of(shard, hash);
        entry->id = *id;
        entry->root = root;
        entry->next = *bucket;
        *bucket = at;
    }
    entry_at(shard, at)->handle = *handle;
    entry_at(shard, at)->parent = *parent;
    entry_at(shard, at)->uses = 1;
    put_name(shard, at, name, name_size);
out:
    pthread_mutex_unlock(&shard->mutex);
    return result;
}

int mn_id_map_find(struct mn_id_map *map, uint8_t root, const struct mn_id *id,
                   struct mn_found *found_out)
{
    uint64_t hash = hash_of(root, id);
    struct shard *shard = shard_of(map, hash);

    pthread_mutex_lock(&shard->mutex);
    uint32_t at = find(shard, hash, root, id);
    if (at != NONE) {
        struct entry *entry = entry_at(shard, at);
        if (entry->uses < USES_MAX)
            entry->uses++;
        if (found_out != NULL) {
            found_out->handle = entry->handle;
            found_out->parent = entry->parent;
            found_out->name_size = entry->name_size;
            if (entry->name_size > 0)
                memcpy(found_out->name, mn_arena_get(&chunk_of(shard, at)->names, entry->name),
                       entry->name_size);
        }
    }
    pthread_mutex_unlock(&shard->mutex);
    return at == NONE;
}

void mn_id_map_moved(struct mn_id_map *map, uint8_t root, const struct mn_id *id,
                     const struct mn_id *parent, const char *name, uint16_t name_size)
{
    uint64_t hash = hash_of(root, id);
    struct shard *shard = shard_of(map, hash);

    pthread_mutex_lock(&shard->mutex);
    uint32_t at = find(shard, hash, root, id);
    if (at != NONE) {
        entry_at(shard, at)->parent = *parent;
        put_name(shard, at, name, name_size);
    }
    pthread_mutex_unlock(&shard->mutex);
}
