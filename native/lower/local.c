/* Local entries beneath a directory that moves or goes. What is kept aside goes to
 * LOWER/.mirror/aside/local/, and remembers where it was. */
#include "lower/local.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lower/rules.h"
#include "lower/xattr_access.h"

enum {
    DEPTH_MAX = 128,         /* of a directory that is looked into: a descriptor each */
    ENTRIES_MAX = 100000,    /* looked at while a rename waits: some 50 ms */
    ORIGIN_BYTES_MAX = 2048, /* as stash.py: longer ones are not worth an inode's spare room */
};

struct walk {
    const struct mn_root *root;
    char path[PATH_MAX];     /* of what is looked at now */
    char new_path[PATH_MAX]; /* the same after the move */
    uint32_t left;           /* entries that may still be looked at */
    uint32_t depth;
    bool keep;    /* local ones that would be replicated are kept aside */
    bool removed; /* all local ones are: the rest goes */
};

static int path_of(int fd, char *path, size_t size)
{
    char link[MN_PROC_PATH_BYTES];
    ssize_t length;

    mn_proc_path(fd, link);
    length = readlink(link, path, size - 1);
    if (length < 0)
        return -errno;
    path[length] = '\0';
    return (size_t)length == size - 1 ? -ESTALE : 0;
}

