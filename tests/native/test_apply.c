/* Apply on a real file system, over a real connection: each message does what it says, notes its
 * place first, and answers with the errno it met. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "apply/apply.h"
#include "check.h"
#include "hash/hash.h"
#include "link_pair.h"
#include "scratch.h"
#include "wire/wire_messages.h"

static char scratch[SCRATCH_PATH_BYTES];
static struct mn_root root;
static struct mn_recent *recent;
static struct mn_apply *apply;
static struct link_keys keys;

/* One lane: a thread serves, the test asks. */
struct lane {
    struct link_pair pair;
    pthread_t thread;
    uint8_t lane;
    int result;
    uint16_t code;
};

static struct lane live = {.lane = MN_LANE_LIVE};

static void *serve(void *argument)
{
    struct lane *lane = argument;
    const uint8_t *payload;
    size_t size;

    lane->result =
        mn_apply_serve(apply, lane->pair.answering, lane->lane, &lane->code, &payload, &size);
    return NULL;
}

static void lane_start(struct lane *lane)
{
    link_pair_join(&lane->pair, keys.n1, "n2", keys.n2, "n1", 5000);
    CHECK_INT(lane->pair.asking_result, 0);
    CHECK_INT(lane->pair.answering_result, 0);
    CHECK_INT(pthread_create(&lane->thread, NULL, serve, lane), 0);
}

static int lane_end(struct lane *lane)
{
    mn_connection_shutdown(lane->pair.asking);
    CHECK_INT(pthread_join(lane->thread, NULL), 0);
    link_pair_part(&lane->pair);
    return lane->result;
}

static struct mn_ack send(struct lane *lane, uint16_t code)
{
    struct mn_ack ack;
    CHECK_INT(mn_connection_send(lane->pair.asking, code), 0);
    CHECK_INT(mn_connection_receive_ack(lane->pair.asking, &ack), 0);
    return ack;
}

