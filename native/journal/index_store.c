/* The dirty index's file: open, lock, preallocate, check. */
#include "journal/index_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The name is the disk format's version: another one is not read as this one. */
#define PLACES_NAME "places-1"

enum { MAP_BYTES_MIN = 1 << 20, WARM_BYTES = 8 << 20 };

int mn_store_error(int code)
{
    switch (code) {
    case 0: return 0;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL: return -ENOSPC;
    case MDB_CORRUPTED:
    case MDB_INVALID:
    case MDB_PAGE_NOTFOUND:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
    case MDB_NOTFOUND: return -EUCLEAN;
    default: return code > 0 ? -code : -EIO;
    }
}

static int sync_parent(int directory_fd)
{
    int fd = openat(directory_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int result = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return result;
}

/* Returns a descriptor that holds the lock, or -errno. */
static int open_directory(const char *directory)
{
    if (mkdir(directory, 0700) < 0 && errno != EEXIST)
        return -errno;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int result = sync_parent(fd);
    /* The lock goes with the process, however it ends; LMDB's own lock file would outlive it. */
    if (result == 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
        result = errno == EWOULDBLOCK ? -EBUSY : -errno;
    if (result < 0) {
        close(fd);
        return result;
    }
    return fd;
}

/* What the disk cannot give is found here: through the map it would kill the process. */
static int read_through(int fd, uint64_t end)
{
    uint8_t bytes[65536];

    for (uint64_t at = 0; at < end;) {
        size_t size = end - at < sizeof(bytes) ? (size_t)(end - at) : sizeof(bytes);
        ssize_t done = pread(fd, bytes, size, (off_t)at);
        if (done < 0 && errno != EINTR)
            return -errno;
        if (done == 0)
            return -EUCLEAN;
        at += done < 0 ? 0 : (uint64_t)done;
    }
    return 0;
}

/* So would what is beyond the end of a file that was cut short. */
static int check_file(struct mn_store *store)
{
    MDB_envinfo info = {0};
    MDB_stat stat = {0};
    struct stat status;
    mdb_filehandle_t fd;

    int result = mn_store_error(mdb_env_get_fd(store->env, &fd));
    if (result == 0)
        result = mn_store_error(mdb_env_info(store->env, &info));
    if (result == 0)
        result = mn_store_error(mdb_env_stat(store->env, &stat));
    if (result < 0)
        return result;
    if (stat.ms_psize == 0)
        return -EUCLEAN;
    if (fstat(fd, &status) < 0)
        return -errno;
    uint64_t needed = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
    store->page_count_max = info.me_mapsize / stat.ms_psize;
    return (uint64_t)status.st_size < needed ? -EUCLEAN : read_through(fd, needed);
}

/* Blocks that were only reserved are entered into the file system's journal at their first write,
 * and that commit waits for whatever else is dirty on the disk: seconds under load. Written once
 * before, they are not. LMDB uses freed pages again, so the first ones are what most notes cost.
 */
static int write_once(struct mn_store *store, int fd, uint64_t map_bytes)
{
    static const uint8_t zeros[65536];
    MDB_envinfo info;
    MDB_stat stat;

    int result = mn_store_error(mdb_env_info(store->env, &info));
    if (result == 0)
        result = mn_store_error(mdb_env_stat(store->env, &stat));
    if (result < 0)
        return result;
    uint64_t end = map_bytes < WARM_BYTES ? map_bytes : WARM_BYTES;
    for (uint64_t at = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize; at < end;) {
        size_t size = end - at < sizeof(zeros) ? (size_t)(end - at) : sizeof(zeros);
        ssize_t done = pwrite(fd, zeros, size, (off_t)at);
        if (done < 0)
            return -errno;
        at += (uint64_t)done;
    }
    return 0;
}

static int preallocate(struct mn_store *store, uint64_t map_bytes)
{
    mdb_filehandle_t fd;

    int result = mn_store_error(mdb_env_get_fd(store->env, &fd));
    if (result < 0)
        return result;
    if (fallocate(fd, 0, 0, (off_t)map_bytes) < 0)
        return -errno;
    result = write_once(store, fd, map_bytes);
    if (result < 0)
        return result;
    return fsync(fd) < 0 || fsync(store->directory_fd) < 0 ? -errno : 0;
}

static int open_places(struct mn_store *store)
{
    MDB_txn *txn;
    MDB_stat main_stat;

    int result = mn_store_error(mdb_txn_begin(store->env, NULL, 0, &txn));
    if (result < 0)
        return result;
    result = mn_store_error(mdb_env_stat(store->env, &main_stat));
    if (result == 0) {
        unsigned int flags = main_stat.ms_entries == 0 ? MDB_CREATE : 0;
        result = mn_store_error(mdb_dbi_open(txn, PLACES_NAME, flags, &store->dbi));
    }
    if (result < 0) {
        mdb_txn_abort(txn);
        return result;
    }
    return mn_store_error(mdb_txn_commit(txn));
}

static int check_entries(struct mn_store *store)
{
    MDB_txn *txn;
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    struct mn_index_entry entry = {0};
    MDB_cursor_op next = MDB_FIRST;

    int result = mn_store_error(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn));
    if (result < 0)
        return result;
    result = mn_store_error(mdb_cursor_open(txn, store->dbi, &cursor));
    while (result == 0) {
        int code = mdb_cursor_get(cursor, &key, &value, next);
        if (code == MDB_NOTFOUND)
            break;
        next = MDB_NEXT;
        result = mn_store_error(code);
        if (result == 0)
            result =
                mn_entry_decode(key.mv_data, key.mv_size, value.mv_data, value.mv_size, &entry);
    }
    if (cursor != NULL)
        mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return result;
}

static int open_env(struct mn_store *store, const char *directory, uint64_t map_bytes)
{
    /* One process, one writer, and readers only between its transactions (index.c): LMDB's locks
     * and its table of readers in shared memory are not needed. */
    unsigned int flags = MDB_NOTLS | MDB_NOLOCK | MDB_NORDAHEAD;

    int result = mn_store_error(mdb_env_create(&store->env));
    if (result == 0)
        result = mn_store_error(mdb_env_set_mapsize(store->env, map_bytes));
    if (result == 0)
        result = mn_store_error(mdb_env_set_maxdbs(store->env, 1));
    if (result == 0)
        result = mn_store_error(mdb_env_open(store->env, directory, flags, 0600));
    if (result == 0)
        result = check_file(store);
    if (result == 0)
        result = preallocate(store, map_bytes);
    if (result == 0)
        result = open_places(store);
    if (result == 0)
        result = check_entries(store);
    return result;
}

int mn_store_open(const char *directory, uint64_t map_bytes, uint32_t entry_count_max,
                  struct mn_store *store_out)
{
    struct mn_store store = {.directory_fd = -1, .entry_count_max = entry_count_max};
    struct stat status;

    if (map_bytes < MAP_BYTES_MIN || entry_count_max == 0)
        return -EINVAL;
    int result = 0;
    store.directory_fd = open_directory(directory);
    if (store.directory_fd < 0)
        return store.directory_fd;
    /* An empty file is a first open that was cut off; LMDB makes it new. Of any other it reads the
     * first two pages through the map. */
    if (fstatat(store.directory_fd, "data.mdb", &status, 0) == 0 && status.st_size > 0 &&
        status.st_size < 2 * sysconf(_SC_PAGESIZE))
        result = -EUCLEAN;
    if (result == 0)
        result = open_env(&store, directory, map_bytes);
    if (result < 0)
        mn_store_close(&store);
    else
        *store_out = store;
    return result;
}

void mn_store_close(struct mn_store *store)
{
    if (store->env != NULL)
        mdb_env_close(store->env);
    if (store->directory_fd >= 0)
        close(store->directory_fd);
}

enum mn_fill mn_store_fill(const struct mn_store *store, MDB_txn *txn)
{
    MDB_stat stat;

    if (mdb_stat(txn, store->dbi, &stat) != 0)
        return MN_FILL_NORMAL;
    /* A change writes the path to it anew before the old pages are free: from three quarters on,
     * there must stay room for that. */
    uint64_t pages = (uint64_t)stat.ms_branch_pages + stat.ms_leaf_pages;
    uint64_t count_reserve = store->entry_count_max / 8;
    if (stat.ms_entries >= store->entry_count_max + count_reserve ||
        pages >= store->page_count_max / 16 * 13)
        return MN_FILL_ALL;
    if (stat.ms_entries >= store->entry_count_max || pages >= store->page_count_max / 4 * 3)
        return MN_FILL_WIDE;
    return MN_FILL_NORMAL;
}

uint64_t mn_store_count(const struct mn_store *store, MDB_txn *txn)
{
    MDB_stat stat;

    return mdb_stat(txn, store->dbi, &stat) == 0 ? stat.ms_entries : 0;
}

int mn_store_has(const struct mn_store *store, MDB_txn *txn, const struct mn_key *key)
{
    MDB_val name = {key->size, (void *)(uintptr_t)key->bytes};
    MDB_val value;

    int code = mdb_get(txn, store->dbi, &name, &value);
    if (code == MDB_NOTFOUND)
        return 0;
    return code == 0 ? 1 : mn_store_error(code);
}