int mn_lower_path(const struct mn_root *root, int fd, char *path_out, size_t size)
{
    char top[PATH_MAX];
    char path[PATH_MAX];
    size_t top_size;
    int result = path_of(root->directory_fd, top, sizeof(top));

    if (result == 0)
        result = path_of(fd, path, sizeof(path));
    if (result != 0)
        return result;
    top_size = strcmp(top, "/") == 0 ? 0 : strlen(top);
    if (strncmp(path, top, top_size) != 0 || (path[top_size] != '/' && path[top_size] != '\0'))
        return -ESTALE;
    if (path[top_size] == '/')
        top_size++;
    return (size_t)snprintf(path_out, size, "%s", path + top_size) < size ? 0 : -ESTALE;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* NULL and *result_out: -errno. */
static DIR *open_listing(int directory_fd, const char *name, int *result_out)
{
    DIR *listing;
    int fd;

    assert(directory_fd >= 0);
    fd = openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    listing = fd < 0 ? NULL : fdopendir(fd);
    *result_out = listing == NULL ? -errno : 0;
    if (listing == NULL && fd >= 0)
        close(fd);
    return listing;
}

int mn_lower_check_empty(int directory_fd, const char *name)
{
    const struct dirent *entry;
    int result;
    DIR *listing = open_listing(directory_fd, name, &result);

    if (listing == NULL)
        return result;
    while (result == 0 && (entry = readdir(listing)) != NULL)
        if (!is_dots(entry->d_name))
            result = -ENOTEMPTY;
    closedir(listing);
    return result;
}

static int is_directory(int directory_fd, const struct dirent *entry, bool *directory_out)
{
    struct stat status;

    assert(directory_fd >= 0);
    *directory_out = entry->d_type == DT_DIR;
    if (entry->d_type != DT_UNKNOWN)
        return 0;
    if (fstatat(directory_fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    *directory_out = S_ISDIR(status.st_mode);
    return 0;
}

/* 0, or -ENAMETOOLONG. */
static int copy_path(char to[PATH_MAX], const char *path)
{
    size_t size = strlen(path);

    if (size >= PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(to, path, size + 1);
    return 0;
}

/* Appends "/name"; returns the size before, to be cut to again, or 0 when it does not fit (a path
 * that is walked is never empty). */
static size_t append(char *path, const char *name)
{
    size_t before = strlen(path);
    size_t size = strlen(name);

    if (before + size + 2 > PATH_MAX)
        return 0;
    path[before] = '/';
    memcpy(path + before + 1, name, size + 1);
    return before;
}

/* aside/local beneath the hidden directory; the caller's. */
static int open_aside(const struct mn_root *root)
{
    static const char *const steps[] = {"aside", "aside/local"};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (mkdirat(root->hidden_fd, steps[i], 0700) != 0 && errno != EEXIST)
            return -errno;
    int fd = openat(root->hidden_fd, steps[1], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static int keep_aside(const struct mn_root *root, int directory_fd, const char *name,
                      const char *path)
{
    char into[2 * MN_ID_BYTES + 1];
    char folder[MN_PROC_PATH_BYTES];
    char link[sizeof(folder) + sizeof(into) + 1];
    struct mn_id id;
    int result = mn_lower_id_new(&id);
    int aside = result == 0 ? open_aside(root) : result;

    if (aside < 0)
        return aside;
    for (size_t i = 0; i < MN_ID_BYTES; i++)
        snprintf(into + 2 * i, 3, "%02x", id.bytes[i]);
    result = mn_lower_rename(directory_fd, name, aside, into, RENAME_NOREPLACE);
    if (result == 0 && strlen(path) <= ORIGIN_BYTES_MAX) {
        mn_proc_path(aside, folder);
        snprintf(link, sizeof(link), "%s/%s", folder, into);
        /* Only so that people find out where it was. */
        (void)lsetxattr(link, MN_XATTR_PREFIX "origin", path, strlen(path), 0);
    }
    close(aside);
    return result;
}

static int look_into(struct walk *walk, int directory_fd, const char *name);

static int look_at(struct walk *walk, int directory_fd, const struct dirent *entry)
{
    const struct mn_rules *rules = walk->root->rules;
    size_t size = append(walk->path, entry->d_name);
    size_t new_size = append(walk->new_path, entry->d_name);
    bool directory = false;
    int result = is_directory(directory_fd, entry, &directory);

    if (walk->left == 0 || size == 0 || new_size == 0) {
        result = -EXDEV;
    } else if (result == 0) {
        bool local = mn_rules_is_local_in(rules, walk->path, directory);
        bool new_local = !walk->removed && mn_rules_is_local_in(rules, walk->new_path, directory);

        walk->left--;
        if (local && !new_local && walk->keep)
            result = keep_aside(walk->root, directory_fd, entry->d_name, walk->path);
        else if (local != new_local)
            result = -EXDEV;
        else if (directory && !local) /* beneath a local one all is local, here and there */
            result = look_into(walk, directory_fd, entry->d_name);
    }
    walk->path[size == 0 ? strlen(walk->path) : size] = '\0';
    walk->new_path[new_size == 0 ? strlen(walk->new_path) : new_size] = '\0';
    return result;
}

static int look_into(struct walk *walk, int directory_fd, const char *name)
{
    const struct dirent *entry;
    int result;
    DIR *listing;

    if (walk->depth == DEPTH_MAX)
        return walk->removed ? 0 : -EXDEV;
    listing = open_listing(directory_fd, name, &result);
    if (listing == NULL)
        return result;
    walk->depth++;
    while (result == 0 && (entry = readdir(listing)) != NULL)
        if (!is_dots(entry->d_name))
            result = look_at(walk, dirfd(listing), entry);
    walk->depth--;
    closedir(listing);
    return result;
}

static int move(const struct mn_root *root, int directory_fd, const char *name, const char *path,
                const char *new_path, bool keep)
{
    struct walk walk = {.root = root, .left = ENTRIES_MAX, .keep = keep};
    int result = mn_rules_may_move(root->rules, path, new_path);

    if (result != MN_RULES_LOOK)
        return result;
    if (copy_path(walk.path, path) != 0 || copy_path(walk.new_path, new_path) != 0)
        return -EXDEV;
    return look_into(&walk, directory_fd, name);
}

int mn_local_check_move(const struct mn_root *root, int directory_fd, const char *name,
                        const char *path, const char *new_path)
{
    return move(root, directory_fd, name, path, new_path, false);
}

int mn_local_prepare_move(const struct mn_root *root, int directory_fd, const char *name,
                          const char *path, const char *new_path)
{
    return move(root, directory_fd, name, path, new_path, true);
}

int mn_local_keep(const struct mn_root *root, int directory_fd, const char *name, const char *path)
{
    struct walk walk = {.root = root, .left = UINT32_MAX, .keep = true, .removed = true};
    int result;

    if (root->rules == NULL || path[0] == '\0' || copy_path(walk.path, path) != 0)
        return 0;
    (void)copy_path(walk.new_path, path);
    result = look_into(&walk, directory_fd, name);
    return result == -ENOTDIR || result == -ELOOP ? 0 : result;
}

int mn_local_keep_one(const struct mn_root *root, int directory_fd, const char *name,
                      const char *path)
{
    return keep_aside(root, directory_fd, name, path);
}

int mn_local_remove_directory(const struct mn_root *root, int directory_fd, const char *name,
                              const char *path)
{
    char beneath[PATH_MAX];
    const struct dirent *entry;
    int result;
    DIR *listing = open_listing(directory_fd, name, &result);

    if (listing == NULL)
        return result;
    if (copy_path(beneath, path) != 0)
        result = -ENOTEMPTY;
    while (result == 0 && (entry = readdir(listing)) != NULL) {
        bool directory = false;
        size_t size;

        if (is_dots(entry->d_name))
            continue;
        size = append(beneath, entry->d_name);
        result = size == 0 ? -ENOTEMPTY : is_directory(dirfd(listing), entry, &directory);
        if (result == 0 && !mn_rules_is_local_in(root->rules, beneath, directory))
            result = -ENOTEMPTY;
        beneath[size] = '\0';
    }
    closedir(listing);
    return result != 0 ? result : keep_aside(root, directory_fd, name, path);
}
