/* Step 0 of a change: each object has an identity, and in a session the secondary knows it (design
 * 8).
 *
 * An object is introduced by its parent's identity and its name, so no name on the way may change
 * meanwhile: the tree lock is held exclusively, changes of names hold it shared. It is taken
 * before the conflict locks and given back before them, so the two never wait for each other.
 * After its first use an object costs one comparison here. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/change.h"
#include "lower/xattr_access.h"

int mn_node_identify(struct mn_mount *mount, struct mn_node *node)
{
    struct mn_id id;
    int fd;
    int result;

    if ((mn_node_flags(node) & MN_NODE_HAS_ID) != 0)
        return 0;
    fd = mn_lower_open(mount->root, mn_node_handle(node), O_PATH);
    if (fd < 0)
        return fd;
    result = mn_lower_id_get(fd, mn_node_handle(node), &id);
    close(fd);
    if (result != 0)
        return result;
    node->id = id; /* two threads write the same 16 bytes; the flag comes after */
    mn_node_flag_set(node, MN_NODE_HAS_ID);
    return 0;
}

void mn_node_ref(const struct mn_mount *mount, const struct mn_node *node, struct mn_ref *ref_out)
{
    struct mn_node_table *table = (struct mn_node_table *)(uintptr_t)&mount->nodes;

    ref_out->id = node->id;
    mn_handle_copy(&ref_out->handle, mn_node_handle(node));
    ref_out->root = (uint8_t)mount->root->index;
    pthread_mutex_lock(&table->mutex);
    ref_out->name = node->name == NULL ? "" : node->name;
    ref_out->name_size = node->name_size;
    if (node->parent != NULL && (mn_node_flags(node->parent) & MN_NODE_HAS_ID) != 0)
        ref_out->parent = node->parent->id;
    else
        memset(&ref_out->parent, 0, sizeof(ref_out->parent));
    if (node->parent != NULL)
        mn_handle_copy(&ref_out->parent_handle, mn_node_handle(node->parent));
    else
        ref_out->parent_handle.size = 0;
    pthread_mutex_unlock(&table->mutex);
}

/* Gives an object found without identity a new one: alone here only, else on both, the secondary
 * first (invariant 1). */
static int give_identity(struct mn_change *change, struct mn_node *node)
{
    struct mn_worker *worker = change->worker;
    struct mn_message_set_identity message = {.epoch = change->epoch,
                                              .root = (uint8_t)change->mount->root->index};
    struct mn_ack ack;
    int fd;
    int result = mn_lower_id_new(&message.id);

    if (result != 0)
        return result;
    if (change->mode == MN_MODE_MIRRORED) {
        mn_change_count(change);
        message.parent = node->parent->id;
        message.name = node->name;
        message.name_size = node->name_size;
        result = mn_encode_set_identity(&message, mn_connection_begin(worker->connection));
        if (result == 0)
            result = mn_connection_send(worker->connection, MN_MESSAGE_SET_IDENTITY);
        if (result == 0)
            result = mn_connection_receive_ack(worker->connection, &ack);
        if (result != 0 || ack.error != 0) {
            mn_capture_session_lost(worker->capture, result != 0 ? result : -ack.error,
                                    "the secondary cannot give an object its identity");
            return MN_PARK;
        }
    }
    fd = mn_lower_open(change->mount->root, mn_node_handle(node), O_PATH);
    if (fd < 0)
        return fd;
    /* Reintegration names objects too, while this node is alone. */
    result = mn_lower_id_give(fd, mn_node_handle(node), &message.id);
    close(fd);
    if (result != 0)
        return result;
    node->id = message.id;
    mn_node_flag_set(node, MN_NODE_HAS_ID);
    return 0;
}

static int introduce_one(struct mn_change *change, struct mn_node *node, uint32_t serial)
{
    struct mn_worker *worker = change->worker;
    struct mn_message_introduce message = {.root = (uint8_t)change->mount->root->index,
                                           .id = node->id};
    struct mn_ack ack;
    int result;

    message.parent = node->parent->id;
    message.name = node->name;
    message.name_size = node->name_size;
    result = mn_encode_introduce(&message, mn_connection_begin(worker->connection));
    if (result == 0)
        result = mn_connection_send(worker->connection, MN_MESSAGE_INTRODUCE);
    if (result == 0)
        result = mn_connection_receive_ack(worker->connection, &ack);
    if (result != 0 || ack.error != 0) {
        char why[MN_REASON_BYTES];

        snprintf(why, sizeof(why), "the secondary has another object at the name %.100s",
                 node->name);
        mn_capture_session_lost(worker->capture, result != 0 ? result : -ack.error, why);
        return MN_PARK;
    }
    __atomic_store_n(&node->introduced_serial, serial, __ATOMIC_RELEASE);
    return 0;
}

