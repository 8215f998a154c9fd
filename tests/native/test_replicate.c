/* The five steps where two changes meet, or where the link ends in the middle of one. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "capture/change.h"
#include "capture/operations.h"
#include "check.h"
#include "link_pair.h"
#include "scratch.h"

enum { PLACES_MAX = 4096, INDEX_BYTES = 4 << 20, TIMEOUT_MS = 180000 };
enum { CONTENT_BYTES = 1 << 20 };

/* A capture without a mount: requests come from the test, answers go to its socket. */
struct bench {
    char scratch[SCRATCH_PATH_BYTES];
    struct mn_root root;
    struct mn_capture *capture;
    struct mn_mount mount;
    struct mn_worker *worker;
    struct mn_capture_config config;
    int answers;
};

static int bench_make(struct bench *bench)
{
    char path[SCRATCH_PATH_BYTES + 8];
    struct mn_handle handle;
    int sockets[2];

    memset(bench, 0, sizeof(*bench));
    if (!scratch_make(bench->scratch))
        return 0;
    CHECK_INT(mn_lower_root_open(bench->scratch, 0, 1, &bench->root), MN_ID_MISSING);
    CHECK_INT(mn_lower_handle(bench->root.directory_fd, "", &handle), 0);
    CHECK_INT(mn_lower_id_new(&bench->root.id), 0);
    CHECK_INT(mn_lower_id_set(bench->root.directory_fd, &handle, &bench->root.id), 0);
    CHECK_INT(mn_recent_create(PLACES_MAX, &bench->config.recent), 0);
    (void)snprintf(path, sizeof(path), "%s/index", bench->scratch);
    CHECK_INT(mn_index_open(path, INDEX_BYTES, PLACES_MAX, &bench->config.index), 0);
    CHECK_INT(mn_capture_create(&bench->config, &bench->capture), 0);
    bench->mount.capture = bench->capture;
    bench->mount.root = &bench->root;
    CHECK_INT(mn_node_table_init(&bench->mount.nodes, &handle, &bench->root.id), 0);
    CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
    bench->answers = sockets[0];
    bench->worker = mn_worker_create(bench->capture, &bench->mount, sockets[1]);
    CHECK(bench->worker != NULL);
    bench->worker->takes_turns = false;
    mn_capture_open(bench->capture); /* alone */
    return 1;
}

static void bench_remove(struct bench *bench)
{
    close(bench->answers);
    close(bench->worker->fuse_fd);
    mn_worker_destroy(bench->worker);
    mn_node_table_deinit(&bench->mount.nodes);
    mn_capture_destroy(bench->capture);
    mn_index_close(bench->config.index);
    mn_recent_destroy(bench->config.recent);
    mn_lower_root_close(&bench->root);
    scratch_remove(bench->scratch);
}

