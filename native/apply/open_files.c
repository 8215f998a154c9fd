/* Open descriptors: a small table, searched by hash, aged by a list. */
#include "apply/open_files.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "hash/hash.h"

enum { FILES_MAX = 512, BUCKETS = 1024, NONE = FILES_MAX };

struct slot {
    struct mn_id id;
    int root;
    int fd; /* -1: free */
    uint32_t holders;
    uint32_t next;         /* in its bucket */
    uint32_t older, newer; /* by use */
    int dropped;           /* in no bucket: closed by the last holder */
};

struct mn_open_files {
    pthread_mutex_t mutex;
    /* Guarded by mutex. */
    struct slot slots[FILES_MAX];
    uint32_t buckets[BUCKETS];
    uint32_t oldest, newest;
};

static uint32_t *bucket_of(struct mn_open_files *files, int root, const struct mn_id *id)
{
    uint64_t hash = mn_hash_64(id->bytes, MN_ID_BYTES) + (uint64_t)root;

    return &files->buckets[hash % BUCKETS];
}

static void unlink_age(struct mn_open_files *files, uint32_t at)
{
    struct slot *slot = &files->slots[at];

    if (slot->older != NONE)
        files->slots[slot->older].newer = slot->newer;
    else
        files->oldest = slot->newer;
    if (slot->newer != NONE)
        files->slots[slot->newer].older = slot->older;
    else
        files->newest = slot->older;
}

static void append_age(struct mn_open_files *files, uint32_t at)
{
    struct slot *slot = &files->slots[at];

    slot->older = files->newest;
    slot->newer = NONE;
    if (files->newest != NONE)
        files->slots[files->newest].newer = at;
    else
        files->oldest = at;
    files->newest = at;
}

/* Frees the slots; whoever calls closes the descriptors. */
static void reset(struct mn_open_files *files)
{
    files->oldest = NONE;
    files->newest = NONE;
    for (uint32_t i = 0; i < BUCKETS; i++)
        files->buckets[i] = NONE;
    for (uint32_t at = 0; at < FILES_MAX; at++) {
        files->slots[at] = (struct slot){.fd = -1};
        append_age(files, at);
    }
}

int mn_open_files_create(struct mn_open_files **files_out)
{
    struct mn_open_files *files = calloc(1, sizeof(*files));

    if (files == NULL)
        return -ENOMEM;
    pthread_mutex_init(&files->mutex, NULL);
    reset(files);
    *files_out = files;
    return 0;
}

void mn_open_files_clear(struct mn_open_files *files)
{
    pthread_mutex_lock(&files->mutex);
    for (uint32_t at = 0; at < FILES_MAX; at++)
        if (files->slots[at].fd >= 0)
            close(files->slots[at].fd);
    reset(files);
    pthread_mutex_unlock(&files->mutex);
}

void mn_open_files_destroy(struct mn_open_files *files)
{
    if (files == NULL)
        return;
    mn_open_files_clear(files);
    pthread_mutex_destroy(&files->mutex);
    free(files);
}

static uint32_t find(struct mn_open_files *files, int root, const struct mn_id *id)
{
    uint32_t at = *bucket_of(files, root, id);

    while (at != NONE && (files->slots[at].root != root || !mn_id_equal(&files->slots[at].id, id)))
        at = files->slots[at].next;
    return at;
}

static void unlink_bucket(struct mn_open_files *files, uint32_t at)
{
    uint32_t *link = bucket_of(files, files->slots[at].root, &files->slots[at].id);

    while (*link != at)
        link = &files->slots[*link].next;
    *link = files->slots[at].next;
}

/* The least recently used slot that nobody holds, free now; NONE: all are held. */
static uint32_t take_slot(struct mn_open_files *files, int *close_fd_out)
{
    uint32_t at = files->oldest;

    while (at != NONE && files->slots[at].holders > 0)
        at = files->slots[at].newer;
    if (at == NONE)
        return NONE;
    *close_fd_out = files->slots[at].fd;
    if (files->slots[at].fd >= 0)
        unlink_bucket(files, at);
    files->slots[at].fd = -1;
    return at;
}

