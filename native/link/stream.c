/* See stream.h. */
#include "link/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
    /* A peer that is gone without a word, on a connection where nothing is being said. */
    KEEPALIVE_IDLE_S = 5,
    KEEPALIVE_INTERVAL_S = 1,
    KEEPALIVE_COUNT = 5,
    NS_PER_MS = 1000000,
};

/* How long a receive looks again before it sleeps: the answer to a write comes sooner than a
 * processor wakes up. bench/native/ping.c, 4 KiB and its Ack over a veth pair, two processors,
 * medians of link, TCP beside it:
 *
 *     look for                       both idle   ends on one processor   one processor busy
 *     0 us (sleep at once)           56 us       19 us                   19 us
 *     50 us, giving way each time    12 us       19 us                   19 us
 *     50 us, holding the processor   12-15 us    120 us                  69 us
 *     TCP, sleeping at once          53 us       14 us                   14 us
 *
 * So it gives way (sched_yield): whoever else wants the processor, the application above all,
 * has it. 20 us measured the same here; 50 us covers the round trip of a real network too. */
enum { LOOK_AGAIN_NS = 50 * 1000 };

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

static int fail(struct mn_stream *stream, int error)
{
    if (atomic_load(&stream->is_down))
        error = -ESHUTDOWN;
    if (stream->error == 0)
        stream->error = error;
    return stream->error;
}

/* After a call that did not succeed: 0 to try again, or what fail made of it. The socket blocks,
 * within its own time limit. */
static int go_on(struct mn_stream *stream, int error)
{
    if (error == EINTR)
        return 0;
    if (error != EAGAIN)
        return fail(stream, error == EPIPE ? -ECONNRESET : -error);
    return stream->deadline_ns == 0 ? 0 : fail(stream, -ETIMEDOUT);
}

static int set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : -errno;
}

static int set_options(int fd, uint32_t user_timeout_ms)
{
    int flags = fcntl(fd, F_GETFL);
    int result = 0;

    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    /* A request waits for its answer: there is never more to come that Nagle could wait for. An
     * answer carries the acknowledgement of its request, so TCP_QUICKACK would add packets. */
    result = set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (result == 0)
        result = set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (result == 0)
        result = set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    if (result == 0)
        result = set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    if (result == 0)
        result = set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
    if (result == 0 && user_timeout_ms > 0)
        result = set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)user_timeout_ms);
    return result;
}

static int resolve(const char *address, uint16_t port, struct addrinfo **found_out)
{
    struct addrinfo hints = {
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
        .ai_socktype = SOCK_STREAM,
    };
    char service[8];

    (void)snprintf(service, sizeof(service), "%u", port);
    return getaddrinfo(address, service, &hints, found_out) == 0 ? 0 : -EINVAL;
}

static int bind_local(int fd, const char *local_address)
{
    struct addrinfo *found = NULL;
    int result = resolve(local_address, 0, &found);

    if (result == 0 && bind(fd, found->ai_addr, found->ai_addrlen) != 0)
        result = -errno;
    if (found)
        freeaddrinfo(found);
    return result;
}

