/* Directory listings. Directories are not held open (OPENDIR answers ENOSYS): each request opens
 * by handle and seeks, which ext4, XFS and btrfs allow at any offset they gave out. The kernel
 * keeps the listing afterwards. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture/operations.h"
#include "capture/reply.h"

struct directory_entry { /* getdents64(2) */
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
};

/* Adds one entry behind `used` bytes. Returns the bytes added, 0 when it does not fit. */
static size_t add_plain(const struct directory_entry *entry, size_t name_size, uint8_t *out,
                        size_t room)
{
    struct fuse_dirent *dirent = (void *)out;
    size_t size = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + name_size);

    if (size > room)
        return 0;
    dirent->ino = entry->inode;
    dirent->off = (uint64_t)entry->offset;
    dirent->namelen = (uint32_t)name_size;
    dirent->type = entry->type;
    memcpy(dirent->name, entry->name, name_size);
    memset(dirent->name + name_size, 0, size - FUSE_NAME_OFFSET - name_size);
    return size;
}

static size_t add_plus(struct mn_worker *worker, const struct mn_fuse_request *request,
                       const struct directory_entry *entry, size_t name_size, uint8_t *out,
                       size_t room)
{
    struct mn_node *directory = mn_node_of(worker->mount, request->header->nodeid);
    struct fuse_direntplus *plus = (void *)out;
    size_t size = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET_DIRENTPLUS + name_size);
    struct mn_node *node;
    struct stat status;

    if (size > room)
        return 0;
    memset(&plus->entry_out, 0, sizeof(plus->entry_out));
    if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0 &&
        mn_look_to_tell(worker, request, directory, entry->name, &node, &status) == 0) {
        mn_node_looked_up(&worker->mount->nodes, node);
        mn_fill_entry(node, &status, &plus->entry_out);
        mn_node_unpin(&worker->mount->nodes, node);
    }
    (void)add_plain(entry, name_size, (uint8_t *)&plus->dirent,
                    size - offsetof(struct fuse_direntplus, dirent));
    return size;
}

static int list(struct mn_worker *worker, const struct mn_fuse_request *request, bool plus)
{
    const struct fuse_read_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct mn_node *directory = mn_node_of(worker->mount, request->header->nodeid);
    _Alignas(8) uint8_t raw[16384];
    size_t limit;
    size_t used = 0;
    ssize_t got = 0;
    int fd;

    if (in == NULL)
        return -EINVAL;
    limit = in->size < MN_FUSE_DATA_BYTES_MAX ? in->size : MN_FUSE_DATA_BYTES_MAX;
    mn_worker_relieve(worker);
    fd = mn_lower_open(worker->mount->root, mn_node_handle(directory), O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return fd;
    if (lseek(fd, (off_t)in->offset, SEEK_SET) < 0) {
        got = -errno;
        goto out;
    }
    for (bool full = false; !full;) {
        got = syscall(SYS_getdents64, fd, raw, sizeof(raw));
        if (got < 0)
            got = -errno;
        if (got <= 0)
            break;
        for (ssize_t at = 0; at < got;) {
            const struct directory_entry *entry = (const void *)(raw + at);
            size_t name_size = strlen(entry->name);
            size_t added;

            at += entry->size;
            if (mn_is_hidden(worker->mount, directory, entry->name))
                continue;
            added = plus ? add_plus(worker, request, entry, name_size, worker->reply_buffer + used,
                                    limit - used)
                         : add_plain(entry, name_size, worker->reply_buffer + used, limit - used);
            if (added == 0) {
                full = true;
                break;
            }
            used += added;
        }
    }
out:
    close(fd);
    if (got < 0 && used == 0)
        return (int)got;
    mn_reply_data(worker, request, worker->reply_buffer, used);
    return 0;
}

int mn_op_readdir(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    return list(worker, request, false);
}

int mn_op_readdirplus(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    return list(worker, request, true);
}
