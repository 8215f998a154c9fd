/* LOWER/.mirror/checkpoint: how far checkpoints came on this disk. The other node remembers what
 * it was told, and so recognises a disk that was put back to an earlier day (design 8, 14). */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lower/lower.h"
#include "util/bytes.h"

enum { MARK_BYTES = 16 };

int mn_lower_mark(const struct mn_root *root, uint64_t begun_epoch, uint64_t stable_epoch)
{
    uint8_t mark[MARK_BYTES];
    int result = 0;
    int fd =
        openat(root->hidden_fd, MN_MARK_NAME, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return -errno;
    mn_store_u64(mark, begun_epoch);
    mn_store_u64(mark + 8, stable_epoch);
    /* In place: a full disk has room for it, once it was written. */
    ssize_t written = pwrite(fd, mark, sizeof mark, 0);
    if (written != (ssize_t)sizeof mark)
        result = written < 0 ? -errno : -EIO;
    close(fd);
    return result;
}