/* A file of the lower directory as a node and an open file; name NULL: it has none yet. */
static struct mn_file *file_make(struct bench *bench, const char *name)
{
    struct mn_handle handle;
    struct mn_node *node;
    struct mn_file *file;
    struct mn_id id;
    int fd = name == NULL
                 ? openat(bench->root.directory_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
                 : openat(bench->root.directory_fd, name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

    CHECK(fd >= 0);
    CHECK_INT(mn_lower_handle(fd, "", &handle), 0);
    CHECK_INT(mn_lower_id_new(&id), 0);
    CHECK_INT(mn_lower_id_set(fd, &handle, &id), 0);
    node = mn_node_get(&bench->mount.nodes, &handle, name == NULL ? NULL : bench->mount.nodes.root,
                       name);
    CHECK(node != NULL);
    node->id = id;
    mn_node_flag_set(node, MN_NODE_HAS_ID | (name == NULL ? MN_NODE_UNLINKED : 0U));
    file = mn_file_new(&bench->mount, node, fd);
    CHECK(file != NULL);
    return file;
}

/* The table of nodes frees their memory, not the open files. */
static void file_close(struct mn_file *file)
{
    close(file->fd);
    free(file);
}

static void await_waiters(struct bench *bench, uint32_t count)
{
    struct mn_lock_table *locks = &bench->capture->locks;
    uint32_t waiting;

    do {
        (void)sched_yield();
        pthread_mutex_lock(&locks->mutex);
        waiting = locks->waiting_count;
        pthread_mutex_unlock(&locks->mutex);
    } while (waiting < count);
}

/* Of the answer: 0 or -errno. */
static int answer_of(struct bench *bench)
{
    uint8_t bytes[4096];
    struct fuse_out_header header;

    CHECK(recv(bench->answers, bytes, sizeof(bytes), 0) >= (ssize_t)sizeof(header));
    memcpy(&header, bytes, sizeof(header));
    return header.error;
}

struct call {
    struct bench *bench;
    struct mn_file *file;
    struct mn_file *to;
    int result;
    sem_t seen; /* the change is under its locks */
    bool was_local;
};

static void *give_name(void *argument)
{
    struct call *call = argument;
    struct fuse_in_header header = {.unique = 1};
    struct mn_fuse_request request = {.header = &header};

    call->result = mn_link_nameless(call->bench->worker, &request, call->file->node,
                                    call->bench->mount.nodes.root, "named");
    return NULL;
}

static int look_whether_local(struct mn_change *change)
{
    struct call *call = change->operation;

    call->was_local = change->local;
    sem_post(&call->seen);
    return 0;
}

static int64_t do_nothing(struct mn_change *change)
{
    (void)change;
    return 0;
}

/* A page that the kernel writes back, which takes no lock of the file. */
static void *write_back(void *argument)
{
    struct call *call = argument;
    struct mn_worker *worker = mn_worker_create(call->bench->capture, &call->bench->mount, -1);
    struct mn_change change;
    int64_t outcome;

    worker->takes_turns = false;
    mn_change_init(&change, worker, call);
    change.subject = call->file->node;
    mn_change_object(&change, call->file->node);
    mn_change_lock(&change, MN_LOCK_EXISTENCE, call->file->node, false);
    mn_change_lock_range(&change, call->file->node, 0, 4096, true);
    change.prepare = look_whether_local;
    change.perform = do_nothing;
    call->result = mn_replicate(&change, &outcome);
    mn_worker_destroy(worker);
    return NULL;
}

static void test_write_behind_a_first_name(struct bench *bench)
{
    struct mn_file *file = file_make(bench, NULL);
    struct call naming = {.bench = bench, .file = file};
    struct call writing = {.bench = bench, .file = file};
    struct mn_lock_set first = {.count = 0};
    pthread_t namer, writer;

    RUN("what waits for a file to get its first name is a change of a file that has one");
    sem_init(&writing.seen, 0, 0);
    mn_lock_set_add(&first, MN_LOCK_EXISTENCE, file->node->key, 0, 0, true);
    mn_locks_take(&bench->capture->locks, &first);
    CHECK_INT(pthread_create(&namer, NULL, give_name, &naming), 0);
    await_waiters(bench, 1);
    CHECK_INT(pthread_create(&writer, NULL, write_back, &writing), 0);
    await_waiters(bench, 2);
    /* Neither leaves the gate: who gave the name comes no further than to give its locks back. */
    pthread_mutex_lock(&bench->capture->gate.mutex);
    mn_locks_release(&bench->capture->locks, &first);
    sem_wait(&writing.seen);
    CHECK(!writing.was_local);
    pthread_mutex_unlock(&bench->capture->gate.mutex);
    pthread_join(namer, NULL);
    pthread_join(writer, NULL);
    CHECK_INT(naming.result, 0);
    CHECK_INT(writing.result, 0);
    CHECK_INT(answer_of(bench), 0);
    sem_destroy(&writing.seen);
    file_close(file);
}

static void *copy(void *argument)
{
    struct call *call = argument;
    struct fuse_in_header header = {.unique = 2};
    struct fuse_copy_file_range_in in = {.fh_in = (uint64_t)(uintptr_t)call->file,
                                         .fh_out = (uint64_t)(uintptr_t)call->to,
                                         .len = UINT64_MAX >> 1};
    struct mn_fuse_request request = {
        .header = &header, .body = (const uint8_t *)&in, .body_size = sizeof(in)};

    call->result = mn_op_copy_file_range(call->bench->worker, &request);
    if (call->result < 0)
        mn_fuse_reply(call->bench->worker->fuse_fd, header.unique, call->result, NULL, 0);
    return NULL;
}

static void test_copy_while_a_session_begins(struct bench *bench)
{
    struct mn_file *from = file_make(bench, "from");
    struct mn_file *to = file_make(bench, "to");
    struct call copying = {.bench = bench, .file = from, .to = to};
    struct mn_lock_set first = {.count = 0};
    pthread_t copier;

    RUN("a copy looks once more, under its locks, whether the secondary has the source");
    CHECK_INT(pwrite(from->fd, "content", 7, 0), 7);
    mn_lock_set_add(&first, MN_LOCK_EXISTENCE, to->node->key, 0, 0, true);
    mn_locks_take(&bench->capture->locks, &first);
    CHECK_INT(pthread_create(&copier, NULL, copy, &copying), 0);
    await_waiters(bench, 1);
    __atomic_store_n(&bench->capture->joining, 1, __ATOMIC_RELEASE);
    mn_locks_release(&bench->capture->locks, &first);
    pthread_join(copier, NULL);
    CHECK_INT(answer_of(bench), -EOPNOTSUPP);
    __atomic_store_n(&bench->capture->joining, 0, __ATOMIC_RELEASE);
    (void)copy(&copying);
    CHECK_INT(answer_of(bench), 0);
    file_close(from);
    file_close(to);
}

/* It takes the question, and its host dies. */
static void *take_and_die(void *argument)
{
    struct mn_connection *connection = argument;
    const uint8_t *payload;
    uint16_t code;
    size_t size;

    CHECK_INT(mn_connection_receive(connection, 0, &code, &payload, &size), 0);
    mn_connection_shutdown(connection);
    return NULL;
}

/* async="none". */
static int sync_while_the_link_ends(struct bench *bench, struct link_keys *keys, int fd)
{
    struct mn_capture *capture = bench->capture;
    struct mn_worker *keeper = capture->keeper;
    struct mn_file file = {.node = bench->mount.nodes.root, .fd = fd};
    struct fuse_in_header header = {.unique = 2, .nodeid = FUSE_ROOT_ID};
    struct fuse_fsync_in in = {.fh = (uint64_t)(uintptr_t)&file};
    struct mn_fuse_request request = {
        .header = &header, .body = (const uint8_t *)&in, .body_size = sizeof(in)};
    struct mn_connection *connections[2];
    struct link_pair pairs[2];
    pthread_t peer;
    int result;

    for (int i = 0; i < 2; i++) {
        link_pair_join(&pairs[i], keys->n1, "n2", keys->n2, "n1", TIMEOUT_MS);
        CHECK_INT(pairs[i].asking_result, 0);
        connections[i] = pairs[i].asking;
    }
    CHECK_INT(mn_capture_freeze(capture, TIMEOUT_MS), 0);
    CHECK_INT(mn_capture_session_begin(capture, connections, 2, 1), 0);
    mn_capture_open(capture);
    CHECK_INT(pthread_create(&peer, NULL, take_and_die, pairs[0].answering), 0);
    keeper->mount = &bench->mount;
    keeper->fuse_fd = bench->worker->fuse_fd;
    capture->config.sync_both = true;
    result = mn_op_fsync(keeper, &request);
    capture->config.sync_both = false;
    keeper->fuse_fd = -1;
    pthread_join(peer, NULL);
    CHECK_INT(mn_capture_session_end(capture, TIMEOUT_MS), 0);
    for (int i = 0; i < 2; i++)
        link_pair_part(&pairs[i]);
    return result;
}

static void test_sync_fails_as_the_link_ends(struct bench *bench)
{
    struct link_keys keys;
    int pipes[2];

    link_keys_make(&keys);
    RUN("a sync that has failed here is not tried again because the link ended meanwhile");
    CHECK_INT(pipe2(pipes, O_CLOEXEC), 0);
    CHECK_INT(sync_while_the_link_ends(bench, &keys, pipes[1]), 0); /* takes no sync */
    CHECK_INT(answer_of(bench), -EINVAL);
    close(pipes[0]);
    close(pipes[1]);
    RUN("one that has not failed is");
    CHECK_INT(sync_while_the_link_ends(bench, &keys, bench->root.directory_fd), MN_PARK);
    link_keys_remove(&keys);
}

static void *make_directory(void *argument)
{
    struct call *call = argument;
    struct fuse_in_header header = {.unique = 3, .nodeid = FUSE_ROOT_ID};
    struct {
        struct fuse_mkdir_in in;
        char name[8];
    } body = {.in = {.mode = 0700}, .name = "made"};
    struct mn_fuse_request request = {
        .header = &header, .body = (const uint8_t *)&body, .body_size = sizeof(body)};

    call->result = mn_op_mkdir(call->bench->worker, &request);
    return NULL;
}

/* What is inside a directory is not noted in the period alone in which the directory was made: the
 * note of its name, which the next period may find settled, says it. */
static void test_made_as_a_period_ends(struct bench *bench)
{
    struct mn_capture *capture = bench->capture;
    struct mn_gate *gate = &capture->gate;
    struct mn_node_table *nodes = &bench->mount.nodes;
    struct call making = {.bench = bench};
    struct mn_handle handle;
    struct mn_node *node;
    struct mn_lock_set first = {.count = 0};
    pthread_t maker;

    RUN("what was made before a period ended is of that period, however late its worker is");
    CHECK_INT(mn_capture_go_alone(capture), 0);
    uint32_t period = capture->alone_serial;
    mn_lock_set_add(&first, MN_LOCK_DIRECTORY, nodes->root->key, 0, 0, true);
    mn_locks_take(&capture->locks, &first);
    CHECK_INT(pthread_create(&maker, NULL, make_directory, &making), 0);
    await_waiters(bench, 1);
    pthread_mutex_lock(&gate->mutex); /* it does not leave */
    mn_locks_release(&capture->locks, &first);
    while (faccessat(bench->root.directory_fd, "made", F_OK, 0) != 0)
        (void)sched_yield();
    pthread_mutex_lock(&nodes->mutex); /* it gets no node */
    pthread_mutex_unlock(&gate->mutex);
    CHECK_INT(mn_capture_freeze(capture, TIMEOUT_MS), 0);
    CHECK_INT(mn_capture_go_alone(capture), 0);
    pthread_mutex_unlock(&nodes->mutex);
    pthread_join(maker, NULL);
    CHECK_INT(making.result, 0);
    CHECK_INT(answer_of(bench), 0);
    CHECK_INT(mn_lower_handle(bench->root.directory_fd, "made", &handle), 0);
    node = mn_node_get(nodes, &handle, nodes->root, "made");
    CHECK(node != NULL);
    CHECK_INT(node->born_serial, period);
    mn_node_unpin(nodes, node);
}

/* A disk that cannot say where data are, or which extended attributes there are. */
static bool no_data, no_names, no_values;

off_t lseek(int fd, off_t at, int whence)
{
    if (no_data && whence == SEEK_DATA) {
        errno = EIO;
        return -1;
    }
    return (off_t)syscall(SYS_lseek, fd, at, whence);
}

ssize_t flistxattr(int fd, char *names, size_t size)
{
    if (no_names) {
        errno = EIO;
        return -1;
    }
    return (ssize_t)syscall(SYS_flistxattr, fd, names, size);
}

ssize_t fgetxattr(int fd, const char *name, void *value, size_t size)
{
    if (no_values && strcmp(name, "user.kept") == 0) {
        errno = EIO;
        return -1;
    }
    return (ssize_t)syscall(SYS_fgetxattr, fd, name, value, size);
}

struct secondary {
    uint64_t features;
    uint16_t refuses; /* that there is such a name, to this message */
    struct mn_connection *connection;
    uint16_t first, last; /* messages */
};

static void *agree(void *argument)
{
    struct secondary *secondary = argument;
    struct mn_connection *connection = secondary->connection;
    const uint8_t *payload;
    uint16_t code;
    size_t size;

    while (mn_connection_receive(connection, 1, &code, &payload, &size) == 0) {
        if (secondary->first == 0)
            secondary->first = code;
        secondary->last = code;
        (void)mn_connection_send_ack(connection, code == secondary->refuses ? EEXIST : 0, 0);
    }
    return NULL;
}

/* What LINK of a file without a name answers, in a session. */
static int name_in_a_session(struct bench *bench, struct link_keys *keys,
                             struct secondary *secondary, const char *name)
{
    struct mn_worker *keeper = bench->capture->keeper;
    struct mn_file *file = file_make(bench, NULL);
    struct fuse_in_header header = {.unique = 4, .nodeid = FUSE_ROOT_ID};
    struct mn_fuse_request request = {.header = &header};
    struct mn_connection *connections[2];
    struct link_pair pairs[2];
    pthread_t peer;
    int result;

    for (int i = 0; i < 2; i++) {
        link_pair_join(&pairs[i], keys->n1, "n2", keys->n2, "n1", TIMEOUT_MS);
        CHECK_INT(pairs[i].asking_result, 0);
        connections[i] = pairs[i].asking;
    }
    mn_connection_set_features(pairs[0].asking, secondary->features);
    secondary->connection = pairs[0].answering;
    CHECK_INT(ftruncate(file->fd, CONTENT_BYTES), 0);
    CHECK_INT(pwrite(file->fd, "all of it", 9, 0), 9);
    CHECK_INT(fallocate(file->fd, 0, 0, CONTENT_BYTES), 0);
    CHECK_INT(fsetxattr(file->fd, "user.kept", "value", 5, 0), 0);
    CHECK_INT(mn_capture_freeze(bench->capture, TIMEOUT_MS), 0);
    CHECK_INT(mn_capture_session_begin(bench->capture, connections, 2, 1), 0);
    mn_capture_open(bench->capture);
    CHECK_INT(pthread_create(&peer, NULL, agree, secondary), 0);
    keeper->mount = &bench->mount;
    keeper->fuse_fd = bench->worker->fuse_fd;
    result = mn_link_nameless(keeper, &request, file->node, bench->mount.nodes.root, name);
    keeper->fuse_fd = -1;
    mn_capture_session_lost(bench->capture, ECONNRESET, "the end of a test");
    pthread_join(peer, NULL);
    CHECK_INT(mn_capture_session_end(bench->capture, TIMEOUT_MS), 0);
    for (int i = 0; i < 2; i++)
        link_pair_part(&pairs[i]);
    file_close(file);
    return result;
}

static void test_what_is_not_read_is_not_named(struct bench *bench)
{
    struct secondary secondary = {.features = MN_FEATURES};
    struct secondary earlier = {.features = 0};
    struct secondary refusing = {.features = MN_FEATURES, .refuses = MN_MESSAGE_LINK};
    struct secondary undoing = {.features = MN_FEATURES};
    struct link_keys keys;

    link_keys_make(&keys);
    RUN("a file gets its first name in a session when all of it was sent, there last");
    CHECK_INT(name_in_a_session(bench, &keys, &secondary, "whole"), 0);
    CHECK_INT(answer_of(bench), 0);
    CHECK_INT(secondary.first, MN_MESSAGE_CREATE_NAMELESS);
    CHECK_INT(secondary.last, MN_MESSAGE_LINK);

    RUN("of an earlier version the secondary has the name first");
    CHECK_INT(name_in_a_session(bench, &keys, &earlier, "as before"), 0);
    CHECK_INT(answer_of(bench), 0);
    CHECK_INT(earlier.first, MN_MESSAGE_CREATE);
    CHECK_INT(earlier.last, MN_MESSAGE_SET_FLAGS);

    RUN("a name that both refuse is refused; one that is refused here alone is taken back there");
    CHECK_INT(name_in_a_session(bench, &keys, &refusing, "whole"), -EEXIST);
    CHECK_INT(refusing.last, MN_MESSAGE_LINK);
    CHECK_INT(name_in_a_session(bench, &keys, &undoing, "whole"), -EEXIST);
    CHECK_INT(undoing.last, MN_MESSAGE_UNLINK);
    CHECK(!bench->capture->keeper->reply_late);

    RUN("what this disk cannot read parts the pair; nothing less is taken for all of it");
    no_data = true;
    CHECK_INT(name_in_a_session(bench, &keys, &secondary, "data"), MN_PARK);
    no_data = false;
    no_names = true;
    CHECK_INT(name_in_a_session(bench, &keys, &secondary, "names"), MN_PARK);
    no_names = false;
    no_values = true;
    CHECK_INT(name_in_a_session(bench, &keys, &secondary, "values"), MN_PARK);
    no_values = false;
    link_keys_remove(&keys);
    CHECK_INT(mn_capture_go_alone(bench->capture), 0);
}

static struct fuse_out_header header_of_answer(struct bench *bench)
{
    uint8_t bytes[4096];
    struct fuse_out_header header = {0};

    CHECK(recv(bench->answers, bytes, sizeof(bytes), 0) >= (ssize_t)sizeof(header));
    memcpy(&header, bytes, sizeof(header));
    return header;
}

/* Serves a request of this thread, and says whether the kernel was told to forget before it was
 * answered. */
static bool forgets(struct bench *bench, mn_operation *operation, uint64_t nodeid, uint32_t thread,
                    const void *body, size_t size)
{
    struct fuse_in_header header = {.unique = 9, .nodeid = nodeid, .pid = thread};
    struct mn_fuse_request request = {.header = &header, .body = body, .body_size = size};
    struct fuse_out_header first;

    CHECK_INT(operation(bench->worker, &request), 0);
    first = header_of_answer(bench);
    if (first.unique == header.unique) {
        CHECK_INT(first.error, 0);
        return false;
    }
    CHECK_INT(first.unique, 0);
    CHECK_INT(first.error, FUSE_NOTIFY_INVAL_INODE);
    first = header_of_answer(bench);
    CHECK_INT(first.unique, header.unique);
    CHECK_INT(first.error, 0);
    return true;
}

static bool forgets_after_mkdir(struct bench *bench, uint32_t thread, const char *name)
{
    struct {
        struct fuse_mkdir_in in;
        char name[8];
    } body = {.in.mode = 0700};

    (void)snprintf(body.name, sizeof(body.name), "%s", name);
    return forgets(bench, mn_op_mkdir, FUSE_ROOT_ID, thread, &body, sizeof(body));
}

static void told(struct bench *bench, uint32_t thread)
{
    struct fuse_getattr_in in = {0};

    CHECK(!forgets(bench, mn_op_getattr, FUSE_ROOT_ID, thread, &in, sizeof(in)));
}

/* An answer with old attributes may reach its caller after the one to the change. */
static void test_attributes_on_the_way(struct bench *bench)
{
    struct mn_file *file = file_make(bench, "changed");
    uint64_t nodeid = (uint64_t)(uintptr_t)file->node;
    struct fuse_fallocate_in fallocate_in = {.fh = (uint64_t)(uintptr_t)file, .length = 4096};
    struct {
        struct fuse_setxattr_in in;
        char text[8];
    } set = {.in.size = 1, .text = "user.a\0v"};
    char name[] = "user.a";
    struct mn_node *inner = NULL;
    struct stat status;

    RUN("who changes a directory has the kernel forget what others were told of it, and no more");
    CHECK(!forgets_after_mkdir(bench, 8, "d1"));
    told(bench, 7);
    CHECK(forgets_after_mkdir(bench, 8, "d2"));
    CHECK(!forgets_after_mkdir(bench, 8, "d3"));
    told(bench, 8);
    told(bench, 8);
    CHECK(!forgets_after_mkdir(bench, 8, "d4"));
    told(bench, 8);
    told(bench, 7);
    told(bench, 8);
    CHECK(forgets_after_mkdir(bench, 8, "d5"));
    told(bench, 8);
    CHECK(forgets(bench, mn_op_rmdir, FUSE_ROOT_ID, 7, "d5", sizeof("d5")));

    RUN("what was told of a directory by its name is told, too");
    CHECK(!forgets(bench, mn_op_lookup, FUSE_ROOT_ID, 7, "d1", sizeof("d1")));
    CHECK_INT(mn_look(bench->worker, bench->mount.nodes.root, "d1", &inner, &status), 0);
    CHECK(
        forgets(bench, mn_op_symlink, (uint64_t)(uintptr_t)inner, 8, "in\0to", sizeof("in\0to")));
    mn_node_unpin(&bench->mount.nodes, inner);

    RUN("threads that our pid namespace does not know are never taken for one");
    told(bench, 0);
    CHECK(forgets_after_mkdir(bench, 0, "d6"));

    RUN("an extended attribute, an access list among them, and room: always");
    CHECK(forgets(bench, mn_op_setxattr, nodeid, 8, &set, sizeof(set)));
    CHECK(forgets(bench, mn_op_removexattr, nodeid, 8, name, sizeof(name)));
    CHECK(forgets(bench, mn_op_fallocate, nodeid, 8, &fallocate_in, sizeof(fallocate_in)));
    file_close(file);
}

int main(void)
{
    struct bench bench;

    if (!bench_make(&bench))
        return 0;
    test_write_behind_a_first_name(&bench);
    test_copy_while_a_session_begins(&bench);
    test_sync_fails_as_the_link_ends(&bench);
    test_made_as_a_period_ends(&bench);
    test_attributes_on_the_way(&bench);
    test_what_is_not_read_is_not_named(&bench);
    bench_remove(&bench);
    return 0;
}
