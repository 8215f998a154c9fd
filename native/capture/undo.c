#include "capture/undo.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More content than this is not sent while the application waits for its errno. */
enum { UNDO_BYTES_MAX = 64 << 20 };

int mn_undo_send(struct mn_change *change, uint16_t code)
{
    struct mn_connection *connection = change->worker->connection;
    struct mn_ack ack = {0};
    int result;

    mn_change_count(change);
    result = mn_connection_send(connection, code);
    if (result == 0)
        result = mn_connection_receive_ack(connection, &ack);
    if (result != 0)
        mn_capture_session_lost(change->worker->capture, result,
                                "the secondary does not answer an undo");
    return result != 0 ? result : -ack.error;
}

int mn_undo_name(struct mn_change *change, const struct mn_node *directory, const char *name,
                 const struct mn_id *id, bool is_directory)
{
    struct mn_message_unlink message = {.epoch = change->epoch,
                                        .root = (uint8_t)change->mount->root->index,
                                        .parent = directory->id,
                                        .id = *id,
                                        .directory = is_directory,
                                        .name = name,
                                        .name_size = (uint16_t)strlen(name)};
    int result = mn_encode_unlink(&message, mn_connection_begin(change->worker->connection));

    return result != 0 ? result : mn_undo_send(change, MN_MESSAGE_UNLINK);
}

static int undo_content(struct mn_change *change, const struct mn_node *node, int fd,
                        uint64_t offset, uint64_t size)
{
    struct mn_worker *worker = change->worker;
    struct mn_message_write message = {.epoch = change->epoch,
                                       .root = (uint8_t)change->mount->root->index,
                                       .id = node->id,
                                       .offset_bytes = offset,
                                       .flags = MN_WRITE_UNDO,
                                       .data = worker->reply_buffer,
                                       .data_size = (uint32_t)size};
    ssize_t count = mn_lower_read(fd, worker->reply_buffer, size, offset);
    int result;

    if (count != (ssize_t)size)
        return count < 0 ? (int)count : -EIO;
    result = mn_encode_write(&message, mn_connection_begin(worker->connection));
    return result != 0 ? result : mn_undo_send(change, MN_MESSAGE_WRITE);
}

/* An append-only file takes neither hole nor size: the flag goes first, and stands again
 * afterwards. Who writes anywhere meanwhile is refused here as before. */
static int send_append(struct mn_change *change, const struct mn_node *node, bool is_on)
{
    struct mn_message_set_flags message = {.epoch = change->epoch,
                                           .root = (uint8_t)change->mount->root->index,
                                           .id = node->id,
                                           .flags = is_on ? FS_APPEND_FL : 0,
                                           .valid = FS_APPEND_FL};
    int result = mn_encode_set_flags(&message, mn_connection_begin(change->worker->connection));

    return result != 0 ? result : mn_undo_send(change, MN_MESSAGE_SET_FLAGS);
}

/* result: of what was done without it. Else the two would differ, and nothing would know it. */
static int append_again(struct mn_change *change, const struct mn_node *node, int result)
{
    int again = send_append(change, node, true);

    if (again != 0)
        mn_capture_session_lost(change->worker->capture, again,
                                "the secondary could not take a flag again");
    return result != 0 ? result : again;
}

static bool is_append_only(int fd)
{
    struct statx status;

    return statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &status) == 0 &&
           (status.stx_attributes & STATX_ATTR_APPEND) != 0;
}

static int undo_hole(struct mn_change *change, const struct mn_node *node, uint64_t offset,
                     uint64_t size)
{
    struct mn_message_fallocate message = {.epoch = change->epoch,
                                           .root = (uint8_t)change->mount->root->index,
                                           .id = node->id,
                                           .mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                           .offset_bytes = offset,
                                           .size_bytes = size};
    int result = mn_encode_fallocate(&message, mn_connection_begin(change->worker->connection));

    return result != 0 ? result : mn_undo_send(change, MN_MESSAGE_FALLOCATE);
}

/* Where the data begin that lie at or after `at`, and end: both `end` when there are none. */
static int next_data(int fd, uint64_t at, uint64_t end, uint64_t *first_out, uint64_t *last_out)
{
    off_t found = lseek(fd, (off_t)at, SEEK_DATA);

    *first_out = *last_out = end;
    if (found < 0)
        return errno == ENXIO ? 0 : -errno;
    if ((uint64_t)found >= end)
        return 0;
    *first_out = (uint64_t)found;
    found = lseek(fd, found, SEEK_HOLE);
    if (found < 0)
        return -errno;
    if ((uint64_t)found < end)
        *last_out = (uint64_t)found;
    return 0;
}

