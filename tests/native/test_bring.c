/* Many objects of a reintegration at once: what is plain is done, whatever needs a decision is
 * left as it is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "apply/bring.h"
#include "apply_lane.h"

static struct apply_node node;
static int stash_fd;

static struct mn_new_object object(const char *name, uint32_t mode)
{
    return (struct mn_new_object){.id = apply_some_id(),
                                  .parent = node.root.id,
                                  .name = name,
                                  .target = "text",
                                  .mode = mode};
}

static struct stat status_of(const char *name)
{
    struct stat status;

    CHECK_INT(fstatat(node.root.directory_fd, name, &status, AT_SYMLINK_NOFOLLOW), 0);
    return status;
}

static int open_made(const char *name)
{
    return openat(node.root.directory_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

static void test_make_new(void)
{
    struct mn_new_object objects[] = {
        object("file", S_IFREG | 0600), object("directory", S_IFDIR | 0700),
        object("link", S_IFLNK | 0600), object("fifo", S_IFIFO | 0600),
        object("file", S_IFREG | 0600)};
    uint8_t brought[5];
    struct mn_handle handle;
    struct mn_id id;
    char mark[8];

    RUN("each is made with mark and identity; what has a name that is taken is left");
    CHECK_INT(mn_apply_make_new(node.apply, 0, stash_fd, "f007", objects, 5, brought), 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(brought[i], MN_BROUGHT);
    CHECK_INT(brought[4], MN_LEFT);
    CHECK_INT(status_of("file").st_mode, S_IFREG | 0600);
    CHECK_INT(status_of("directory").st_mode, S_IFDIR | 0700);
    CHECK(S_ISLNK(status_of("link").st_mode));
    CHECK(S_ISFIFO(status_of("fifo").st_mode));
    int fd = open_made("file");
    CHECK_INT(fgetxattr(fd, MN_FRESH_XATTR, mark, sizeof(mark)), 4);
    CHECK_INT(mn_lower_handle(fd, "", &handle), 0);
    CHECK_INT(mn_lower_id_get(fd, &handle, &id), 0);
    CHECK(mn_id_equal(&id, &objects[0].id));
    close(fd);
    CHECK_INT(mn_apply_find(node.apply, 0, &objects[0].id, &handle), 0);
    CHECK_INT(mn_apply_find(node.apply, 0, &objects[4].id, &handle), 1);

    RUN("what is known, in the stash, or in no directory that is known, is left");
    struct mn_new_object known = objects[0];
    known.name = "again";
    struct mn_new_object stashed = object("stashed", S_IFREG | 0600);
    char name[2 * MN_ID_BYTES + 1];
    for (size_t i = 0; i < MN_ID_BYTES; i++)
        (void)snprintf(name + 2 * i, 3, "%02x", stashed.id.bytes[i]);
    CHECK_INT(mkdirat(stash_fd, name, 0700), 0);
    struct mn_new_object lost = object("lost", S_IFREG | 0600);
    lost.parent = apply_some_id();
    struct mn_new_object hidden = object(MN_HIDDEN_NAME, S_IFDIR | 0700);
    struct mn_new_object others[] = {known, stashed, lost, hidden};
    CHECK_INT(mn_apply_make_new(node.apply, 0, stash_fd, "f007", others, 4, brought), 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(brought[i], MN_LEFT);
    CHECK_INT(faccessat(node.root.directory_fd, "again", F_OK, 0), -1);
    CHECK_INT(faccessat(node.root.directory_fd, "stashed", F_OK, 0), -1);
}

static struct mn_id made(const char *name, uint32_t mode)
{
    struct mn_new_object new = object(name, mode);
    uint8_t brought;

    CHECK_INT(mn_apply_make_new(node.apply, 0, stash_fd, "f007", &new, 1, &brought), 0);
    CHECK_INT(brought, MN_BROUGHT);
    return new.id;
}

static void test_complete(void)
{
    struct mn_whole_attributes wanted = {.id = made("plain", S_IFREG | 0600),
                                         .mode = S_IFREG | 04751,
                                         .uid = 12,
                                         .gid = 34,
                                         .atime_ns = 1000000001,
                                         .mtime_ns = -1};
    uint8_t brought;

    RUN("all attributes are set, setuid after the owner; the mark is gone");
    CHECK_INT(mn_apply_complete(node.apply, 0, &wanted, 1, &brought), 0);
    CHECK_INT(brought, MN_BROUGHT_OTHER);
    struct stat status = status_of("plain");
    CHECK_INT(status.st_mode, S_IFREG | 04751);
    CHECK_INT(status.st_uid, 12);
    CHECK_INT(status.st_gid, 34);
    CHECK_INT(status.st_atim.tv_nsec, 1);
    CHECK_INT(status.st_mtim.tv_sec, -1);
    int fd = open_made("plain");
    CHECK_INT(fgetxattr(fd, MN_FRESH_XATTR, NULL, 0), -1);
    CHECK_INT(mn_apply_complete(node.apply, 0, &wanted, 1, &brought), 0);
    CHECK_INT(brought, MN_BROUGHT);

    RUN("what has an attribute more, another type, or no place, is left as it is");
    CHECK_INT(fsetxattr(fd, "user.a", "b", 1, 0), 0);
    wanted.mode = S_IFREG | 0600;
    CHECK_INT(mn_apply_complete(node.apply, 0, &wanted, 1, &brought), 0);
    CHECK_INT(brought, MN_LEFT);
    CHECK_INT(fremovexattr(fd, "user.a"), 0);
    close(fd);
    wanted.mode = S_IFDIR | 0700;
    CHECK_INT(mn_apply_complete(node.apply, 0, &wanted, 1, &brought), 0);
    CHECK_INT(brought, MN_LEFT);
    CHECK_INT(status_of("plain").st_mode, S_IFREG | 04751);
    wanted.id = apply_some_id();
    CHECK_INT(mn_apply_complete(node.apply, 0, &wanted, 1, &brought), 0);
    CHECK_INT(brought, MN_LEFT);
}

int main(void)
{
    if (!apply_node_make(&node))
        return 0;
    CHECK_INT(mkdirat(node.root.directory_fd, "stash", 0700), 0);
    stash_fd = openat(node.root.directory_fd, "stash", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    test_make_new();
    test_complete();
    close(stash_fd);
    apply_node_remove(&node);
    return 0;
}
