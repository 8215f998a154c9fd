/* Open files, and reading them: served from this node alone. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "capture/operations.h"
#include "capture/reply.h"

struct mn_file *mn_file_new(struct mn_mount *mount, struct mn_node *node, int fd)
{
    struct mn_file *file = calloc(1, sizeof(*file));

    if (file == NULL) {
        close(fd);
        return NULL;
    }
    file->node = node;
    file->fd = fd;
    pthread_mutex_lock(&mount->nodes.mutex);
    node->pin_count++;
    file->next = node->files;
    node->files = file;
    pthread_mutex_unlock(&mount->nodes.mutex);
    return file;
}

static void file_free(struct mn_mount *mount, struct mn_file *file)
{
    close(file->fd);
    mn_node_unpin(&mount->nodes, file->node);
    free(file);
}

static void file_release(struct mn_mount *mount, struct mn_file *file)
{
    struct mn_file **slot = &file->node->files;
    bool is_last;

    pthread_mutex_lock(&mount->nodes.mutex);
    while (*slot != file)
        slot = &(*slot)->next;
    *slot = file->next;
    file->is_released = true;
    is_last = file->borrower_count == 0;
    pthread_mutex_unlock(&mount->nodes.mutex);
    if (is_last)
        file_free(mount, file);
}

int mn_borrow(struct mn_mount *mount, struct mn_node *node, struct mn_borrowed *borrowed_out)
{
    struct mn_file *file;

    pthread_mutex_lock(&mount->nodes.mutex);
    file = node->files;
    if (file != NULL)
        file->borrower_count++;
    pthread_mutex_unlock(&mount->nodes.mutex);
    borrowed_out->file = file;
    borrowed_out->fd =
        file != NULL ? file->fd : mn_lower_open(mount->root, mn_node_handle(node), O_PATH);
    return borrowed_out->fd < 0 ? borrowed_out->fd : 0;
}

void mn_give_back(struct mn_mount *mount, const struct mn_borrowed *borrowed)
{
    struct mn_file *file = borrowed->file;
    bool is_last;

    if (file == NULL) {
        close(borrowed->fd);
        return;
    }
    pthread_mutex_lock(&mount->nodes.mutex);
    is_last = --file->borrower_count == 0 && file->is_released;
    pthread_mutex_unlock(&mount->nodes.mutex);
    if (is_last)
        file_free(mount, file);
}

void mn_files_write_anywhere(struct mn_mount *mount, const struct mn_node *node)
{
    pthread_mutex_lock(&mount->nodes.mutex);
    for (const struct mn_file *file = node->files; file != NULL; file = file->next) {
        int flags = fcntl(file->fd, F_GETFL);

        if (flags >= 0 && (flags & O_APPEND) != 0)
            (void)fcntl(file->fd, F_SETFL, flags & ~O_APPEND);
    }
    pthread_mutex_unlock(&mount->nodes.mutex);
}

uint32_t mn_open_flags(const struct mn_worker *worker)
{
    /* Pages stay valid over close and open: only this mount changes the file. Without a write-back
     * cache there is nothing to flush at close. */
    return worker->capture->config.writeback ? FOPEN_KEEP_CACHE : FOPEN_KEEP_CACHE | FOPEN_NOFLUSH;
}

int mn_op_open(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_open_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct mn_node *node = mn_node_of(worker->mount, request->header->nodeid);
    struct fuse_open_out out = {.open_flags = mn_open_flags(worker)};
    struct mn_file *file;
    int access;
    int fd;

    if (in == NULL)
        return -EINVAL;
    access = (int)in->flags & O_ACCMODE;
    if (!worker->capture->config.writeback)
        access |= (int)in->flags & O_APPEND; /* what is append-only needs to hear it */
    else if (access == O_WRONLY)
        access = O_RDWR; /* the write-back cache reads the rest of a page it writes, and writes
                            pages, not ends: append-only files stay closed to it (EPERM) */
    fd = mn_lower_open(worker->mount->root, mn_node_handle(node), access);
    if (fd < 0)
        return fd;
    file = mn_file_new(worker->mount, node, fd);
    if (file == NULL)
        return -ENOMEM;
    out.fh = (uint64_t)(uintptr_t)file;
    mn_reply_data(worker, request, &out, sizeof(out));
    return 0;
}

/* What is in memory at once; the disk only after another worker has been called to listen. */
static ssize_t read_at(struct mn_worker *worker, int fd, size_t size, off_t offset)
{
    struct iovec into = {worker->reply_buffer, size};
    ssize_t got = preadv2(fd, &into, 1, offset, RWF_NOWAIT);

    if (got == (ssize_t)size)
        return got;
    mn_worker_relieve(worker);
    got = preadv2(fd, &into, 1, offset, 0);
    return got < 0 ? -errno : got;
}

int mn_op_read(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_read_in *in = mn_fuse_fixed(request, sizeof(*in));
    ssize_t got;

    if (in == NULL || in->size > MN_FUSE_DATA_BYTES_MAX)
        return -EINVAL;
    got = read_at(worker, mn_file_of(in->fh)->fd, in->size, (off_t)in->offset);
    if (got < 0)
        return (int)got;
    mn_reply_data(worker, request, worker->reply_buffer, (size_t)got);
    return 0;
}

int mn_op_release(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_release_in *in = mn_fuse_fixed(request, sizeof(*in));

    if (in == NULL)
        return -EINVAL;
    file_release(worker->mount, mn_file_of(in->fh));
    mn_reply_error(worker, request, 0);
    return 0;
}

int mn_op_flush(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    bool stops = worker->mount->features.minor >= MN_FUSE_MINOR_FLUSHES_ITSELF;

    mn_reply_error(worker, request, stops ? -ENOSYS : 0);
    return 0;
}

/* What is stored through a shared mapping is not here before the kernel writes it back. Such a
 * mapping needs a file that is open for reading and writing, and keeps it open. */
static bool may_be_mapped(struct mn_mount *mount, const struct mn_node *node)
{
    bool may = false;

    pthread_mutex_lock(&mount->nodes.mutex);
    for (const struct mn_file *file = node->files; file != NULL && !may; file = file->next) {
        int flags = fcntl(file->fd, F_GETFL);

        may = flags < 0 || (flags & O_ACCMODE) == O_RDWR;
    }
    pthread_mutex_unlock(&mount->nodes.mutex);
    return may;
}

/* As of a file without holes. */
static off_t seek_in_data(int fd, off_t offset, uint32_t whence)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return -1;
    if (offset < 0 || offset >= status.st_size) {
        errno = ENXIO;
        return -1;
    }
    return whence == SEEK_HOLE ? status.st_size : offset;
}

/* SEEK_DATA and SEEK_HOLE. What is called a hole here is left out of a copy, so all that may not
 * be one is data. */
int mn_op_lseek(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_lseek_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct fuse_lseek_out out;
    struct mn_file *file;
    off_t at;

    if (in == NULL)
        return -EINVAL;
    if (worker->capture->config.writeback)
        return -ENOSYS; /* the size, too, is the kernel's: it takes all of it for data itself */
    file = mn_file_of(in->fh);
    /* The descriptor's own position is used by nobody: reads and writes name theirs. */
    at = may_be_mapped(worker->mount, file->node)
             ? seek_in_data(file->fd, (off_t)in->offset, in->whence)
             : lseek(file->fd, (off_t)in->offset, (int)in->whence);
    if (at < 0)
        return -errno;
    out.offset = (uint64_t)at;
    mn_reply_data(worker, request, &out, sizeof(out));
    return 0;
}
