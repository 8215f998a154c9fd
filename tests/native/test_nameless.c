/* A file without a name on a real file system, over a real connection: it gets its name last, and
 * is gone with the lane that made it. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apply_lane.h"

static struct apply_node node;

static struct apply_lane live;

static struct mn_id made_nameless(struct apply_lane *lane, const char *name)
{
    struct mn_id id = apply_some_id();

    CHECK_INT(ASK(lane, create_nameless, CREATE_NAMELESS, .epoch = 1, .parent = node.root.id,
                  .id = id, .mode = S_IFREG | 0640, .uid = 7, .gid = 8, NAME(name))
                  .error,
              0);
    CHECK_INT(ASK(lane, write, WRITE, .epoch = 1, .id = id, DATA("all of it")).error, 0);
    return id;
}

/* 0, or -ESTALE: it is gone. */
static int opens(const struct mn_id *id)
{
    struct mn_handle handle;
    int fd;

    CHECK_INT(mn_apply_find(node.apply, 0, id, &handle), 0);
    fd = mn_lower_open(&node.root, &handle, O_RDONLY);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? fd : 0;
}

static void test_nameless(void)
{
    struct apply_lane second, third;
    struct mn_id id;

    RUN("CreateNameless makes a file that Link gives its name, with what was written to it");
    id = made_nameless(&live, "late");
    CHECK(!apply_has(&node, "late"));
    uint64_t before = mn_recent_count(node.recent);
    CHECK_INT(
        ASK(&live, link, LINK, .epoch = 1, .id = id, .parent = node.root.id, NAME("late")).error,
        0);
    CHECK_INT(mn_recent_count(node.recent), before + 1);
    struct stat status = apply_status_of(&node, "late");
    CHECK_INT(status.st_mode, S_IFREG | 0640);
    CHECK_INT(status.st_uid, 7);
    CHECK_INT(status.st_gid, 8);
    CHECK_INT(status.st_size, 9);
    CHECK_INT(ASK(&live, write, WRITE, .epoch = 1, .id = id, DATA("more of it is here")).error, 0);
    CHECK_INT(apply_status_of(&node, "late").st_size, 18);
    CHECK_INT(
        ASK(&live, introduce, INTRODUCE, .parent = node.root.id, .id = id, NAME("late")).error, 0);

    RUN("a name that is taken: EEXIST, and the file is gone");
    id = made_nameless(&live, "late");
    CHECK_INT(
        ASK(&live, link, LINK, .epoch = 1, .id = id, .parent = node.root.id, NAME("late")).error,
        EEXIST);
    CHECK_INT(opens(&id), -ESTALE);
    CHECK_INT(apply_status_of(&node, "late").st_size, 18);

    RUN("the next one of a lane, and the end of the lane, take it away");
    apply_lane_start(&second, &node, MN_LANE_LIVE);
    struct mn_id first = made_nameless(&second, "first");
    id = made_nameless(&second, "next");
    CHECK_INT(opens(&first), -ESTALE);
    CHECK_INT(opens(&id), 0);
    CHECK_INT(ASK(&live, write, WRITE, .epoch = 1, .id = id, DATA("by another lane")).error, 0);
    (void)apply_lane_end(&second);
    CHECK_INT(opens(&id), -ESTALE);
    CHECK(!apply_has(&node, "first"));
    CHECK(!apply_has(&node, "next"));

    RUN("another try on another lane is another file");
    apply_lane_start(&second, &node, MN_LANE_LIVE);
    apply_lane_start(&third, &node, MN_LANE_LIVE);
    id = made_nameless(&second, "tried");
    CHECK_INT(ASK(&third, create_nameless, CREATE_NAMELESS, .epoch = 1, .parent = node.root.id,
                  .id = id, .mode = S_IFREG | 0600, NAME("tried"))
                  .error,
              0);
    CHECK_INT(ASK(&third, write, WRITE, .epoch = 1, .id = id, DATA("again")).error, 0);
    (void)apply_lane_end(&second);
    CHECK_INT(
        ASK(&third, link, LINK, .epoch = 1, .id = id, .parent = node.root.id, NAME("tried")).error,
        0);
    CHECK_INT(apply_status_of(&node, "tried").st_size, 5);
    (void)apply_lane_end(&third);

    RUN("an unknown parent is ESTALE, the hidden name EPERM, what is no file ends the lane");
    CHECK_INT(ASK(&live, create_nameless, CREATE_NAMELESS, .parent = apply_some_id(), .id = id,
                  .mode = S_IFREG, NAME("x"))
                  .error,
              ESTALE);
    CHECK_INT(ASK(&live, create_nameless, CREATE_NAMELESS, .parent = node.root.id, .id = id,
                  .mode = S_IFREG, NAME(MN_HIDDEN_NAME))
                  .error,
              EPERM);
    apply_lane_start(&second, &node, MN_LANE_LIVE);
    struct mn_message_create_nameless directory = {
        .parent = node.root.id, .id = id, .mode = S_IFDIR, NAME("x")};
    CHECK_INT(mn_encode_create_nameless(&directory, mn_connection_begin(second.pair.asking)), 0);
    CHECK_INT(mn_connection_send(second.pair.asking, MN_MESSAGE_CREATE_NAMELESS), 0);
    CHECK_INT(apply_lane_join(&second), -EBADMSG);
}

int main(void)
{
    if (!apply_node_make(&node))
        return 0;
    apply_lane_start(&live, &node, MN_LANE_LIVE);
    test_nameless();
    (void)apply_lane_end(&live);
    apply_node_remove(&node);
    return 0;
}
