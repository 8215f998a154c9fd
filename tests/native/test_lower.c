/* lower/ on a real file system: identities, objects of every type by handle, credentials. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"
#include "hash/hash.h"
#include "lower/lower.h"
#include "scratch.h"

static char scratch[SCRATCH_PATH_BYTES];
static struct mn_root root;

static const uint32_t all_types[] = {S_IFREG | 0640, S_IFDIR | 0750,  S_IFLNK | 0777,
                                     S_IFIFO | 0600, S_IFSOCK | 0600, S_IFCHR | 0600,
                                     S_IFBLK | 0600};

static struct mn_id some_id(void)
{
    struct mn_id id;
    CHECK_INT(mn_lower_id_new(&id), 0);
    return id;
}

static int create(const char *name, uint32_t mode, struct mn_id *id_out, struct mn_handle *handle)
{
    int fd;
    *id_out = some_id();
    const char *target = S_ISLNK(mode) ? "nowhere/at all" : NULL;
    CHECK_INT(mn_lower_create(root.directory_fd, name, mode, makedev(7, 300), target, O_RDWR,
                              id_out, handle, &fd),
              0);
    return fd;
}

static void test_root(void)
{
    struct mn_root other;
    struct mn_handle handle;

    RUN("a directory without identity says so, and gets its hidden directory");
    CHECK_INT(mn_lower_root_open(scratch, 0, 0, &other), MN_ID_MISSING);
    CHECK_INT(other.hidden_fd, -1);
    mn_lower_root_close(&other);
    CHECK_INT(mn_lower_root_open(scratch, 3, 1, &root), MN_ID_MISSING);
    CHECK(root.hidden_fd >= 0 && root.index == 3);

    RUN("a root with identity shows it");
    struct mn_id id = some_id();
    CHECK_INT(mn_lower_handle(root.directory_fd, "", &handle), 0);
    CHECK_INT(mn_lower_id_set(root.directory_fd, &handle, &id), 0);
    mn_lower_root_close(&root);
    CHECK_INT(mn_lower_root_open(scratch, 0, 0, &root), 0);
    CHECK(mn_id_equal(&root.id, &id));

    RUN("a path that is no directory is an error");
    CHECK_INT(mn_lower_root_open("/dev/null", 0, 1, &other), -ENOTDIR);
    CHECK_INT(mn_lower_root_open("/nowhere", 0, 1, &other), -ENOENT);
    CHECK_INT(mn_lower_root_open(scratch, MN_ROOTS_MAX, 1, &other), -EINVAL);
}

static void test_every_type(void)
{
    struct mn_attributes attributes = {
        .valid = MN_SET_UID | MN_SET_GID | MN_SET_ATIME | MN_SET_MTIME,
        .uid = 1234,
        .gid = 4321,
        .atime_ns = -1500000000,
        .mtime_ns = INT64_C(1700000000123456789),
    };

    RUN("objects of every type have identity, owner, times and attributes by O_PATH");
    for (size_t i = 0; i < sizeof(all_types) / sizeof(all_types[0]); i++) {
        struct mn_handle handle;
        struct mn_id id, found;
        struct stat status;
        close(create("object", all_types[i], &id, &handle));
        int fd = mn_lower_open(&root, &handle, O_PATH);
        CHECK(fd >= 0);
        CHECK_INT(mn_lower_id_get(fd, &handle, &found), 0);
        CHECK(mn_id_equal(&id, &found));
        CHECK_INT(mn_lower_set_attributes(fd, &attributes), 0);
        CHECK_INT(mn_lower_set_xattr(fd, "trusted.test", "ab", 2, MN_XATTR_CREATE), 0);
        CHECK_INT(mn_lower_set_xattr(fd, "trusted.test", "ab", 2, MN_XATTR_CREATE), -EEXIST);
        CHECK_INT(mn_lower_remove_xattr(fd, "trusted.test"), 0);
        CHECK_INT(mn_lower_remove_xattr(fd, "trusted.test"), -ENODATA);
        CHECK_INT(fstatat(root.directory_fd, "object", &status, AT_SYMLINK_NOFOLLOW), 0);
        CHECK_INT(status.st_mode & S_IFMT, all_types[i] & S_IFMT);
        CHECK_INT(status.st_uid, 1234);
        CHECK_INT(status.st_gid, 4321);
        CHECK_INT(status.st_mtim.tv_sec, 1700000000);
        CHECK_INT(status.st_mtim.tv_nsec, 123456789);
        CHECK_INT(status.st_atim.tv_sec, -2);
        CHECK_INT(status.st_atim.tv_nsec, 500000000);
        if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
            CHECK_INT(status.st_rdev, makedev(7, 300));
        struct mn_attributes mode = {.valid = MN_SET_MODE, .mode = 04755};
        CHECK_INT(mn_lower_set_attributes(fd, &mode), S_ISLNK(status.st_mode) ? -EOPNOTSUPP : 0);
        CHECK_INT(mn_lower_link(fd, root.directory_fd, "second"),
                  S_ISDIR(status.st_mode) ? -EPERM : 0);
        if (!S_ISDIR(status.st_mode))
            CHECK_INT(mn_lower_unlink(root.directory_fd, "second", 0), 0);
        close(fd);
        CHECK_INT(mn_lower_unlink(root.directory_fd, "object", S_ISDIR(status.st_mode)), 0);
        CHECK_INT(mn_lower_open(&root, &handle, O_PATH), -ESTALE);
    }
}

static void test_never_opens_devices(void)
{
    struct mn_handle handle;
    struct mn_id id;

    RUN("devices, fifos and links are opened by path only");
    for (size_t i = 2; i < sizeof(all_types) / sizeof(all_types[0]); i++) {
        close(create("object", all_types[i], &id, &handle));
        CHECK_INT(mn_lower_open(&root, &handle, O_RDWR), S_ISLNK(all_types[i]) ? -ELOOP : -ENXIO);
        CHECK_INT(mn_lower_unlink(root.directory_fd, "object", 0), 0);
    }
}

static void test_copies_count_as_new(void)
{
    struct mn_handle handle, other;
    struct mn_id id, found;
    uint8_t value[64];

    RUN("an identity copied to another object does not count");
    int fd = create("one", S_IFREG | 0600, &id, &handle);
    ssize_t size = fgetxattr(fd, MN_ID_XATTR, value, sizeof(value));
    CHECK_INT(size, MN_ID_BYTES + 4 + handle.size);
    int copy = openat(root.directory_fd, "copy", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    CHECK_INT(fsetxattr(copy, MN_ID_XATTR, value, (size_t)size, 0), 0);
    CHECK_INT(mn_lower_handle(copy, "", &other), 0);
    CHECK_INT(mn_lower_id_get(copy, &other, &found), MN_ID_MISSING);
    CHECK(mn_id_is_zero(&found));

    RUN("a short, a long and a zero identity do not count");
    CHECK_INT(fsetxattr(fd, MN_ID_XATTR, value, 19, 0), 0);
    CHECK_INT(mn_lower_id_get(fd, &handle, &found), MN_ID_MISSING);
    CHECK_INT(fsetxattr(fd, MN_ID_XATTR, value, 64, 0), 0);
    CHECK_INT(mn_lower_id_get(fd, &handle, &found), MN_ID_MISSING);
    memset(value, 0, MN_ID_BYTES);
    CHECK_INT(fsetxattr(fd, MN_ID_XATTR, value, (size_t)size, 0), 0);
    CHECK_INT(mn_lower_id_get(fd, &handle, &found), MN_ID_MISSING);

    RUN("an application's name for it is refused");
    CHECK_INT(mn_lower_set_xattr(fd, MN_ID_XATTR, value, 16, 0), -EPERM);
    CHECK_INT(mn_lower_remove_xattr(fd, MN_ID_XATTR), -EPERM);
    close(fd);
    close(copy);
    CHECK_INT(mn_lower_unlink(root.directory_fd, "one", 0), 0);
    CHECK_INT(mn_lower_unlink(root.directory_fd, "copy", 0), 0);
}

static void test_data(void)
{
    struct mn_handle handle;
    struct mn_id id;
    struct stat status;
    char text[32];

    RUN("write, size, copy, punch");
    int fd = create("data", S_IFREG | 0644, &id, &handle);
    CHECK_INT(mn_lower_write(fd, "hello world", 11, 5, MN_WRITE_DSYNC), 11);
    CHECK_INT(mn_lower_write(fd, "H", 1, 5, MN_WRITE_SYNC), 1);
    CHECK_INT(mn_lower_write(fd, "H", 1, UINT64_MAX, 0), -EFBIG);
    CHECK_INT(pread(fd, text, sizeof(text), 0), 16);
    CHECK_BYTES(text, "\0\0\0\0\0Hello world", 16);
    CHECK_INT(mn_lower_copy_range(fd, 5, fd, 100, 11), 11);
    CHECK_INT(mn_lower_copy_range(fd, 111, fd, 4096, 11), 0);
    int path_fd = mn_lower_open(&root, &handle, O_PATH);
    struct mn_attributes size = {.valid = MN_SET_SIZE, .size_bytes = 105};
    CHECK_INT(mn_lower_set_attributes(path_fd, &size), 0);
    CHECK_INT(fstat(fd, &status), 0);
    CHECK_INT(status.st_size, 105);
    CHECK_INT(mn_lower_fallocate(fd, 3, 5, 95), 0);
    CHECK_INT(pread(fd, text, 6, 99), 6);
    CHECK_BYTES(text, "\0Hello", 6);
    CHECK_INT(mn_lower_sync(fd, 0), 0);
    close(path_fd);
    close(fd);

    RUN("opens strip what belongs to requests");
    fd = mn_lower_open(&root, &handle, O_RDWR | O_APPEND | O_TRUNC);
    CHECK(fd >= 0);
    CHECK_INT(fcntl(fd, F_GETFL) & (O_APPEND | O_DIRECT), 0);
    CHECK_INT(fstat(fd, &status), 0);
    CHECK_INT(status.st_size, 105);
    close(fd);
    CHECK_INT(mn_lower_unlink(root.directory_fd, "data", 0), 0);
}

static void test_extents(void)
{
    static const struct {
        uint64_t offset, end;
        bool hole;
        uint64_t extent_end;
    } expected[] = {
        {0, 8192, false, 8192},     /* all that was asked about is data */
        {0, 1 << 20, false, 65536}, /* there is more to it: where the data ends */
        {4096, 65536, false, 65536},
        {65536, 1 << 20, true, 131072},  /* a hole, and where the next data is */
        {131072, 135168, false, 135168}, /* the last page */
        {135168, 1 << 20, true, UINT64_MAX},
    };
    static uint8_t data[65536];
    struct mn_handle handle;
    struct mn_id id;
    int fd = create("extents", S_IFREG | 0600, &id, &handle);

    RUN("data and holes are told apart, however the file system knows them");
    memset(data, 'x', sizeof(data));
    CHECK_INT(pwrite(fd, data, 65536, 0), 65536);
    CHECK_INT(pwrite(fd, data, 4096, 131072), 4096);
    CHECK_INT(ftruncate(fd, 1 << 20), 0);
    for (int synced = 0; synced < 2; synced++) { /* in memory only, then on the disk */
        for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
            uint64_t end;
            bool hole;

            CHECK_INT(mn_lower_extent(fd, expected[i].offset, expected[i].end, &hole, &end), 0);
            CHECK_INT(hole, expected[i].hole);
            CHECK_INT(end, expected[i].extent_end);
        }
        CHECK_INT(fsync(fd), 0);
    }

    RUN("space that is reserved is a hole, until something is written there");
    if (fallocate(fd, 0, 262144, 65536) == 0) {
        uint64_t end;
        bool hole;

        CHECK_INT(pwrite(fd, data, 4096, 266240), 4096);
        CHECK_INT(mn_lower_extent(fd, 266240, 270336, &hole, &end), 0);
        CHECK(!hole);
        CHECK_INT(mn_lower_extent(fd, 262144, 327680, &hole, &end), 0);
        CHECK(hole);
        CHECK_INT(end, 266240);
    }
    close(fd);
}

