/* Which names of a replicated directory are replicated (<notreplicated>). A path relative to the
 * directory and the type of what stands there in, yes or no out: no disk, no state, so both nodes
 * say the same of a name. What is beneath an entry that is not replicated is not replicated. */
#ifndef MN_LOWER_RULES_H
#define MN_LOWER_RULES_H

#include <stdbool.h>
#include <stdint.h>

enum mn_rule_kind {
    MN_RULE_PATH = 1,       /* this path and what is beneath it */
    MN_RULE_REGEX = 2,      /* what the POSIX extended regular expression is found in */
    MN_RULE_ONLY_REGEX = 3, /* of what is no directory, only that: the others are local */
};

struct mn_rules;

/* The first one makes *rules. text is copied. -EINVAL: no such kind, or no expression. */
int mn_rules_add(struct mn_rules **rules, uint8_t kind, const char *text);
void mn_rules_destroy(struct mn_rules *rules);

/* Whether an entry stays on its node. rules NULL: none does. Paths of PATH_MAX bytes and more are
 * never tried: such an entry is as the directories above it. */
bool mn_rules_is_local(const struct mn_rules *rules, const char *path, bool directory);
/* The same, when the directory it is in is replicated. */
bool mn_rules_is_local_in(const struct mn_rules *rules, const char *path, bool directory);

/* Whether a directory may move without looking into it: 0; 1: what is beneath must be asked one
 * by one; -EXDEV: a rule names something beneath one of the two paths. */
enum { MN_RULES_LOOK = 1 };
int mn_rules_may_move(const struct mn_rules *rules, const char *path, const char *new_path);

#endif
