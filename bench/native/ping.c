/*
 * Round trips of a 4 KiB Write and its Ack over one connection of the link, beside the
 * same request and a 16-byte answer over bare TCP: what TLS, frames and checks cost.
 *
 *     ping serve DIRECTORY ADDRESS PORT           ends with its client
 *     ping ask   DIRECTORY ADDRESS PORT COUNT SIZE link|tcp
 *
 * DIRECTORY holds ca.crt, n1.crt, n1.key (asks), n2.crt, n2.key (serves). Prints one line of JSON:
 * microseconds of a round trip. bench/hosts.py makes keys and a veth pair.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "link/connection.h"
#include "wire/wire_messages.h"

enum {
    ACK_BYTES = 16,
    PATH_BYTES = 512,
    TIMEOUT_MS = 10000,
    WARM_UP_COUNT = 1000,
    COUNT_MAX = 1000000
};

static uint8_t data[MN_PAYLOAD_BYTES_MAX];
static double took_us[COUNT_MAX];

static _Noreturn void give_up(const char *what, int result)
{
    (void)fprintf(stderr, "ping: %s: %s\n", what, strerror(-result));
    exit(1);
}

static struct mn_tls *open_keys(const char *directory, const char *node)
{
    char paths[3][PATH_BYTES];
    char error[256];
    struct mn_tls *tls = NULL;

    (void)snprintf(paths[0], PATH_BYTES, "%s/ca.crt", directory);
    (void)snprintf(paths[1], PATH_BYTES, "%s/%s.crt", directory, node);
    (void)snprintf(paths[2], PATH_BYTES, "%s/%s.key", directory, node);
    if (mn_tls_create(paths[0], paths[1], paths[2], error, sizeof(error), &tls) != 0) {
        (void)fprintf(stderr, "ping: %s\n", error);
        exit(1);
    }
    return tls;
}

static int read_whole(int fd, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t count = recv(fd, data + done, size - done, 0);

        if (count <= 0)
            return -1;
        done += (size_t)count;
    }
    return 0;
}

static int write_whole(int fd, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t count = send(fd, data + done, size - done, MSG_NOSIGNAL);

        if (count <= 0)
            return -1;
        done += (size_t)count;
    }
    return 0;
}

static void serve_link(struct mn_connection *connection)
{
    uint16_t code = 0;
    const uint8_t *payload = NULL;
    size_t size = 0;
    struct mn_message_write message;

    while (mn_connection_receive(connection, 1, &code, &payload, &size) == 0) {
        if (mn_decode_write(payload, size, &message) != 0)
            give_up("decode", -EBADMSG);
        if (mn_connection_send_ack(connection, 0, message.data_size) != 0)
            break;
    }
}

static void serve_tcp(int fd, uint32_t size)
{
    int one = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    while (read_whole(fd, size) == 0 && write_whole(fd, ACK_BYTES) == 0) {
    }
}

/* The first byte says which: 0 is bare TCP, and then comes the size of a request. */
static int serve(const char *directory, struct sockaddr_in *address)
{
    struct mn_tls *tls = open_keys(directory, "n2");
    struct mn_connection *connection = NULL;
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int fd = -1;
    uint8_t first[5] = {0};

    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (listener < 0 || bind(listener, (struct sockaddr *)address, sizeof(*address)) != 0 ||
        listen(listener, 1) != 0)
        give_up("listen", -errno);
    fd = accept(listener, NULL, NULL);
    if (fd < 0)
        give_up("accept", -errno);
    (void)recv(fd, first, 1, MSG_PEEK);
    if (first[0] == 0) {
        (void)recv(fd, first, sizeof(first), MSG_WAITALL);
        serve_tcp(fd, mn_load_u32(first + 1));
    } else {
        int result = mn_connection_accept(tls, fd, "n1", TIMEOUT_MS, TIMEOUT_MS, &connection);

        if (result != 0)
            give_up("accept", result);
        serve_link(connection);
        mn_connection_destroy(connection);
    }
    mn_tls_destroy(tls);
    return 0;
}

static void ask_link(struct mn_connection *connection, uint32_t size)
{
    struct mn_message_write message = {.data = data, .data_size = size};
    struct mn_ack ack;
    int result = mn_encode_write(&message, mn_connection_begin(connection));

    if (result == 0)
        result = mn_connection_send(connection, MN_MESSAGE_WRITE);
    if (result == 0)
        result = mn_connection_receive_ack(connection, &ack);
    if (result != 0)
        give_up("ask", result);
}

static double now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;

    return (difference > 0) - (difference < 0);
}

static void report(uint32_t count)
{
    double sum = 0;

    assert(count > 0 && count <= COUNT_MAX);
    qsort(took_us, count, sizeof(*took_us), compare);
    for (uint32_t index = 0; index < count; index++)
        sum += took_us[index];
    printf("{\"median_us\": %.2f, \"p99_us\": %.2f, \"mean_us\": %.2f, \"per_s\": %.0f}\n",
           took_us[count / 2], took_us[count - 1 - count / 100], sum / count,
           (double)count * 1e6 / sum);
}

static int ask(const char *directory, const char *host, uint16_t port, uint32_t count,
               uint32_t size, const char *way)
{
    struct mn_tls *tls = open_keys(directory, "n1");
    struct mn_connection *connection = NULL;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = -1;
    int one = 1;
    uint8_t first[5] = {0};

    if (count == 0 || count > COUNT_MAX || size > MN_PAYLOAD_BYTES_MAX)
        give_up("ask", -EINVAL);
    if (strcmp(way, "link") == 0) {
        int result = mn_connection_connect(tls, host, port, NULL, "n2", TIMEOUT_MS, TIMEOUT_MS,
                                           &connection);
        if (result != 0)
            give_up("connect", result);
    } else {
        (void)inet_pton(AF_INET, host, &address.sin_addr);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0)
            give_up("socket", -errno);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        mn_store_u32(first + 1, size);
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
            send(fd, first, sizeof(first), 0) != sizeof(first))
            give_up("connect", -errno);
    }
    for (uint32_t index = 0; index < count + WARM_UP_COUNT; index++) {
        double before = now_us();

        if (connection)
            ask_link(connection, size);
        else if (fd < 0 || write_whole(fd, size) != 0 || read_whole(fd, ACK_BYTES) != 0)
            give_up("ask", -errno);
        if (index >= WARM_UP_COUNT)
            took_us[index - WARM_UP_COUNT] = now_us() - before;
    }
    report(count);
    mn_connection_destroy(connection);
    mn_tls_destroy(tls);
    return 0;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};

    if (argc == 5 && strcmp(argv[1], "serve") == 0 &&
        inet_pton(AF_INET, argv[3], &address.sin_addr) == 1) {
        address.sin_port = htons((uint16_t)strtoul(argv[4], NULL, 10));
        return serve(argv[2], &address);
    }
    if (argc == 8 && strcmp(argv[1], "ask") == 0)
        return ask(argv[2], argv[3], (uint16_t)strtoul(argv[4], NULL, 10),
                   (uint32_t)strtoul(argv[5], NULL, 10), (uint32_t)strtoul(argv[6], NULL, 10),
                   argv[7]);
    (void)fprintf(stderr, "see the head of bench/native/ping.c\n");
    return 2;
}