enum { HASHED_BYTES = 1 << 20, HASHED_COUNT_MAX = HASHED_BYTES / 4096 };

/* Pages of a file that are in memory. */
static size_t pages_in_memory(int fd)
{
    static unsigned char pages[HASHED_BYTES / 4096];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 0;
    void *at = mmap(NULL, HASHED_BYTES, PROT_READ, MAP_SHARED, fd, 0);

    CHECK(at != MAP_FAILED);
    CHECK_INT(mincore(at, HASHED_BYTES, pages), 0);
    for (size_t i = 0; i < HASHED_BYTES / page; i++)
        count += pages[i] & 1;
    CHECK_INT(munmap(at, HASHED_BYTES), 0);
    return count;
}

static void test_hashes(void)
{
    static const uint8_t none[MN_HASH_BYTES];
    static uint8_t buffer[65536], hashes[HASHED_COUNT_MAX * MN_HASH_BYTES];
    uint8_t expected[MN_HASH_BYTES];
    struct mn_handle handle;
    struct mn_id id;
    uint32_t count;
    uint64_t size;
    int fd = create("hashed", S_IFREG | 0600, &id, &handle);

    RUN("a hole has no hash, and is not read into memory to learn that");
    CHECK_INT(ftruncate(fd, HASHED_BYTES), 0);
    CHECK_INT(mn_lower_hash_range(fd, 0, HASHED_BYTES, 4096, buffer, sizeof(buffer), hashes,
                                  HASHED_COUNT_MAX, &count, &size),
              0);
    CHECK_INT(count, HASHED_COUNT_MAX);
    CHECK(mn_hash_is_zero(hashes, sizeof(hashes)));
    CHECK_INT(pages_in_memory(fd), 0);

    RUN("data between holes has its hash, and what is partly a hole has none");
    memset(buffer, 'x', 8192);
    CHECK_INT(pwrite(fd, buffer, 8192, 65536), 8192);
    CHECK_INT(pwrite(fd, buffer, 100, HASHED_BYTES - 4096), 100);
    mn_hash_block(buffer, 4096, expected);
    CHECK_INT(mn_lower_hash_range(fd, 0, HASHED_BYTES, 4096, buffer, sizeof(buffer), hashes,
                                  HASHED_COUNT_MAX, &count, &size),
              0);
    CHECK_INT(count, HASHED_COUNT_MAX);
    for (uint32_t i = 0; i + 1 < count; i++)
        CHECK_BYTES(hashes + i * MN_HASH_BYTES, i == 16 || i == 17 ? expected : none,
                    MN_HASH_BYTES);
    CHECK(!mn_hash_is_zero(hashes + (count - 1) * MN_HASH_BYTES, MN_HASH_BYTES));
    CHECK_INT(mn_lower_hash_range(fd, 61440, HASHED_BYTES, 65536, buffer, sizeof(buffer), hashes,
                                  HASHED_COUNT_MAX, &count, &size),
              0);
    CHECK_INT(count, (HASHED_BYTES - 61440 + 65535) / 65536);
    CHECK(mn_hash_is_zero(hashes, (size_t)(count - 1) * MN_HASH_BYTES));
    CHECK(!mn_hash_is_zero(hashes + (count - 1) * MN_HASH_BYTES, MN_HASH_BYTES));
    CHECK_INT(mn_lower_hash_range(fd, 65536, 4096, 3000, buffer, sizeof(buffer), hashes,
                                  HASHED_COUNT_MAX, &count, &size),
              0);
    CHECK_INT(count, 2);
    CHECK(!mn_hash_is_zero(hashes + MN_HASH_BYTES, MN_HASH_BYTES));
    close(fd);
}

