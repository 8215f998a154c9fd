/* The committer: one thread that turns what has gathered in the queue into one transaction, so
 * that many callers share the cost of one wait for the disk. */
#include "journal/index_private.h"

#include <errno.h>

#include "util/prompt.h"

struct absorbing {
    struct mn_index *index;
    MDB_txn *txn;
    enum mn_fill forced;
    struct mn_index_entry entry;
};

static int absorb_place(void *context, const struct mn_ref *ref, const struct mn_place *place)
{
    struct absorbing *absorbing = context;

    mn_index_entry_of(ref, place, place->region_first, &absorbing->entry);
    return mn_index_put(absorbing->index, absorbing->txn, &absorbing->entry, absorbing->forced);
}

/* What surrounds the place that was noted. */
static int put_ahead(struct mn_index *index, MDB_txn *txn, const struct mn_request *request,
                     enum mn_fill forced, struct mn_index_entry *entry)
{
    const struct mn_place *place = request->place;
    const struct mn_place *ahead = request->ahead;
    int result = 0;

    for (entry->region = ahead->region_first; entry->region <= ahead->region_last && result == 0;
         entry->region++)
        if (entry->region < place->region_first || entry->region > place->region_last)
            result = mn_index_put_ahead(index, txn, entry, forced);
    return result;
}

static int put_note(struct mn_index *index, MDB_txn *txn, const struct mn_request *request,
                    enum mn_fill forced)
{
    const struct mn_place *place = request->place;
    struct mn_index_entry entry = {0};
    uint64_t count = 1;
    int result = 0;

    mn_index_entry_of(request->ref, place, place->region_first, &entry);
    if (place->kind == MN_PLACE_DATA) {
        count = place->region_last - place->region_first + 1;
        if (count == 0 || count > MN_NOTE_REGIONS_MAX) {
            entry.kind = MN_PLACE_WHOLE;
            count = 1;
        }
    }
    for (uint64_t i = 0; i < count && result == 0; i++) {
        entry.region = place->kind == MN_PLACE_DATA ? place->region_first + i : 0;
        result = mn_index_put(index, txn, &entry, forced);
    }
    if (result == 0 && request->ahead != NULL && entry.kind == MN_PLACE_DATA)
        result = put_ahead(index, txn, request, forced, &entry);
    return result;
}

static uint32_t region_count(const struct mn_index_entry *entry)
{
    return entry->kind == MN_PLACE_DATA && entry->region_count > 1 ? entry->region_count : 1;
}

static int put_regions(struct mn_index *index, MDB_txn *txn, const struct mn_index_entry *entry,
                       enum mn_fill forced)
{
    struct mn_index_entry each = *entry;
    int result = 0;

    for (uint32_t left = region_count(entry); left > 0 && result == 0; left--) {
        result = mn_index_put(index, txn, &each, forced);
        each.region++;
    }
    return result;
}

static int put_request(struct mn_index *index, MDB_txn *txn, const struct mn_request *request,
                       enum mn_fill forced)
{
    struct absorbing absorbing = {.index = index, .txn = txn, .forced = forced};
    int result = 0;

    switch (request->kind) {
    case MN_REQUEST_NOTE: return put_note(index, txn, request, forced);
    case MN_REQUEST_ABSORB: return mn_recent_visit(request->recent, absorb_place, &absorbing);
    case MN_REQUEST_MERGE:
        for (uint32_t i = 0; i < request->entry_count && result == 0; i++)
            result = put_regions(index, txn, &request->entries[i], forced);
        return result;
    default: return -EINVAL;
    }
}

/* What was only found needs no write, hence no wait for the disk. */
static int end_batch(struct mn_index *index, MDB_txn *txn, int result)
{
    if (result == 0 && index->batch_writes)
        return mn_store_error(mdb_txn_commit(txn));
    mdb_txn_abort(txn);
    return result;
}

static int put_batch(struct mn_index *index, const struct mn_request *first, enum mn_fill forced)
{
    MDB_txn *txn;

    index->batch_key_count = 0;
    index->batch_writes = false;
    int result = mn_store_error(mdb_txn_begin(index->store.env, NULL, 0, &txn));
    if (result < 0)
        return result;
    for (const struct mn_request *request = first; request != NULL && result == 0;
         request = request->next)
        result = put_request(index, txn, request, forced);
    return end_batch(index, txn, result);
}

static int note_batch(struct mn_index *index, const struct mn_request *first)
{
    int result = put_batch(index, first, MN_FILL_NORMAL);

    /* The map is full all the same (a batch needs new pages for all it touches): one mark for the
     * root is small and says everything. */
    if (result == -ENOSPC)
        result = put_batch(index, first, MN_FILL_ALL);
    if (result < 0)
        return result;
    pthread_mutex_lock(&index->mutex);
    for (uint32_t i = 0; i < index->batch_key_count; i++)
        if (index->batch_ahead[i])
            mn_known_add_ahead(&index->known, &index->batch_keys[i]);
        else
            mn_known_add(&index->known, &index->batch_keys[i]);
    pthread_mutex_unlock(&index->mutex);
    return 0;
}

