/* Dirty index: reading. Readers and the committer take turns (LMDB runs without its locks). */
#include <errno.h>

#include "journal/index_private.h"

static int walk(MDB_cursor *cursor, uint8_t *last, uint16_t *last_size,
                struct mn_index_entry *entries, uint32_t entry_count_max, uint32_t *count_out)
{
    MDB_val key = {*last_size, last};
    MDB_val value;
    uint32_t count = 0;

    int code = mdb_cursor_get(cursor, &key, &value, *last_size > 0 ? MDB_SET_RANGE : MDB_FIRST);
    /* The last one delivered stands there still, unless it was removed. */
    if (code == 0 && key.mv_size == *last_size && memcmp(key.mv_data, last, key.mv_size) == 0)
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    while (code == 0 && count < entry_count_max) {
        int result = mn_entry_decode(key.mv_data, key.mv_size, value.mv_data, value.mv_size,
                                     &entries[count]);
        if (result < 0)
            return result;
        count++;
        memcpy(last, key.mv_data, key.mv_size);
        *last_size = (uint16_t)key.mv_size;
        if (count < entry_count_max)
            code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    *count_out = count;
    return code == MDB_NOTFOUND ? 0 : mn_store_error(code);
}

/* As of now: asked while changes are mirrored, none is noted any more. */
static void see_ahead(struct mn_index *index, struct mn_index_entry *entries, uint32_t count)
{
    pthread_mutex_lock(&index->mutex);
    for (uint32_t i = 0; i < count; i++) {
        struct mn_key key;

        if (entries[i].kind != MN_PLACE_DATA)
            continue;
        mn_entry_key(&entries[i], &key);
        struct mn_key_hash hash = mn_known_hash(key.bytes, key.size);
        entries[i].ahead = mn_known_is_ahead(&index->known, &hash);
    }
    pthread_mutex_unlock(&index->mutex);
}

uint64_t mn_index_now(struct mn_index *index)
{
    pthread_mutex_lock(&index->mutex);
    uint64_t sequence = index->known.sequence;
    pthread_mutex_unlock(&index->mutex);
    return sequence;
}

int mn_index_next(struct mn_index *index, uint8_t *cursor, uint16_t *cursor_size,
                  struct mn_index_entry *entries, uint32_t entry_count_max, uint32_t *count_out)
{
    MDB_txn *txn;
    MDB_cursor *place;

    *count_out = 0;
    if (*cursor_size > MN_KEY_BYTES_MAX)
        return -EINVAL;
    /* Taken before reading: what is touched while we read counts as later. */
    uint64_t sequence = mn_index_now(index);

    pthread_mutex_lock(&index->store_mutex);
    int result = mn_store_error(mdb_txn_begin(index->store.env, NULL, MDB_RDONLY, &txn));
    if (result == 0) {
        result = mn_store_error(mdb_cursor_open(txn, index->store.dbi, &place));
        if (result == 0) {
            result = walk(place, cursor, cursor_size, entries, entry_count_max, count_out);
            mdb_cursor_close(place);
        }
        mdb_txn_abort(txn);
    }
    pthread_mutex_unlock(&index->store_mutex);
    for (uint32_t i = 0; i < *count_out; i++) {
        entries[i].noted = sequence;
        entries[i].region_count = 1;
    }
    see_ahead(index, entries, *count_out);
    return result;
}

static bool is_alike(const struct mn_index_entry *a, const struct mn_index_entry *b)
{
    return a->kind == MN_PLACE_DATA && b->kind == MN_PLACE_DATA && a->root == b->root &&
           memcmp(&a->id, &b->id, sizeof(a->id)) == 0 && a->ahead == b->ahead &&
           a->noted == b->noted && mn_handle_equal(&a->handle, &b->handle);
}

uint32_t mn_index_join_regions(struct mn_index_entry *entries, uint32_t count)
{
    uint32_t last = 0;

    for (uint32_t i = 1; i < count; i++)
        if (is_alike(&entries[last], &entries[i]) &&
            entries[last].region + entries[last].region_count == entries[i].region)
            entries[last].region_count++;
        else
            entries[++last] = entries[i];
    return count == 0 ? 0 : last + 1;
}

uint64_t mn_index_count(struct mn_index *index)
{
    MDB_txn *txn;
    uint64_t count = 0;

    pthread_mutex_lock(&index->store_mutex);
    if (mdb_txn_begin(index->store.env, NULL, MDB_RDONLY, &txn) == 0) {
        count = mn_store_count(&index->store, txn);
        mdb_txn_abort(txn);
    }
    pthread_mutex_unlock(&index->store_mutex);
    return count;
}

bool mn_index_has(struct mn_index *index, uint8_t root, const struct mn_id *id, uint8_t kind,
                  uint64_t region)
{
    struct mn_index_entry entry = {.kind = kind, .root = root, .id = *id, .region = region};
    struct mn_key keys[3];
    MDB_txn *txn;
    int has = 0;

    mn_entry_key(&entry, &keys[0]);
    mn_wide_key(root, id, mn_kind_wider(kind), &keys[1]);
    mn_wide_key(root, id, MN_PLACE_ALL, &keys[2]);
    pthread_mutex_lock(&index->store_mutex);
    int result = mn_store_error(mdb_txn_begin(index->store.env, NULL, MDB_RDONLY, &txn));
    if (result == 0) {
        for (int i = 0; i < 3 && has == 0; i++)
            has = mn_store_has(&index->store, txn, &keys[i]);
        mdb_txn_abort(txn);
    }
    pthread_mutex_unlock(&index->store_mutex);
    return result < 0 || has != 0;
}