static void test_hashes_of_many_blocks(void)
{
    enum { BLOCK_BYTES = 3000, COUNT = (HASHED_BYTES + BLOCK_BYTES - 1) / BLOCK_BYTES };
    static uint8_t buffer[5 * BLOCK_BYTES + 1], one[COUNT * MN_HASH_BYTES];
    static uint8_t many[COUNT * MN_HASH_BYTES];
    struct mn_handle handle;
    struct mn_id id;
    uint32_t count;
    uint64_t size;
    int fd = create("hashed at once", S_IFREG | 0600, &id, &handle);

    RUN("blocks that are read many at a time have the hashes that each has by itself");
    for (uint64_t at = 0; at < HASHED_BYTES; at += sizeof(at))
        if (at / 4096 % 7 != 2) /* pages 2, 9, ... stay holes */
            CHECK_INT(pwrite(fd, &at, sizeof(at), (off_t)at), sizeof(at));
    CHECK_INT(mn_lower_hash_range(fd, 0, HASHED_BYTES, BLOCK_BYTES, buffer, BLOCK_BYTES, one,
                                  COUNT, &count, &size),
              0);
    CHECK_INT(count, COUNT);
    CHECK_INT(mn_lower_hash_range(fd, 0, HASHED_BYTES, BLOCK_BYTES, buffer, sizeof(buffer), many,
                                  COUNT, &count, &size),
              0);
    CHECK_INT(count, COUNT);
    CHECK_BYTES(many, one, sizeof(one));
    for (uint64_t at = 0; at < HASHED_BYTES; at += BLOCK_BYTES) {
        size_t block = HASHED_BYTES - at < BLOCK_BYTES ? HASHED_BYTES - at : BLOCK_BYTES;
        bool has_hole = at / 4096 % 7 == 2 || (at + block - 1) / 4096 % 7 == 2;
        uint8_t expected[MN_HASH_BYTES] = {0};

        CHECK_INT(pread(fd, buffer, block, (off_t)at), block);
        if (!has_hole)
            mn_hash_block(buffer, block, expected);
        CHECK_BYTES(one + at / BLOCK_BYTES * MN_HASH_BYTES, expected, MN_HASH_BYTES);
    }
    CHECK_INT(mn_lower_hash_range(fd, 0, HASHED_BYTES, BLOCK_BYTES, buffer, BLOCK_BYTES - 1, one,
                                  COUNT, &count, &size),
              -EINVAL);
    close(fd);
}

