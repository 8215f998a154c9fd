/* Every FUSE operation, once: how it is treated, and why. The rows generate the dispatch
 * (operations.c); a test holds them against the opcodes of linux/fuse.h, so none is forgotten.
 *
 *   PASSED      served from this node's lower directory; never waits for the peer
 *   REPLICATED  the five steps of replicate.c
 *   REFUSED     answered with the errno; ENOSYS only where the kernel's own fallback is wanted */
#ifndef MN_CAPTURE_OPERATIONS_H
#define MN_CAPTURE_OPERATIONS_H

#include <linux/fs.h>

#include "capture/capture.h"

/* clang-format off */
/*                operation            handler           treatment   errno        why */
#define MN_OPERATIONS(ROW) \
    ROW(FUSE_LOOKUP,          mn_op_lookup,         PASSED,     0,           "a read never waits for the peer") \
    ROW(FUSE_FORGET,          mn_op_forget,         PASSED,     0,           "the kernel's own accounting") \
    ROW(FUSE_BATCH_FORGET,    mn_op_batch_forget,   PASSED,     0,           "as FORGET") \
    ROW(FUSE_GETATTR,         mn_op_getattr,        PASSED,     0,           "a read never waits for the peer") \
    ROW(FUSE_SETATTR,         mn_op_setattr,        REPLICATED, 0,           "mode, owner, size, times: absolute values") \
    ROW(FUSE_READLINK,        mn_op_readlink,       PASSED,     0,           "a read never waits for the peer") \
    ROW(FUSE_SYMLINK,         mn_op_symlink,        REPLICATED, 0,           "a name is made") \
    ROW(FUSE_MKNOD,           mn_op_mknod,          REPLICATED, 0,           "a name is made") \
    ROW(FUSE_MKDIR,           mn_op_mkdir,          REPLICATED, 0,           "a name is made") \
    ROW(FUSE_UNLINK,          mn_op_unlink,         REPLICATED, 0,           "a name goes") \
    ROW(FUSE_RMDIR,           mn_op_rmdir,          REPLICATED, 0,           "a name goes") \
    ROW(FUSE_RENAME,          mn_op_rename,         REPLICATED, 0,           "no content travels") \
    ROW(FUSE_RENAME2,         mn_op_rename2,        REPLICATED, 0,           "NOREPLACE and EXCHANGE; WHITEOUT is EINVAL: overlayfs alone uses it") \
    ROW(FUSE_LINK,            mn_op_link,           REPLICATED, 0,           "one more name") \
    ROW(FUSE_OPEN,            mn_op_open,           PASSED,     0,           "truncation comes as SETATTR first") \
    ROW(FUSE_READ,            mn_op_read,           PASSED,     0,           "a read never waits for the peer") \
    ROW(FUSE_WRITE,           mn_op_write,          REPLICATED, 0,           "the byte range that changed travels") \
    ROW(FUSE_STATFS,          mn_op_statfs,         PASSED,     0,           "this node's disk") \
    ROW(FUSE_RELEASE,         mn_op_release,        PASSED,     0,           "nobody waits for it") \
    ROW(FUSE_FSYNC,           mn_op_fsync,          REPLICATED, 0,           "both disks with async=none; else this one, all writes being at the peer already") \
    ROW(FUSE_SETXATTR,        mn_op_setxattr,       REPLICATED, 0,           "ACLs too; trusted.mirror.* is EPERM: it is ours") \
    ROW(FUSE_GETXATTR,        mn_op_getxattr,       PASSED,     0,           "trusted.mirror.* is ENODATA") \
    ROW(FUSE_LISTXATTR,       mn_op_listxattr,      PASSED,     0,           "without trusted.mirror.*") \
    ROW(FUSE_REMOVEXATTR,     mn_op_removexattr,    REPLICATED, 0,           "an attribute goes") \
    ROW(FUSE_FLUSH,           mn_op_flush,          PASSED,     0,           "what was written has been replied already; ENOSYS where the kernel then stops asking") \
    ROW(FUSE_INIT,            mn_op_refused,        REFUSED,    EIO,         "answered once, by the session (fuse/session.c)") \
    ROW(FUSE_OPENDIR,         mn_op_refused,        REFUSED,    ENOSYS,      "wanted: the kernel then opens directories by itself and keeps their listings") \
    ROW(FUSE_READDIR,         mn_op_readdir,        PASSED,     0,           "a read never waits for the peer") \
    ROW(FUSE_READDIRPLUS,     mn_op_readdirplus,    PASSED,     0,           "a read never waits for the peer") \
    ROW(FUSE_RELEASEDIR,      mn_op_ignored,        PASSED,     0,           "directories are not held open") \
    ROW(FUSE_FSYNCDIR,        mn_op_fsyncdir,       REPLICATED, 0,           "as FSYNC") \
    ROW(FUSE_GETLK,           mn_op_refused,        REFUSED,    ENOSYS,      "wanted: the kernel keeps the locks; only one node runs the application") \
    ROW(FUSE_SETLK,           mn_op_refused,        REFUSED,    ENOSYS,      "as GETLK") \
    ROW(FUSE_SETLKW,          mn_op_refused,        REFUSED,    ENOSYS,      "as GETLK") \
    ROW(FUSE_ACCESS,          mn_op_refused,        REFUSED,    ENOSYS,      "wanted: the kernel checks permissions itself (default_permissions)") \
    ROW(FUSE_CREATE,          mn_op_create,         REPLICATED, 0,           "a name is made, and opened here") \
    ROW(FUSE_INTERRUPT,       mn_op_refused,        REFUSED,    ENOSYS,      "wanted: the kernel then tells of no signal; the runner looks for killed callers itself (worker.c)") \
    ROW(FUSE_BMAP,            mn_op_refused,        REFUSED,    ENOSYS,      "block numbers mean nothing on the peer") \
    ROW(FUSE_DESTROY,         mn_op_ignored,        PASSED,     0,           "the session ends") \
    ROW(FUSE_IOCTL,           mn_op_ioctl,          REPLICATED, 0,           "FS_IOC_GETFLAGS and SETFLAGS; all others ENOTTY: their meaning is unknown here") \
    ROW(FUSE_POLL,            mn_op_refused,        REFUSED,    ENOSYS,      "wanted: files are always ready") \
    ROW(FUSE_NOTIFY_REPLY,    mn_op_ignored,        PASSED,     0,           "nothing is asked of the kernel that it would answer so") \
    ROW(FUSE_FALLOCATE,       mn_op_fallocate,      REPLICATED, 0,           "no content travels") \
    ROW(FUSE_LSEEK,           mn_op_lseek,          PASSED,     0,           "holes as on the lower directory, where no page of the kernel's can be newer; ENOSYS with its cache") \
    ROW(FUSE_COPY_FILE_RANGE, mn_op_copy_file_range, REPLICATED, 0,          "no content travels; during reintegration the kernel copies by read and write") \
    ROW(FUSE_SETUPMAPPING,    mn_op_refused,        REFUSED,    ENOSYS,      "virtiofs only") \
    ROW(FUSE_REMOVEMAPPING,   mn_op_refused,        REFUSED,    ENOSYS,      "virtiofs only") \
    ROW(FUSE_SYNCFS,          mn_op_refused,        REFUSED,    ENOSYS,      "never sent to a server like us (seen on 6.18)") \
    ROW(FUSE_TMPFILE,         mn_op_tmpfile,        PASSED,     0,           "not on the peer until LINK gives it a name: then all of it is sent") \
    ROW(MN_FUSE_STATX,        mn_op_refused,        REFUSED,    ENOSYS,      "wanted: the kernel falls back to GETATTR")
