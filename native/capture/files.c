/* Open files, and reading them: served from this node alone. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "capture/operations.h"
#include "capture/reply.h"

struct mn_file *mn_file_new(struct mn_mount *mount, struct mn_node *node, int fd)
{
    struct mn_file *file = malloc(sizeof(*file));

    if (file == NULL) {
        close(fd);
        return NULL;
    }
    mn_node_pin(&mount->nodes, node);
    file->node = node;
    file->fd = fd;
    return file;
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
    fd = mn_lower_open(worker->mount->root, &node->handle, access);
    if (fd < 0)
        return fd;
    file = mn_file_new(worker->mount, node, fd);
    if (file == NULL)
        return -ENOMEM;
    out.fh = (uint64_t)(uintptr_t)file;
    mn_reply_data(worker, request, &out, sizeof(out));
    return 0;
}

int mn_op_read(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_read_in *in = mn_fuse_fixed(request, sizeof(*in));
    ssize_t got;

    if (in == NULL || in->size > MN_FUSE_DATA_BYTES_MAX)
        return -EINVAL;
    got = pread(mn_file_of(in->fh)->fd, worker->reply_buffer, in->size, (off_t)in->offset);
    if (got < 0)
        return -errno;
    mn_reply_data(worker, request, worker->reply_buffer, (size_t)got);
    return 0;
}

int mn_op_release(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_release_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct mn_file *file;

    if (in == NULL)
        return -EINVAL;
    file = mn_file_of(in->fh);
    close(file->fd);
    mn_node_unpin(&worker->mount->nodes, file->node);
    free(file);
    mn_reply_error(worker, request, 0);
    return 0;
}

int mn_op_flush(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    mn_reply_error(worker, request, 0);
    return 0;
}

int mn_op_lseek(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_lseek_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct fuse_lseek_out out;
    off_t at;

    if (in == NULL)
        return -EINVAL;
    /* The descriptor's own position is used by nobody: reads and writes name theirs. */
    at = lseek(mn_file_of(in->fh)->fd, (off_t)in->offset, (int)in->whence);
    if (at < 0)
        return -errno;
    out.offset = (uint64_t)at;
    mn_reply_data(worker, request, &out, sizeof(out));
    return 0;
}
