/* A lower root: the real directory of a replicated directory, reached by a descriptor opened
 * before anything is mounted over it (design 2). Knows its identity and its hidden directory;
 * never makes an identity up: that both nodes agree on it is the caller's affair (design 8). */
#include "lower/lower.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lower/rules.h"

static int open_hidden(int directory_fd, int create, int *hidden_fd_out)
{
    if (create && mkdirat(directory_fd, MN_HIDDEN_NAME, 0700) < 0 && errno != EEXIST)
        return -errno;
    int fd = openat(directory_fd, MN_HIDDEN_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return -errno;
    *hidden_fd_out = fd;
    return 0;
}

/* Returns 0, MN_ID_MISSING or -errno. */
static int read_identity(struct mn_root *root)
{
    struct mn_handle handle;
    int result = mn_lower_handle(root->directory_fd, "", &handle);
    if (result < 0)
        return result;
    result = mn_lower_id_get(root->directory_fd, &handle, &root->id);
    if (result < 0)
        return result;
    /* The identity lies on the directory, not in it: an emptied disk still shows it, but has lost
     * the hidden directory with the record's numbers, and must not pass for the old one. */
    return result == MN_ID_MISSING || root->hidden_fd < 0 ? MN_ID_MISSING : 0;
}

int mn_lower_root_open(const char *path, int index, int create, struct mn_root *root_out)
{
    struct mn_root root = {.index = index, .directory_fd = -1, .hidden_fd = -1};
    struct stat status;
    int result;

    if (index < 0 || index >= MN_ROOTS_MAX)
        return -EINVAL;
    root.directory_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root.directory_fd < 0)
        return -errno;
    if (fstat(root.directory_fd, &status) < 0) {
        result = -errno;
        goto out;
    }
    root.device = status.st_dev;
    result = open_hidden(root.directory_fd, create, &root.hidden_fd);
    if (result == 0)
        result = read_identity(&root);
out:
    if (result < 0)
        mn_lower_root_close(&root);
    else
        *root_out = root;
    return result;
}

void mn_lower_root_close(struct mn_root *root)
{
    if (root->directory_fd >= 0)
        close(root->directory_fd);
    if (root->hidden_fd >= 0)
        close(root->hidden_fd);
    mn_rules_destroy(root->rules);
    root->rules = NULL;
    root->directory_fd = -1;
    root->hidden_fd = -1;
}