static void test_append_only(void)
{
    struct mn_handle handle;
    struct mn_id id;

    RUN("an append-only file is written at its end only");
    int fd = create("log", S_IFREG | 0644, &id, &handle);
    if (mn_lower_set_flags(fd, FS_APPEND_FL, FS_APPEND_FL) < 0) {
        printf("skip: this file system has no append-only flag\n");
        close(fd);
        return;
    }
    CHECK_INT(mn_lower_open(&root, &handle, O_RDWR), -EPERM);
    int appending = mn_lower_open(&root, &handle, O_RDWR | O_APPEND);
    CHECK(appending >= 0);
    CHECK_INT(mn_lower_write(appending, "line", 4, 0, 0), 4);
    close(appending);
    CHECK_INT(mn_lower_set_flags(fd, 0, FS_APPEND_FL), 0);
    close(fd);
    CHECK_INT(mn_lower_unlink(root.directory_fd, "log", 0), 0);
}

static void test_privileges(void)
{
    struct mn_handle handle;
    struct mn_id id;
    struct stat status;

    RUN("owner and mode together keep setuid; a write by an ordinary user clears it");
    int fd = create("program", S_IFREG | 0755, &id, &handle);
    struct mn_attributes both = {
        .valid = MN_SET_MODE | MN_SET_UID | MN_SET_GID, .mode = 06755, .uid = 5, .gid = 5};
    CHECK_INT(mn_lower_set_attributes(fd, &both), 0);
    CHECK_INT(fstat(fd, &status), 0);
    CHECK_INT(status.st_mode & 07777, 06755);
    CHECK_INT(mn_lower_write(fd, "x", 1, 0, 0), 1);
    CHECK_INT(fstat(fd, &status), 0);
    CHECK_INT(status.st_mode & 07777, 06755);
    CHECK_INT(mn_lower_write(fd, "x", 1, 0, MN_WRITE_KILL_PRIV), 1);
    CHECK_INT(fstat(fd, &status), 0);
    CHECK_INT(status.st_mode & 07777, 0755);
    CHECK_INT(fchmod(fd, 06745), 0);
    CHECK_INT(mn_lower_kill_priv(fd), 0);
    CHECK_INT(fstat(fd, &status), 0);
    CHECK_INT(status.st_mode & 07777, 02745);
    close(fd);
    CHECK_INT(mn_lower_unlink(root.directory_fd, "program", 0), 0);
}

