/* See apply_lane.h. */
#include "apply_lane.h"

#include <fcntl.h>
#include <unistd.h>

enum { PLACES_MAX = 4096, IO_TIMEOUT_MS = 180000 };

struct mn_id apply_some_id(void)
{
    struct mn_id id;

    CHECK_INT(mn_lower_id_new(&id), 0);
    return id;
}

int apply_node_make(struct apply_node *node)
{
    struct mn_handle handle;
    struct mn_id id = apply_some_id();

    if (!scratch_make(node->scratch))
        return 0;
    CHECK_INT(mn_lower_root_open(node->scratch, 0, 1, &node->root), MN_ID_MISSING);
    CHECK_INT(mn_lower_handle(node->root.directory_fd, "", &handle), 0);
    CHECK_INT(mn_lower_id_set(node->root.directory_fd, &handle, &id), 0);
    mn_lower_root_close(&node->root);
    CHECK_INT(mn_lower_root_open(node->scratch, 0, 0, &node->root), 0);
    CHECK_INT(mn_recent_create(PLACES_MAX, &node->recent), 0);
    CHECK_INT(mn_apply_create(&node->root, 1, node->recent, &node->apply), 0);
    link_keys_make(&node->keys);
    return 1;
}

void apply_node_remove(struct apply_node *node)
{
    link_keys_remove(&node->keys);
    mn_apply_destroy(node->apply);
    mn_recent_destroy(node->recent);
    mn_lower_root_close(&node->root);
    scratch_remove(node->scratch);
}

static void *serve(void *argument)
{
    struct apply_lane *lane = argument;
    const uint8_t *payload;
    size_t size;

    lane->result = mn_apply_serve(lane->node->apply, lane->pair.answering, lane->lane, &lane->code,
                                  &payload, &size);
    return NULL;
}

void apply_lane_start(struct apply_lane *lane, struct apply_node *node, uint8_t number)
{
    lane->node = node;
    lane->lane = number;
    link_pair_join(&lane->pair, node->keys.n1, "n2", node->keys.n2, "n1", IO_TIMEOUT_MS);
    CHECK_INT(lane->pair.asking_result, 0);
    CHECK_INT(lane->pair.answering_result, 0);
    CHECK_INT(pthread_create(&lane->thread, NULL, serve, lane), 0);
}

int apply_lane_join(struct apply_lane *lane)
{
    CHECK_INT(pthread_join(lane->thread, NULL), 0);
    link_pair_part(&lane->pair);
    return lane->result;
}

int apply_lane_end(struct apply_lane *lane)
{
    mn_connection_shutdown(lane->pair.asking);
    return apply_lane_join(lane);
}

struct mn_ack apply_lane_ask(struct apply_lane *lane, uint16_t code)
{
    struct mn_ack ack;

    CHECK_INT(mn_connection_send(lane->pair.asking, code), 0);
    CHECK_INT(mn_connection_receive_ack(lane->pair.asking, &ack), 0);
    return ack;
}

struct stat apply_status_of(const struct apply_node *node, const char *name)
{
    struct stat status;

    CHECK_INT(fstatat(node->root.directory_fd, name, &status, AT_SYMLINK_NOFOLLOW), 0);
    return status;
}

bool apply_has(const struct apply_node *node, const char *name)
{
    return faccessat(node->root.directory_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}