/* clang-format on */

typedef int mn_operation(struct mn_worker *worker, const struct mn_fuse_request *request);

/* Each returns 0 when it has replied, or MN_PARK: the request is kept as it is, and run again
 * later. */
mn_operation mn_op_lookup, mn_op_forget, mn_op_batch_forget, mn_op_getattr, mn_op_setattr,
    mn_op_readlink, mn_op_symlink, mn_op_mknod, mn_op_mkdir, mn_op_unlink, mn_op_rmdir,
    mn_op_rename, mn_op_rename2, mn_op_link, mn_op_open, mn_op_read, mn_op_write, mn_op_statfs,
    mn_op_release, mn_op_fsync, mn_op_setxattr, mn_op_getxattr, mn_op_listxattr, mn_op_removexattr,
    mn_op_flush, mn_op_readdir, mn_op_readdirplus, mn_op_fsyncdir, mn_op_create, mn_op_ioctl,
    mn_op_fallocate, mn_op_lseek, mn_op_copy_file_range, mn_op_tmpfile, mn_op_refused,
    mn_op_ignored;

/* An open file, as the kernel's fh. */
struct mn_file {
    struct mn_node *node; /* pinned */
    int fd;
    /* Guarded by the mutex of the node's table. */
    struct mn_file *next;    /* of the same node */
    uint32_t borrower_count; /* operations that use fd, besides the kernel's own */
    bool is_released;        /* the kernel's are over: the last borrower closes it */
};

