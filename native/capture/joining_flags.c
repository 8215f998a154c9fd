/* While the secondary is brought up to date, the flags of an object (chattr +i, +a) may be others
 * there: it would do what this node's kernel refuses, or refuse what it does. So what flags refuse
 * here is refused before it is sent; and what is refused there is asked once more, after the flags
 * were taken away. Those that are here too: a file may be append-only on both nodes, and not be as
 * long there yet. They are set once more at the end. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include "capture/change.h"
#include "capture/operations.h"

enum { RENAME_INTO = 1, LINKED = 1, RENAME_REPLACES = 4 }; /* where objects stand in a change */

/* The flags of an object that forbid changes, as this node has them; 0 when it cannot be asked. */
static uint32_t flags_here(const struct mn_change *change, struct mn_node *object)
{
    struct mn_borrowed borrowed;
    struct statx status;
    uint32_t flags = 0;

    if (mn_borrow(change->mount, object, &borrowed) != 0)
        return 0; /* gone: the operation says it */
    if (statx(borrowed.fd, "", AT_EMPTY_PATH, STATX_TYPE, &status) == 0) {
        if ((status.stx_attributes & STATX_ATTR_IMMUTABLE) != 0)
            flags |= FS_IMMUTABLE_FL;
        if ((status.stx_attributes & STATX_ATTR_APPEND) != 0)
            flags |= FS_APPEND_FL;
    }
    mn_give_back(change->mount, &borrowed);
    return flags;
}

/* Of an append-only object. */
static bool refuses_append_only(const struct mn_change *change, uint32_t at)
{
    switch (change->code) {
    case MN_MESSAGE_UNLINK:
    case MN_MESSAGE_SET_ATTRIBUTES: /* of times too: what travels is absolute */
    case MN_MESSAGE_SET_XATTR:
    case MN_MESSAGE_REMOVE_XATTR: return true;
    case MN_MESSAGE_LINK: return at == LINKED;
    case MN_MESSAGE_RENAME:
        return at != RENAME_INTO || change->object_count >= RENAME_REPLACES ||
               change->objects[0] == change->objects[RENAME_INTO];
    default: return false;
    }
}

static bool is_joining(const struct mn_change *change)
{
    return __atomic_load_n(&change->worker->capture->joining, __ATOMIC_ACQUIRE) &&
           change->mode == MN_MODE_MIRRORED && !change->local && !change->edge &&
           change->code != MN_MESSAGE_SET_FLAGS && change->code != MN_MESSAGE_SYNC;
}

int mn_joining_refuses(const struct mn_change *change)
{
    if (!is_joining(change) || change->code == MN_MESSAGE_COPY_RANGE)
        return 0;
    for (uint32_t i = 0; i < change->object_count; i++) {
        uint32_t flags = flags_here(change, change->objects[i]);

        if ((flags & FS_IMMUTABLE_FL) != 0 ||
            ((flags & FS_APPEND_FL) != 0 && refuses_append_only(change, i)))
            return -EPERM;
    }
    return 0;
}

int mn_joining_take_flags(const struct mn_change *change)
{
    struct mn_connection *connection = change->worker->connection;

    if (!is_joining(change))
        return -EPERM;
    for (uint32_t i = 0; i < change->object_count; i++) {
        struct mn_message_set_flags message = {.epoch = change->epoch,
                                               .root = (uint8_t)change->mount->root->index,
                                               .id = change->objects[i]->id,
                                               .valid = MN_FLAGS_THAT_FORBID};
        struct mn_ack ack;
        int result = mn_encode_set_flags(&message, mn_connection_begin(connection));

        mn_change_count(change);
        if (result == 0)
            result = mn_connection_send(connection, MN_MESSAGE_SET_FLAGS);
        if (result == 0) /* what cannot have flags says so; the operation is what counts */
            result = mn_connection_receive_ack(connection, &ack);
        if (result != 0)
            return result;
        mn_change_joined(change, &change->objects[i]->id, mn_node_handle(change->objects[i]));
    }
    return 0;
}
