/* See link_pair.h. */
#include "link_pair.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "certificates.h"
#include "check.h"

enum { CONNECT_TIMEOUT_MS = 180000 };

struct answerer {
    struct link_pair *pair;
    struct mn_tls *tls;
    const char *name;
    int listener;
    uint32_t io_timeout_ms;
};

void link_keys_make(struct link_keys *keys)
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(keys->directory, sizeof(keys->directory), "%s/link-XXXXXX",
                   base ? base : "/tmp");
    CHECK(mkdtemp(keys->directory) != NULL);
    certificates_authority(keys->directory, "ca");
    certificates_node(keys->directory, "ca", "n1", "n1");
    certificates_node(keys->directory, "ca", "n2", "n2");
    certificates_authority(keys->directory, "other");
    certificates_node(keys->directory, "other", "stranger", "n1");
    keys->n1 = certificates_tls(keys->directory, "ca", "n1");
    keys->n2 = certificates_tls(keys->directory, "ca", "n2");
    keys->stranger = certificates_tls(keys->directory, "ca", "stranger");
}

void link_keys_remove(struct link_keys *keys)
{
    mn_tls_destroy(keys->n1);
    mn_tls_destroy(keys->n2);
    mn_tls_destroy(keys->stranger);
    scratch_remove(keys->directory);
}

int link_listen(uint16_t *port_out)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(listener >= 0);
    CHECK_INT(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_INT(listen(listener, 8), 0);
    CHECK_INT(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    *port_out = ntohs(address.sin_port);
    return listener;
}

static void *answer(void *argument)
{
    struct answerer *answerer = argument;
    int fd = accept(answerer->listener, NULL, NULL);

    CHECK(fd >= 0);
    answerer->pair->answering_result =
        mn_connection_accept(answerer->tls, fd, answerer->name, CONNECT_TIMEOUT_MS,
                             answerer->io_timeout_ms, &answerer->pair->answering);
    return NULL;
}

void link_pair_join(struct link_pair *pair, struct mn_tls *asking, const char *answering_name,
                    struct mn_tls *answering, const char *asking_name, uint32_t io_timeout_ms)
{
    uint16_t port = 0;
    int listener = link_listen(&port);
    struct answerer answerer = {
        .pair = pair,
        .tls = answering,
        .name = asking_name,
        .listener = listener,
        .io_timeout_ms = io_timeout_ms,
    };
    pthread_t thread;

    *pair = (struct link_pair){0};
    CHECK_INT(pthread_create(&thread, NULL, answer, &answerer), 0);
    pair->asking_result =
        mn_connection_connect(asking, "127.0.0.1", port, "127.0.0.1", answering_name,
                              CONNECT_TIMEOUT_MS, io_timeout_ms, &pair->asking);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(close(listener), 0);
}

void link_pair_part(struct link_pair *pair)
{
    mn_connection_destroy(pair->asking);
    mn_connection_destroy(pair->answering);
}
