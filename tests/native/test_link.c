/* A connection of the link: who is let in, what travels, what is refused, and how it ends. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "link/connection_private.h"
#include "link_pair.h"
#include "wire/wire_messages.h"

enum { IO_TIMEOUT_MS = 180000, SHORT_TIMEOUT_MS = 600, PATIENCE_S = 30, QUEUE_MAX = 8 };

static struct link_keys keys;

static void join(struct link_pair *pair, uint32_t io_timeout_ms)
{
    link_pair_join(pair, keys.n1, "n2", keys.n2, "n1", io_timeout_ms);
    CHECK_INT(pair->asking_result, 0);
    CHECK_INT(pair->answering_result, 0);
}

static void receive(struct mn_connection *connection, uint16_t expected_code,
                    const uint8_t **payload_out, size_t *size_out)
{
    uint16_t code = 0;

    CHECK_INT(mn_connection_receive(connection, 1, &code, payload_out, size_out), 0);
    CHECK_INT(code, expected_code);
}

static void test_names(void)
{
    struct link_pair pair;

    RUN("two nodes of one cluster");
    join(&pair, IO_TIMEOUT_MS);
    CHECK_TEXT(mn_connection_peer_name(pair.asking), "n2");
    CHECK_TEXT(mn_connection_peer_name(pair.answering), "n1");
    CHECK_TEXT(SSL_get_version(pair.asking->session.ssl), "TLSv1.3");
    link_pair_part(&pair);

    RUN("the answering node has another name");
    link_pair_join(&pair, keys.n1, "n3", keys.n2, "n1", IO_TIMEOUT_MS);
    CHECK_INT(pair.asking_result, -EPERM);
    CHECK(pair.asking == NULL);
    CHECK(pair.answering_result != 0);
    link_pair_part(&pair);

    RUN("the asking node has another name");
    link_pair_join(&pair, keys.n1, "n2", keys.n2, "n3", IO_TIMEOUT_MS);
    CHECK_INT(pair.answering_result, -EPERM);
    link_pair_part(&pair);
}

static void test_stranger(void)
{
    struct link_pair pair;
    const uint8_t *payload = NULL;
    uint16_t code = 0;
    size_t size = 0;

    RUN("a certificate of another authority asks");
    link_pair_join(&pair, keys.stranger, "n2", keys.n2, "n1", IO_TIMEOUT_MS);
    CHECK_INT(pair.answering_result, -EPERM);
    /* In TLS 1.3 the one that connects learns of it when it first receives. */
    if (pair.asking_result == 0)
        CHECK_INT(mn_connection_receive(pair.asking, 0, &code, &payload, &size), -EPERM);
    link_pair_part(&pair);

    RUN("a certificate of another authority answers");
    link_pair_join(&pair, keys.n1, "n1", keys.stranger, "n1", IO_TIMEOUT_MS);
    CHECK_INT(pair.asking_result, -EPERM);
    link_pair_part(&pair);
}

static void test_no_peer(void)
{
    struct mn_connection *connection = NULL;
    uint16_t port = 0;
    int listener = link_listen(&port);
    struct mn_tls *tls = NULL;
    char error[256];

    RUN("an address that is none");
    CHECK_INT(mn_connection_connect(keys.n1, "n2.example", port, NULL, "n2", SHORT_TIMEOUT_MS, 0,
                                    &connection),
              -EINVAL);
    RUN("somebody who accepts and says nothing");
    CHECK_INT(mn_connection_connect(keys.n1, "127.0.0.1", port, "", "n2", SHORT_TIMEOUT_MS, 0,
                                    &connection),
              -ETIMEDOUT);
    CHECK(connection == NULL);
    CHECK_INT(close(listener), 0);
    RUN("nobody listens");
    CHECK_INT(mn_connection_connect(keys.n1, "127.0.0.1", port, NULL, "n2", SHORT_TIMEOUT_MS, 0,
                                    &connection),
              -ECONNREFUSED);
    RUN("keys that are not there");
    CHECK_INT(mn_tls_create("/nowhere/ca.crt", "x", "y", error, sizeof(error), &tls), -EINVAL);
    CHECK(strstr(error, "/nowhere/ca.crt") != NULL);
    CHECK(tls == NULL);
}

