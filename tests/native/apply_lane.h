/* A secondary in the process of a test: a root of its own, apply behind real connections. */
#ifndef MIRROR_TESTS_APPLY_LANE_H
#define MIRROR_TESTS_APPLY_LANE_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "apply/apply.h"
#include "check.h"
#include "link_pair.h"
#include "scratch.h"
#include "wire/wire_messages.h"

struct apply_node {
    char scratch[SCRATCH_PATH_BYTES];
    struct mn_root root; /* index 0 */
    struct mn_recent *recent;
    struct mn_apply *apply;
    struct link_keys keys;
};

/* One connection: a thread serves it, the test asks. */
struct apply_lane {
    struct apply_node *node;
    struct link_pair pair;
    pthread_t thread;
    uint8_t lane; /* enum mn_lane */
    int result;   /* of mn_apply_serve, once joined */
    uint16_t code;
};

/* 0: this run cannot have one; the reason is printed. */
int apply_node_make(struct apply_node *node);
void apply_node_remove(struct apply_node *node);

void apply_lane_start(struct apply_lane *lane, struct apply_node *node, uint8_t number);
/* The server ends by itself (a message that it refuses or hands out). Returns its result. */
int apply_lane_join(struct apply_lane *lane);
/* The connection is shut down first. */
int apply_lane_end(struct apply_lane *lane);
/* Sends what was encoded, returns the Ack. */
struct mn_ack apply_lane_ask(struct apply_lane *lane, uint16_t code);

struct mn_id apply_some_id(void);

/* What stands at a name of the root, and whether anything does; a link itself. */
struct stat apply_status_of(const struct apply_node *node, const char *name);
bool apply_has(const struct apply_node *node, const char *name);

/* ASK(lane, write, WRITE, .id = ..., ...): encodes, sends, returns the Ack. */
#define ASK(lane_, lower_, UPPER_, ...)                                                           \
    (CHECK_INT(mn_encode_##lower_(&(struct mn_message_##lower_){__VA_ARGS__},                     \
                                  mn_connection_begin((lane_)->pair.asking)),                     \
               0),                                                                                \
     apply_lane_ask(lane_, MN_MESSAGE_##UPPER_))
#define NAME(text) .name = (text), .name_size = (uint16_t)strlen(text)
#define DATA(text) .data = (const uint8_t *)(text), .data_size = (uint32_t)strlen(text)

#endif
