/* What becomes of a place that is to be noted: it is there, it is covered, it is stored, or, when
 * the bound is reached, the object, the directory or the root is marked as a whole. */
#include "journal/index_private.h"

#include <errno.h>

void mn_index_entry_of(const struct mn_ref *ref, const struct mn_place *place, uint64_t region,
                       struct mn_index_entry *entry_out)
{
    struct mn_index_entry *entry = entry_out;

    entry->kind = place->kind;
    entry->root = ref->root;
    entry->id = ref->id;
    entry->region = region;
    entry->name_size = place->kind == MN_PLACE_NAME ? place->name_size : 0;
    entry->parent = ref->parent;
    entry->hint_size = ref->name_size;
    entry->handle = ref->handle;
    entry->parent_handle = ref->parent_handle;
    entry->noted = 0;
    entry->ahead = false;
    if (entry->name_size > 0 && entry->name_size <= MN_NAME_BYTES_MAX)
        memcpy(entry->name, place->name, entry->name_size);
    if (entry->hint_size > 0 && entry->hint_size <= MN_NAME_BYTES_MAX)
        memcpy(entry->hint, ref->name, entry->hint_size);
}

/* The batch remembers nothing so far: none of its keys will be known for durable. That they were
 * touched must not be lost with them: one that was known ahead of a touch would count as
 * untouched, and one that somebody has read already might be removed. */
static void let_go(struct mn_index *index)
{
    pthread_mutex_lock(&index->mutex);
    for (uint32_t i = 0; i < index->batch_key_count; i++)
        if (!index->batch_ahead[i])
            mn_known_touch_any(&index->known, &index->batch_keys[i]);
    pthread_mutex_unlock(&index->mutex);
    index->batch_key_count = 0;
}

/* The key is durable when the batch is. Without room for one more all go: it must not say of a key
 * that it was noted ahead, and not that it was touched later. */
static void remember(struct mn_index *index, const struct mn_key *key, bool ahead)
{
    if (index->batch_key_count == MN_BATCH_KEYS_MAX)
        let_go(index);
    index->batch_ahead[index->batch_key_count] = ahead;
    index->batch_keys[index->batch_key_count++] = mn_known_hash(key->bytes, key->size);
}

/* A touch of a removed key must come here again, to be counted for the wider one. The batch may
 * have remembered it as well; rather than search for it, all that it remembers goes. */
static void forget(struct mn_index *index, const MDB_val *key)
{
    struct mn_key_hash hash = mn_known_hash(key->mv_data, key->mv_size);

    let_go(index);
    pthread_mutex_lock(&index->mutex);
    mn_known_forget(&index->known, &hash);
    pthread_mutex_unlock(&index->mutex);
}

/* Stores the entry if it is not there. MDB_KEYEXIST: it is, and *there_out shows it. */
static int insert(struct mn_index *index, MDB_txn *txn, const struct mn_key *key,
                  const struct mn_value *fresh, MDB_val *name_out, MDB_val *there_out)
{
    *name_out = (MDB_val){key->size, (void *)(uintptr_t)key->bytes};
    *there_out = (MDB_val){fresh->size, (void *)(uintptr_t)fresh->bytes};
    int code = mdb_put(txn, index->store.dbi, name_out, there_out, MDB_NOOVERWRITE);
    if (code == 0)
        index->batch_writes = true;
    return code;
}

/* Stores the entry. There already: left as it is, unless only this one knows a handle. */
static int store(struct mn_index *index, MDB_txn *txn, const struct mn_index_entry *entry,
                 const struct mn_key *key)
{
    struct mn_value fresh;
    struct mn_index_entry old = {0};
    MDB_val name, value;

    mn_entry_value(entry, key, &fresh);
    remember(index, key, false);
    int code = insert(index, txn, key, &fresh, &name, &value);
    if (code != MDB_KEYEXIST)
        return mn_store_error(code);
    int result = mn_entry_decode(name.mv_data, name.mv_size, value.mv_data, value.mv_size, &old);
    if (result < 0 || old.handle.size > 0 || entry->handle.size == 0)
        return result;
    name = (MDB_val){key->size, (void *)(uintptr_t)key->bytes};
    value = (MDB_val){fresh.size, fresh.bytes};
    index->batch_writes = true;
    return mn_store_error(mdb_put(txn, index->store.dbi, &name, &value, 0));
}

