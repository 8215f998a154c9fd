/* Identities: 128 random bits in an extended attribute, bound to the handle of the object they
 * were given to. A copy (cp -a, tar, a restore) carries the attribute but not the handle, and so
 * counts as new (design 8). */
#include "lower/lower.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <sys/xattr.h>

#include "lower/xattr_access.h"

enum {
    TYPE_OFFSET = MN_ID_BYTES,
    HANDLE_OFFSET = TYPE_OFFSET + 4,
    VALUE_BYTES_MAX = HANDLE_OFFSET + MN_HANDLE_BYTES_MAX,
};

static size_t encode(const struct mn_handle *handle, const struct mn_id *id, uint8_t *value)
{
    uint32_t type = htole32((uint32_t)handle->type);

    memcpy(value, id->bytes, MN_ID_BYTES);
    memcpy(value + TYPE_OFFSET, &type, sizeof(type));
    memcpy(value + HANDLE_OFFSET, handle->bytes, handle->size);
    return (size_t)HANDLE_OFFSET + handle->size;
}

int mn_lower_id_get(int path_fd, const struct mn_handle *handle, struct mn_id *id_out)
{
    uint8_t value[VALUE_BYTES_MAX];
    uint8_t expected[VALUE_BYTES_MAX];
    struct mn_id id;

    memset(id_out, 0, sizeof(*id_out));
    ssize_t size = mn_xattr_get(path_fd, MN_ID_XATTR, value, sizeof(value));
    if (size == -ENODATA || size == -ERANGE || size == -EOPNOTSUPP)
        return MN_ID_MISSING;
    if (size < 0)
        return (int)size;
    if (size < HANDLE_OFFSET)
        return MN_ID_MISSING;
    memcpy(id.bytes, value, MN_ID_BYTES);
    size_t expected_size = encode(handle, &id, expected);
    if ((size_t)size != expected_size || memcmp(value, expected, expected_size) != 0 ||
        mn_id_is_zero(&id))
        return MN_ID_MISSING;
    *id_out = id;
    return 0;
}

static int set(int path_fd, const struct mn_handle *handle, const struct mn_id *id, int flags)
{
    uint8_t value[VALUE_BYTES_MAX];

    if (mn_id_is_zero(id) || handle->size == 0 || handle->size > MN_HANDLE_BYTES_MAX)
        return -EINVAL;
    size_t size = encode(handle, id, value);
    return mn_xattr_set(path_fd, MN_ID_XATTR, value, size, flags);
}

int mn_lower_id_set(int path_fd, const struct mn_handle *handle, const struct mn_id *id)
{
    return set(path_fd, handle, id, 0);
}

int mn_lower_id_give(int path_fd, const struct mn_handle *handle, struct mn_id *id)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    struct mn_id found;

    int result = set(path_fd, handle, id, XATTR_CREATE);
    if (result != -EEXIST)
        return result;
    /* Its own, or one that came with a copy and is replaced: only here a look and a set are two.
     */
    pthread_mutex_lock(&one_at_a_time);
    result = mn_lower_id_get(path_fd, handle, &found);
    if (result == 0)
        *id = found;
    else if (result == MN_ID_MISSING)
        result = set(path_fd, handle, id, 0);
    pthread_mutex_unlock(&one_at_a_time);
    return result;
}

/* One system call for RANDOM_IDS identities: up to 256 bytes come whole. */
enum { RANDOM_IDS = 256 / MN_ID_BYTES };

int mn_lower_id_new(struct mn_id *id_out)
{
    static _Thread_local struct mn_id ids[RANDOM_IDS];
    static _Thread_local unsigned id_count;

    do {
        if (id_count == 0) {
            ssize_t size = getrandom(ids, sizeof(ids), 0);
            if (size != (ssize_t)sizeof(ids))
                return size < 0 ? -errno : -EIO;
            id_count = RANDOM_IDS;
        }
        *id_out = ids[--id_count];
    } while (mn_id_is_zero(id_out));
    return 0;
}
