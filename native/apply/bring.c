#include "apply/bring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "apply/apply_private.h"

/* The directory used last: objects come in runs. */
struct place {
    struct mn_target target;
    int fd; /* -1: none */
};

static void leave_place(struct place *place)
{
    if (place->fd >= 0)
        close(place->fd);
    place->fd = -1;
}

static int go_to(struct mn_apply *apply, uint8_t root, const struct mn_id *directory,
                 struct place *place)
{
    if (place->fd >= 0 && mn_id_equal(&place->target.ref.id, directory))
        return 0;
    leave_place(place);
    int result = mn_target_find(apply, root, directory, &place->target);
    if (result < 0)
        return result;
    place->fd = mn_target_open(&place->target, O_PATH | O_DIRECTORY);
    return place->fd < 0 ? place->fd : 0;
}

/* The stash names its entries by identity. */
static bool is_in_stash(int stash_fd, const struct mn_id *id)
{
    char name[2 * MN_ID_BYTES + 1];

    for (size_t i = 0; i < MN_ID_BYTES; i++)
        snprintf(name + 2 * i, 3, "%02x", id->bytes[i]);
    return faccessat(stash_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Refusals of the place, not of the disk: what stands there, and what is not there. */
static bool is_of_the_tree(int result)
{
    return result == -EEXIST || result == -ENOENT || result == -ESTALE || result == -ENOTDIR ||
           result == -EPERM || result == -EBADMSG;
}

static int make_one(struct mn_apply *apply, uint8_t root, const char *mark,
                    const struct mn_new_object *object, struct place *place)
{
    struct mn_handle handle;
    struct mn_name name;

    int result = go_to(apply, root, &object->parent, place);
    if (result < 0)
        return result;
    mn_name_set(&name, object->name, (uint16_t)strlen(object->name));
    result = mn_name_check(&place->target, &name);
    if (result < 0)
        return result;
    result = mn_lower_make_unfinished(place->fd, name.text, object->mode, object->rdev,
                                      object->target, mark, &object->id, &handle);
    if (result < 0)
        return result;
    return mn_id_map_learn(apply->map, root, &object->id, &handle, &object->parent, name.text,
                           name.size);
}

int mn_apply_make_new(struct mn_apply *apply, uint8_t root, int stash_fd, const char *mark,
                      const struct mn_new_object *objects, uint32_t count, uint8_t *brought_out)
{
    struct place place = {.fd = -1};
    int result = 0;

    memset(brought_out, MN_LEFT, count);
    for (uint32_t i = 0; i < count && result == 0; i++) {
        if (mn_id_map_find(apply->map, root, &objects[i].id, NULL) == 0 ||
            is_in_stash(stash_fd, &objects[i].id))
            continue;
        result = make_one(apply, root, mark, &objects[i], &place);
        if (result == 0)
            brought_out[i] = MN_BROUGHT;
        else if (is_of_the_tree(result))
            result = 0;
    }
    leave_place(&place);
    return result;
}

static int set_all(int fd, const struct stat *before, const struct mn_whole_attributes *wanted,
                   uint8_t *brought_out)
{
    struct mn_attributes attributes = {
        .valid = MN_SET_ATIME | MN_SET_MTIME,
        .mode = wanted->mode & 07777,
        .uid = wanted->uid,
        .gid = wanted->gid,
        .atime_ns = wanted->atime_ns,
        .mtime_ns = wanted->mtime_ns,
    };

    if (before->st_uid != wanted->uid || before->st_gid != wanted->gid)
        attributes.valid |= MN_SET_UID | MN_SET_GID | MN_SET_MODE;
    if (before->st_mode != wanted->mode)
        attributes.valid |= MN_SET_MODE;
    int result = mn_lower_set_attributes(fd, &attributes);
    if (result == 0 && fremovexattr(fd, MN_FRESH_XATTR) < 0 && errno != ENODATA)
        result = -errno;
    *brought_out = (attributes.valid & MN_SET_MODE) != 0 ? MN_BROUGHT_OTHER : MN_BROUGHT;
    return result;
}

/* *brought_out stays as it is for what is left to the caller. */
static int complete_one(struct mn_apply *apply, uint8_t root,
                        const struct mn_whole_attributes *wanted, uint8_t *brought_out)
{
    struct mn_target target;
    struct stat status;
    uint32_t slot = 0;
    int fd;

    if (!S_ISREG(wanted->mode) && !S_ISDIR(wanted->mode))
        return 0;
    if (mn_target_find(apply, root, &wanted->id, &target) < 0)
        return 0;
    /* A file was written just now, so it is still open. */
    bool is_borrowed =
        mn_open_files_borrow(apply->files, target.root, &wanted->id, &fd, &slot) == 0;
    if (!is_borrowed)
        fd = mn_target_open(&target, O_RDONLY);
    if (fd < 0)
        return 0; /* whoever looks at it again meets the error again */
    int result = 0;
    if (fstat(fd, &status) == 0 && status.st_nlink > 0 &&
        (status.st_mode & S_IFMT) == (wanted->mode & S_IFMT) && mn_lower_is_plain(fd))
        result = set_all(fd, &status, wanted, brought_out);
    if (result == -EPERM) { /* a live change has set a flag just now: it is plain no more */
        *brought_out = MN_LEFT;
        result = 0;
    }
    if (is_borrowed)
        mn_open_files_give(apply->files, slot);
    else
        close(fd);
    return result;
}

int mn_apply_complete(struct mn_apply *apply, uint8_t root,
                      const struct mn_whole_attributes *objects, uint32_t count,
                      uint8_t *brought_out)
{
    int result = 0;

    memset(brought_out, MN_LEFT, count);
    for (uint32_t i = 0; i < count && result == 0; i++)
        result = complete_one(apply, root, &objects[i], &brought_out[i]);
    return result;
}
