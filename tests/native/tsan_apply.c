/* Apply under several lanes at once: workers create, write, rename and remove, one of them the
 * others' neighbours, while checkpoints go on. Nothing is lost, and no data race is seen. */
#include <stdatomic.h>

#include "apply_lane.h"

enum { WORKERS = 3, FILES = 60 };

static struct apply_node node;
static struct apply_lane lanes[WORKERS];
static struct apply_lane control;
static _Atomic int stop;
static struct mn_id shared;

static void change_one(struct apply_lane *lane, const char *name, const char *new_name)
{
    struct mn_id id = apply_some_id();

    CHECK_INT(ASK(lane, create, CREATE, .epoch = 1, .parent = node.root.id, .id = id,
                  .mode = S_IFREG | 0644, .uid = 1000, .gid = 1000, NAME(name))
                  .error,
              0);
    CHECK_INT(ASK(lane, write, WRITE, .epoch = 1, .id = id, DATA("contents")).result, 8);
    CHECK_INT(ASK(lane, write, WRITE, .epoch = 1, .id = shared, DATA("contents")).result, 8);
    CHECK_INT(ASK(lane, rename, RENAME, .epoch = 1, .parent = node.root.id, .id = id,
                  .new_parent = node.root.id, NAME(name), .new_name = new_name,
                  .new_name_size = (uint16_t)strlen(new_name))
                  .error,
              0);
    CHECK_INT(
        ASK(lane, unlink, UNLINK, .epoch = 1, .parent = node.root.id, .id = id, NAME(new_name))
            .error,
        0);
}

static void *change(void *argument)
{
    struct apply_lane *lane = argument;
    char name[32], new_name[32];

    for (int i = 0; i < FILES; i++) {
        (void)snprintf(name, sizeof(name), "%d-%d", (int)(lane - lanes), i);
        (void)snprintf(new_name, sizeof(new_name), "%d-%d-new", (int)(lane - lanes), i);
        change_one(lane, name, new_name);
    }
    return NULL;
}

static void *checkpoint(void *unused)
{
    uint64_t epoch = 1;

    (void)unused;
    while (!stop) {
        epoch++;
        CHECK_INT(
            ASK(&control, checkpoint, CHECKPOINT, .epoch = epoch, .stable_epoch = epoch).error, 0);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[WORKERS], keeper;

    RUN("several lanes change one root");
    if (!apply_node_make(&node))
        return 0;
    apply_lane_start(&control, &node, MN_LANE_CONTROL);
    shared = apply_some_id();
    CHECK_INT(ASK(&control, create, CREATE, .epoch = 1, .parent = node.root.id, .id = shared,
                  .mode = S_IFREG | 0644, NAME("shared"))
                  .error,
              0);
    for (int i = 0; i < WORKERS; i++)
        apply_lane_start(&lanes[i], &node, MN_LANE_LIVE);
    CHECK_INT(pthread_create(&keeper, NULL, checkpoint, NULL), 0);
    for (int i = 0; i < WORKERS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, change, &lanes[i]), 0);
    for (int i = 0; i < WORKERS; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    stop = 1;
    CHECK_INT(pthread_join(keeper, NULL), 0);
    CHECK_INT(mn_apply_operation_count(node.apply), 1 + WORKERS * FILES * 5);
    for (int i = 0; i < WORKERS; i++)
        CHECK(apply_lane_end(&lanes[i]) < 0);
    CHECK(apply_lane_end(&control) < 0);
    apply_node_remove(&node);
    return 0;
}
