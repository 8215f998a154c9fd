/* Shutting down a connection from another thread, while its own thread receives or sends. */
#include <errno.h>
#include <pthread.h>

#include "check.h"
#include "link_pair.h"
#include "wire/wire_messages.h"

enum { ROUNDS = 30, IO_TIMEOUT_MS = 180000 };

static struct link_keys keys;

struct user {
    struct mn_connection *connection;
    pthread_barrier_t *begun;
    int result;
};

static void *receive_until_end(void *argument)
{
    struct user *user = argument;
    const uint8_t *payload = NULL;
    uint16_t code = 0;
    size_t size = 0;

    (void)pthread_barrier_wait(user->begun);
    do
        user->result = mn_connection_receive(user->connection, 1, &code, &payload, &size);
    while (user->result == 0);
    return NULL;
}

static void *send_until_end(void *argument)
{
    struct user *user = argument;
    static const uint8_t data[4096];
    struct mn_message_write message = {.data = data, .data_size = sizeof(data)};

    (void)pthread_barrier_wait(user->begun);
    do {
        CHECK_INT(mn_encode_write(&message, mn_connection_begin(user->connection)), 0);
        user->result = mn_connection_send(user->connection, MN_MESSAGE_WRITE);
    } while (user->result == 0);
    return NULL;
}

static void shut_down(void *(*use)(void *))
{
    struct link_pair pair;
    pthread_barrier_t begun;
    struct user user = {.begun = &begun};
    uint64_t sent_bytes = 0;
    uint64_t received_bytes = 0;
    pthread_t thread;

    link_pair_join(&pair, keys.n1, "n2", keys.n2, "n1", IO_TIMEOUT_MS);
    CHECK_INT(pair.asking_result, 0);
    CHECK_INT(pair.answering_result, 0);
    user.connection = pair.asking;
    CHECK_INT(pthread_barrier_init(&begun, NULL, 2), 0);
    CHECK_INT(pthread_create(&thread, NULL, use, &user), 0);
    (void)pthread_barrier_wait(&begun);
    mn_connection_counters(pair.asking, &sent_bytes, &received_bytes);
    mn_connection_shutdown(pair.asking);
    mn_connection_shutdown(pair.asking);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(user.result, -ESHUTDOWN);
    CHECK_INT(pthread_barrier_destroy(&begun), 0);
    link_pair_part(&pair);
}

int main(void)
{
    link_keys_make(&keys);
    RUN("a thread that receives");
    for (int round = 0; round < ROUNDS; round++)
        shut_down(receive_until_end);
    RUN("a thread that sends, to a peer that takes nothing");
    for (int round = 0; round < ROUNDS; round++)
        shut_down(send_until_end);
    link_keys_remove(&keys);
    return 0;
}
