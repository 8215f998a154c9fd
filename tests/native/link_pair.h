/* Two connections of the link joined over loopback TCP, with keys made for the test. */
#ifndef MIRROR_TESTS_LINK_PAIR_H
#define MIRROR_TESTS_LINK_PAIR_H

#include "link/connection.h"
#include "scratch.h"

/* Keys of a cluster: authority ca, nodes n1 and n2; and a stranger under another authority. */
struct link_keys {
    char directory[SCRATCH_PATH_BYTES];
    struct mn_tls *n1;
    struct mn_tls *n2;
    struct mn_tls *stranger; /* calls itself n1, and trusts ca */
};

struct link_pair {
    struct mn_connection *asking;    /* n1 */
    struct mn_connection *answering; /* n2 */
    int asking_result;
    int answering_result;
};

void link_keys_make(struct link_keys *keys);
void link_keys_remove(struct link_keys *keys);

/* Connects; what did not come about is NULL, with its result. The timeouts are as of
 * mn_connection_connect; the names are those that each side expects of the other. */
void link_pair_join(struct link_pair *pair, struct mn_tls *asking, const char *answering_name,
                    struct mn_tls *answering, const char *asking_name, uint32_t io_timeout_ms);
void link_pair_part(struct link_pair *pair);

/* A listening socket on loopback, and its port. */
int link_listen(uint16_t *port_out);

#endif