/* A signal does not end it, and gives it no more time (SO_SNDTIMEO begins anew with each call). */
static int connect_socket(struct mn_stream *stream, const struct addrinfo *to)
{
    struct pollfd look = {.fd = stream->fd, .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof(error);
    int flags = fcntl(stream->fd, F_GETFL);

    if (flags < 0 || fcntl(stream->fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    if (connect(stream->fd, to->ai_addr, to->ai_addrlen) != 0) {
        if (errno != EINPROGRESS)
            return -errno;
        int ready = 0;

        while (ready <= 0) {
            int64_t left_ns = stream->deadline_ns - now_ns();
            bool is_bounded = stream->deadline_ns != 0;

            if (is_bounded && left_ns <= 0)
                return -ETIMEDOUT;
            ready = poll(&look, 1, is_bounded ? (int)(left_ns / NS_PER_MS) + 1 : -1);
            if (ready < 0 && errno != EINTR)
                return -errno;
        }
        if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
            return -errno;
        if (error != 0)
            return -error;
    }
    return fcntl(stream->fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int mn_stream_connect(struct mn_stream *stream, const char *address, uint16_t port,
                      const char *local_address, uint32_t timeout_ms, uint32_t user_timeout_ms)
{
    struct addrinfo *found = NULL;
    int result = resolve(address, port, &found);

    *stream = (struct mn_stream){.fd = -1};
    if (result != 0)
        return result;
    stream->fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (stream->fd < 0) {
        result = -errno;
        goto out;
    }
    result = set_options(stream->fd, user_timeout_ms);
    if (result == 0 && local_address && local_address[0] != '\0')
        result = bind_local(stream->fd, local_address);
    if (result == 0)
        result = mn_stream_set_timeout(stream, timeout_ms);
    if (result == 0) {
        mn_stream_set_deadline(stream);
        result = connect_socket(stream, found);
    }
out:
    freeaddrinfo(found);
    if (result != 0)
        mn_stream_close(stream);
    return result;
}

int mn_stream_adopt(struct mn_stream *stream, int fd, uint32_t user_timeout_ms)
{
    int result = 0;

    *stream = (struct mn_stream){.fd = fd};
    result = set_options(fd, user_timeout_ms);
    if (result != 0)
        mn_stream_close(stream);
    return result;
}

void mn_stream_close(struct mn_stream *stream)
{
    if (stream->fd >= 0)
        (void)close(stream->fd);
    stream->fd = -1;
}

void mn_stream_shutdown(struct mn_stream *stream)
{
    atomic_store(&stream->is_down, 1);
    (void)shutdown(stream->fd, SHUT_RDWR);
}

int mn_stream_set_timeout(struct mn_stream *stream, uint32_t timeout_ms)
{
    struct timeval limit = {
        .tv_sec = timeout_ms / 1000,
        .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000,
    };

    if (setsockopt(stream->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
        setsockopt(stream->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
        return fail(stream, -errno);
    stream->timeout_ms = timeout_ms;
    return 0;
}

void mn_stream_set_deadline(struct mn_stream *stream)
{
    stream->deadline_ns =
        stream->timeout_ms == 0 ? 0 : now_ns() + (int64_t)stream->timeout_ms * NS_PER_MS;
}

void mn_stream_clear_deadline(struct mn_stream *stream)
{
    stream->deadline_ns = 0;
}

/* A peer that sends byte after byte keeps every single call within its limit. */
static int begin_call(struct mn_stream *stream)
{
    if (stream->error == 0 && atomic_load(&stream->is_down))
        return fail(stream, -ESHUTDOWN);
    if (stream->error == 0 && stream->deadline_ns != 0 && now_ns() > stream->deadline_ns)
        return fail(stream, -ETIMEDOUT);
    return stream->error;
}

static void tell_waiter(const struct mn_stream *stream, bool sleeps)
{
    if (stream->waiter != NULL)
        stream->waiter(stream->waiter_argument, sleeps);
}

/* As recv. */
static ssize_t receive_some(const struct mn_stream *stream, void *data, size_t size)
{
    int64_t until_ns = now_ns() + LOOK_AGAIN_NS;

    do {
        ssize_t count = recv(stream->fd, data, size, MSG_DONTWAIT);

        if (count >= 0 || errno != EAGAIN)
            return count;
        tell_waiter(stream, false);
        (void)sched_yield();
    } while (now_ns() < until_ns);
    tell_waiter(stream, true);
    return recv(stream->fd, data, size, 0);
}

ssize_t mn_stream_receive(struct mn_stream *stream, void *data, size_t size)
{
    while (begin_call(stream) == 0) {
        ssize_t count = receive_some(stream, data, size);

        if (count > 0)
            return count;
        (void)go_on(stream, count == 0 ? ECONNRESET : errno);
    }
    return stream->error;
}

ssize_t mn_stream_send(struct mn_stream *stream, const void *data, size_t size)
{
    while (begin_call(stream) == 0) {
        ssize_t count = send(stream->fd, data, size, MSG_NOSIGNAL);

        if (count >= 0)
            return count;
        (void)go_on(stream, errno);
    }
    return stream->error;
}
