#include "lower/rules.h"

#include <errno.h>
#include <limits.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

struct rule {
    struct rule *next;
    uint8_t kind;
    char *path;    /* owned; PATH only */
    regex_t regex; /* the other kinds */
};

struct mn_rules {
    struct rule *first; /* owned */
    bool regexes;       /* one is an expression */
};

int mn_rules_add(struct mn_rules **rules, uint8_t kind, const char *text)
{
    struct rule *rule = calloc(1, sizeof(*rule));
    int result = 0;

    if (*rules == NULL)
        *rules = calloc(1, sizeof(**rules));
    if (rule == NULL || *rules == NULL) {
        free(rule);
        return -ENOMEM;
    }
    rule->kind = kind;
    if (kind == MN_RULE_PATH) {
        rule->path = strdup(text);
        result = rule->path == NULL ? -ENOMEM : 0;
    } else if (kind == MN_RULE_REGEX || kind == MN_RULE_ONLY_REGEX) {
        result = regcomp(&rule->regex, text, REG_EXTENDED | REG_NOSUB) == 0 ? 0 : -EINVAL;
    } else {
        result = -EINVAL;
    }
    if (result != 0) {
        free(rule);
        return result;
    }
    (*rules)->regexes |= kind != MN_RULE_PATH;
    rule->next = (*rules)->first;
    (*rules)->first = rule;
    return 0;
}

void mn_rules_destroy(struct mn_rules *rules)
{
    if (rules == NULL)
        return;
    while (rules->first != NULL) {
        struct rule *rule = rules->first;

        rules->first = rule->next;
        if (rule->kind == MN_RULE_PATH)
            free(rule->path);
        else
            regfree(&rule->regex);
        free(rule);
    }
    free(rules);
}

/* Whether a path is `top`, or beneath it. */
static bool is_at(const char *path, const char *top)
{
    size_t size = strlen(top);

    return strncmp(path, top, size) == 0 && (path[size] == '\0' || path[size] == '/');
}

bool mn_rules_is_local_in(const struct mn_rules *rules, const char *path, bool directory)
{
    bool only = false;    /* there is such a rule */
    bool wanted = false;  /* and one is met */
    bool refused = false; /* by the others */

    if (rules == NULL || strlen(path) >= PATH_MAX)
        return false;
    for (const struct rule *rule = rules->first; rule != NULL && !refused; rule = rule->next) {
        if (rule->kind == MN_RULE_PATH) {
            refused = is_at(path, rule->path);
        } else if (rule->kind == MN_RULE_REGEX) {
            refused = regexec(&rule->regex, path, 0, NULL, 0) == 0;
        } else if (!directory) { /* a directory is the way to what may be wanted */
            only = true;
            wanted = wanted || regexec(&rule->regex, path, 0, NULL, 0) == 0;
        }
    }
    return refused || (only && !wanted);
}

bool mn_rules_is_local(const struct mn_rules *rules, const char *path, bool directory)
{
    char above[PATH_MAX];

    if (rules == NULL)
        return false;
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        size_t size = (size_t)(slash - path);

        if (size >= sizeof(above))
            return false;
        memcpy(above, path, size);
        above[size] = '\0';
        if (mn_rules_is_local_in(rules, above, true))
            return true;
    }
    return mn_rules_is_local_in(rules, path, directory);
}

int mn_rules_may_move(const struct mn_rules *rules, const char *path, const char *new_path)
{
    if (rules == NULL)
        return 0;
    for (const struct rule *rule = rules->first; rule != NULL; rule = rule->next)
        if (rule->kind == MN_RULE_PATH && (is_at(rule->path, path) || is_at(rule->path, new_path)))
            return -EXDEV;
    return rules->regexes ? MN_RULES_LOOK : 0;
}
