/* Apply on a real file system, over a real connection: each message does what it says, notes its
 * place first, and answers with the errno it met. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "apply_lane.h"
#include "hash/hash.h"

static struct apply_node node;

static struct apply_lane live;

static struct mn_id made(const char *name, uint32_t mode, struct mn_id parent)
{
    struct mn_id id = apply_some_id();
    struct mn_ack ack = ASK(&live, create, CREATE, .epoch = 1, .parent = parent, .id = id,
                            .mode = mode, .umask = 022, .uid = 1000, .gid = 1001, NAME(name));
    CHECK_INT(ack.error, 0);
    return id;
}

static void test_create(void)
{
    RUN("Create makes the object with owner, mode and identity");
    struct mn_id id = made("file", S_IFREG | 0666, node.root.id);
    struct stat status = apply_status_of(&node, "file");
    CHECK_INT(status.st_mode, S_IFREG | 0644);
    CHECK_INT(status.st_uid, 1000);
    CHECK_INT(status.st_gid, 1001);
    CHECK_INT(mn_recent_count(node.recent), 1);
    struct mn_handle handle;
    CHECK_INT(mn_apply_find(node.apply, 0, &id, &handle), 0);

    RUN("Create again is EEXIST, an unknown parent ESTALE, the hidden name EPERM");
    struct mn_id other = apply_some_id();
    CHECK_INT(ASK(&live, create, CREATE, .parent = node.root.id, .id = other, .mode = S_IFREG,
                  NAME("file"))
                  .error,
              EEXIST);
    CHECK_INT(
        ASK(&live, create, CREATE, .parent = other, .id = id, .mode = S_IFREG, NAME("x")).error,
        ESTALE);
    CHECK_INT(ASK(&live, create, CREATE, .parent = node.root.id, .id = other, .mode = S_IFDIR,
                  NAME(MN_HIDDEN_NAME))
                  .error,
              EPERM);

    RUN("Create makes links and devices");
    char text[64] = {0};
    const char *target = "../../etc/passwd";
    CHECK_INT(ASK(&live, create, CREATE, .parent = node.root.id, .id = other,
                  .mode = S_IFLNK | 0777, .target = (const uint8_t *)target, .target_size = 16,
                  NAME("link"))
                  .error,
              0);
    CHECK_INT(readlinkat(node.root.directory_fd, "link", text, sizeof(text)), 16);
    CHECK_TEXT(text, target);
    other = apply_some_id();
    CHECK_INT(ASK(&live, create, CREATE, .parent = node.root.id, .id = other,
                  .mode = S_IFCHR | 0600, .rdev = 0x103, NAME("device"))
                  .error,
              0);
    CHECK_INT(apply_status_of(&node, "device").st_rdev, 0x103);

    RUN("a device is never opened for data");
    CHECK_INT(ASK(&live, write, WRITE, .id = other, DATA("x")).error, ENXIO);
}

static void test_data(void)
{
    char text[32] = {0};

    RUN("Write writes, at its place, and notes it");
    struct mn_id id = made("data", S_IFREG | 0600, node.root.id);
    uint64_t before = mn_recent_count(node.recent);
    struct mn_ack ack =
        ASK(&live, write, WRITE, .epoch = 3, .id = id, .offset_bytes = 65530, DATA("hello world"));
    CHECK_INT(ack.error, 0);
    CHECK_INT(ack.result, 11);
    CHECK_INT(mn_recent_count(node.recent), before + 2);
    CHECK_INT(mn_apply_epoch(node.apply), 3);
    int fd = openat(node.root.directory_fd, "data", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_INT(pread(fd, text, sizeof(text), 65530), 11);
    CHECK_TEXT(text, "hello world");

    RUN("Write kills setuid when told");
    CHECK_INT(fchmod(fd, 04755), 0);
    CHECK_INT(ASK(&live, write, WRITE, .epoch = 3, .id = id, DATA("x")).error, 0);
    CHECK_INT(apply_status_of(&node, "data").st_mode & 07777, 04755);
    CHECK_INT(
        ASK(&live, write, WRITE, .epoch = 3, .id = id, .flags = MN_WRITE_KILL_PRIV, DATA("x"))
            .error,
        0);
    CHECK_INT(apply_status_of(&node, "data").st_mode & 07777, 0755);

    RUN("CopyRange, Fallocate and Sync");
    ack = ASK(&live, copy_range, COPY_RANGE, .epoch = 3, .id = id, .offset_bytes = 65530, .to = id,
              .to_offset_bytes = 100, .size_bytes = 11);
    CHECK_INT(ack.result, 11);
    memset(text, 0, sizeof(text));
    CHECK_INT(pread(fd, text, 11, 100), 11);
    CHECK_TEXT(text, "hello world");
    CHECK_INT(ASK(&live, fallocate, FALLOCATE, .epoch = 3, .id = id, .mode = 3,
                  .offset_bytes = 100, .size_bytes = 6)
                  .error,
              0);
    CHECK_INT(pread(fd, text, 11, 100), 11);
    CHECK_BYTES(text, "\0\0\0\0\0\0world", 11);
    CHECK_INT(ASK(&live, sync, SYNC, .epoch = 3, .id = id).error, 0);
    CHECK_INT(ASK(&live, sync, SYNC, .epoch = 3, .id = node.root.id, .datasync = 1).error, 0);
    CHECK_INT(ASK(&live, write, WRITE, .id = apply_some_id(), DATA("x")).error, ESTALE);
    close(fd);
}

static void test_attributes(void)
{
    char value[16] = {0};

    RUN("SetAttributes sets what is valid");
    struct mn_id id = made("attributes", S_IFREG | 0600, node.root.id);
    CHECK_INT(ASK(&live, set_attributes, SET_ATTRIBUTES, .epoch = 1, .id = id,
                  .valid = MN_SET_MODE | MN_SET_UID | MN_SET_SIZE | MN_SET_MTIME, .mode = 04711,
                  .uid = 7, .gid = 99, .size_bytes = 100000,
                  .mtime_ns = INT64_C(1234567890000000001))
                  .error,
              0);
    struct stat status = apply_status_of(&node, "attributes");
    CHECK_INT(status.st_mode & 07777, 04711);
    CHECK_INT(status.st_uid, 7);
    CHECK_INT(status.st_gid, 1001);
    CHECK_INT(status.st_size, 100000);
    CHECK_INT(status.st_mtim.tv_nsec, 1);

    RUN("SetXattr and RemoveXattr; what is ours is refused");
    CHECK_INT(ASK(&live, set_xattr, SET_XATTR, .epoch = 1, .id = id, NAME("user.colour"),
                  .value = (const uint8_t *)"red", .value_size = 3)
                  .error,
              0);
    char path[SCRATCH_PATH_BYTES + 16];
    (void)snprintf(path, sizeof(path), "%s/attributes", node.scratch);
    CHECK_INT(getxattr(path, "user.colour", value, sizeof(value)), 3);
    CHECK_TEXT(value, "red");
    CHECK_INT(ASK(&live, set_xattr, SET_XATTR, .id = id, .flags = 1, NAME("user.colour"),
                  .value = (const uint8_t *)"red", .value_size = 3)
                  .error,
              EEXIST);
    CHECK_INT(
        ASK(&live, remove_xattr, REMOVE_XATTR, .epoch = 1, .id = id, NAME("user.colour")).error,
        0);
    CHECK_INT(
        ASK(&live, remove_xattr, REMOVE_XATTR, .epoch = 1, .id = id, NAME("user.colour")).error,
        ENODATA);
    CHECK_INT(ASK(&live, remove_xattr, REMOVE_XATTR, .id = id, NAME(MN_ID_XATTR)).error, EPERM);
}

static void test_names(void)
{
    RUN("Link, Rename and Unlink");
    struct mn_id directory = made("directory", S_IFDIR | 0777, node.root.id);
    struct mn_id id = made("one", S_IFREG | 0600, node.root.id);
    struct mn_id other = made("two", S_IFREG | 0600, directory);
    CHECK_INT(
        ASK(&live, link, LINK, .epoch = 1, .id = id, .parent = directory, NAME("linked")).error,
        0);
    CHECK_INT(apply_status_of(&node, "one").st_nlink, 2);
    CHECK_INT(ASK(&live, rename, RENAME, .epoch = 1, .parent = node.root.id, .id = id,
                  .new_parent = directory, .replaced = other, NAME("one"), .new_name = "two",
                  .new_name_size = 3)
                  .error,
              0);
    CHECK(!apply_has(&node, "one") && apply_has(&node, "directory/two"));
    CHECK_INT(apply_status_of(&node, "directory/two").st_nlink, 2);

    RUN("an object that is not the one meant is neither moved, replaced nor removed");
    CHECK_INT(ASK(&live, unlink, UNLINK, .parent = directory, .id = other, NAME("two")).error,
              ESTALE);
    struct mn_id third = made("three", S_IFREG | 0600, node.root.id);
    struct mn_id fourth = made("four", S_IFREG | 0600, node.root.id);
    CHECK_INT(ASK(&live, rename, RENAME, .parent = node.root.id, .id = id,
                  .new_parent = node.root.id, NAME("three"), .new_name = "x", .new_name_size = 1)
                  .error,
              ESTALE);
    CHECK_INT(ASK(&live, rename, RENAME, .parent = node.root.id, .id = third,
                  .new_parent = node.root.id, .replaced = id, NAME("three"), .new_name = "four",
                  .new_name_size = 4)
                  .error,
              ESTALE);
    CHECK_INT(ASK(&live, rename, RENAME, .parent = node.root.id, .id = third,
                  .new_parent = node.root.id, NAME("three"), .new_name = "four",
                  .new_name_size = 4)
                  .error,
              ESTALE);
    CHECK_INT(ASK(&live, rename, RENAME, .parent = node.root.id, .id = third,
                  .new_parent = node.root.id, .flags = RENAME_NOREPLACE, NAME("three"),
                  .new_name = "four", .new_name_size = 4)
                  .error,
              EEXIST);
    CHECK(apply_has(&node, "three") && apply_has(&node, "four"));
    CHECK_INT(
        ASK(&live, unlink, UNLINK, .epoch = 1, .parent = node.root.id, .id = fourth, NAME("four"))
            .error,
        0);
    CHECK_INT(ASK(&live, unlink, UNLINK, .epoch = 1, .parent = node.root.id, .id = directory,
                  .directory = 1, NAME("directory"))
                  .error,
              ENOTEMPTY);
    CHECK(!apply_has(&node, "four"));
}

/* An object that this session has not met: made behind apply's back. */
static void test_identity(void)
{
    struct mn_handle handle;

    RUN("Introduce teaches what matches and refuses what does not");
    struct mn_id id = apply_some_id();
    int fd;
    CHECK_INT(mn_lower_create(node.root.directory_fd, "known", S_IFREG | 0600, 0, NULL, O_RDWR,
                              &id, &handle, &fd),
              0);
    close(fd);
    CHECK_INT(ASK(&live, write, WRITE, .id = id, DATA("x")).error, ESTALE);
    CHECK_INT(ASK(&live, introduce, INTRODUCE, .parent = node.root.id, .id = apply_some_id(),
                  NAME("known"))
                  .error,
              ESTALE);
    CHECK_INT(
        ASK(&live, introduce, INTRODUCE, .parent = node.root.id, .id = id, NAME("nothing")).error,
        ESTALE);
    CHECK_INT(
        ASK(&live, introduce, INTRODUCE, .parent = node.root.id, .id = id, NAME("known")).error,
        0);
    CHECK_INT(ASK(&live, write, WRITE, .epoch = 1, .id = id, DATA("x")).error, 0);

    RUN("SetIdentity gives one where there is none, and only there");
    fd = openat(node.root.directory_fd, "bare", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    close(fd);
    struct mn_id fresh = apply_some_id();
    CHECK_INT(
        ASK(&live, introduce, INTRODUCE, .parent = node.root.id, .id = fresh, NAME("bare")).error,
        ESTALE);
    CHECK_INT(ASK(&live, set_identity, SET_IDENTITY, .epoch = 1, .parent = node.root.id,
                  .id = fresh, NAME("bare"))
                  .error,
              0);
    CHECK_INT(ASK(&live, set_identity, SET_IDENTITY, .epoch = 1, .parent = node.root.id, .id = id,
                  NAME("bare"))
                  .error,
              ESTALE);
    CHECK_INT(ASK(&live, write, WRITE, .epoch = 1, .id = fresh, DATA("x")).error, 0);
}

static void test_checkpoint(void)
{
    struct apply_lane control;

    RUN("Checkpoint counts, syncs and forgets");
    apply_lane_start(&control, &node, MN_LANE_CONTROL);
    CHECK(mn_recent_count(node.recent) > 0);
    uint64_t count = mn_apply_operation_count(node.apply);
    CHECK_INT(ASK(&control, checkpoint, CHECKPOINT, .epoch = 3, .operation_count = count).error,
              0);
    CHECK(mn_recent_count(node.recent) > 0);
    CHECK_INT(ASK(&control, checkpoint, CHECKPOINT, .epoch = 4, .stable_epoch = 3,
                  .operation_count = count)
                  .error,
              0);
    CHECK_INT(mn_recent_count(node.recent), 0);
    CHECK_INT(
        ASK(&control, checkpoint, CHECKPOINT, .epoch = 5, .operation_count = count + 1).error,
        EBADMSG);
    CHECK_INT(ASK(&control, ping, PING, .sent_ms = 5).error, 0);

    RUN("a message of Python's is handed out");
    CHECK_INT(mn_connection_begin(control.pair.asking) == NULL, 0);
    CHECK_INT(mn_connection_send(control.pair.asking, MN_MESSAGE_EMPTY_STASH), 0);
    CHECK_INT(apply_lane_join(&control), MN_APPLY_PYTHON);
    CHECK_INT(control.code, MN_MESSAGE_EMPTY_STASH);
}

static void receive(struct apply_lane *lane, uint16_t expected, const uint8_t **payload,
                    size_t *size)
{
    uint16_t code;
    CHECK_INT(mn_connection_receive(lane->pair.asking, 0, &code, payload, size), 0);
    CHECK_INT(code, expected);
}

static void test_copy(void)
{
    struct apply_lane copy;
    struct mn_message_hashes hashes;
    struct mn_message_bytes bytes;
    const uint8_t *payload;
    uint8_t block[8192] = {0}, expected[MN_HASH_BYTES];
    size_t size;

    RUN("HashRange hashes blocks to the end of the file, but for one with a hole in it");
    struct mn_id id = made("copied", S_IFREG | 0600, node.root.id);
    apply_lane_start(&copy, &node, MN_LANE_COPY);
    CHECK_INT(
        ASK(&copy, copy_block, COPY_BLOCK, .id = id, .offset_bytes = 4096, DATA("text")).error, 0);
    struct mn_message_hash_range range = {.id = id, .size_bytes = 65536, .block_bytes = 4096};
    CHECK_INT(mn_encode_hash_range(&range, mn_connection_begin(copy.pair.asking)), 0);
    CHECK_INT(mn_connection_send(copy.pair.asking, MN_MESSAGE_HASH_RANGE), 0);
    receive(&copy, MN_MESSAGE_HASHES, &payload, &size);
    CHECK_INT(mn_decode_hashes(payload, size, &hashes), 0);
    CHECK_INT(hashes.error, 0);
    CHECK_INT(hashes.size_bytes, 4100);
    CHECK_INT(hashes.hashes_size, 2 * MN_HASH_BYTES);
    CHECK_BYTES(hashes.hashes, block, MN_HASH_BYTES);
    mn_hash_block("text", 4, expected);
    CHECK_BYTES(hashes.hashes + MN_HASH_BYTES, expected, MN_HASH_BYTES);

    RUN("CopyBlock makes holes, and the file longer");
    CHECK_INT(
        ASK(&copy, copy_block, COPY_BLOCK, .id = id, .offset_bytes = 4096, .hole_bytes = 65536)
            .error,
        0);
    struct stat status = apply_status_of(&node, "copied");
    CHECK_INT(status.st_size, 4096 + 65536);
    CHECK_INT(status.st_blocks, 0);

    RUN("ReadRange reads to the end");
    struct mn_message_read_range read = {.id = id, .offset_bytes = 69000, .size_bytes = 4096};
    CHECK_INT(mn_encode_read_range(&read, mn_connection_begin(copy.pair.asking)), 0);
    CHECK_INT(mn_connection_send(copy.pair.asking, MN_MESSAGE_READ_RANGE), 0);
    receive(&copy, MN_MESSAGE_BYTES, &payload, &size);
    CHECK_INT(mn_decode_bytes(payload, size, &bytes), 0);
    CHECK_INT(bytes.error, 0);
    CHECK_INT(bytes.data_size, 4096 + 65536 - 69000);
    CHECK(mn_hash_is_zero(bytes.data, bytes.data_size));

    RUN("an operation is not allowed on this lane");
    struct mn_message_write write = {.id = id, DATA("x")};
    CHECK_INT(mn_encode_write(&write, mn_connection_begin(copy.pair.asking)), 0);
    CHECK_INT(mn_connection_send(copy.pair.asking, MN_MESSAGE_WRITE), 0);
    CHECK_INT(apply_lane_join(&copy), -EBADMSG);
}

static void test_session(void)
{
    struct apply_lane second;
    struct mn_handle handle;

    RUN("a message that does not decode ends the connection");
    apply_lane_start(&second, &node, MN_LANE_LIVE);
    CHECK(mn_connection_begin(second.pair.asking) != NULL);
    CHECK_INT(mn_connection_send(second.pair.asking, MN_MESSAGE_WRITE), 0);
    CHECK_INT(apply_lane_join(&second), -EBADMSG);

    RUN("a new session forgets all but the roots");
    struct mn_id id = made("forgotten", S_IFREG | 0600, node.root.id);
    CHECK_INT(mn_apply_find(node.apply, 0, &id, &handle), 0);
    CHECK(apply_lane_end(&live) < 0);
    CHECK_INT(mn_apply_session_begin(node.apply), 0);
    CHECK_INT(mn_apply_find(node.apply, 0, &id, &handle), 1);
    CHECK_INT(mn_apply_find(node.apply, 0, &node.root.id, &handle), 0);
    CHECK_INT(mn_apply_operation_count(node.apply), 0);
}

/* More files than descriptors are kept: each is written, closed, and written again. */
static void test_many_files(void)
{
    enum { FILES = 700 };
    static struct mn_id ids[FILES];
    char name[32], text[8];

    RUN("more files than stay open are all written");
    for (int i = 0; i < FILES; i++) {
        (void)snprintf(name, sizeof(name), "many-%d", i);
        ids[i] = made(name, S_IFREG | 0600, node.root.id);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < FILES; i++)
            CHECK_INT(ASK(&live, write, WRITE, .epoch = 1, .id = ids[i],
                          .offset_bytes = (uint64_t)round, DATA("ab"))
                          .error,
                      0);
    for (int i = 0; i < FILES; i++) {
        (void)snprintf(name, sizeof(name), "many-%d", i);
        CHECK_INT(scratch_read(node.scratch, name, text, sizeof(text)), 3);
        CHECK_BYTES(text, "aab", 3);
    }

    RUN("an unlinked file gives its space back");
    CHECK_INT(ASK(&live, write, WRITE, .epoch = 1, .id = ids[0], DATA("x")).error, 0);
    CHECK_INT(ASK(&live, unlink, UNLINK, .epoch = 1, .parent = node.root.id, .id = ids[0],
                  NAME("many-0"))
                  .error,
              0);
    CHECK_INT(ASK(&live, write, WRITE, .epoch = 1, .id = ids[0], DATA("x")).error, ESTALE);
}

int main(void)
{
    if (!apply_node_make(&node))
        return 0;
    apply_lane_start(&live, &node, MN_LANE_LIVE);
    test_create();
    test_data();
    test_attributes();
    test_names();
    test_identity();
    test_checkpoint();
    test_copy();
    test_many_files();
    test_session();
    apply_node_remove(&node);
    return 0;
}
