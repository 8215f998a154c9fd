/* The dirty index's file: LMDB, one process, preallocated. Translates its errors; knows no rule of
 * what may be noted or removed. Private to journal/. */
#ifndef MN_JOURNAL_INDEX_STORE_H
#define MN_JOURNAL_INDEX_STORE_H

#include <lmdb.h>
#include <stdint.h>

#include "journal/index_record.h"

/* How full it is decides what is noted. */
enum mn_fill {
    MN_FILL_NORMAL,
    MN_FILL_WIDE, /* objects and directories as a whole only */
    MN_FILL_ALL,  /* no new object: the root as a whole */
};

struct mn_store {
    MDB_env *env;
    MDB_dbi dbi;
    int directory_fd; /* locked by flock: one process has the store open */
    uint64_t page_count_max;
    uint32_t entry_count_max;
};

int mn_store_open(const char *directory, uint64_t map_bytes, uint32_t entry_count_max,
                  struct mn_store *store_out);
void mn_store_close(struct mn_store *store);
/* LMDB's code as 0, -errno or -EUCLEAN. */
int mn_store_error(int code);
enum mn_fill mn_store_fill(const struct mn_store *store, MDB_txn *txn);
uint64_t mn_store_count(const struct mn_store *store, MDB_txn *txn);
/* 1 when there, 0 when not, or -errno. */
int mn_store_has(const struct mn_store *store, MDB_txn *txn, const struct mn_key *key);

#endif
