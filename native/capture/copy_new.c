#include "capture/copy_new.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/wire_messages.h"

/* Space that is only reserved is a hole too, block by block as mn_copy_range looks at it. */
static bool has_holes(int fd, const uint8_t *data, size_t size)
{
    enum { BLOCK_BYTES = 4096 };

    if (size > 0 && lseek(fd, 0, SEEK_HOLE) != (off_t)size)
        return true;
    for (size_t at = 0; at < size; at += BLOCK_BYTES)
        if (mn_lower_is_reserved(fd, data + at, size - at < BLOCK_BYTES ? size - at : BLOCK_BYTES,
                                 at))
            return true;
    return false;
}

/* The whole content of a file that is small and without holes: its size; else -1, with the outcome
 * set, or with *error_out, -errno of this disk. */
static ssize_t read_whole(const struct mn_root *root, struct mn_copy_new *file, uint8_t *buffer,
                          int *error_out)
{
    struct stat status;
    ssize_t size = -1;
    int fd = mn_lower_open(root, &file->handle, O_RDONLY | O_NOATIME);

    if (fd < 0) {
        file->outcome = MN_NEW_IS_GONE;
        *error_out = fd == -ESTALE || fd == -ENOENT ? 0 : fd;
        return -1;
    }
    file->outcome = MN_NEW_IS_LEFT;
    if (fstat(fd, &status) < 0) {
        *error_out = -errno;
    } else if (status.st_nlink == 0) {
        file->outcome = MN_NEW_IS_GONE;
    } else if (S_ISREG(status.st_mode) && status.st_size <= MN_COPY_NEW_BYTES_MAX) {
        size = mn_lower_read(fd, buffer, MN_COPY_NEW_BYTES_MAX, 0);
        if (size < 0)
            *error_out = (int)size;
        if (size != status.st_size || has_holes(fd, buffer, (size_t)size))
            size = -1;
    }
    close(fd);
    return size;
}

static int send_whole(struct mn_connection *connection, const struct mn_root *root,
                      const struct mn_copy_new *file, const uint8_t *data, size_t size)
{
    struct mn_message_copy_block message = {
        .root = (uint8_t)root->index, .id = file->id, .data = data, .data_size = (uint32_t)size};
    int result = mn_encode_copy_block(&message, mn_connection_begin(connection));

    return result != 0 ? result : mn_connection_send(connection, MN_MESSAGE_COPY_BLOCK);
}

/* Under the locks: everything is sent, then everything acknowledged. */
static int exchange(const struct mn_root *root, struct mn_connection *connection,
                    struct mn_copy_new *files, uint32_t count, uint8_t *buffer,
                    uint64_t *bytes_out)
{
    struct mn_copy_new *sent[MN_COPY_NEW_AT_ONCE];
    uint32_t sent_count = 0;
    int local = 0;
    int result = 0;

    for (uint32_t i = 0; i < count && result == 0 && local == 0; i++) {
        ssize_t size = read_whole(root, &files[i], buffer, &local);

        if (size == 0)
            files[i].outcome = MN_COPIED_NEW; /* as it was made */
        if (size <= 0)
            continue;
        result = send_whole(connection, root, &files[i], buffer, (size_t)size);
        if (result == 0)
            sent[sent_count++] = &files[i];
        *bytes_out += (uint64_t)size;
    }
    for (uint32_t i = 0; i < sent_count && result == 0; i++) {
        struct mn_ack ack;

        result = mn_connection_receive_ack(connection, &ack);
        if (result == 0 && ack.error == 0)
            sent[i]->outcome = MN_COPIED_NEW;
    }
    return result != 0 ? result : local;
}

int mn_copy_new(struct mn_capture *capture, const struct mn_root *root,
                struct mn_connection *connection, struct mn_copy_new *files, uint32_t count,
                uint64_t *bytes_out)
{
    uint8_t *buffer = malloc(MN_COPY_NEW_BYTES_MAX);
    int result = buffer == NULL ? -ENOMEM : 0;

    *bytes_out = 0;
    while (count > 0 && result == 0) {
        uint32_t part = count < MN_COPY_NEW_AT_ONCE ? count : MN_COPY_NEW_AT_ONCE;
        struct mn_lock_set locks = {.count = 0};

        for (uint32_t i = 0; i < part; i++) {
            uint64_t key = mn_handle_key(&files[i].handle);

            mn_lock_set_add(&locks, MN_LOCK_EXISTENCE, key, 0, 0, false);
            mn_lock_set_add(&locks, MN_LOCK_RANGE, key, 0, UINT64_MAX, true);
        }
        mn_locks_take(&capture->locks, &locks);
        result = exchange(root, connection, files, part, buffer, bytes_out);
        mn_locks_release(&capture->locks, &locks);
        files += part;
        count -= part;
    }
    free(buffer);
    return result;
}
