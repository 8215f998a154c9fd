/* The lower directory: how an object of it is reached and changed, on both nodes alike.
 * The capture (primary) and apply (secondary) perform every change through these functions, so
 * that what one node does the other does too. Functions take descriptors and handles, never paths
 * from the network. Each returns 0 (or a count) or -errno, and leaves no descriptor open unless it
 * says so. */
#ifndef MN_LOWER_LOWER_H
#define MN_LOWER_LOWER_H

#include <errno.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "util/object.h"

struct mn_rules;

/* At the top of each lower root; never shown, never replicated. */
#define MN_HIDDEN_NAME  ".mirror"
#define MN_MARK_NAME    "checkpoint"        /* in it; begun (8, LE), stable (8) */
#define MN_ID_XATTR     "trusted.mirror.id" /* id (16 bytes), handle type (4, LE), handle bytes */
#define MN_XATTR_PREFIX "trusted.mirror."
/* On an object that a reintegration made and that is not complete; `objects.py` says more. */
#define MN_FRESH_XATTR "trusted.mirror.fresh"

/* The flags of an object (chattr) that both nodes have alike. */
enum {
    MN_FLAGS_THAT_FORBID = FS_APPEND_FL | FS_IMMUTABLE_FL,
    MN_FLAGS_REPLICATED = MN_FLAGS_THAT_FORBID | FS_NODUMP_FL | FS_NOATIME_FL | FS_SYNC_FL |
        FS_DIRSYNC_FL,
};

enum {
    MN_ID_MISSING = 1
}; /* no valid identity there: none, or of another handle (a copy, a restore) */

struct mn_root {
    int index;
    int directory_fd; /* O_RDONLY|O_DIRECTORY on the lower root, kept since start: syncfs and mount
                         for handles */
    int hidden_fd;    /* MN_HIDDEN_NAME, mode 0700 */
    struct mn_id id;  /* of the root directory itself */
    dev_t device;
    struct mn_rules *rules; /* owned; what is not replicated (rules.h); NULL: nothing is. Never
                               changed while it is mounted or followed */
};

/* Opens, makes the hidden directory if create is set. MN_ID_MISSING: the root directory has no
 * valid identity, or no hidden directory (hidden_fd -1) (an unmounted or emptied disk, or a first
 * use: the caller decides, design 8). */
int mn_lower_root_open(const char *path, int index, int create, struct mn_root *root_out);
void mn_lower_root_close(struct mn_root *root);

/* Whether a result says that there is no room: the disk is full, or a quota exceeded. */
static inline bool mn_lower_is_full(int result)
{
    return result == -ENOSPC || result == -EDQUOT;
}

/* Writes how far checkpoints came: the last that was begun here, written before the file system is
 * synced for it, so that it is on disk when the checkpoint is announced; and the last that is
 * known to be on both disks. */
int mn_lower_mark(const struct mn_root *root, uint64_t begun_epoch, uint64_t stable_epoch);

int mn_lower_handle(int directory_fd, const char *name,
                    struct mn_handle *handle_out); /* name "" : the fd itself */
/* flags as open(2); O_PATH for a path descriptor. O_APPEND counts only for a file that opens no
 * other way (chattr +a). -ESTALE: gone. -ENXIO: a device, fifo or socket, which is never opened
 * but by O_PATH; -ELOOP: a symbolic link. */
int mn_lower_open(const struct mn_root *root, const struct mn_handle *handle, int flags);
/* path_fd: any descriptor of the object, O_PATH too (symbolic links, devices). Works through
 * /proc/self/fd. */
int mn_lower_id_get(int path_fd, const struct mn_handle *handle, struct mn_id *id_out);
int mn_lower_id_set(int path_fd, const struct mn_handle *handle, const struct mn_id *id);
/* As set, unless it has a valid one by now, which is put into *id then: two threads that name one
 * object agree. */
int mn_lower_id_give(int path_fd, const struct mn_handle *handle, struct mn_id *id);
int mn_lower_id_new(struct mn_id *id_out); /* getrandom */

/* Per thread, once: unshare(CLONE_FS), CAP_SYS_RESOURCE dropped from the effective set. */
int mn_lower_thread_init(void);
/* Act as this owner for creations: fsuid, fsgid, umask; DAC capabilities kept (the kernel has
 * checked the caller already), CAP_SYS_RESOURCE only with may_exceed. Cached per thread; cheap
 * when unchanged. */
int mn_lower_act_as(uint32_t uid, uint32_t gid, uint32_t umask, int may_exceed);
void mn_lower_act_as_root(void);

/* type bits in mode; target for a symbolic link; then the identity is given (id NULL: it gets
 * none, being local). A reintegration that looks at the name in between, while this node is alone,
 * gives one too: *id is the one it has. *path_fd_out: O_PATH descriptor of the new object (or, for
 * a regular file with open_flags != 0, one opened with these flags), owned by the caller. */