static void *create_as_user(void *unused)
{
    struct mn_handle handle;
    struct mn_id id, found;
    struct stat status;

    (void)unused;
    CHECK_INT(mn_lower_thread_init(), 0);
    CHECK_INT(mn_lower_act_as(UINT32_MAX, 0, 0, 0), -EINVAL);
    CHECK_INT(mn_lower_act_as(1000, 1001, 027, 0), 0);
    int fd = create("theirs", S_IFREG | 0666, &id, &handle);
    CHECK_INT(fstat(fd, &status), 0);
    CHECK_INT(status.st_uid, 1000);
    CHECK_INT(status.st_gid, 1001);
    CHECK_INT(status.st_mode & 07777, 0640);
    close(fd);
    fd = mn_lower_open(&root, &handle, O_PATH);
    CHECK_INT(mn_lower_id_get(fd, &handle, &found), 0);
    CHECK_INT(mn_lower_link(fd, root.directory_fd, "link"), 0);
    close(fd);
    CHECK_INT(mn_lower_act_as(1000, 1001, 027, 1), 0);
    CHECK_INT(mn_lower_act_as(1002, 1001, 022, 0), 0);
    close(create("second", S_IFDIR | 0777, &id, &handle));
    CHECK_INT(fstatat(root.directory_fd, "second", &status, 0), 0);
    CHECK_INT(status.st_uid, 1002);
    CHECK_INT(status.st_mode & 07777, 0755);
    mn_lower_act_as_root();
    close(create("ours", S_IFREG | 0666, &id, &handle));
    CHECK_INT(fstatat(root.directory_fd, "ours", &status, 0), 0);
    CHECK_INT(status.st_uid, 0);
    CHECK_INT(status.st_mode & 07777, 0666);
    return NULL;
}

