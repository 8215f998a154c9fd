#include "capture/copy_small.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/exchange.h"
#include "hash/hash.h"

enum {
    LOCKS_A_FILE_MAX = 3,
    AT_ONCE_MAX = MN_LOCKS_MAX / 2,
    HASHES_MAX = MN_COPY_SMALL_BYTES_MAX / MN_COPY_BLOCK_BYTES,
};

/* One file of an exchange. */
struct asking {
    struct mn_copy copy;
    struct mn_small *file;
    int fd;
    bool is_asked;       /* an answer will come */
    size_t size;         /* of data */
    uint32_t sent_count; /* blocks whose Ack comes behind the answers to all files */
    uint8_t data[MN_COPY_SMALL_BYTES_MAX];
};

/* On the heap: too large for a stack. */
struct batch {
    struct asking files[AT_ONCE_MAX];
    uint32_t count;
    uint8_t theirs[HASHES_MAX * MN_HASH_BYTES];
};

/* Space that is only reserved is a hole too, block by block as mn_copy_ranges looks at it. */
static bool has_holes(int fd, const uint8_t *data, size_t size)
{
    if (size > 0 && lseek(fd, 0, SEEK_HOLE) != (off_t)size)
        return true;
    for (size_t at = 0; at < size; at += MN_COPY_BLOCK_BYTES)
        if (mn_lower_is_reserved(fd, data + at,
                                 size - at < MN_COPY_BLOCK_BYTES ? size - at : MN_COPY_BLOCK_BYTES,
                                 at))
            return true;
    return false;
}

/* The whole content of a file that is small and without holes. 1: it is read; 0: it is not such a
 * file; -errno: of this disk. */
static int read_whole(struct asking *asking, const struct stat *status)
{
    ssize_t size;

    if (!S_ISREG(status->st_mode) || status->st_size > MN_COPY_SMALL_BYTES_MAX)
        return 0;
    size = mn_lower_read(asking->fd, asking->data, MN_COPY_SMALL_BYTES_MAX, 0);
    if (size < 0)
        return (int)size;
    asking->size = (size_t)size;
    return size == status->st_size && !has_holes(asking->fd, asking->data, (size_t)size);
}

/* What the secondary is asked about a file, if anything: is_asked. */
static int ask_one(struct asking *asking, const struct stat *status)
{
    int result = asking->file->kind == MN_SMALL_SIZE ? 1 : read_whole(asking, status);

    if (result <= 0)
        return result;
    if (asking->file->kind == MN_SMALL_NEW && asking->size == 0) {
        asking->file->outcome = MN_SMALL_IS_COPIED; /* as it was made */
        return 0;
    }
    asking->is_asked = true;
    if (asking->file->kind == MN_SMALL_NEW)
        return mn_copy_send_block(&asking->copy, 0, 0, asking->data, asking->size);
    /* The size first: behind the end here no range is copied. */
    result = mn_copy_ask_size(&asking->copy, (uint64_t)status->st_size);
    if (result == 0 && asking->size > 0)
        result = mn_copy_ask_hashes(&asking->copy, 0, asking->size);
    return result;
}

static int ask(struct asking *asking)
{
    struct stat status;

    asking->file->outcome = MN_SMALL_IS_LEFT;
    asking->fd = mn_copy_open(&asking->copy, &status);
    if (asking->fd < 0) {
        asking->file->outcome = MN_SMALL_IS_GONE;
        return asking->fd == -ENOENT ? 0 : asking->fd;
    }
    return ask_one(asking, &status);
}

