/* What every part calls an object: its identity, its file handle, and where it was last seen.
 * Plain values, no behaviour beyond comparison. */
#ifndef MN_UTIL_OBJECT_H
#define MN_UTIL_OBJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    MN_ID_BYTES = 16,
    MN_HANDLE_BYTES_MAX = 40, /* ext4 8, xfs 12, btrfs up to 40 */
    MN_NAME_BYTES_MAX = 255,
    MN_ROOTS_MAX = 16,
    MN_REGION_BYTES = 65536, /* grain of the dirty index, design 8 */
};

/* 128 random bits that both nodes keep in trusted.mirror.id (design 8); all zero: none. */
struct mn_id {
    uint8_t bytes[MN_ID_BYTES];
};

/* name_to_handle_at's answer: type and bytes. size 0: none. */
struct mn_handle {
    int32_t type;
    uint8_t size;
    uint8_t bytes[MN_HANDLE_BYTES_MAX];
};

/* An object and where to find it again: `parent` and `name` are a hint that a rename elsewhere
 * may have made untrue; `id` and `handle` are not. `name` is borrowed. The kernel tells the path
 * of a directory that it has by handle, always, and of a file only while it is cached: hence the
 * parent's handle; size 0: not known. */
struct mn_ref {
    struct mn_id id;
    struct mn_id parent;
    struct mn_handle handle;
    struct mn_handle parent_handle;
    const char *name;
    uint16_t name_size;
    uint8_t root;
};

enum mn_place_kind {
    MN_PLACE_DATA = 1,       /* regions [first, last] of a file's data */
    MN_PLACE_ATTRIBUTES = 2, /* mode, owner, times, xattrs, flags, size */
    MN_PLACE_NAME = 3,       /* one name in a directory, whose identity is the place's */
    MN_PLACE_WHOLE = 4,      /* all data and attributes of one object */
    MN_PLACE_DIRECTORY = 5,  /* every name of one directory */
    MN_PLACE_SUBTREE = 6,    /* everything beneath one directory */
    MN_PLACE_ALL = 7,        /* everything in the replicated directory; id is zero */
};

/* What an operation touches. region_first and region_last matter for DATA only (both included,
 * in units of MN_REGION_BYTES); name for NAME only, borrowed. */
struct mn_place {
    uint8_t kind; /* enum mn_place_kind */
    uint64_t region_first;
    uint64_t region_last;
    const char *name;
    uint16_t name_size;
};

static inline bool mn_id_equal(const struct mn_id *left, const struct mn_id *right)
{
    return memcmp(left->bytes, right->bytes, MN_ID_BYTES) == 0;
}

static inline bool mn_id_is_zero(const struct mn_id *id)
{
    static const struct mn_id zero;
    return mn_id_equal(id, &zero);
}

/* Reads no more of `from` than it holds: a node's handle has no room behind that (capture/node.h).
 */
static inline void mn_handle_copy(struct mn_handle *to, const struct mn_handle *from)
{
    memset(to, 0, sizeof(*to));
    to->type = from->type;
    to->size = from->size;
    memcpy(to->bytes, from->bytes, from->size);
}

static inline bool mn_handle_equal(const struct mn_handle *left, const struct mn_handle *right)
{
    return left->type == right->type && left->size == right->size &&
           memcmp(left->bytes, right->bytes, left->size) == 0;
}

#endif