static void test_credentials(void)
{
    struct mn_handle handle;
    struct mn_id id;
    struct stat status;
    pthread_t thread;

    RUN("a thread acts as the caller, and alone");
    mode_t before = umask(077);
    CHECK_INT(fchmod(root.directory_fd, 0700), 0);
    CHECK_INT(pthread_create(&thread, NULL, create_as_user, NULL), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    close(create("main", S_IFREG | 0666, &id, &handle));
    CHECK_INT(fstatat(root.directory_fd, "main", &status, 0), 0);
    CHECK_INT(status.st_mode & 07777, 0600);
    CHECK_INT(status.st_uid, 0);
    umask(before);
}

static void test_names(void)
{
    struct mn_handle handle;
    struct mn_id id;

    RUN("rename keeps and exchanges, and makes no whiteout");
    int fd = root.directory_fd;
    close(create("a", S_IFREG | 0600, &id, &handle));
    close(create("b", S_IFREG | 0600, &id, &handle));
    CHECK_INT(mn_lower_rename(fd, "a", fd, "b", RENAME_NOREPLACE), -EEXIST);
    CHECK_INT(mn_lower_rename(fd, "a", fd, "b", RENAME_EXCHANGE), 0);
    CHECK_INT(mn_lower_rename(fd, "a", fd, "c", RENAME_WHITEOUT), -EINVAL);
    CHECK_INT(mn_lower_rename(fd, "a", fd, "b", 0), 0);
    CHECK_INT(mn_lower_unlink(fd, "a", 0), -ENOENT);
    CHECK_INT(mn_lower_unlink(fd, "b", 1), -ENOTDIR);

    RUN("a name that exists is not created again");
    CHECK_INT(mn_lower_create(fd, "b", S_IFREG | 0600, 0, NULL, 0, &id, &handle, &fd), -EEXIST);
}

/* What a reintegration does with a name, again and again. */
static void *name_meanwhile(void *stop)
{
    enum { LOOKS = 20 };

    while (!atomic_load((atomic_bool *)stop)) {
        struct mn_handle handle;
        struct mn_id id;
        int fd = openat(root.directory_fd, "both", O_PATH | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
            continue;
        if (mn_lower_handle(fd, "", &handle) == 0 &&
            mn_lower_id_get(fd, &handle, &id) == MN_ID_MISSING) {
            struct mn_id given = some_id();

            CHECK_INT(mn_lower_id_give(fd, &handle, &given), 0);
            for (int i = 0; i < LOOKS; i++) {
                CHECK_INT(mn_lower_id_get(fd, &handle, &id), 0);
                CHECK(mn_id_equal(&id, &given));
            }
        }
        close(fd);
    }
    return NULL;
}

static void test_named_twice(void)
{
    enum { TRIES = 5000 };
    struct mn_handle handle;
    struct mn_id first;
    struct mn_id id;
    struct mn_id found;
    atomic_bool stop = false;
    pthread_t thread;

    RUN("what has an identity keeps it");
    int fd = create("named", S_IFREG | 0600, &first, &handle);
    id = some_id();
    CHECK_INT(mn_lower_id_give(fd, &handle, &id), 0);
    CHECK(mn_id_equal(&id, &first));
    close(fd);

    RUN("two that name a new object agree");
    CHECK_INT(pthread_create(&thread, NULL, name_meanwhile, &stop), 0);
    for (int i = 0; i < TRIES; i++) {
        fd = create("both", S_IFREG | 0600, &id, &handle);
        CHECK_INT(mn_lower_id_get(fd, &handle, &found), 0);
        CHECK(mn_id_equal(&found, &id));
        CHECK_INT(mn_lower_unlink(root.directory_fd, "both", 0), 0);
        close(fd);
    }
    atomic_store(&stop, true);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

int main(void)
{
    if (!scratch_make(scratch))
        return 0;
    test_root();
    test_every_type();
    test_never_opens_devices();
    test_copies_count_as_new();
    test_data();
    test_extents();
    test_hashes();
    test_hashes_of_many_blocks();
    test_append_only();
    test_privileges();
    test_credentials();
    test_names();
    test_named_twice();
    mn_lower_root_close(&root);
    scratch_remove(scratch);
    return 0;
}