static int undo_pieces(struct mn_change *change, const struct mn_node *node, int fd,
                       uint64_t offset, uint64_t end)
{
    int result = 0;

    while (offset < end && result == 0) {
        uint64_t first, last;

        result = next_data(fd, offset, end, &first, &last);
        if (result == 0 && first > offset)
            result = undo_hole(change, node, offset, first - offset);
        for (offset = first; offset < last && result == 0;) {
            uint64_t size = last - offset;

            if (size > MN_FUSE_DATA_BYTES_MAX)
                size = MN_FUSE_DATA_BYTES_MAX;
            result = undo_content(change, node, fd, offset, size);
            offset += size;
        }
    }
    return result;
}

int mn_undo_range(struct mn_change *change, struct mn_node *node, uint64_t offset, uint64_t size)
{
    int result;
    int fd;

    if (size > UNDO_BYTES_MAX)
        return -EOPNOTSUPP;
    fd = mn_lower_open(change->mount->root, mn_node_handle(node), O_RDONLY);
    if (fd < 0)
        return fd;
    bool is_append = is_append_only(fd);

    result = is_append ? send_append(change, node, false) : 0;
    if (result == 0) {
        result = undo_pieces(change, node, fd, offset, offset + size);
        if (is_append)
            result = append_again(change, node, result);
    }
    close(fd);
    change->resized = node;
    return result;
}

static int64_t ns_of(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int mn_undo_attributes(struct mn_change *change, struct mn_node *node, int fd, uint32_t valid)
{
    static const uint32_t take_privileges =
        MN_SET_UID | MN_SET_GID | MN_SET_SIZE | MN_SET_KILL_PRIV;
    struct mn_message_set_attributes message = {
        .epoch = change->epoch, .root = (uint8_t)change->mount->root->index, .id = node->id};
    struct stat status;
    int result;

    if (fstat(fd, &status) != 0)
        return -errno;
    if ((valid & take_privileges) != 0 && !S_ISLNK(status.st_mode)) {
        if (mn_lower_has_capabilities(fd) != 0)
            return -EOPNOTSUPP;
        valid |= MN_SET_MODE;
    }
    message.valid = valid & ~(uint32_t)(MN_SET_SIZE | MN_SET_KILL_PRIV);
    message.mode = status.st_mode & 07777;
    message.uid = status.st_uid;
    message.gid = status.st_gid;
    message.atime_ns = ns_of(status.st_atim);
    message.mtime_ns = ns_of(status.st_mtim);
    result = mn_encode_set_attributes(&message, mn_connection_begin(change->worker->connection));
    return result != 0 ? result : mn_undo_send(change, MN_MESSAGE_SET_ATTRIBUTES);
}

static int send_size(struct mn_change *change, struct mn_node *node)
{
    struct mn_message_set_attributes message = {.epoch = change->epoch,
                                                .root = (uint8_t)change->mount->root->index,
                                                .id = node->id,
                                                .valid = MN_SET_SIZE};
    struct stat status;
    int result;
    int fd;

    if ((mn_node_flags(node) & MN_NODE_UNLINKED) != 0)
        return 0; /* the secondary has it no more */
    fd = mn_lower_open(change->mount->root, mn_node_handle(node), O_PATH);
    if (fd < 0)
        return fd;
    bool is_append = is_append_only(fd);

    result = fstat(fd, &status) == 0 ? 0 : -errno;
    close(fd);
    message.size_bytes = (uint64_t)status.st_size;
    if (result == 0 && is_append)
        result = send_append(change, node, false);
    if (result != 0)
        return result;
    result = mn_encode_set_attributes(&message, mn_connection_begin(change->worker->connection));
    if (result == 0)
        result = mn_undo_send(change, MN_MESSAGE_SET_ATTRIBUTES);
    return is_append ? append_again(change, node, result) : result;
}

int mn_undo_size(struct mn_change *change)
{
    struct mn_capture *capture = change->worker->capture;
    int result = 0;

    change->locks.count = 0;
    mn_change_lock(change, MN_LOCK_EXISTENCE, change->resized, false);
    mn_change_lock(change, MN_LOCK_ATTRIBUTES, change->resized, true);
    mn_change_lock_range(change, change->resized, 0, UINT64_MAX, true);
    mn_worker_relieve(change->worker);
    mn_locks_take(&capture->locks, &change->locks);
    /* Lost meanwhile: the place is noted, so the parting knows it. */
    if (__atomic_load_n(&capture->session_live, __ATOMIC_ACQUIRE))
        result = send_size(change, change->resized);
    mn_locks_release(&capture->locks, &change->locks);
    return result;
}