/* true: not touched since it was read; from now on a touch comes through the queue, behind us. */
static bool may_remove(struct mn_index *index, const struct mn_index_entry *entry,
                       const struct mn_key *key)
{
    struct mn_key_hash hash = mn_known_hash(key->bytes, key->size);

    pthread_mutex_lock(&index->mutex);
    bool untouched = mn_known_untouched_since(&index->known, &hash, entry->noted);
    if (untouched)
        mn_known_forget(&index->known, &hash);
    pthread_mutex_unlock(&index->mutex);
    return untouched;
}

static int remove_one(struct mn_index *index, MDB_txn *txn, const struct mn_index_entry *entry)
{
    struct mn_key key;

    mn_entry_key(entry, &key);
    if (!may_remove(index, entry, &key))
        return 0;
    MDB_val name = {key.size, key.bytes};
    int code = mdb_del(txn, index->store.dbi, &name, NULL);
    index->batch_writes = index->batch_writes || code == 0;
    return code == MDB_NOTFOUND ? 0 : mn_store_error(code);
}

/* From entry *at and its region *region on, at most so many keys. */
static int remove_chunk(struct mn_index *index, const struct mn_request *request, uint32_t key_max,
                        uint32_t *at, uint32_t *region)
{
    MDB_txn *txn;

    index->batch_writes = false;
    int result = mn_store_error(mdb_txn_begin(index->store.env, NULL, 0, &txn));
    if (result < 0)
        return result;
    for (uint32_t i = 0; i < key_max && *at < request->entry_count && result == 0; i++) {
        struct mn_index_entry each = request->entries[*at];

        result = mn_entry_check(&each);
        if (result < 0)
            break;
        each.region += *region;
        result = remove_one(index, txn, &each);
        if (++*region >= region_count(&each)) {
            *region = 0;
            ++*at;
        }
    }
    return end_batch(index, txn, result);
}

static int remove_all(struct mn_index *index, const struct mn_request *request)
{
    uint32_t key_max = MN_REMOVE_KEYS_MAX;
    uint32_t at = 0;
    uint32_t region = 0;
    int result = 0;

    while (at < request->entry_count && result == 0) {
        uint32_t at_first = at;
        uint32_t region_first = region;

        result = remove_chunk(index, request, key_max, &at, &region);
        /* A nearly full map is emptied in small pieces: each frees pages for the next. */
        if (result == -ENOSPC && key_max > MN_REMOVE_KEYS_MIN) {
            key_max = MN_REMOVE_KEYS_MIN;
            at = at_first;
            region = region_first;
            result = 0;
        }
    }
    return result;
}

static int clear(struct mn_index *index)
{
    MDB_txn *txn;

    pthread_mutex_lock(&index->mutex);
    mn_known_clear(&index->known);
    pthread_mutex_unlock(&index->mutex);
    int result = mn_store_error(mdb_txn_begin(index->store.env, NULL, 0, &txn));
    if (result < 0)
        return result;
    index->batch_writes = true;
    return end_batch(index, txn, mn_store_error(mdb_drop(txn, index->store.dbi, 0)));
}

static bool is_exclusive(const struct mn_request *request)
{
    return request->kind == MN_REQUEST_REMOVE || request->kind == MN_REQUEST_CLEAR;
}

/* The mutex is held and the queue not empty. Returns a list that belongs to one transaction. */
static struct mn_request *take_batch(struct mn_index *index)
{
    struct mn_request *first = index->first;
    struct mn_request *last = first;

    while (!is_exclusive(first) && last->next != NULL && !is_exclusive(last->next))
        last = last->next;
    index->first = last->next;
    if (index->first == NULL)
        index->last = NULL;
    last->next = NULL;
    return first;
}

static int perform(struct mn_index *index, const struct mn_request *batch)
{
    int result = index->failed;

    if (result < 0)
        return result;
    pthread_mutex_lock(&index->store_mutex);
    switch (batch->kind) {
    case MN_REQUEST_REMOVE: result = remove_all(index, batch); break;
    case MN_REQUEST_CLEAR: result = clear(index); break;
    default: result = note_batch(index, batch); break;
    }
    pthread_mutex_unlock(&index->store_mutex);
    if (result < 0 && result != -ENOSPC && result != -EINVAL)
        index->failed = result;
    return result;
}

void *mn_index_committer(void *argument)
{
    struct mn_index *index = argument;

    mn_thread_be_prompt(); /* the first change of a place waits for it, alone */
    pthread_mutex_lock(&index->mutex);
    for (;;) {
        while (index->first == NULL && !index->stop)
            pthread_cond_wait(&index->asked, &index->mutex);
        if (index->first == NULL)
            break;
        struct mn_request *batch = take_batch(index);
        pthread_mutex_unlock(&index->mutex);
        int result = perform(index, batch);
        pthread_mutex_lock(&index->mutex);
        while (batch != NULL) {
            /* The request is gone from its caller's stack once the mutex is free. */
            struct mn_request *next = batch->next;
            batch->result = result;
            batch->done = true;
            batch = next;
        }
        pthread_cond_broadcast(&index->done);
    }
    pthread_mutex_unlock(&index->mutex);
    return NULL;
}
