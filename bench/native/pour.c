/*
 * A file, or regions of it, poured through the link and written at the other end, and nothing
 * else: what disks and link allow together. Nothing is compared, hashed, noted or answered, but
 * for the checksum that every frame has; the end syncs what it wrote and says so.
 *
 *     pour take DIRECTORY ADDRESS PORT STREAMS FILE                ends with its client
 *     pour give DIRECTORY ADDRESS PORT STREAMS FILE BLOCK [STEP]
 *
 * DIRECTORY: as for ping. Each stream is a connection of its own with a thread at either end.
 * BLOCK bytes travel at a time. STEP: every so many of them go, 1 if left out. `take` says "ready"
 * when it listens; `give` prints one line of JSON: seconds until the other end has synced,
 * handshakes not counted.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "keys.h"
#include "link/connection.h"
#include "wire/wire_messages.h"

enum { STREAMS_MAX = 16, TIMEOUT_MS = 60000, BEHIND_BYTES = 4 << 20 };

struct stream {
    struct mn_connection *connection;
    pthread_t thread;
    int file;
    uint64_t first, every; /* blocks of this stream */
    uint64_t file_bytes;
    uint32_t block_bytes;
};

/* What has its place on the disk is begun with at once; what is new gets a better one later. */
static int put(const struct stream *stream, const struct mn_message_write *message,
               uint64_t *behind)
{
    if (pwrite(stream->file, message->data, message->data_size, (off_t)message->offset_bytes) !=
        (ssize_t)message->data_size)
        return -EIO;
    *behind += message->data_size;
    if (stream->file_bytes > 0 && *behind >= BEHIND_BYTES) {
        (void)sync_file_range(stream->file, 0, 0, SYNC_FILE_RANGE_WRITE);
        *behind = 0;
    }
    return 0;
}

static void *take(void *argument)
{
    struct stream *stream = argument;
    uint64_t behind = 0;

    for (;;) {
        struct mn_message_write message;
        const uint8_t *payload;
        uint16_t code;
        size_t size;
        int result = mn_connection_receive(stream->connection, 1, &code, &payload, &size);

        if (result == 0)
            result = mn_decode_write(payload, size, &message);
        if (result == 0 && message.data_size > 0)
            result = put(stream, &message, &behind);
        if (result != 0)
            give_up("take", result);
        if (message.data_size > 0)
            continue;
        if (fdatasync(stream->file) != 0)
            give_up("sync", -errno);
        (void)mn_connection_send_ack(stream->connection, 0, 0);
        return NULL;
    }
}

static void send_block(struct stream *stream, uint64_t offset, const uint8_t *data, size_t size)
{
    struct mn_message_write message = {
        .offset_bytes = offset, .data = data, .data_size = (uint32_t)size};
    int result = mn_encode_write(&message, mn_connection_begin(stream->connection));

    if (result == 0)
        result = mn_connection_send(stream->connection, MN_MESSAGE_WRITE);
    if (result != 0)
        give_up("give", result);
}

static void *give(void *argument)
{
    struct stream *stream = argument;
    uint8_t *data = malloc(stream->block_bytes);
    struct mn_ack ack;

    if (data == NULL)
        give_up("memory", -ENOMEM);
    for (uint64_t block = stream->first;; block += stream->every) {
        uint64_t offset = block * stream->block_bytes;
        ssize_t got = offset >= stream->file_bytes
                          ? 0
                          : pread(stream->file, data, stream->block_bytes, (off_t)offset);

        if (got < 0)
            give_up("read", -errno);
        send_block(stream, offset, data, (size_t)got); /* the empty one is the last */
        if (got == 0)
            break;
    }
    if (mn_connection_receive_ack(stream->connection, &ack) != 0 || ack.error != 0)
        give_up("end", -EIO);
    free(data);
    return NULL;
}

static void run(struct stream *streams, unsigned count, void *(*what)(void *))
{
    for (unsigned i = 0; i < count; i++)
        if (pthread_create(&streams[i].thread, NULL, what, &streams[i]) != 0)
            give_up("thread", -ENOMEM);
    for (unsigned i = 0; i < count; i++)
        pthread_join(streams[i].thread, NULL);
}

static int take_all(const char *directory, struct sockaddr_in *address, unsigned count,
                    const char *path)
{
    struct mn_tls *tls = open_keys(directory, "n2");
    struct stream streams[STREAMS_MAX];
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat status;

    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (file < 0 || fstat(file, &status) != 0 ||
        bind(listener, (struct sockaddr *)address, sizeof(*address)) != 0 ||
        listen(listener, STREAMS_MAX) != 0)
        give_up("take", -errno);
    printf("ready\n");
    (void)fflush(stdout);
    for (unsigned i = 0; i < count; i++) {
        int fd = accept(listener, NULL, NULL);
        int result =
            mn_connection_accept(tls, fd, "n1", TIMEOUT_MS, TIMEOUT_MS, &streams[i].connection);

        if (result != 0)
            give_up("accept", result);
        streams[i].file = file;
        streams[i].file_bytes = (uint64_t)status.st_size;
    }
    run(streams, count, take);
    for (unsigned i = 0; i < count; i++)
        mn_connection_destroy(streams[i].connection);
    mn_tls_destroy(tls);
    return 0;
}

static double now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int give_all(const char *directory, const char *host, uint16_t port, unsigned count,
                    const char *path, uint32_t block_bytes, uint64_t step)
{
    struct mn_tls *tls = open_keys(directory, "n1");
    struct stream streams[STREAMS_MAX];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    double started;

    if (file < 0 || fstat(file, &status) != 0)
        give_up("give", -errno);
    for (unsigned i = 0; i < count; i++) {
        int result;

        streams[i] = (struct stream){.file = file,
                                     .first = i * step,
                                     .every = count * step,
                                     .file_bytes = (uint64_t)status.st_size,
                                     .block_bytes = block_bytes};
        result = mn_connection_connect(tls, host, port, NULL, "n2", TIMEOUT_MS, TIMEOUT_MS,
                                       &streams[i].connection);
        if (result != 0)
            give_up("connect", result);
    }
    started = now_s();
    run(streams, count, give);
    printf("{\"s\": %.3f}\n", now_s() - started);
    for (unsigned i = 0; i < count; i++)
        mn_connection_destroy(streams[i].connection);
    mn_tls_destroy(tls);
    return 0;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    unsigned long port = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
    unsigned long count = argc > 5 ? strtoul(argv[5], NULL, 10) : 0;
    unsigned long block = argc > 7 ? strtoul(argv[7], NULL, 10) : 0;

    if (argc >= 7 && count >= 1 && count <= STREAMS_MAX) {
        address.sin_port = htons((uint16_t)port);
        if (argc == 7 && strcmp(argv[1], "take") == 0 &&
            inet_pton(AF_INET, argv[3], &address.sin_addr) == 1)
            return take_all(argv[2], &address, (unsigned)count, argv[6]);
        if (argc <= 9 && strcmp(argv[1], "give") == 0 && block >= 4096 && block <= (1 << 20))
            return give_all(argv[2], argv[3], (uint16_t)port, (unsigned)count, argv[6],
                            (uint32_t)block, argc == 9 ? strtoul(argv[8], NULL, 10) : 1);
    }
    (void)fprintf(stderr, "see the head of bench/native/pour.c\n");
    return 2;
}