/* The step from `parent` (pinned) and its descriptor (owned) to a name: both are replaced. */
static int step_down(struct mn_mount *mount, struct mn_node **parent, int *fd, const char *name,
                     bool last)
{
    struct mn_handle handle;
    struct mn_node *node;
    int below = -1;
    int result = mn_lower_handle(*fd, name, &handle);

    if (result == 0 && !last) {
        below = openat(*fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        result = below < 0 ? -errno : 0;
    }
    if (result != 0)
        return result;
    node = mn_node_get(&mount->nodes, &handle, *parent, name);
    if (node == NULL) {
        if (below >= 0)
            close(below);
        return -ENOMEM;
    }
    mn_node_unpin(&mount->nodes, *parent);
    *parent = node;
    if (!last) {
        close(*fd);
        *fd = below;
    }
    return 0;
}

/* The path of a descriptor, as the kernel knows it; -ESTALE when it does not. */
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

/* The name that was known is gone, but the object has another one (a hard link). The kernel tells,
 * as long as it has that name in its cache; what stands there is looked at, not believed. */
static int find_other_name(struct mn_mount *mount, struct mn_node *node)
{
    char path[PATH_MAX];
    char top[PATH_MAX];
    struct mn_node *at;
    char *rest = NULL;
    size_t top_length;
    int result;
    int fd = mn_lower_open(mount->root, mn_node_handle(node), O_PATH);

    if (fd < 0)
        return fd;
    result = path_of(fd, path, sizeof(path));
    close(fd);
    if (result == 0)
        result = path_of(mount->root->directory_fd, top, sizeof(top));
    if (result != 0)
        return result;
    top_length = strcmp(top, "/") == 0 ? 0 : strlen(top);
    if (strncmp(path, top, top_length) != 0 || path[top_length] != '/')
        return -ESTALE;
    fd = openat(mount->root->directory_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    at = mount->nodes.root;
    mn_node_pin(&mount->nodes, at);
    for (char *name = strtok_r(path + top_length, "/", &rest); name != NULL && result == 0;) {
        char *next = strtok_r(NULL, "/", &rest);

        result = step_down(mount, &at, &fd, name, next == NULL);
        name = next;
    }
    if (result == 0 && at != node) /* placed there by the last step, if it is the one */
        result = -ESTALE;
    mn_node_unpin(&mount->nodes, at);
    close(fd);
    return result == -ENOENT || result == -ENOTDIR ? -ESTALE : result;
}

/* The tree is held exclusively. From the node up to the first one the secondary knows, then down
 * again. */
static int introduce_path(struct mn_change *change, struct mn_node *node, uint32_t serial)
{
    struct mn_node *path[256];
    uint32_t depth;
    int result = 0;

    do { /* a path deeper than the array is done from the top in several turns */
        struct mn_node *at = node;

        depth = 0;
        for (; at->introduced_serial != serial && at != change->mount->nodes.root;
             at = at->parent) {
            path[depth++ % 256] = at;
            if (at->parent == NULL &&
                (find_other_name(change->mount, at) != 0 || at->parent == NULL))
                return -ESTALE; /* its name is not known any more */
        }
        for (uint32_t i = 0; i < depth && i < 256 && result == 0; i++) {
            struct mn_node *next = path[(depth - 1 - i) % 256];

            result = mn_node_identify(change->mount, next);
            if (result == MN_ID_MISSING)
                result = give_identity(change, next);
            if (result == 0)
                result = introduce_one(change, next, serial);
        }
    } while (result == 0 && depth > 256);
    return result;
}

static int identify_alone(struct mn_change *change, struct mn_node *node)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    int result = mn_node_identify(change->mount, node);

    if (result != MN_ID_MISSING)
        return result;
    pthread_mutex_lock(&one_at_a_time);
    result = mn_node_identify(change->mount, node);
    if (result == MN_ID_MISSING)
        result = give_identity(change, node);
    pthread_mutex_unlock(&one_at_a_time);
    return result;
}

int mn_introduce(struct mn_change *change)
{
    struct mn_capture *capture = change->worker->capture;
    uint32_t serial = change->session_serial;
    int result = 0;

    if (change->local)
        return 0;
    if (change->mode == MN_MODE_MIRRORED &&
        (change->worker->connection == NULL ||
         !__atomic_load_n(&capture->session_live, __ATOMIC_ACQUIRE)))
        return MN_PARK;
    for (uint32_t i = 0; i < change->object_count && result == 0; i++) {
        struct mn_node *node = change->objects[i];

        if ((mn_node_flags(node) & MN_NODE_UNLINKED) != 0)
            continue; /* stays on this node */
        if (change->mode == MN_MODE_ALONE) {
            result = identify_alone(change, node);
            continue;
        }
        if (__atomic_load_n(&node->introduced_serial, __ATOMIC_ACQUIRE) == serial ||
            node == change->mount->nodes.root)
            continue;
        pthread_rwlock_wrlock(&capture->tree);
        result = introduce_path(change, node, serial);
        pthread_rwlock_unlock(&capture->tree);
        if (result == -ESTALE && (mn_node_flags(node) & MN_NODE_UNLINKED) != 0) {
            result = 0; /* lost its last name meanwhile */
        } else if (result == -ESTALE) {
            mn_capture_session_lost(
                capture, result, "an object in use has no name that could be told the secondary");
            result = MN_PARK;
        }
    }
    return result;
}
