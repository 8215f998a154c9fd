/* Dirty index: the doors. A touch that is known ends here; everything else asks the committer. */
#include "journal/index.h"

#include <errno.h>
#include <stdlib.h>

#include "journal/index_private.h"

int mn_index_open(const char *directory, uint64_t map_bytes, uint32_t entry_count_max,
                  struct mn_index **index_out)
{
    struct mn_index *index = calloc(1, sizeof(*index));

    if (index == NULL)
        return -ENOMEM;
    int result = mn_store_open(directory, map_bytes, entry_count_max, &index->store);
    if (result < 0)
        goto free_index;
    result = mn_known_init(&index->known);
    if (result < 0)
        goto close_store;
    pthread_mutex_init(&index->mutex, NULL);
    pthread_mutex_init(&index->store_mutex, NULL);
    pthread_cond_init(&index->asked, NULL);
    pthread_cond_init(&index->done, NULL);
    result = -pthread_create(&index->committer, NULL, mn_index_committer, index);
    if (result < 0)
        goto deinit_known;
    *index_out = index;
    return 0;
deinit_known:
    mn_known_deinit(&index->known);
close_store:
    mn_store_close(&index->store);
free_index:
    free(index);
    return result;
}

void mn_index_close(struct mn_index *index)
{
    if (index == NULL)
        return;
    pthread_mutex_lock(&index->mutex);
    index->stop = true;
    pthread_cond_signal(&index->asked);
    pthread_mutex_unlock(&index->mutex);
    pthread_join(index->committer, NULL);
    pthread_cond_destroy(&index->done);
    pthread_cond_destroy(&index->asked);
    pthread_mutex_destroy(&index->store_mutex);
    pthread_mutex_destroy(&index->mutex);
    mn_known_deinit(&index->known);
    mn_store_close(&index->store);
    free(index);
}

static int ask(struct mn_index *index, struct mn_request *request)
{
    pthread_mutex_lock(&index->mutex);
    if (index->last != NULL)
        index->last->next = request;
    else
        index->first = request;
    index->last = request;
    pthread_cond_signal(&index->asked);
    while (!request->done)
        pthread_cond_wait(&index->done, &index->mutex);
    pthread_mutex_unlock(&index->mutex);
    return request->result;
}

static struct mn_key_hash hash_of(const struct mn_key *key)
{
    return mn_known_hash(key->bytes, key->size);
}

/* The mutex is held. The key, or one that covers it, is durable, and touched now. */
static bool touch_one(struct mn_index *index, const struct mn_index_entry *entry)
{
    struct mn_key key;
    struct mn_key_hash hash;
    uint8_t kinds[2] = {mn_kind_wider(entry->kind), MN_PLACE_ALL};

    mn_entry_key(entry, &key);
    hash = hash_of(&key);
    if (mn_known_touch(&index->known, &hash))
        return true;
    for (int i = 0; i < 2; i++) {
        mn_wide_key(entry->root, &entry->id, kinds[i], &key);
        hash = hash_of(&key);
        if (mn_known_touch(&index->known, &hash))
            return true;
    }
    return false;
}

bool mn_index_touch(struct mn_index *index, const struct mn_ref *ref, const struct mn_place *place)
{
    struct mn_index_entry entry;
    uint64_t count = 1;
    bool known = true;

    mn_index_entry_of(ref, place, place->region_first, &entry);
    if (mn_entry_check(&entry) < 0)
        return false;
    if (place->kind == MN_PLACE_DATA)
        count = place->region_last - place->region_first + 1;
    if (count == 0 || count > MN_NOTE_REGIONS_MAX) {
        entry.kind = MN_PLACE_WHOLE;
        count = 1;
    }
    pthread_mutex_lock(&index->mutex);
    for (uint64_t i = 0; i < count && known; i++) {
        known = touch_one(index, &entry);
        entry.region++;
    }
    pthread_mutex_unlock(&index->mutex);
    return known;
}

int mn_index_note(struct mn_index *index, const struct mn_ref *object,
                  const struct mn_place *place, const struct mn_place *ahead)
{
    struct mn_request request = {
        .kind = MN_REQUEST_NOTE, .ref = object, .place = place, .ahead = ahead};

    return mn_index_touch(index, object, place) ? 0 : ask(index, &request);
}

int mn_index_merge(struct mn_index *index, const struct mn_index_entry *entries,
                   uint32_t entry_count)
{
    struct mn_request request = {
        .kind = MN_REQUEST_MERGE, .entries = entries, .entry_count = entry_count};

    return ask(index, &request);
}

int mn_index_absorb(struct mn_index *index, struct mn_recent *recent)
{
    struct mn_request request = {.kind = MN_REQUEST_ABSORB, .recent = recent};

    return ask(index, &request);
}

int mn_index_remove(struct mn_index *index, const struct mn_index_entry *entries,
                    uint32_t entry_count)
{
    struct mn_request request = {
        .kind = MN_REQUEST_REMOVE, .entries = entries, .entry_count = entry_count};

    return ask(index, &request);
}

int mn_index_clear(struct mn_index *index)
{
    struct mn_request request = {.kind = MN_REQUEST_CLEAR};

    return ask(index, &request);
}