/* Removes all entries of one kind of one object. */
static int drop_kind(struct mn_index *index, MDB_txn *txn, const struct mn_index_entry *entry,
                     uint8_t kind)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    struct mn_key prefix;

    mn_wide_key(entry->root, &entry->id, kind, &prefix);
    int result = mn_store_error(mdb_cursor_open(txn, index->store.dbi, &cursor));
    if (result < 0)
        return result;
    while (result == 0) {
        key = (MDB_val){prefix.size, prefix.bytes};
        int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
        if (code == MDB_NOTFOUND ||
            (code == 0 &&
             (key.mv_size < prefix.size || memcmp(key.mv_data, prefix.bytes, prefix.size) != 0)))
            break;
        if (code == 0) {
            forget(index, &key);
            index->batch_writes = true;
            code = mdb_cursor_del(cursor, 0);
        }
        result = mn_store_error(code);
    }
    mdb_cursor_close(cursor);
    return result;
}

static int put_wide(struct mn_index *index, MDB_txn *txn, const struct mn_index_entry *entry,
                    uint8_t kind)
{
    struct mn_index_entry wide = *entry;
    struct mn_key key;

    wide.kind = kind;
    wide.name_size = 0;
    wide.region = 0;
    if (kind == MN_PLACE_ALL)
        memset(&wide.id, 0, sizeof(wide.id));
    mn_entry_key(&wide, &key);
    int result = store(index, txn, &wide, &key);
    if (result == 0 && kind == MN_PLACE_WHOLE)
        result = drop_kind(index, txn, entry, MN_PLACE_DATA);
    if (result == 0 && kind == MN_PLACE_WHOLE)
        result = drop_kind(index, txn, entry, MN_PLACE_ATTRIBUTES);
    if (result == 0 && kind == MN_PLACE_DIRECTORY)
        result = drop_kind(index, txn, entry, MN_PLACE_NAME);
    return result;
}

/* Is it, or what covers it, there? 1, 0 or -errno. */
static int present(struct mn_index *index, MDB_txn *txn, const struct mn_index_entry *entry)
{
    uint8_t kinds[2] = {MN_PLACE_ALL, mn_kind_wider(entry->kind)};
    struct mn_key key;
    int result = 0;

    /* Reintegration puts SUBTREE in the place of ALL, beneath which no name is noted any more. */
    if (entry->kind == MN_PLACE_SUBTREE)
        return 0;
    for (int i = 0; i < 2 && result == 0; i++) {
        mn_wide_key(entry->root, &entry->id, kinds[i], &key);
        result = mn_store_has(&index->store, txn, &key);
        if (result == 1)
            remember(index, &key, false);
    }
    return result;
}

int mn_index_put(struct mn_index *index, MDB_txn *txn, const struct mn_index_entry *entry,
                 enum mn_fill forced)
{
    struct mn_key key;

    int result = mn_entry_check(entry);
    if (result < 0)
        return result;
    result = present(index, txn, entry);
    if (result != 0)
        return result < 0 ? result : 0;
    mn_entry_key(entry, &key);
    result = mn_store_has(&index->store, txn, &key);
    if (result < 0)
        return result;
    enum mn_fill fill = mn_store_fill(&index->store, txn);
    if (forced > fill)
        fill = forced;
    if (result == 1 || fill == MN_FILL_NORMAL || entry->kind == MN_PLACE_ALL ||
        entry->kind == MN_PLACE_SUBTREE)
        return mn_kind_wider(entry->kind) == entry->kind ? put_wide(index, txn, entry, entry->kind)
                                                         : store(index, txn, entry, &key);
    if (fill == MN_FILL_ALL)
        return put_wide(index, txn, entry, MN_PLACE_ALL);
    return put_wide(index, txn, entry, mn_kind_wider(entry->kind));
}

int mn_index_put_ahead(struct mn_index *index, MDB_txn *txn, const struct mn_index_entry *entry,
                       enum mn_fill forced)
{
    struct mn_value fresh;
    struct mn_key key;
    MDB_val name, value;

    if (forced != MN_FILL_NORMAL || mn_store_fill(&index->store, txn) != MN_FILL_NORMAL)
        return 0;
    int result = present(index, txn, entry);
    if (result != 0)
        return result < 0 ? result : 0;
    mn_entry_key(entry, &key);
    mn_entry_value(entry, &key, &fresh);
    int code = insert(index, txn, &key, &fresh, &name, &value);
    if (code == 0)
        remember(index, &key, true);
    return code == MDB_KEYEXIST ? 0 : mn_store_error(code);
}
