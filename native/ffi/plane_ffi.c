/* Python's door to a plane: roots, identities, dirty index. */
#include "ffi/plane.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lower/local.h"
#include "lower/rules.h"
#include "mirror_native.h"

_Static_assert(sizeof(struct mn_handle) == MN_HANDLE_SIZE,
               "Python passes handles as that many bytes");

int mnf_plane_create(const char *index_directory, uint64_t index_bytes, uint32_t index_entries_max,
                     uint32_t recent_places_max, struct mn_plane **plane_out)
{
    struct mn_plane *plane = calloc(1, sizeof(*plane));
    int result;

    if (plane == NULL)
        return -ENOMEM;
    result = mn_recent_create(recent_places_max, &plane->recent);
    if (result == 0)
        result = mn_index_open(index_directory, index_bytes, index_entries_max, &plane->index);
    if (result != 0) {
        if (plane->recent != NULL)
            mn_recent_destroy(plane->recent);
        free(plane);
        return result;
    }
    *plane_out = plane;
    return 0;
}

void mnf_plane_destroy(struct mn_plane *plane)
{
    if (plane->capture != NULL)
        mn_capture_destroy(plane->capture);
    if (plane->apply != NULL)
        mn_apply_destroy(plane->apply);
    mn_index_close(plane->index);
    mn_recent_destroy(plane->recent);
    for (uint32_t i = 0; i < plane->root_count; i++)
        mn_lower_root_close(&plane->roots[i]);
    free(plane);
}

int mnf_root_add(struct mn_plane *plane, const char *lower_path, uint8_t *id_out)
{
    struct mn_root *root = &plane->roots[plane->root_count];
    int result;

    if (plane->root_count == MN_ROOTS_MAX)
        return -ENOSPC;
    result = mn_lower_root_open(lower_path, (int)plane->root_count, 1, root);
    if (result < 0)
        return result;
    plane->root_count++;
    memcpy(id_out, root->id.bytes, MN_ID_BYTES);
    return result;
}

int mnf_root_adopt(struct mn_plane *plane, int root, const uint8_t *id)
{
    struct mn_handle handle;
    struct mn_id new_id;
    int result = mn_lower_handle(plane->roots[root].directory_fd, "", &handle);

    memcpy(new_id.bytes, id, MN_ID_BYTES);
    if (result == 0)
        result = mn_lower_id_set(plane->roots[root].directory_fd, &handle, &new_id);
    if (result == 0)
        plane->roots[root].id = new_id;
    return result;
}

int mnf_root_rule(struct mn_plane *plane, int root, uint8_t kind, const char *text)
{
    return mn_rules_add(&plane->roots[root].rules, kind, text);
}

int mnf_is_local(struct mn_plane *plane, int root, const char *path, int directory)
{
    return mn_rules_is_local(plane->roots[root].rules, path, directory != 0);
}

int mnf_local_move(struct mn_plane *plane, int root, int directory_fd, const char *name,
                   const char *path, const char *new_path)
{
    return mn_local_prepare_move(&plane->roots[root], directory_fd, name, path, new_path);
}

int mnf_local_keep(struct mn_plane *plane, int root, int directory_fd, const char *name,
                   const char *path, int itself)
{
    return itself ? mn_local_keep_one(&plane->roots[root], directory_fd, name, path)
                  : mn_local_keep(&plane->roots[root], directory_fd, name, path);
}

int mnf_root_sync(struct mn_plane *plane, int root)
{
    if (plane->capture == NULL && plane->apply != NULL)
        return mn_apply_sync_root(plane->apply, root);
    return syncfs(plane->roots[root].directory_fd) == 0 ? 0 : -errno;
}

int mnf_root_handle(struct mn_plane *plane, int root, uint8_t *handle_out)
{
    struct mn_handle handle = {0};
    int result = mn_lower_handle(plane->roots[root].directory_fd, "", &handle);

    memcpy(handle_out, &handle, sizeof(handle));
    return result;
}