/* ASK(lane, write, WRITE, .id = ..., ...): encodes, sends, returns the Ack. */
#define ASK(lane_, lower_, UPPER_, ...)                                                           \
    (CHECK_INT(mn_encode_##lower_(&(struct mn_message_##lower_){__VA_ARGS__},                     \
                                  mn_connection_begin((lane_)->pair.asking)),                     \
               0),                                                                                \
     send(lane_, MN_MESSAGE_##UPPER_))
#define NAME(text) .name = (text), .name_size = (uint16_t)strlen(text)
#define DATA(text) .data = (const uint8_t *)(text), .data_size = (uint32_t)strlen(text)

static struct mn_id some_id(void)
{
    struct mn_id id;
    CHECK_INT(mn_lower_id_new(&id), 0);
    return id;
}

static struct mn_id made(const char *name, uint32_t mode, struct mn_id parent)
{
    struct mn_id id = some_id();
    struct mn_ack ack = ASK(&live, create, CREATE, .epoch = 1, .parent = parent, .id = id,
                            .mode = mode, .umask = 022, .uid = 1000, .gid = 1001, NAME(name));
    CHECK_INT(ack.error, 0);
    return id;
}

static struct stat status_of(const char *name)
{
    struct stat status;
    CHECK_INT(fstatat(root.directory_fd, name, &status, AT_SYMLINK_NOFOLLOW), 0);
    return status;
}

static int exists(const char *name)
{
    return faccessat(root.directory_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_create(void)
{
    RUN("Create makes the object with owner, mode and identity");
    struct mn_id id = made("file", S_IFREG | 0666, root.id);
    struct stat status = status_of("file");
    CHECK_INT(status.st_mode, S_IFREG | 0644);
    CHECK_INT(status.st_uid, 1000);
    CHECK_INT(status.st_gid, 1001);
    CHECK_INT(mn_recent_count(recent), 1);
    struct mn_handle handle;
    CHECK_INT(mn_apply_find(apply, 0, &id, &handle), 0);

    RUN("Create again is EEXIST, an unknown parent ESTALE, the hidden name EPERM");
    struct mn_id other = some_id();
    CHECK_INT(
        ASK(&live, create, CREATE, .parent = root.id, .id = other, .mode = S_IFREG, NAME("file"))
            .error,
        EEXIST);
    CHECK_INT(
        ASK(&live, create, CREATE, .parent = other, .id = id, .mode = S_IFREG, NAME("x")).error,
        ESTALE);
    CHECK_INT(ASK(&live, create, CREATE, .parent = root.id, .id = other, .mode = S_IFDIR,
                  NAME(MN_HIDDEN_NAME))
                  .error,
              EPERM);

    RUN("Create makes links and devices");
    char text[64] = {0};
    const char *target = "../../etc/passwd";
    CHECK_INT(ASK(&live, create, CREATE, .parent = root.id, .id = other, .mode = S_IFLNK | 0777,
                  .target = (const uint8_t *)target, .target_size = 16, NAME("link"))
                  .error,
              0);
    CHECK_INT(readlinkat(root.directory_fd, "link", text, sizeof(text)), 16);
    CHECK_TEXT(text, target);
    other = some_id();
    CHECK_INT(ASK(&live, create, CREATE, .parent = root.id, .id = other, .mode = S_IFCHR | 0600,
                  .rdev = 0x103, NAME("device"))
                  .error,
              0);
    CHECK_INT(status_of("device").st_rdev, 0x103);

    RUN("a device is never opened for data");
    CHECK_INT(ASK(&live, write, WRITE, .id = other, DATA("x")).error, ENXIO);
}

static void test_data(void)
{
    char text[32] = {0};

    RUN("Write writes, at its place, and notes it");
    struct mn_id id = made("data", S_IFREG | 0600, root.id);
    uint64_t before = mn_recent_count(recent);
    struct mn_ack ack =
        ASK(&live, write, WRITE, .epoch = 3, .id = id, .offset_bytes = 65530, DATA("hello world"));
    CHECK_INT(ack.error, 0);
    CHECK_INT(ack.result, 11);
    CHECK_INT(mn_recent_count(recent), before + 2);
    CHECK_INT(mn_apply_epoch(apply), 3);
    int fd = openat(root.directory_fd, "data", O_RDONLY | O_CLOEXEC);
    CHECK_INT(pread(fd, text, sizeof(text), 65530), 11);
    CHECK_TEXT(text, "hello world");

    RUN("Write kills setuid when told");
    CHECK_INT(fchmod(fd, 04755), 0);
    CHECK_INT(ASK(&live, write, WRITE, .epoch = 3, .id = id, DATA("x")).error, 0);
    CHECK_INT(status_of("data").st_mode & 07777, 04755);
    CHECK_INT(
        ASK(&live, write, WRITE, .epoch = 3, .id = id, .flags = MN_WRITE_KILL_PRIV, DATA("x"))
            .error,
        0);
    CHECK_INT(status_of("data").st_mode & 07777, 0755);

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
    CHECK_INT(ASK(&live, sync, SYNC, .epoch = 3, .id = root.id, .datasync = 1).error, 0);
    CHECK_INT(ASK(&live, write, WRITE, .id = some_id(), DATA("x")).error, ESTALE);
    close(fd);
}

static void test_attributes(void)
{
    char value[16] = {0};

    RUN("SetAttributes sets what is valid");
    struct mn_id id = made("attributes", S_IFREG | 0600, root.id);
    CHECK_INT(ASK(&live, set_attributes, SET_ATTRIBUTES, .epoch = 1, .id = id,
                  .valid = MN_SET_MODE | MN_SET_UID | MN_SET_SIZE | MN_SET_MTIME, .mode = 04711,
                  .uid = 7, .gid = 99, .size_bytes = 100000,
                  .mtime_ns = INT64_C(1234567890000000001))
                  .error,
              0);
    struct stat status = status_of("attributes");
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
    (void)snprintf(path, sizeof(path), "%s/attributes", scratch);
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
    struct mn_id directory = made("directory", S_IFDIR | 0777, root.id);
    struct mn_id id = made("one", S_IFREG | 0600, root.id);
    struct mn_id other = made("two", S_IFREG | 0600, directory);
    CHECK_INT(
        ASK(&live, link, LINK, .epoch = 1, .id = id, .parent = directory, NAME("linked")).error,
        0);
    CHECK_INT(status_of("one").st_nlink, 2);
    CHECK_INT(ASK(&live, rename, RENAME, .epoch = 1, .parent = root.id, .id = id,
                  .new_parent = directory, .replaced = other, NAME("one"), .new_name = "two",
                  .new_name_size = 3)
                  .error,
              0);
    CHECK(!exists("one") && exists("directory/two"));
    CHECK_INT(status_of("directory/two").st_nlink, 2);

    RUN("an object that is not the one meant is neither moved, replaced nor removed");
    CHECK_INT(ASK(&live, unlink, UNLINK, .parent = directory, .id = other, NAME("two")).error,
              ESTALE);
    struct mn_id third = made("three", S_IFREG | 0600, root.id);
    struct mn_id fourth = made("four", S_IFREG | 0600, root.id);
    CHECK_INT(ASK(&live, rename, RENAME, .parent = root.id, .id = id, .new_parent = root.id,
                  NAME("three"), .new_name = "x", .new_name_size = 1)
                  .error,
              ESTALE);
    CHECK_INT(ASK(&live, rename, RENAME, .parent = root.id, .id = third, .new_parent = root.id,
                  .replaced = id, NAME("three"), .new_name = "four", .new_name_size = 4)
                  .error,
              ESTALE);
    CHECK_INT(ASK(&live, rename, RENAME, .parent = root.id, .id = third, .new_parent = root.id,
                  NAME("three"), .new_name = "four", .new_name_size = 4)
                  .error,
              ESTALE);
    CHECK_INT(ASK(&live, rename, RENAME, .parent = root.id, .id = third, .new_parent = root.id,
                  .flags = RENAME_NOREPLACE, NAME("three"), .new_name = "four", .new_name_size = 4)
                  .error,
              EEXIST);
    CHECK(exists("three") && exists("four"));
    CHECK_INT(ASK(&live, unlink, UNLINK, .epoch = 1, .parent = root.id, .id = fourth, NAME("four"))
                  .error,
              0);
    CHECK_INT(ASK(&live, unlink, UNLINK, .epoch = 1, .parent = root.id, .id = directory,
                  .directory = 1, NAME("directory"))
                  .error,
              ENOTEMPTY);
    CHECK(!exists("four"));
}

/* An object that this session has not met: made behind apply's back. */
static void test_identity(void)
{
    struct mn_handle handle;

    RUN("Introduce teaches what matches and refuses what does not");
    struct mn_id id = some_id();
    int fd;
    CHECK_INT(mn_lower_create(root.directory_fd, "known", S_IFREG | 0600, 0, NULL, O_RDWR, &id,
                              &handle, &fd),
              0);
    close(fd);
    CHECK_INT(ASK(&live, write, WRITE, .id = id, DATA("x")).error, ESTALE);
    CHECK_INT(
        ASK(&live, introduce, INTRODUCE, .parent = root.id, .id = some_id(), NAME("known")).error,
        ESTALE);
    CHECK_INT(ASK(&live, introduce, INTRODUCE, .parent = root.id, .id = id, NAME("nothing")).error,
              ESTALE);
    CHECK_INT(ASK(&live, introduce, INTRODUCE, .parent = root.id, .id = id, NAME("known")).error,
              0);
    CHECK_INT(ASK(&live, write, WRITE, .epoch = 1, .id = id, DATA("x")).error, 0);

    RUN("SetIdentity gives one where there is none, and only there");
    fd = openat(root.directory_fd, "bare", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    close(fd);
    struct mn_id fresh = some_id();
    CHECK_INT(ASK(&live, introduce, INTRODUCE, .parent = root.id, .id = fresh, NAME("bare")).error,
              ESTALE);
    CHECK_INT(ASK(&live, set_identity, SET_IDENTITY, .epoch = 1, .parent = root.id, .id = fresh,
                  NAME("bare"))
                  .error,
              0);
    CHECK_INT(ASK(&live, set_identity, SET_IDENTITY, .epoch = 1, .parent = root.id, .id = id,
                  NAME("bare"))
                  .error,
              ESTALE);
    CHECK_INT(ASK(&live, write, WRITE, .epoch = 1, .id = fresh, DATA("x")).error, 0);
}

static void test_checkpoint(void)
{
    struct lane control = {.lane = MN_LANE_CONTROL};

    RUN("Checkpoint counts, syncs and forgets");
    lane_start(&control);
    CHECK(mn_recent_count(recent) > 0);
    uint64_t count = mn_apply_operation_count(apply);
    CHECK_INT(ASK(&control, checkpoint, CHECKPOINT, .epoch = 3, .operation_count = count).error,
              0);
    CHECK(mn_recent_count(recent) > 0);
    CHECK_INT(ASK(&control, checkpoint, CHECKPOINT, .epoch = 4, .stable_epoch = 3,
                  .operation_count = count)
                  .error,
              0);
    CHECK_INT(mn_recent_count(recent), 0);
    CHECK_INT(
        ASK(&control, checkpoint, CHECKPOINT, .epoch = 5, .operation_count = count + 1).error,
        EBADMSG);
    CHECK_INT(ASK(&control, ping, PING, .sent_ms = 5).error, 0);

    RUN("a message of Python's is handed out");
    CHECK_INT(mn_connection_begin(control.pair.asking) == NULL, 0);
    CHECK_INT(mn_connection_send(control.pair.asking, MN_MESSAGE_EMPTY_STASH), 0);
    CHECK_INT(pthread_join(control.thread, NULL), 0);
    CHECK_INT(control.result, MN_APPLY_PYTHON);
    CHECK_INT(control.code, MN_MESSAGE_EMPTY_STASH);
    link_pair_part(&control.pair);
}

static void receive(struct lane *lane, uint16_t expected, const uint8_t **payload, size_t *size)
{
    uint16_t code;
    CHECK_INT(mn_connection_receive(lane->pair.asking, 0, &code, payload, size), 0);
    CHECK_INT(code, expected);
}

static void test_copy(void)
{
    struct lane copy = {.lane = MN_LANE_COPY};
    struct mn_message_hashes hashes;
    struct mn_message_bytes bytes;
    const uint8_t *payload;
    uint8_t block[8192] = {0}, expected[MN_HASH_BYTES];
    size_t size;

    RUN("HashRange hashes blocks to the end of the file");
    struct mn_id id = made("copied", S_IFREG | 0600, root.id);
    lane_start(&copy);
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
    mn_hash_block(block, 4096, expected);
    CHECK_BYTES(hashes.hashes, expected, MN_HASH_BYTES);
    mn_hash_block("text", 4, expected);
    CHECK_BYTES(hashes.hashes + MN_HASH_BYTES, expected, MN_HASH_BYTES);

    RUN("CopyBlock makes holes, and the file longer");
    CHECK_INT(
        ASK(&copy, copy_block, COPY_BLOCK, .id = id, .offset_bytes = 4096, .hole_bytes = 65536)
            .error,
        0);
    struct stat status = status_of("copied");
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
    CHECK_INT(pthread_join(copy.thread, NULL), 0);
    CHECK_INT(copy.result, -EBADMSG);
    link_pair_part(&copy.pair);
}

static void test_session(void)
{
    struct lane second = {.lane = MN_LANE_LIVE};
    struct mn_handle handle;

    RUN("a message that does not decode ends the connection");
    lane_start(&second);
    CHECK(mn_connection_begin(second.pair.asking) != NULL);
    CHECK_INT(mn_connection_send(second.pair.asking, MN_MESSAGE_WRITE), 0);
    CHECK_INT(pthread_join(second.thread, NULL), 0);
    CHECK_INT(second.result, -EBADMSG);
    link_pair_part(&second.pair);

    RUN("a new session forgets all but the roots");
    struct mn_id id = made("forgotten", S_IFREG | 0600, root.id);
    CHECK_INT(mn_apply_find(apply, 0, &id, &handle), 0);
    CHECK(lane_end(&live) < 0);
    CHECK_INT(mn_apply_session_begin(apply), 0);
    CHECK_INT(mn_apply_find(apply, 0, &id, &handle), 1);
    CHECK_INT(mn_apply_find(apply, 0, &root.id, &handle), 0);
    CHECK_INT(mn_apply_operation_count(apply), 0);
}

static void set_up(void)
{
    struct mn_handle handle;
    struct mn_id id = some_id();

    CHECK_INT(mn_lower_root_open(scratch, 0, 1, &root), MN_ID_MISSING);
    CHECK_INT(mn_lower_handle(root.directory_fd, "", &handle), 0);
    CHECK_INT(mn_lower_id_set(root.directory_fd, &handle, &id), 0);
    mn_lower_root_close(&root);
    CHECK_INT(mn_lower_root_open(scratch, 0, 0, &root), 0);
    CHECK_INT(mn_recent_create(1024, &recent), 0);
    CHECK_INT(mn_apply_create(&root, 1, recent, &apply), 0);
    link_keys_make(&keys);
    lane_start(&live);
}

int main(void)
{
    if (!scratch_make(scratch))
        return 0;
    set_up();
    test_create();
    test_data();
    test_attributes();
    test_names();
    test_identity();
    test_checkpoint();
    test_copy();
    test_session();
    link_keys_remove(&keys);
    mn_apply_destroy(apply);
    mn_recent_destroy(recent);
    mn_lower_root_close(&root);
    scratch_remove(scratch);
    return 0;
}
