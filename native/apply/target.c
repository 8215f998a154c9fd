/* From identities and names of a message to objects of this node, and to places of its recent set.
 * A path is never followed: a name is looked up in a directory that was found by its identity, and
 * what stands there is not opened beyond O_PATH. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apply/apply_private.h"

int mn_answer(struct mn_call *call, int64_t result)
{
    call->ack.error = result < 0 ? (int32_t)-result : 0;
    call->ack.result = result < 0 ? 0 : (uint64_t)result;
    return 0;
}

int mn_target_find(struct mn_apply *apply, uint8_t root, const struct mn_id *id,
                   struct mn_target *target_out)
{
    struct mn_target *target = target_out;

    if (root >= MN_ROOTS_MAX || apply->roots[root] == NULL)
        return -EBADMSG;
    target->root = apply->roots[root];
    if (mn_id_map_find(apply->map, root, id, &target->found) != 0)
        return -ESTALE;
    target->ref = (struct mn_ref){
        .id = *id,
        .parent = target->found.parent,
        .handle = target->found.handle,
        .name = target->found.name,
        .name_size = target->found.name_size,
        .root = root,
    };
    return 0;
}

int mn_target_open(const struct mn_target *target, int flags)
{
    return mn_lower_open(target->root, &target->found.handle, flags);
}

int mn_target_directory(struct mn_call *call, const struct mn_target *target)
{
    if (call->directory_fd >= 0 && call->directory_root == target->ref.root &&
        mn_handle_equal(&call->directory_handle, &target->found.handle))
        return call->directory_fd;
    mn_call_forget_directory(call);
    call->directory_fd = mn_target_open(target, O_PATH | O_DIRECTORY);
    call->directory_root = target->ref.root;
    call->directory_handle = target->found.handle;
    return call->directory_fd;
}

void mn_call_forget_directory(struct mn_call *call)
{
    if (call->directory_fd >= 0)
        close(call->directory_fd);
    call->directory_fd = -1;
}

void mn_call_forget_nameless(struct mn_call *call)
{
    if (call->nameless_fd < 0)
        return;
    mn_open_files_drop(call->apply->files, call->apply->roots[call->nameless_root],
                       &call->nameless_id);
    close(call->nameless_fd);
    call->nameless_fd = -1;
}

int mn_target_allow_changes(struct mn_apply *apply, const struct mn_target *target)
{
    int fd = mn_target_open(target, O_RDONLY);
    int result;

    if (fd < 0)
        return fd;
    pthread_mutex_lock(&apply->flags_mutex);
    result = mn_lower_set_flags(fd, 0, FS_APPEND_FL | FS_IMMUTABLE_FL);
    pthread_mutex_unlock(&apply->flags_mutex);
    close(fd);
    return result;
}

/* by: a descriptor of it for reading. A flag that does not come back would be a difference that
 * nobody knows of: -EIO, which parts the pair. */
static int open_without_flag(const struct mn_target *target, int by)
{
    int result = mn_lower_set_flags(by, 0, FS_APPEND_FL);
    int fd;

    if (result < 0)
        return result;
    fd = mn_target_open(target, O_RDWR);
    result = mn_lower_set_flags(by, FS_APPEND_FL, FS_APPEND_FL);
    if (result < 0 && fd >= 0)
        close(fd);
    return result < 0 ? -EIO : fd;
}

int mn_target_open_anywhere(struct mn_apply *apply, const struct mn_target *target)
{
    struct statx status;
    int fd, by;

    pthread_mutex_lock(&apply->flags_mutex);
    fd = mn_target_open(target, O_RDWR);
    by = fd == -EPERM ? mn_target_open(target, O_RDONLY) : -1;
    if (by >= 0) {
        if (statx(by, "", AT_EMPTY_PATH, STATX_TYPE, &status) == 0 &&
            (status.stx_attributes & STATX_ATTR_IMMUTABLE) == 0)
            fd = open_without_flag(target, by);
        close(by);
    }
    pthread_mutex_unlock(&apply->flags_mutex);
    return fd;
}

void mn_name_set(struct mn_name *name, const char *text, uint16_t size)
{
    memcpy(name->text, text, size); /* the decoder lets 1 to 255 bytes pass */
    name->text[size] = '\0';
    name->size = size;
}

int mn_name_check(const struct mn_target *directory, const struct mn_name *name)
{
    bool top = mn_id_equal(&directory->ref.id, &directory->root->id);

    return top && strcmp(name->text, MN_HIDDEN_NAME) == 0 ? -EPERM : 0;
}

static int identify(const struct mn_root *root, int fd, struct mn_id *id_out,
                    struct mn_handle *handle_out)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    /* Something is mounted there: not an object of this root (design 8). */
    if (status.st_dev != root->device)
        return -EXDEV;
    int result = mn_lower_handle(fd, "", handle_out);
    return result < 0 ? result : mn_lower_id_get(fd, handle_out, id_out);
}

int mn_name_look(const struct mn_root *root, int directory_fd, const struct mn_name *name,
                 struct mn_id *id_out, struct mn_handle *handle_out, int *path_fd_out)
{
    int fd = openat(directory_fd, name->text, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int result = identify(root, fd, id_out, handle_out);
    if (path_fd_out != NULL && result >= 0)
        *path_fd_out = fd;
    else
        close(fd);
    return result;
}

int mn_name_expect(const struct mn_root *root, int directory_fd, const struct mn_name *name,
                   const struct mn_id *id)
{
    struct mn_handle handle;
    struct mn_id found;

    int result = mn_name_look(root, directory_fd, name, &found, &handle, NULL);
    if (result < 0)
        return result;
    return result == 0 && mn_id_equal(&found, id) ? 0 : -ESTALE;
}

/* With the handle of the directory: this node may be the one that finds the object again. */
static void note(struct mn_call *call, const struct mn_target *target,
                 const struct mn_place *place, uint64_t epoch)
{
    struct mn_ref ref = target->ref;
    struct mn_found parent;

    if (mn_id_map_find(call->apply->map, ref.root, &ref.parent, &parent) == 0)
        ref.parent_handle = parent.handle;
    mn_recent_note(call->apply->recent, &ref, place, epoch);
}

void mn_note(struct mn_call *call, const struct mn_target *target, uint8_t kind, uint64_t epoch)
{
    struct mn_place place = {.kind = kind};

    note(call, target, &place, epoch);
}

void mn_note_range(struct mn_call *call, const struct mn_target *target, uint64_t offset,
                   uint64_t size, uint64_t epoch)
{
    struct mn_place place = {.kind = MN_PLACE_DATA, .region_first = offset / MN_REGION_BYTES};
    uint64_t last = size == 0 ? offset : offset + (size - 1);

    /* A range that wraps is refused by lower/; here it only must not be noted as a small one. */
    place.region_last = last < offset ? UINT64_MAX : last / MN_REGION_BYTES;
    note(call, target, &place, epoch);
}

void mn_note_name(struct mn_call *call, const struct mn_target *directory,
                  const struct mn_name *name, uint64_t epoch)
{
    struct mn_place place = {.kind = MN_PLACE_NAME, .name = name->text, .name_size = name->size};

    note(call, directory, &place, epoch);
}
