/* Apply: life of the session's state, and the dispatch. ROWS says of each native message who
 * handles it; the three generic checks (known, allowed now, decodes) come before any handler acts.
 */
#include "apply/apply.h"

#include <errno.h>
#include <stdlib.h>

#include "apply/apply_private.h"
#include "hash/hash.h"
#include "util/prompt.h"

struct row {
    uint16_t code;
    bool counts; /* an operation of the stream: begins with its epoch, and is counted */
    mn_handler *handle;
};

/* clang-format off */
static const struct row ROWS[] = {
    {MN_MESSAGE_INTRODUCE,      false, mn_apply_introduce},
    {MN_MESSAGE_SET_IDENTITY,   true,  mn_apply_set_identity},
    {MN_MESSAGE_CREATE,         true,  mn_apply_create_object},
    {MN_MESSAGE_LINK,           true,  mn_apply_link},
    {MN_MESSAGE_UNLINK,         true,  mn_apply_unlink},
    {MN_MESSAGE_RENAME,         true,  mn_apply_rename},
    {MN_MESSAGE_WRITE,          true,  mn_apply_write},
    {MN_MESSAGE_SET_ATTRIBUTES, true,  mn_apply_set_attributes},
    {MN_MESSAGE_SET_XATTR,      true,  mn_apply_set_xattr},
    {MN_MESSAGE_REMOVE_XATTR,   true,  mn_apply_remove_xattr},
    {MN_MESSAGE_FALLOCATE,      true,  mn_apply_fallocate},
    {MN_MESSAGE_COPY_RANGE,     true,  mn_apply_copy_range},
    {MN_MESSAGE_SYNC,           true,  mn_apply_sync},
    {MN_MESSAGE_SET_FLAGS,      true,  mn_apply_set_flags},
    {MN_MESSAGE_CREATE_NAMELESS, true, mn_apply_create_nameless},
    {MN_MESSAGE_CHECKPOINT,     false, mn_apply_checkpoint},
    {MN_MESSAGE_PING,           false, mn_apply_ping},
    {MN_MESSAGE_HASH_RANGE,     false, mn_apply_hash_range},
    {MN_MESSAGE_COPY_BLOCK,     false, mn_apply_copy_block},
    {MN_MESSAGE_READ_RANGE,     false, mn_apply_read_range},
};
/* clang-format on */

static const struct row *find_row(uint16_t code)
{
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
        if (ROWS[i].code == code)
            return &ROWS[i];
    return NULL;
}

int mn_apply_create(const struct mn_root *roots, uint32_t root_count, struct mn_recent *recent,
                    struct mn_apply **apply_out)
{
    struct mn_apply *apply = calloc(1, sizeof(*apply));

    if (apply == NULL)
        return -ENOMEM;
    apply->recent = recent;
    mn_awake_init(&apply->awake, MN_AWAKE_DEVICE, MN_AWAKE_DRIVER);
    pthread_mutex_init(&apply->checkpoint_mutex, NULL);
    pthread_mutex_init(&apply->flags_mutex, NULL);
    for (uint32_t i = 0; i < root_count; i++) {
        int index = roots[i].index;
        if (index >= 0 && index < MN_ROOTS_MAX)
            apply->roots[index] = &roots[i];
    }
    int result = mn_id_map_create(MN_IDS_MAX, &apply->map);
    if (result == 0)
        result = mn_open_files_create(&apply->files);
    if (result == 0)
        result = mn_apply_session_begin(apply);
    if (result < 0)
        mn_apply_destroy(apply);
    else
        *apply_out = apply;
    return result;
}

void mn_apply_destroy(struct mn_apply *apply)
{
    if (apply == NULL)
        return;
    mn_open_files_destroy(apply->files);
    mn_id_map_destroy(apply->map);
    pthread_mutex_destroy(&apply->checkpoint_mutex);
    pthread_mutex_destroy(&apply->flags_mutex);
    mn_awake_deinit(&apply->awake);
    free(apply);
}

/* The directories that need no introduction: everything is found from them. */
static int learn_roots(struct mn_apply *apply)
{
    static const struct mn_id none;
    struct mn_handle handle;
    int result = 0;

    for (uint8_t i = 0; i < MN_ROOTS_MAX && result == 0; i++) {
        const struct mn_root *root = apply->roots[i];
        if (root == NULL || mn_id_is_zero(&root->id))
            continue;
        result = mn_lower_handle(root->directory_fd, "", &handle);
        if (result == 0)
            result = mn_id_map_learn(apply->map, i, &root->id, &handle, &none, "", 0);
    }
    return result;
}

int mn_apply_session_begin(struct mn_apply *apply)
{
    mn_open_files_clear(apply->files);
    mn_id_map_clear(apply->map);
    atomic_store(&apply->disk_error, 0);
    atomic_store(&apply->operation_count, 0);
    atomic_store(&apply->ping_count, 0);
    atomic_store(&apply->epoch, 0);
    for (int i = 0; i < MN_EPOCHS_OPEN_MAX; i++)
        atomic_store(&apply->epoch_operation_counts[i], 0);
    pthread_mutex_lock(&apply->checkpoint_mutex);
    apply->open_epoch = 0;
    apply->closed_operation_count = 0;
    apply->failed = 0;
    atomic_store(&apply->unsynced, 0); /* what may not be on the disk is compared with it anew */
    atomic_store(&apply->in_step, false);
    pthread_mutex_unlock(&apply->checkpoint_mutex);
    return learn_roots(apply);
}