/* The answers to all that was asked about a file, though one of them is an error. */
static int answer(struct asking *asking, struct batch *batch, struct mn_copied *copied)
{
    int result = mn_copy_receive_ack(asking->copy.connection, copied);
    uint64_t their_bytes;
    int count;

    if (result != 0 && result != -EREMOTEIO)
        return result;
    if (asking->file->kind == MN_SMALL_NEW && result == 0)
        copied->copied_bytes += asking->size;
    if (asking->file->kind == MN_SMALL_KNOWN && asking->size > 0) {
        count =
            mn_copy_receive_hashes(&asking->copy, batch->theirs, HASHES_MAX, &their_bytes, copied);
        if (count < 0 && count != -EREMOTEIO)
            return count;
        result = result != 0 ? result : count < 0 ? count : 0;
        if (result == 0) {
            copied->compared_bytes += asking->size;
            result =
                mn_copy_send_different(&asking->copy, asking->fd, 0, asking->data, asking->size,
                                       batch->theirs, (size_t)count, &asking->sent_count, copied);
        }
    }
    if (result == 0)
        asking->file->outcome = MN_SMALL_IS_COPIED;
    return result == -EREMOTEIO ? 0 : result;
}

static int receive_rest(struct asking *asking, struct mn_copied *copied)
{
    int result = mn_copy_receive_acks(&asking->copy, asking->sent_count, 0, copied);

    if (result == -EREMOTEIO)
        asking->file->outcome = MN_SMALL_IS_LEFT;
    return result == -EREMOTEIO ? 0 : result;
}

/* Under the locks: everything is asked, then everything answered. What was asked is answered when
 * this disk fails, too. */
static int exchange(struct batch *batch, struct mn_copied *copied)
{
    int result = 0;
    int here = 0;

    for (uint32_t i = 0; i < batch->count && here == 0; i++)
        here = ask(&batch->files[i]);
    for (uint32_t i = 0; i < batch->count && result == 0; i++)
        if (batch->files[i].is_asked)
            result = answer(&batch->files[i], batch, copied);
    for (uint32_t i = 0; i < batch->count && result == 0; i++)
        result = receive_rest(&batch->files[i], copied);
    for (uint32_t i = 0; i < batch->count; i++)
        if (batch->files[i].fd >= 0)
            close(batch->files[i].fd);
    return result != 0 ? result : here;
}

/* As many of the files as one set of locks has room for. */
static void begin(struct batch *batch, const struct mn_copy *copy, struct mn_small *files,
                  uint32_t count, struct mn_lock_set *locks)
{
    batch->count = 0;
    while (batch->count < count && batch->count < AT_ONCE_MAX &&
           locks->count + LOCKS_A_FILE_MAX <= MN_LOCKS_MAX) {
        struct asking *asking = &batch->files[batch->count];
        struct mn_small *file = &files[batch->count];
        uint64_t key = mn_handle_key(&file->handle);

        asking->copy = *copy;
        asking->copy.handle = file->handle;
        asking->copy.id = file->id;
        asking->file = file;
        asking->fd = -1;
        asking->is_asked = false;
        asking->size = 0;
        asking->sent_count = 0;
        mn_lock_set_add(locks, MN_LOCK_EXISTENCE, key, 0, 0, false);
        mn_lock_set_add(locks, MN_LOCK_RANGE, key, 0, UINT64_MAX, true);
        if (file->kind != MN_SMALL_NEW)
            mn_lock_set_add(locks, MN_LOCK_ATTRIBUTES, key, 0, 0, true);
        batch->count++;
    }
}

int mn_copy_small(struct mn_capture *capture, const struct mn_root *root,
                  struct mn_connection *connection, struct mn_small *files, uint32_t count,
                  struct mn_copied *copied)
{
    const struct mn_copy copy = {.capture = capture, .root = root, .connection = connection};
    struct batch *batch = malloc(sizeof(*batch));
    int result = batch == NULL ? -ENOMEM : 0;

    while (count > 0 && result == 0) {
        struct mn_lock_set locks = {.count = 0};

        begin(batch, &copy, files, count, &locks);
        mn_locks_take(&capture->locks, &locks);
        result = exchange(batch, copied);
        mn_locks_release(&capture->locks, &locks);
        files += batch->count;
        count -= batch->count;
    }
    free(batch);
    return result;
}
