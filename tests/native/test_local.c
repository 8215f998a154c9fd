/* What is not replicated: rules, and local entries beneath a directory that moves or goes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "lower/local.h"
#include "lower/rules.h"
#include "scratch.h"

static char scratch[SCRATCH_PATH_BYTES];
static struct mn_root root;

static void make(const char *path, int directory)
{
    int fd;

    if (directory) {
        CHECK_INT(mkdirat(root.directory_fd, path, 0700), 0);
        return;
    }
    fd = openat(root.directory_fd, path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    close(fd);
}

static int exists(const char *path)
{
    return faccessat(root.directory_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_rules(void)
{
    struct mn_rules *rules = NULL;

    RUN("no rules: all is replicated, all may move");
    CHECK(!mn_rules_is_local(NULL, "a/b", false));
    CHECK_INT(mn_rules_may_move(NULL, "a", "b"), 0);

    RUN("a path and what is beneath it");
    CHECK_INT(mn_rules_add(&rules, MN_RULE_PATH, "a/b"), 0);
    CHECK(mn_rules_is_local(rules, "a/b", true));
    CHECK(mn_rules_is_local(rules, "a/b/c", false));
    CHECK(!mn_rules_is_local(rules, "a", true));
    CHECK(!mn_rules_is_local(rules, "a/bc", false));
    CHECK_INT(mn_rules_may_move(rules, "c", "d"), 0);
    CHECK_INT(mn_rules_may_move(rules, "a", "d"), -EXDEV);
    CHECK_INT(mn_rules_may_move(rules, "d", "a"), -EXDEV);

    RUN("an expression, and one that alone is wanted");
    CHECK_INT(mn_rules_add(&rules, MN_RULE_REGEX, "(^|/)tmp[0-9]+$"), 0);
    CHECK(mn_rules_is_local(rules, "x/tmp12", true));
    CHECK(mn_rules_is_local(rules, "x/tmp12/y", false));
    CHECK(!mn_rules_is_local(rules, "x/tmp", true));
    CHECK_INT(mn_rules_may_move(rules, "c", "d"), MN_RULES_LOOK);
    CHECK_INT(mn_rules_add(&rules, MN_RULE_ONLY_REGEX, "\\.db$"), 0);
    CHECK(!mn_rules_is_local(rules, "x/a.db", false));
    CHECK(mn_rules_is_local(rules, "x/a", false));
    CHECK(!mn_rules_is_local(rules, "x/a", true));

    RUN("what is no rule is refused");
    CHECK_INT(mn_rules_add(&rules, MN_RULE_REGEX, "("), -EINVAL);
    CHECK_INT(mn_rules_add(&rules, 9, "a"), -EINVAL);
    mn_rules_destroy(rules);
}

static void test_moving(void)
{
    RUN("a directory moves while all beneath it stays what it is");
    make("from", 1);
    make("from/deep", 1);
    make("from/deep/x.tmp", 0);
    make("from/deep/y", 0);
    CHECK_INT(mn_local_check_move(&root, root.directory_fd, "from", "from", "to"), 0);
    make("from/z.idx", 0); /* local beneath from/ alone */
    CHECK_INT(mn_local_check_move(&root, root.directory_fd, "from", "from", "to"), -EXDEV);

    RUN("the secondary keeps aside what would be replicated");
    CHECK_INT(mn_local_prepare_move(&root, root.directory_fd, "from", "from", "to"), 0);
    CHECK(!exists("from/z.idx"));
    CHECK(exists("from/deep/x.tmp"));
    CHECK_INT(mn_local_check_move(&root, root.directory_fd, "from", "from", "to"), 0);
}

static void test_removing(void)
{
    RUN("a directory with others than local entries stays");
    CHECK_INT(mn_lower_check_empty(root.directory_fd, "from/deep"), -ENOTEMPTY);
    CHECK_INT(mn_local_remove_directory(&root, root.directory_fd, "from/deep", "from/deep"),
              -ENOTEMPTY);

    RUN("what is local beneath a directory is kept aside, the rest is not touched");
    CHECK_INT(mn_local_keep(&root, root.directory_fd, "from", "from"), 0);
    CHECK(!exists("from/deep/x.tmp"));
    CHECK(exists("from/deep/y"));

    RUN("a directory of local entries alone goes aside with them");
    make("gone", 1);
    make("gone/a.tmp", 0);
    CHECK_INT(mn_local_remove_directory(&root, root.directory_fd, "gone", "gone"), 0);
    CHECK(!exists("gone"));
    make("empty", 1);
    CHECK_INT(mn_lower_check_empty(root.directory_fd, "empty"), 0);
    CHECK_INT(mn_lower_check_empty(root.directory_fd, "missing"), -ENOENT);
}

int main(void)
{
    test_rules();
    if (scratch_make(scratch)) {
        CHECK_INT(mn_lower_root_open(scratch, 0, 1, &root), MN_ID_MISSING);
        CHECK_INT(mn_rules_add(&root.rules, MN_RULE_REGEX, "\\.tmp$"), 0);
        CHECK_INT(mn_rules_add(&root.rules, MN_RULE_REGEX, "^from/.*\\.idx$"), 0);
        test_moving();
        test_removing();
        mn_lower_root_close(&root);
        scratch_remove(scratch);
    }
    return 0;
}
