/* Stream: one TCP socket with a deadline, that any thread may shut down. Knows no TLS and no
 * frame; the only file of the link that calls the socket. */
#ifndef MN_LINK_STREAM_H
#define MN_LINK_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef void mn_stream_waiter(void *argument, bool sleeps);

struct mn_stream {
    int fd;              /* owned, blocking; -1: none */
    int error;           /* the first -errno met; nothing is done after it */
    int64_t deadline_ns; /* of the current call; 0: none */
    uint32_t timeout_ms; /* 0: none */
    atomic_int is_down;  /* any thread sets it, once */
    /* Called by receive while nothing comes: between two looks, and with sleeps before it sleeps.
     * NULL: nobody. */
    mn_stream_waiter *waiter;
    void *waiter_argument;
};

/* Both: user_timeout_ms is TCP_USER_TIMEOUT (0: the system's). On failure nothing stays open.
 * address: numeric, IPv4 or IPv6; local_address likewise, or NULL or "" for any.
 * Returns 0, -EINVAL for an address that is not numeric, -ETIMEDOUT, -errno. */
int mn_stream_connect(struct mn_stream *stream, const char *address, uint16_t port,
                      const char *local_address, uint32_t timeout_ms, uint32_t user_timeout_ms);
int mn_stream_adopt(struct mn_stream *stream, int fd, uint32_t user_timeout_ms);
void mn_stream_close(struct mn_stream *stream);

/* Any thread; idempotent. Blocked calls return -ESHUTDOWN. */
void mn_stream_shutdown(struct mn_stream *stream);

/* How long a deadline is, from when it is set. 0: there is none. Returns 0 or -errno. */
int mn_stream_set_timeout(struct mn_stream *stream, uint32_t timeout_ms);
/* From now on: calls end with -ETIMEDOUT within twice the timeout, even if single bytes come. */
void mn_stream_set_deadline(struct mn_stream *stream);
void mn_stream_clear_deadline(struct mn_stream *stream);

/* At least one byte. Returns the count or -errno: -ECONNRESET at the end of the stream. */
ssize_t mn_stream_receive(struct mn_stream *stream, void *data, size_t size);
ssize_t mn_stream_send(struct mn_stream *stream, const void *data, size_t size);

#endif