static void ignore(int number)
{
    (void)number;
}

/* Nobody accepts any more: what asks waits. Fills `fds` with those who do. */
static int listen_deaf(int fds[QUEUE_MAX], struct sockaddr_in *address)
{
    socklen_t size = sizeof(*address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK_INT(bind(listener, (struct sockaddr *)address, size), 0);
    CHECK_INT(listen(listener, 0), 0);
    CHECK_INT(getsockname(listener, (struct sockaddr *)address, &size), 0);
    for (int i = 0; i < QUEUE_MAX; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fds[i], (struct sockaddr *)address, size);
    }
    return listener;
}

static void test_signals(void)
{
    struct itimerval often = {.it_interval.tv_usec = 50000, .it_value.tv_usec = 50000};
    struct itimerval never = {0};
    struct sigaction action = {.sa_handler = ignore}, before;
    struct sockaddr_in address;
    struct mn_stream stream;
    struct timespec begun, ended;
    int fds[QUEUE_MAX];
    int listener = listen_deaf(fds, &address);

    RUN("signals give a connection that is not answered no more time");
    CHECK_INT(sigaction(SIGALRM, &action, &before), 0);
    CHECK_INT(setitimer(ITIMER_REAL, &often, NULL), 0);
    (void)clock_gettime(CLOCK_MONOTONIC, &begun);
    CHECK_INT(mn_stream_connect(&stream, "127.0.0.1", ntohs(address.sin_port), NULL,
                                SHORT_TIMEOUT_MS, 0),
              -ETIMEDOUT);
    (void)clock_gettime(CLOCK_MONOTONIC, &ended);
    CHECK_INT(setitimer(ITIMER_REAL, &never, NULL), 0);
    CHECK_INT(sigaction(SIGALRM, &before, NULL), 0);
    CHECK(ended.tv_sec - begun.tv_sec < PATIENCE_S);
    for (int i = 0; i < QUEUE_MAX; i++)
        CHECK_INT(close(fds[i]), 0);
    CHECK_INT(close(listener), 0);
}

/* Sends `count` writes of `size` bytes without waiting; each is answered afterwards. */
struct sender {
    struct mn_connection *connection;
    uint32_t size;
    uint32_t count;
};

static void *send_writes(void *argument)
{
    struct sender *sender = argument;
    uint8_t *data = calloc(1, sender->size + 1);
    struct mn_ack ack;

    CHECK(data != NULL);
    for (uint32_t index = 0; index < sender->count; index++) {
        struct mn_message_write message = {.epoch = index, .data = data};

        message.data_size = sender->size;
        memset(data, (int)index, sender->size);
        CHECK_INT(mn_encode_write(&message, mn_connection_begin(sender->connection)), 0);
        CHECK_INT(mn_connection_send(sender->connection, MN_MESSAGE_WRITE), 0);
    }
    for (uint32_t index = 0; index < sender->count; index++) {
        CHECK_INT(mn_connection_receive_ack(sender->connection, &ack), 0);
        CHECK_INT(ack.error, index);
        CHECK_INT(ack.result, sender->size);
    }
    free(data);
    return NULL;
}

static void exchange(struct link_pair *pair, uint32_t size, uint32_t count)
{
    struct sender sender = {.connection = pair->asking, .size = size, .count = count};
    const uint8_t *payload = NULL;
    struct mn_message_write message;
    pthread_t thread;

    CHECK_INT(pthread_create(&thread, NULL, send_writes, &sender), 0);
    for (uint32_t index = 0; index < count; index++) {
        size_t payload_size = 0;

        receive(pair->answering, MN_MESSAGE_WRITE, &payload, &payload_size);
        CHECK_INT(mn_decode_write(payload, payload_size, &message), 0);
        CHECK_INT(message.epoch, index);
        CHECK_INT(message.data_size, size);
        for (uint32_t offset = 0; offset < size; offset += 997)
            CHECK_INT(message.data[offset], (uint8_t)index);
        CHECK_INT(mn_connection_send_ack(pair->answering, (int32_t)index, size), 0);
    }
    CHECK_INT(pthread_join(thread, NULL), 0);
}

