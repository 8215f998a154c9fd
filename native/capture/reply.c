#include "capture/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

static void send(struct mn_worker *worker, const struct mn_fuse_request *request, int error,
                 const void *data, size_t size)
{
    uint64_t unique = request->header->unique;

    if (worker->reply_late) {
        struct fuse_out_header header = {.unique = unique, .error = error};
        size_t body = error == 0 ? size : 0;
        uint8_t *bytes = malloc(sizeof(header) + body);
        int result = bytes == NULL ? -ENOMEM : 0;

        worker->reply_late = false;
        if (result == 0) {
            header.len = (uint32_t)(sizeof(header) + body);
            memcpy(bytes, &header, sizeof(header));
            if (body > 0)
                memcpy(bytes + sizeof(header), data, body);
            result = mn_park_add(&worker->capture->park, worker->mount, worker->fuse_fd, unique,
                                 true, bytes, sizeof(header) + body);
        }
        free(bytes);
        if (result == 0)
            return;
        error = -EIO; /* without memory to wait with: an error, never a success that may be lost */
    }
    (void)mn_fuse_reply(worker->fuse_fd, unique, error, data, size);
}

void mn_reply_error(struct mn_worker *worker, const struct mn_fuse_request *request, int error)
{
    send(worker, request, error, NULL, 0);
}

void mn_reply_data(struct mn_worker *worker, const struct mn_fuse_request *request,
                   const void *data, size_t size)
{
    send(worker, request, 0, data, size);
}

/* Of told_to: nobody, one thread by a number of 16 bits, or several. */
enum { TOLD_NOBODY = 0, TOLD_SEVERAL = UINT16_MAX };

static uint16_t number_of(const struct mn_fuse_request *request)
{
    uint32_t thread = request->header->pid;

    /* All threads that our pid namespace does not know have number 0. */
    return thread == 0 ? TOLD_SEVERAL : (uint16_t)(1 + thread % (TOLD_SEVERAL - 1));
}

void mn_reply_told(struct mn_node *node, const struct mn_fuse_request *request)
{
    uint16_t thread = number_of(request);
    uint16_t told = __atomic_load_n(&node->told_to, __ATOMIC_SEQ_CST);

    while (told != thread && told != TOLD_SEVERAL &&
           !__atomic_compare_exchange_n(&node->told_to, &told,
                                        told == TOLD_NOBODY ? thread : TOLD_SEVERAL, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ; /* told: what another thread made of it */
}

void mn_reply_changed(struct mn_worker *worker, const struct mn_fuse_request *request,
                      struct mn_node *directory)
{
    uint16_t told = __atomic_exchange_n(&directory->told_to, TOLD_NOBODY, __ATOMIC_SEQ_CST);

    if (told == TOLD_SEVERAL || (told != TOLD_NOBODY && told != number_of(request)))
        mn_reply_forget(worker, directory);
}

void mn_reply_forget(struct mn_worker *worker, const struct mn_node *node)
{
    bool is_root = node == worker->mount->nodes.root;

    /* The kernel has the object in use as long as its change is not replied: it is not freed. */
    (void)mn_fuse_forget_attributes(worker->fuse_fd,
                                    is_root ? FUSE_ROOT_ID : (uint64_t)(uintptr_t)node);
}

static uint32_t device_number(dev_t device)
{
    unsigned number_major = major(device);
    unsigned number_minor = minor(device);

    /* The kernel's 32-bit form (new_encode_dev). */
    return (number_minor & 0xff) | (number_major << 8) | ((number_minor & ~0xffU) << 12);
}

void mn_fill_attributes(const struct stat *status, struct fuse_attr *attributes_out)
{
    memset(attributes_out, 0, sizeof(*attributes_out));
    attributes_out->ino = status->st_ino;
    attributes_out->size = (uint64_t)status->st_size;
    attributes_out->blocks = (uint64_t)status->st_blocks;
    attributes_out->atime = (uint64_t)status->st_atim.tv_sec;
    attributes_out->mtime = (uint64_t)status->st_mtim.tv_sec;
    attributes_out->ctime = (uint64_t)status->st_ctim.tv_sec;
    attributes_out->atimensec = (uint32_t)status->st_atim.tv_nsec;
    attributes_out->mtimensec = (uint32_t)status->st_mtim.tv_nsec;
    attributes_out->ctimensec = (uint32_t)status->st_ctim.tv_nsec;
    attributes_out->mode = status->st_mode;
    attributes_out->nlink = (uint32_t)status->st_nlink;
    attributes_out->uid = status->st_uid;
    attributes_out->gid = status->st_gid;
    attributes_out->rdev = device_number(status->st_rdev);
    attributes_out->blksize = (uint32_t)status->st_blksize;
}

void mn_reply_attributes(struct mn_worker *worker, const struct mn_fuse_request *request,
                         const struct stat *status)
{
    struct fuse_attr_out out = {.attr_valid = MN_VALID_SECONDS};

    mn_fill_attributes(status, &out.attr);
    send(worker, request, 0, &out, sizeof(out));
}

void mn_fill_entry(const struct mn_node *node, const struct stat *status,
                   struct fuse_entry_out *entry_out)
{
    memset(entry_out, 0, sizeof(*entry_out));
    entry_out->nodeid = (uint64_t)(uintptr_t)node;
    /* The next object at the same place in memory is not the one that a handle was made for
     * (open_by_handle_at, an NFS server). */
    entry_out->generation = node->key;
    entry_out->entry_valid = MN_VALID_SECONDS;
    entry_out->attr_valid = MN_VALID_SECONDS;
    mn_fill_attributes(status, &entry_out->attr);
}