/* Returns the slot, or NONE: another one has it open, or all are held; fd is then not taken. */
static uint32_t insert(struct mn_open_files *files, int root, const struct mn_id *id, int fd,
                       int *close_fd_out)
{
    uint32_t at = find(files, root, id) == NONE ? take_slot(files, close_fd_out) : NONE;

    if (at == NONE)
        return NONE;
    uint32_t *bucket = bucket_of(files, root, id);
    struct slot *slot = &files->slots[at];
    slot->id = *id;
    slot->root = root;
    slot->fd = fd;
    slot->dropped = 0;
    slot->next = *bucket;
    *bucket = at;
    unlink_age(files, at);
    append_age(files, at);
    return at;
}

static uint32_t hold(struct mn_open_files *files, uint32_t at)
{
    files->slots[at].holders++;
    unlink_age(files, at);
    append_age(files, at);
    return at;
}

int mn_open_files_borrow(struct mn_open_files *files, const struct mn_root *root,
                         const struct mn_id *id, int *fd_out, uint32_t *slot_out)
{
    pthread_mutex_lock(&files->mutex);
    uint32_t at = find(files, root->index, id);
    if (at != NONE) {
        *slot_out = hold(files, at);
        *fd_out = files->slots[at].fd;
    }
    pthread_mutex_unlock(&files->mutex);
    return at == NONE ? MN_NOT_OPEN : 0;
}

int mn_open_files_take(struct mn_open_files *files, const struct mn_root *root,
                       const struct mn_id *id, const struct mn_handle *handle, int *fd_out,
                       uint32_t *slot_out)
{
    int close_fd = -1;

    if (mn_open_files_borrow(files, root, id, fd_out, slot_out) == 0)
        return 0;
    int fd = mn_lower_open(root, handle, O_RDWR | O_APPEND);
    if (fd < 0)
        return fd;
    pthread_mutex_lock(&files->mutex);
    uint32_t at = insert(files, root->index, id, fd, &close_fd);
    if (at == NONE) { /* another worker was faster */
        close_fd = fd;
        at = find(files, root->index, id);
    }
    if (at != NONE) {
        *slot_out = hold(files, at);
        *fd_out = files->slots[at].fd;
    }
    pthread_mutex_unlock(&files->mutex);
    if (close_fd >= 0)
        close(close_fd);
    return at == NONE ? -EMFILE : 0;
}

void mn_open_files_give(struct mn_open_files *files, uint32_t at)
{
    int close_fd = -1;

    pthread_mutex_lock(&files->mutex);
    struct slot *slot = &files->slots[at];
    if (--slot->holders == 0 && slot->dropped) {
        close_fd = slot->fd;
        slot->fd = -1;
        slot->dropped = 0;
    }
    pthread_mutex_unlock(&files->mutex);
    if (close_fd >= 0)
        close(close_fd);
}

void mn_open_files_put(struct mn_open_files *files, const struct mn_root *root,
                       const struct mn_id *id, int fd)
{
    int close_fd = -1;

    pthread_mutex_lock(&files->mutex);
    uint32_t at = insert(files, root->index, id, fd, &close_fd);
    pthread_mutex_unlock(&files->mutex);
    if (at == NONE)
        close(fd);
    if (close_fd >= 0)
        close(close_fd);
}

void mn_open_files_drop(struct mn_open_files *files, const struct mn_root *root,
                        const struct mn_id *id)
{
    int close_fd = -1;

    pthread_mutex_lock(&files->mutex);
    uint32_t at = find(files, root->index, id);
    if (at != NONE) {
        struct slot *slot = &files->slots[at];
        unlink_bucket(files, at);
        if (slot->holders > 0) {
            slot->dropped = 1;
        } else {
            close_fd = slot->fd;
            slot->fd = -1;
        }
    }
    pthread_mutex_unlock(&files->mutex);
    if (close_fd >= 0)
        close(close_fd);
}
