/* A directory of the test's own. */
#include "scratch.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

int scratch_make(char path_out[SCRATCH_PATH_BYTES])
{
    const char *base = getenv("TMPDIR");

    if (geteuid() != 0) {
        printf("skip: not root: trusted attributes cannot be set\n");
        return 0;
    }
    (void)snprintf(path_out, SCRATCH_PATH_BYTES, "%s/mirror-test-XXXXXX", base ? base : "/tmp");
    if (mkdtemp(path_out) == NULL) {
        perror(path_out);
        abort();
    }
    if (setxattr(path_out, "trusted.mirror.probe", "1", 1, 0) != 0) {
        printf("skip: %s has no trusted attributes\n", path_out);
        (void)rmdir(path_out);
        return 0;
    }
    return 1;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

void scratch_remove(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int64_t scratch_read(const char *directory, const char *name, char *buffer, size_t size)
{
    char path[SCRATCH_PATH_BYTES + 256];

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t count = read(fd, buffer, size);
    close(fd);
    return count;
}