int mnf_open(struct mn_plane *plane, int root, const uint8_t *handle, int flags)
{
    struct mn_handle value;

    memcpy(&value, handle, sizeof(value));
    return mn_lower_open(&plane->roots[root], &value, flags);
}

int mnf_look(int directory_fd, const char *name, uint8_t *id_out, uint8_t *handle_out)
{
    struct mn_handle handle = {0};
    struct mn_id id = {0};
    int fd = openat(directory_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int result;

    if (fd < 0)
        return -errno;
    result = mn_lower_handle(fd, "", &handle);
    if (result == 0)
        result = mn_lower_id_get(fd, &handle, &id);
    close(fd);
    memcpy(handle_out, &handle, sizeof(handle));
    memcpy(id_out, id.bytes, MN_ID_BYTES);
    return result;
}

static int64_t ns_of(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int mnf_see(int directory_fd, const char *name, struct mnf_seen *seen_out)
{
    struct mn_handle handle = {0};
    struct mn_id id = {0};
    struct stat status;
    int fd = openat(directory_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int result;

    if (fd < 0)
        return -errno;
    result = fstat(fd, &status) == 0 ? mn_lower_handle(fd, "", &handle) : -errno;
    if (result == 0)
        result = mn_lower_id_get(fd, &handle, &id);
    if (result == MN_ID_MISSING) {
        result = mn_lower_id_new(&id);
        if (result == 0)
            result = mn_lower_id_give(fd, &handle, &id);
    }
    close(fd);
    if (result != 0)
        return result;
    *seen_out = (struct mnf_seen){.mode = status.st_mode,
                                  .links = status.st_nlink,
                                  .rdev = status.st_rdev,
                                  .size_bytes = (uint64_t)status.st_size,
                                  .mtime_ns = ns_of(status.st_mtim)};
    memcpy(seen_out->id, id.bytes, MN_ID_BYTES);
    memcpy(seen_out->handle, &handle, sizeof(handle));
    return 0;
}

static void read_plain(struct mnf_opened *object)
{
    struct stat status;

    /* The times first: if ctime is the same later, nothing else has changed since. */
    if (fstat(object->fd, &status) < 0 || !mn_lower_is_plain(object->fd))
        return;
    object->mode = status.st_mode;
    object->uid = status.st_uid;
    object->gid = status.st_gid;
    object->atime_ns = ns_of(status.st_atim);
    object->mtime_ns = ns_of(status.st_mtim);
    object->ctime_ns = ns_of(status.st_ctim);
    object->plain = 1;
}

int mnf_open_plain(struct mn_plane *plane, int root, struct mnf_opened *objects, uint32_t count)
{
    int result = 0;

    for (uint32_t i = 0; i < count; i++) {
        objects[i].fd = -1;
        objects[i].plain = 0;
    }
    for (uint32_t i = 0; i < count && result == 0; i++) {
        int fd = mnf_open(plane, root, objects[i].handle, O_RDONLY);

        objects[i].fd = fd < 0 ? -1 : fd;
        if (fd >= 0)
            read_plain(&objects[i]);
        else if (fd != -ESTALE && fd != -ENOENT && fd != -ENXIO && fd != -ELOOP)
            result = fd;
    }
    for (uint32_t i = 0; i < count && result != 0; i++) {
        if (objects[i].fd >= 0)
            close(objects[i].fd);
        objects[i].fd = -1;
    }
    return result;
}

int mnf_identity_new(uint8_t *id_out)
{
    struct mn_id id;
    int result = mn_lower_id_new(&id);

    memcpy(id_out, id.bytes, MN_ID_BYTES);
    return result;
}

int mnf_identity_set(int fd, const uint8_t *handle, const uint8_t *id)
{
    struct mn_handle handle_value;
    struct mn_id id_value;

    memcpy(&handle_value, handle, sizeof(handle_value));
    memcpy(id_value.bytes, id, MN_ID_BYTES);
    return mn_lower_id_set(fd, &handle_value, &id_value);
}

int mnf_set_flags(int fd, uint32_t flags, uint32_t valid)
{
    return mn_lower_set_flags(fd, flags, valid);
}

enum { ENTRIES_AT_ONCE = 64 };

static void entry_to_python(const struct mn_index_entry *from, struct mnf_entry *to)
{
    to->kind = from->kind;
    to->root = from->root;
    memcpy(to->id, from->id.bytes, MN_ID_BYTES);
    to->region = from->region;
    to->region_count = from->region_count;
    memcpy(to->name, from->name, sizeof(to->name));
    to->name_size = from->name_size;
    memcpy(to->parent, from->parent.bytes, MN_ID_BYTES);
    memcpy(to->hint, from->hint, sizeof(to->hint));
    to->hint_size = from->hint_size;
    memcpy(to->handle, &from->handle, sizeof(to->handle));
    memcpy(to->parent_handle, &from->parent_handle, sizeof(to->parent_handle));
    to->noted = from->noted;
    to->ahead = from->ahead;
}

static void entry_from_python(const struct mnf_entry *from, struct mn_index_entry *to)
{
    to->kind = from->kind;
    to->root = from->root;
    memcpy(to->id.bytes, from->id, MN_ID_BYTES);
    to->region = from->region;
    to->region_count = from->region_count;
    memcpy(to->name, from->name, sizeof(to->name));
    to->name_size = from->name_size;
    memcpy(to->parent.bytes, from->parent, MN_ID_BYTES);
    memcpy(to->hint, from->hint, sizeof(to->hint));
    to->hint_size = from->hint_size;
    memcpy(&to->handle, from->handle, sizeof(to->handle));
    memcpy(&to->parent_handle, from->parent_handle, sizeof(to->parent_handle));
    to->noted = from->noted;
}

int mnf_index_next(struct mn_plane *plane, uint8_t *cursor, uint16_t *cursor_size,
                   struct mnf_entry *entries, uint32_t entry_count_max)
{
    struct mn_index_entry found[ENTRIES_AT_ONCE];
    uint32_t total = 0;

    while (total < entry_count_max) {
        uint32_t room =
            entry_count_max - total < ENTRIES_AT_ONCE ? entry_count_max - total : ENTRIES_AT_ONCE;
        uint32_t count;
        int result = mn_index_next(plane->index, cursor, cursor_size, found, room, &count);

        if (result != 0)
            return result;
        if (count == 0)
            break;
        count = mn_index_join_regions(found, count);
        for (uint32_t i = 0; i < count; i++)
            entry_to_python(&found[i], &entries[total + i]);
        total += count;
    }
    return (int)total;
}

static int each_batch(struct mn_plane *plane, const struct mnf_entry *entries,
                      uint32_t entry_count,
                      int (*act)(struct mn_index *, const struct mn_index_entry *, uint32_t))
{
    struct mn_index_entry *all = calloc(entry_count == 0 ? 1 : entry_count, sizeof(*all));
    int result;

    if (all == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < entry_count; i++)
        entry_from_python(&entries[i], &all[i]);
    result = act(plane->index, all, entry_count);
    free(all);
    return result;
}

int mnf_index_merge(struct mn_plane *plane, const struct mnf_entry *entries, uint32_t entry_count)
{
    return each_batch(plane, entries, entry_count, mn_index_merge);
}

int mnf_index_remove(struct mn_plane *plane, const struct mnf_entry *entries, uint32_t entry_count)
{
    return each_batch(plane, entries, entry_count, mn_index_remove);
}

int mnf_index_absorb(struct mn_plane *plane)
{
    int result = mn_index_absorb(plane->index, plane->recent);

    if (result == 0)
        mn_recent_clear(plane->recent);
    return result;
}

int mnf_index_clear(struct mn_plane *plane)
{
    return mn_index_clear(plane->index);
}

uint64_t mnf_index_now(struct mn_plane *plane)
{
    return mn_index_now(plane->index);
}

uint64_t mnf_index_count(struct mn_plane *plane)
{
    return mn_index_count(plane->index);
}

uint64_t mnf_recent_count(struct mn_plane *plane)
{
    return mn_recent_count(plane->recent);
}