static void test_exchange(void)
{
    static const uint32_t sizes[] = {0, 1, 4096, 16384, 65536, 1 << 20};
    struct link_pair pair;
    uint64_t sent_bytes = 0;
    uint64_t received_bytes = 0;
    uint64_t expected_bytes = 0;

    RUN("writes of every size, several on their way at once");
    join(&pair, IO_TIMEOUT_MS);
    for (size_t index = 0; index < sizeof(sizes) / sizeof(sizes[0]); index++) {
        exchange(&pair, sizes[index], 7);
        expected_bytes += 7 * (MN_FRAME_HEADER_BYTES + 41 + (uint64_t)sizes[index]);
    }
    mn_connection_counters(pair.asking, &sent_bytes, &received_bytes);
    CHECK_INT(sent_bytes, expected_bytes);
    CHECK_INT(received_bytes, 6 * 7 * (MN_FRAME_HEADER_BYTES + 12));

    RUN("a new key every few records");
    pair.asking->session.record_count_max = 3;
    pair.answering->session.record_count_max = 2;
    exchange(&pair, 40000, 20);
    link_pair_part(&pair);
}

/* Puts a frame on the wire that no connection of ours would send. */
static void expect_refused(const uint8_t *frame, size_t size, const char *sentence)
{
    struct link_pair pair;
    const uint8_t *payload = NULL;
    uint16_t code = 0;
    size_t payload_size = 0;

    join(&pair, IO_TIMEOUT_MS);
    CHECK_INT(mn_tls_session_send(&pair.asking->session, frame, size), 0);
    CHECK_INT(mn_connection_receive(pair.answering, 0, &code, &payload, &payload_size), -EBADMSG);
    CHECK_TEXT(mn_connection_refusal(pair.answering), sentence);
    RUN("and after it nothing is received, and nothing sent");
    CHECK_INT(mn_connection_send_ack(pair.answering, 0, 0), -EBADMSG);
    CHECK_INT(mn_connection_receive(pair.answering, 0, &code, &payload, &payload_size), -EBADMSG);
    link_pair_part(&pair);
}

static void test_refused(void)
{
    static const char http[] = "GET / HTTP/1.1\r\nHost: mirror.example\r\n\r\n";
    struct link_pair pair;
    uint8_t frame[MN_FRAME_HEADER_BYTES + 12];
    const uint8_t *payload = NULL;
    uint16_t code = 0;
    size_t size = 0;

    join(&pair, IO_TIMEOUT_MS);
    CHECK_INT(mn_connection_send_ack(pair.asking, 0, 7), 0);
    memcpy(frame, pair.asking->out_frame, sizeof(frame));
    receive(pair.answering, MN_MESSAGE_ACK, &payload, &size);
    RUN("a frame that comes twice");
    CHECK_INT(mn_tls_session_send(&pair.asking->session, frame, sizeof(frame)), 0);
    CHECK_INT(mn_connection_receive(pair.answering, 0, &code, &payload, &size), -EBADMSG);
    CHECK_TEXT(mn_connection_refusal(pair.answering), "sequence is not the next one");
    link_pair_part(&pair);

    RUN("a bit that changed");
    frame[sizeof(frame) - 1] ^= 1;
    expect_refused(frame, sizeof(frame), "checksum does not match");
    RUN("a size that nobody sends");
    mn_store_u32(frame + 4, MN_PAYLOAD_BYTES_MAX + 1);
    expect_refused(frame, sizeof(frame), "size is above the maximum");
    RUN("bytes that are no frame");
    expect_refused((const uint8_t *)http, strlen(http), "magic is not MNF1");
}

