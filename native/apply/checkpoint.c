/* Checkpoint: what this node's disk holds for certain (design 8); and Ping. */
#include <errno.h>
#include <unistd.h>

#include "apply/apply_private.h"

/* The mutex is held. Adds up what was tagged with the epochs that end now. */
static void close_epochs(struct mn_apply *apply, uint64_t epoch)
{
    /* A session's first epoch may be any number; more are never open at a time than the ring has,
     * and one slot holds operations of the next epoch already. */
    const uint64_t closed_max = MN_EPOCHS_OPEN_MAX - 1;

    if (epoch >= closed_max && apply->open_epoch <= epoch - closed_max)
        apply->open_epoch = epoch - closed_max + 1;
    for (; apply->open_epoch <= epoch; apply->open_epoch++)
        apply->closed_operation_count += atomic_exchange(
            &apply->epoch_operation_counts[apply->open_epoch % MN_EPOCHS_OPEN_MAX], 0);
}

/* The mutex is held. Whoever syncs is told an error once by the kernel, which takes the pages for
 * written then; so it is remembered here, for all who ask. */
static int sync_root(struct mn_apply *apply, const struct mn_root *root)
{
    if (atomic_load(&apply->unsynced) == 0 && syncfs(root->directory_fd) < 0)
        atomic_store(&apply->unsynced, -errno);
    return atomic_load(&apply->unsynced);
}

int mn_apply_sync_root(struct mn_apply *apply, int root)
{
    int result;

    if (root < 0 || root >= MN_ROOTS_MAX || apply->roots[root] == NULL)
        return -EINVAL;
    pthread_mutex_lock(&apply->checkpoint_mutex);
    result = sync_root(apply, apply->roots[root]);
    pthread_mutex_unlock(&apply->checkpoint_mutex);
    return result;
}

int mn_apply_unsynced(const struct mn_apply *apply)
{
    return atomic_load(&apply->unsynced);
}

static int sync_roots(struct mn_apply *apply, const struct mn_message_checkpoint *message)
{
    for (int i = 0; i < MN_ROOTS_MAX; i++) {
        const struct mn_root *root = apply->roots[i];
        int result;

        if (root == NULL)
            continue;
        result = mn_lower_mark(root, message->epoch, message->stable_epoch);
        if (result == 0)
            result = sync_root(apply, root);
        if (result < 0)
            return result;
    }
    return 0;
}

int mn_apply_checkpoint(struct mn_call *call)
{
    struct mn_apply *apply = call->apply;
    struct mn_message_checkpoint message;

    int result = mn_decode_checkpoint(call->payload, call->size, &message);
    if (result < 0)
        return result;
    if (message.epoch == UINT64_MAX)
        return -EBADMSG;
    pthread_mutex_lock(&apply->checkpoint_mutex);
    close_epochs(apply, message.epoch);
    /* The primary may not count; then it says 0. */
    if (message.operation_count != 0 && message.operation_count != apply->closed_operation_count)
        result = -EBADMSG;
    if (apply->failed == 0)
        apply->failed = sync_roots(apply, &message);
    /* The kernel tells an error once and forgets the pages: an error is never retried into
     * success. */
    if (result == 0)
        result = apply->failed;
    pthread_mutex_unlock(&apply->checkpoint_mutex);
    if (result == 0)
        mn_recent_trim(apply->recent, message.stable_epoch);
    return mn_answer(call, result);
}

int mn_apply_ping(struct mn_call *call)
{
    struct mn_message_ping message;

    int result = mn_decode_ping(call->payload, call->size, &message);
    if (result < 0)
        return result;
    atomic_fetch_add(&call->apply->ping_count, 1);
    return mn_answer(call, 0);
}