/* A descriptor of an object for one operation. */
struct mn_borrowed {
    int fd;
    struct mn_file *file; /* whose descriptor it is; NULL: opened for this */
};

static inline struct mn_file *mn_file_of(uint64_t fh)
{
    return (struct mn_file *)(uintptr_t)fh;
}

static inline struct mn_node *mn_node_of(const struct mn_mount *mount, uint64_t nodeid)
{
    return nodeid == FUSE_ROOT_ID ? mount->nodes.root : (struct mn_node *)(uintptr_t)nodeid;
}

/* Whether what has this name, or is to get it, is not replicated (lower/rules.h). */
bool mn_name_is_local(struct mn_mount *mount, const struct mn_node *directory, const char *name,
                      bool is_directory);
/* A new object: it is local, or not, as long as it lives. Before anybody else can see it. */
static inline void mn_node_classify(struct mn_node *node, bool local)
{
    mn_node_flag_set(node, MN_NODE_CLASSED | (local ? MN_NODE_LOCAL : 0U));
}

/* The kernel sends no FLUSH any more after ENOSYS; from this minor version of its protocol on
 * (Linux 5.16) it writes back at close all the same. */
enum { MN_FUSE_MINOR_FLUSHES_ITSELF = 35 };

/* What stands at a name: its node (pinned) and status. -ENOENT, -errno; the hidden directory does
 * not exist. */
int mn_look(struct mn_worker *worker, struct mn_node *directory, const char *name,
            struct mn_node **node_out, struct stat *status_out);
/* As mn_look, for the answer to a request that tells the kernel of the object. */
int mn_look_to_tell(struct mn_worker *worker, const struct mn_fuse_request *request,
                    struct mn_node *directory, const char *name, struct mn_node **node_out,
                    struct stat *status_out);
/* LINK of a file that has no name yet (tmpfile.c). As an operation. */
int mn_link_nameless(struct mn_worker *worker, const struct mn_fuse_request *request,
                     struct mn_node *node, struct mn_node *directory, const char *name);
/* A new open file; NULL: no memory, fd is closed then. */
struct mn_file *mn_file_new(struct mn_mount *mount, struct mn_node *node, int fd);
uint32_t mn_open_flags(const struct mn_worker *worker);
/* The node is not append-only any more: whoever has it open may write anywhere, also after it is
 * again (the kernel looks at the flag when a file is opened). */
void mn_files_write_anywhere(struct mn_mount *mount, const struct mn_node *node);
/* A descriptor of the node to be given back: that of a file open anyway, in whatever access mode,
 * else one by O_PATH. 0, or -errno. */
int mn_borrow(struct mn_mount *mount, struct mn_node *node, struct mn_borrowed *borrowed_out);
void mn_give_back(struct mn_mount *mount, const struct mn_borrowed *borrowed);
/* Through the mount, this name does not exist: the hidden directory at the top, and what is ours
 * in xattrs. */
bool mn_is_hidden(const struct mn_mount *mount, const struct mn_node *directory, const char *name);

#endif