static void test_ends(void)
{
    struct link_pair pair;
    const uint8_t *payload = NULL;
    uint16_t code = 0;
    size_t size = 0;
    struct mn_ack ack;

    RUN("the other node is gone");
    join(&pair, IO_TIMEOUT_MS);
    mn_connection_destroy(pair.answering);
    pair.answering = NULL;
    CHECK_INT(mn_connection_receive(pair.asking, 1, &code, &payload, &size), -ECONNRESET);
    CHECK_INT(mn_connection_receive_ack(pair.asking, &ack), -ECONNRESET);
    CHECK_INT(mn_connection_send_ack(pair.asking, 0, 0), -ECONNRESET);
    link_pair_part(&pair);

    RUN("no answer in time");
    join(&pair, SHORT_TIMEOUT_MS);
    CHECK_INT(mn_connection_receive_ack(pair.asking, &ack), -ETIMEDOUT);
    CHECK_INT(mn_connection_send_ack(pair.asking, 0, 0), -ETIMEDOUT);
    link_pair_part(&pair);

    RUN("something else than an Ack");
    join(&pair, IO_TIMEOUT_MS);
    (void)mn_connection_begin(pair.answering);
    CHECK_INT(mn_connection_send(pair.answering, MN_MESSAGE_PING), 0);
    CHECK_INT(mn_connection_receive_ack(pair.asking, &ack), -EPROTO);
    RUN("an Ack with a negative errno");
    CHECK_INT(mn_connection_send_ack(pair.answering, -5, 0), 0);
    CHECK_INT(mn_connection_receive_ack(pair.asking, &ack), -EBADMSG);
    link_pair_part(&pair);
}

/* An idle receive outlives the timeout of requests; a request whose peer stops in mid-frame does
 * not. */
static void test_idle(void)
{
    struct link_pair pair;
    struct timespec wait = {.tv_nsec = 3L * SHORT_TIMEOUT_MS * 1000000 / 2};
    const uint8_t *payload = NULL;
    uint16_t code = 0;
    size_t size = 0;
    pthread_t thread;
    struct sender sender = {.size = 10, .count = 1};

    RUN("idle for longer than the timeout");
    join(&pair, SHORT_TIMEOUT_MS);
    /* The one that sends, and awaits an answer, is not what is shown here. */
    CHECK_INT(mn_stream_set_timeout(&pair.asking->stream, IO_TIMEOUT_MS), 0);
    sender.connection = pair.asking;
    CHECK_INT(nanosleep(&wait, NULL), 0); /* the timeout of a socket is real time */
    CHECK_INT(pthread_create(&thread, NULL, send_writes, &sender), 0);
    receive(pair.answering, MN_MESSAGE_WRITE, &payload, &size);
    CHECK_INT(mn_connection_send_ack(pair.answering, 0, 10), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);

    RUN("half a header, and then nothing");
    CHECK_INT(mn_tls_session_send(&pair.asking->session, (const uint8_t *)"MNF1....", 8), 0);
    CHECK_INT(mn_connection_receive(pair.answering, 1, &code, &payload, &size), -ETIMEDOUT);
    link_pair_part(&pair);
}

static void test_send_blocks(void)
{
    struct link_pair pair;
    uint8_t *data = calloc(1, 1 << 20);
    struct mn_message_write message = {.data = data, .data_size = 1 << 20};
    int result = 0;

    RUN("a peer that takes nothing any more");
    CHECK(data != NULL);
    join(&pair, SHORT_TIMEOUT_MS);
    for (int index = 0; index < 64 && result == 0; index++) {
        CHECK_INT(mn_encode_write(&message, mn_connection_begin(pair.asking)), 0);
        result = mn_connection_send(pair.asking, MN_MESSAGE_WRITE);
    }
    CHECK_INT(result, -ETIMEDOUT);
    link_pair_part(&pair);
    free(data);
}

int main(void)
{
    link_keys_make(&keys);
    test_names();
    test_stranger();
    test_no_peer();
    test_signals();
    test_exchange();
    test_refused();
    test_ends();
    test_idle();
    test_send_blocks();
    link_keys_remove(&keys);
    return 0;
}
