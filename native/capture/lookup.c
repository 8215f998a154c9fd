/* Names and attributes as they are: what the kernel asks before it does anything. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "capture/operations.h"
#include "capture/reply.h"
#include "lower/rules.h"

bool mn_is_hidden(const struct mn_mount *mount, const struct mn_node *directory, const char *name)
{
    return directory == mount->nodes.root && strcmp(name, MN_HIDDEN_NAME) == 0;
}

bool mn_name_is_local(struct mn_mount *mount, const struct mn_node *directory, const char *name,
                      bool is_directory)
{
    char path[PATH_MAX];

    if (mount->root->rules == NULL)
        return false;
    if (mn_node_is_local(directory))
        return true;
    /* A path longer than the kernel takes is never asked about (rules.h). */
    return mn_node_path(&mount->nodes, directory, name, path, sizeof(path)) == 0 &&
           mn_rules_is_local_in(mount->root->rules, path, is_directory);
}

/* Decided once for an object, by the name it was first seen at. A file that has a local name and,
 * made before there was a mount, a replicated one as well, is replicated once that one was seen.
 */
static void classify(struct mn_mount *mount, struct mn_node *directory, const char *name,
                     struct mn_node *node, const struct stat *status)
{
    uint32_t flags = mn_node_flags(node);
    bool several = !S_ISDIR(status->st_mode) && status->st_nlink > 1;

    if (mount->root->rules == NULL ||
        ((flags & MN_NODE_CLASSED) != 0 && ((flags & MN_NODE_LOCAL) == 0 || !several)))
        return;
    if (mn_name_is_local(mount, directory, name, S_ISDIR(status->st_mode))) {
        mn_node_classify(node, true);
        return;
    }
    mn_node_flag_clear(node, MN_NODE_LOCAL);
    mn_node_classify(node, false);
}

int mn_worker_directory(struct mn_worker *worker, struct mn_mount *mount,
                        const struct mn_node *node)
{
    int fd;

    if (worker->directory_fd >= 0 && worker->directory_mount == mount &&
        worker->directory_key == node->key)
        return worker->directory_fd;
    fd = mn_lower_open(mount->root, mn_node_handle(node), O_PATH | O_DIRECTORY);
    if (fd < 0)
        return fd;
    if (worker->directory_fd >= 0)
        close(worker->directory_fd);
    worker->directory_fd = fd;
    worker->directory_key = node->key;
    worker->directory_mount = mount;
    return fd;
}

int mn_look(struct mn_worker *worker, struct mn_node *directory, const char *name,
            struct mn_node **node_out, struct stat *status_out)
{
    struct mn_mount *mount = worker->mount;
    struct mn_handle handle;
    int fd = mn_worker_directory(worker, mount, directory);
    int result;