int mn_lower_create(int directory_fd, const char *name, uint32_t mode, uint64_t rdev,
                    const char *target, int open_flags, struct mn_id *id,
                    struct mn_handle *handle_out, int *path_fd_out);
/* A regular file without a name, of the file system of this directory, to be linked: gone with its
 * last descriptor. *fd_out: opened with these flags, owned by the caller. */
int mn_lower_create_nameless(int directory_fd, uint32_t mode, int open_flags,
                             const struct mn_id *id, struct mn_handle *handle_out, int *fd_out);
/* As create, for a reintegration, which completes it later: the mark first, then the identity, so
 * that nothing with an identity only looks complete. */
int mn_lower_make_unfinished(int directory_fd, const char *name, uint32_t mode, uint64_t rdev,
                             const char *target, const char *mark, const struct mn_id *id,
                             struct mn_handle *handle_out);
int mn_lower_link(int path_fd, int directory_fd, const char *name);
int mn_lower_unlink(int directory_fd, const char *name, int directory);
int mn_lower_rename(int directory_fd, const char *name, int new_directory_fd, const char *new_name,
                    uint32_t flags);

struct mn_attributes { /* as message SetAttributes, PROTOCOL */
    uint32_t valid;
    uint32_t mode, uid, gid;
    uint64_t size_bytes;
    int64_t atime_ns, mtime_ns;
};
enum {
    MN_SET_MODE = 1,
    MN_SET_UID = 2,
    MN_SET_GID = 4,
    MN_SET_SIZE = 8,
    MN_SET_ATIME = 16,
    MN_SET_MTIME = 32,
    MN_SET_KILL_PRIV = 64,
};
enum {
    MN_WRITE_KILL_PRIV = 1,
    MN_WRITE_DSYNC = 2,
    MN_WRITE_SYNC = 4,
    MN_WRITE_UNDO = 8
}; /* message Write */
enum {
    MN_XATTR_CREATE = 1,
    MN_XATTR_REPLACE = 2,
    MN_XATTR_CLEAR_SETGID = 256
}; /* message SetXattr */

int mn_lower_set_attributes(int path_fd, const struct mn_attributes *attributes);
/* The bytes written: fewer than size when an error came after some of them. -EPERM: not at the end
 * of an append-only file. */
ssize_t mn_lower_write(int fd, const void *data, size_t size, uint64_t offset,
                       uint32_t flags); /* flags: message Write */
/* The bytes read: fewer than size only at the end of the file. */
ssize_t mn_lower_read(int fd, void *buffer, size_t size, uint64_t offset);
/* Whether a range holds data throughout, in memory or on the disk. False also where that is not
 * told: the file system has no map of extents, or the range lies in many pieces. */
bool mn_lower_is_all_data(int fd, uint64_t offset, uint64_t end);
/* What lies at offset, data or a hole, and where it ends: at or behind `end` if it goes as far. A
 * last hole has no end (UINT64_MAX). */
int mn_lower_extent(int fd, uint64_t offset, uint64_t end, bool *hole_out, uint64_t *end_out);
/* True for zeros that nobody has written: `data`, read at offset, lies in one extent that is only
 * reserved. False where that cannot be told. */
bool mn_lower_is_reserved(int fd, const uint8_t *data, size_t size, uint64_t offset);
/* XXH3-128 (16 bytes, canonical) of each block that begins before the end of the range and of the
 * file; the last one may be shorter. buffer: room for a block at least; as much is read at a time.
 * Stops at hash_count_max. */
int mn_lower_hash_range(int fd, uint64_t offset, uint64_t size, uint32_t block_bytes,
                        uint8_t *buffer, size_t buffer_bytes, uint8_t *hashes,
                        uint32_t hash_count_max, uint32_t *hash_count_out,
                        uint64_t *file_bytes_out);
/* So that what is read next is what the disk has: a page that could not be written is kept by the
 * kernel, and taken for written. Pages not written yet stay, and begin to be; the next sync tells
 * of them. */
void mn_lower_forget_cached(int fd, uint64_t offset, uint64_t size);
int mn_lower_fallocate(int fd, uint32_t mode, uint64_t offset, uint64_t size);
ssize_t mn_lower_copy_range(int fd, uint64_t offset, int to_fd, uint64_t to_offset, uint64_t size);
int mn_lower_set_xattr(int path_fd, const char *name, const void *value, size_t size,
                       uint32_t flags);
int mn_lower_remove_xattr(int path_fd, const char *name);
int mn_lower_set_flags(int fd, uint32_t flags, uint32_t valid); /* FS_IOC flags; fd not O_PATH */
int mn_lower_sync(int fd, int datasync);
/* No inode flag that is replicated, and no extended attribute but ours. fd: not O_PATH. */
bool mn_lower_is_plain(int fd);
/* 1: it has file capabilities; 0; or -errno. */
int mn_lower_has_capabilities(int path_fd);
int mn_lower_kill_priv(int fd); /* clears setuid, setgid as write(2) by an ordinary user does */

#endif
