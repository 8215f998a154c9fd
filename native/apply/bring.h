/* What a reintegration does to many objects of the target at once (design 10): making them, and
 * setting their attributes. Only the plain case; whatever needs a decision is left to the caller,
 * object by object. */
#ifndef MN_APPLY_BRING_H
#define MN_APPLY_BRING_H

#include "apply/apply.h"

/* A byte an object: done here, or the caller looks at it. */
enum mn_brought {
    MN_BROUGHT = 0,
    MN_BROUGHT_OTHER = 1, /* done; its mode or owner were others */
    MN_LEFT = 255,
};

struct mn_new_object {
    struct mn_id id, parent;
    const char *name;
    const char *target; /* of a symbolic link, or empty */
    uint64_t rdev;
    uint32_t mode; /* until it is complete */
};

/* Makes each object that this node does not have (nowhere in the map, nor in the stash) where
 * nothing stands, marked as not complete before it gets its identity. Returns 0, or -errno of this
 * disk; those before it are made, and nothing is left of that one. */
int mn_apply_make_new(struct mn_apply *apply, uint8_t root, int stash_fd, const char *mark,
                      const struct mn_new_object *objects, uint32_t count, uint8_t *brought_out);

struct mn_whole_attributes {
    struct mn_id id;
    uint32_t mode, uid, gid; /* mode with its type bits */
    int64_t atime_ns, mtime_ns;
};

/* Sets all attributes of each file or directory that has no others here, and takes its mark: it is
 * complete. Returns 0, or -errno of this disk. */
int mn_apply_complete(struct mn_apply *apply, uint8_t root,
                      const struct mn_whole_attributes *objects, uint32_t count,
                      uint8_t *brought_out);

#endif