    if (fd < 0)
        return fd;
    if (strlen(name) > MN_NAME_BYTES_MAX)
        return -ENAMETOOLONG;
    if (mn_is_hidden(mount, directory, name))
        return -ENOENT;
    if (fstatat(fd, name, status_out, AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    if (status_out->st_dev != mount->root->device)
        return -EXDEV; /* another file system was mounted beneath: not replicated, not shown
                          (design 8) */
    result = mn_lower_handle(fd, name, &handle);
    if (result != 0)
        return result;
    *node_out = mn_node_get(&mount->nodes, &handle, directory, name);
    if (*node_out == NULL)
        return -ENOMEM;
    if (S_ISDIR(status_out->st_mode))
        mn_node_flag_set(*node_out, MN_NODE_DIRECTORY);
    classify(mount, directory, name, *node_out, status_out);
    return 0;
}

int mn_look_to_tell(struct mn_worker *worker, const struct mn_fuse_request *request,
                    struct mn_node *directory, const char *name, struct mn_node **node_out,
                    struct stat *status_out)
{
    int result = mn_look(worker, directory, name, node_out, status_out);

    if (result != 0 || !S_ISDIR(status_out->st_mode))
        return result;
    mn_reply_told(*node_out, request);
    if (fstatat(mn_worker_directory(worker, worker->mount, directory), name, status_out,
                AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    result = -errno;
    mn_node_unpin(&worker->mount->nodes, *node_out);
    return result;
}

int mn_op_lookup(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    struct mn_node *directory = mn_node_of(worker->mount, request->header->nodeid);
    size_t offset = 0;
    const char *name = mn_fuse_text(request, &offset);
    struct fuse_entry_out entry;
    struct mn_node *node = NULL;
    struct stat status;
    int result = -EINVAL;

    if (name != NULL)
        result = mn_look_to_tell(worker, request, directory, name, &node, &status);
    if (result == -ENOENT) {
        memset(&entry, 0,
               sizeof(entry)); /* nodeid 0: the kernel remembers that nothing is there */
        entry.entry_valid = MN_VALID_SECONDS;
        mn_reply_data(worker, request, &entry, sizeof(entry));
        return 0;
    }
    if (result != 0)
        return result;
    mn_node_looked_up(&worker->mount->nodes, node);
    mn_fill_entry(node, &status, &entry);
    mn_reply_data(worker, request, &entry, sizeof(entry));
    mn_node_unpin(&worker->mount->nodes, node);
    return 0;
}

int mn_op_forget(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_forget_in *in = mn_fuse_fixed(request, sizeof(*in));

    if (in != NULL)
        mn_node_forget(&worker->mount->nodes, mn_node_of(worker->mount, request->header->nodeid),
                       in->nlookup);
    return 0;
}

int mn_op_batch_forget(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_batch_forget_in *in = mn_fuse_fixed(request, sizeof(*in));
    const struct fuse_forget_one *ones;

    if (in == NULL || (request->body_size - sizeof(*in)) / sizeof(*ones) < in->count)
        return 0;
    ones = (const void *)(in + 1);
    for (uint32_t i = 0; i < in->count; i++)
        mn_node_forget(&worker->mount->nodes, mn_node_of(worker->mount, ones[i].nodeid),
                       ones[i].nlookup);
    return 0;
}

int mn_op_getattr(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    const struct fuse_getattr_in *in = mn_fuse_fixed(request, sizeof(*in));
    struct mn_node *node = mn_node_of(worker->mount, request->header->nodeid);
    struct mn_borrowed borrowed;
    struct stat status;
    int fd;
    int result;

    if (in == NULL)
        return -EINVAL;
    if ((in->getattr_flags & FUSE_GETATTR_FH) != 0) {
        result = fstat(mn_file_of(in->fh)->fd, &status) == 0 ? 0 : -errno;
    } else if ((mn_node_flags(node) & MN_NODE_DIRECTORY) != 0) {
        mn_reply_told(node, request);
        /* Asked for before each name that is made in it: a descriptor is at hand then. */
        fd = mn_worker_directory(worker, worker->mount, node);
        result = fd < 0 ? fd : fstat(fd, &status) == 0 ? 0 : -errno;
    } else {
        result = mn_borrow(worker->mount, node, &borrowed);
        if (result != 0)
            return result;
        result = fstat(borrowed.fd, &status) == 0 ? 0 : -errno;
        mn_give_back(worker->mount, &borrowed);
    }
    if (result == 0)
        mn_reply_attributes(worker, request, &status);
    return result;
}

int mn_op_readlink(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    struct mn_node *node = mn_node_of(worker->mount, request->header->nodeid);
    char text[4096];
    ssize_t size;
    int fd = mn_lower_open(worker->mount->root, mn_node_handle(node), O_PATH);

    if (fd < 0)
        return fd;
    size = readlinkat(fd, "", text, sizeof(text));
    if (size < 0)
        size = -errno;
    close(fd);
    if (size < 0)
        return (int)size;
    mn_reply_data(worker, request, text, (size_t)size);
    return 0;
}

int mn_op_statfs(struct mn_worker *worker, const struct mn_fuse_request *request)
{
    struct statfs status;
    struct fuse_statfs_out out = {0};

    if (fstatfs(worker->mount->root->directory_fd, &status) != 0)
        return -errno;
    out.st.blocks = status.f_blocks;
    out.st.bfree = status.f_bfree;
    out.st.bavail = status.f_bavail;
    out.st.files = status.f_files;
    out.st.ffree = status.f_ffree;
    out.st.bsize = (uint32_t)status.f_bsize;
    out.st.namelen = (uint32_t)status.f_namelen;
    out.st.frsize = (uint32_t)status.f_frsize;
    mn_reply_data(worker, request, &out, sizeof(out));
    return 0;
}
