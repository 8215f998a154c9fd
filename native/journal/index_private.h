/* The dirty index inside: who waits for what. Private to journal/index*.c.
 *
 * A caller whose place is not known to be durable puts a request into the queue and sleeps; the
 * committer takes what has gathered, makes one transaction of it, and wakes them. Only the
 * committer writes, hence the order of the queue is the order of the store. */
#ifndef MN_JOURNAL_INDEX_PRIVATE_H
#define MN_JOURNAL_INDEX_PRIVATE_H

#include <pthread.h>

#include "journal/index.h"
#include "journal/index_known.h"
#include "journal/index_store.h"

enum mn_request_kind {
    MN_REQUEST_NOTE,
    MN_REQUEST_MERGE,
    MN_REQUEST_ABSORB,
    MN_REQUEST_REMOVE, /* alone in its transaction: what was noted before it must be known first */
    MN_REQUEST_CLEAR,  /* likewise */
};

/* On the stack of the caller, who waits. */
struct mn_request {
    enum mn_request_kind kind;
    const struct mn_ref *ref;             /* NOTE */
    const struct mn_place *place;         /* NOTE */
    const struct mn_place *ahead;         /* NOTE, or NULL */
    const struct mn_index_entry *entries; /* MERGE, REMOVE */
    uint32_t entry_count;
    struct mn_recent *recent; /* ABSORB */
    int result;
    bool done; /* guarded by the index's mutex, as is next */
    struct mn_request *next;
};

enum {
    /* Larger ranges are noted as the whole object, as in the recent set. */
    MN_NOTE_REGIONS_MAX = 256,
    /* Keys that a batch remembers; what is beyond is found in the store when touched again. */
    MN_BATCH_KEYS_MAX = 8192,
    /* Keys removed in one commit; a map that is nearly full has no room for that. */
    MN_REMOVE_KEYS_MAX = 8192,
    MN_REMOVE_KEYS_MIN = 256,
};

struct mn_index {
    pthread_mutex_t mutex;
    pthread_cond_t asked; /* the queue is not empty, or stop */
    pthread_cond_t done;  /* some requests are */
    /* Guarded by mutex. */
    struct mn_request *first;
    struct mn_request *last;
    struct mn_known known;
    bool stop;

    pthread_mutex_t store_mutex; /* held by the committer in a transaction, by readers in theirs */
    struct mn_store store;       /* guarded by store_mutex */

    /* The committer's own. */
    pthread_t committer;
    int failed; /* the first error of the disk, answered for ever: it is never retried into success
                 */
    struct mn_key_hash batch_keys[MN_BATCH_KEYS_MAX];
    bool batch_ahead[MN_BATCH_KEYS_MAX]; /* of the keys */
    uint32_t batch_key_count;
    bool batch_writes;
};

void *mn_index_committer(void *index);
/* index_put.c: within the committer's transaction. `fill` as found or forced. */
int mn_index_put(struct mn_index *index, MDB_txn *txn, const struct mn_index_entry *entry,
                 enum mn_fill forced);
/* As put, ahead of a touch: only where there is room, and nothing covers it. */
int mn_index_put_ahead(struct mn_index *index, MDB_txn *txn, const struct mn_index_entry *entry,
                       enum mn_fill forced);
void mn_index_entry_of(const struct mn_ref *ref, const struct mn_place *place, uint64_t region,
                       struct mn_index_entry *entry_out);

#endif