/* Before the operation is applied, so that a checkpoint that follows its answer has counted it. */
static void count(struct mn_apply *apply, const uint8_t *payload)
{
    uint64_t epoch = mn_load_u64(payload);
    uint64_t highest = atomic_load(&apply->epoch);

    /* Of a copy, whose size is set like this: no operation of the stream. */
    if (epoch == 0)
        return;
    while (highest < epoch && !atomic_compare_exchange_weak(&apply->epoch, &highest, epoch))
        ;
    atomic_fetch_add(&apply->operation_count, 1);
    atomic_fetch_add(&apply->epoch_operation_counts[epoch % MN_EPOCHS_OPEN_MAX], 1);
}

/* The source drops this node for it. A value too large for an extended attribute is no fault of a
 * disk, whatever ext4 calls it. */
static void note_disk_error(struct mn_call *call, uint16_t code)
{
    int none = 0;

    switch (call->ack.error) {
    case ENOSPC:
        if (code == MN_MESSAGE_SET_XATTR)
            return;
        break;
    case EDQUOT:
    case EIO:
    case EROFS: break;
    default: return;
    }
    (void)atomic_compare_exchange_strong(&call->apply->disk_error, &none, call->ack.error);
}

static int perform(const struct row *row, struct mn_call *call, uint8_t lane)
{
    call->ack = (struct mn_ack){0};
    if (row->counts && lane != MN_LANE_COPY) { /* copies are no operations of the stream */
        if (call->size < sizeof(uint64_t))
            return -EBADMSG;
        count(call->apply, call->payload);
    }
    int result = row->handle(call);
    if (result < 0)
        return result;
    if (result == MN_ANSWERED)
        return 0;
    note_disk_error(call, row->code);
    return mn_connection_send_ack(call->connection, call->ack.error, call->ack.result);
}

static int serve(struct mn_call *call, uint8_t lane, uint16_t *code_out)
{
    for (;;) {
        int result =
            mn_connection_receive(call->connection, 1, code_out, &call->payload, &call->size);
        if (result < 0)
            return result;
        mn_awake_note(&call->apply->awake);
        if (!mn_message_allowed(*code_out, lane, 1))
            return -EBADMSG;
        const struct row *row = find_row(*code_out);
        if (row == NULL) /* only the control lane has messages that Python handles */
            return lane == MN_LANE_CONTROL ? MN_APPLY_PYTHON : -EBADMSG;
        result = perform(row, call, lane);
        if (result < 0)
            return result;
    }
}

int mn_apply_serve(struct mn_apply *apply, struct mn_connection *connection, uint8_t lane,
                   uint16_t *code_out, const uint8_t **payload_out, size_t *size_out)
{
    struct mn_call call = {
        .apply = apply, .connection = connection, .directory_fd = -1, .nameless_fd = -1};

    if (lane == MN_LANE_COPY) {
        call.block = malloc(MN_BLOCK_BYTES_MAX + MN_HASHES_MAX * MN_HASH_BYTES);
        if (call.block == NULL)
            return -ENOMEM;
    }
    /* As root, and into ext4's reserved blocks: what the application may is the primary's affair;
     * this node must be able to follow. */
    int result = mn_lower_act_as(0, 0, 0, 1);
    if (lane == MN_LANE_LIVE)
        mn_thread_be_prompt(); /* a live change waits for it; it is of this lane until it ends */
    if (result == 0)
        result = serve(&call, lane, code_out);
    if (result < 0 && result != -EBADMSG && atomic_load(&apply->disk_error) != 0)
        result = -atomic_load(&apply->disk_error); /* why the connection ended */
    mn_call_forget_directory(&call);
    mn_call_forget_nameless(&call);
    free(call.block);
    *payload_out = call.payload;
    *size_out = call.size;
    return result;
}

int mn_apply_learn(struct mn_apply *apply, uint8_t root, const struct mn_id *id,
                   const struct mn_handle *handle, const struct mn_id *parent, const char *name,
                   uint16_t name_size)
{
    /* What was written through may have been deleted here, and made again. */
    if (root < MN_ROOTS_MAX && apply->roots[root] != NULL)
        mn_open_files_drop(apply->files, apply->roots[root], id);
    return mn_id_map_learn(apply->map, root, id, handle, parent, name, name_size);
}

int mn_apply_find(struct mn_apply *apply, uint8_t root, const struct mn_id *id,
                  struct mn_handle *handle_out)
{
    struct mn_found found;

    if (mn_id_map_find(apply->map, root, id, &found) != 0)
        return 1;
    *handle_out = found.handle;
    return 0;
}

void mn_apply_in_step(struct mn_apply *apply)
{
    atomic_store(&apply->in_step, true);
}

uint64_t mn_apply_ping_count(const struct mn_apply *apply)
{
    return atomic_load(&apply->ping_count);
}

uint64_t mn_apply_operation_count(const struct mn_apply *apply)
{
    return atomic_load(&apply->operation_count);
}

uint64_t mn_apply_epoch(const struct mn_apply *apply)
{
    return atomic_load(&apply->epoch);
}
