/* Nodes live as long as the kernel, a child or an operation holds them, and no longer. */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>

#include "capture/node.h"
#include "check.h"

enum { MOVES = 20000 };

struct moving {
    struct mn_node_table *table;
    struct mn_node *directory; /* stands at "here" or at "there" */
    bool ended;                /* atomic */
};

static void *move_about(void *argument)
{
    struct moving *moving = argument;
    struct mn_node *root = moving->table->root;

    for (int i = 0; i < MOVES; i++) {
        mn_node_move(moving->table, moving->directory, root, "here", root, "there");
        mn_node_move(moving->table, moving->directory, root, "there", root, "here");
    }
    __atomic_store_n(&moving->ended, true, __ATOMIC_RELEASE);
    return NULL;
}

/* Returns how many times what is in the directory had no path, or another one than these two. */
static int paths_missing(struct moving *moving)
{
    pthread_t mover;
    int missing = 0;

    CHECK_INT(pthread_create(&mover, NULL, move_about, moving), 0);
    while (!__atomic_load_n(&moving->ended, __ATOMIC_ACQUIRE)) {
        char path[64];

        if (mn_node_path(moving->table, moving->directory, "f", path, sizeof(path)) != 0 ||
            (strcmp(path, "here/f") != 0 && strcmp(path, "there/f") != 0))
            missing++;
    }
    pthread_join(mover, NULL);
    return missing;
}

static struct mn_handle handle_of(uint8_t number)
{
    struct mn_handle handle = {.type = 1, .size = 2, .bytes = {number, 0x55}};

    return handle;
}

int main(void)
{
    struct mn_handle root_handle = handle_of(0), directory_handle = handle_of(1),
                     file_handle = handle_of(2);
    struct mn_id root_id = {.bytes = {1}};
    struct mn_node_table table;
    struct mn_node *directory, *file;
    int removed_fd;

    RUN("a child keeps its parent; forgetting the child frees both");
    CHECK_INT(mn_node_table_init(&table, &root_handle, &root_id), 0);
    directory = mn_node_get(&table, &directory_handle, table.root, "d");
    file = mn_node_get(&table, &file_handle, directory, "f");
    mn_node_looked_up(&table, file);
    mn_node_unpin(&table, directory);
    mn_node_unpin(&table, file);
    CHECK_INT(table.node_count, 3);
    CHECK(mn_node_find(&table, &file_handle) == file);
    mn_node_unpin(&table, file);
    mn_node_forget(&table, file, 1);
    CHECK_INT(table.node_count, 1);
    CHECK(mn_node_find(&table, &file_handle) == NULL);

    RUN("a rename moves a node; the name it had is not taken from it later");
    file = mn_node_get(&table, &file_handle, table.root, "old");
    mn_node_unplace(&table, file, table.root, "old");
    mn_node_place(&table, file, table.root, "new");
    mn_node_unplace(&table, file, table.root, "old");
    CHECK_TEXT(file->name, "new");
    mn_node_unplace(&table, file, table.root, "new");
    CHECK(file->parent == NULL);

    RUN("what is in a directory that is renamed has a path at every moment");
    directory = mn_node_get(&table, &directory_handle, table.root, "here");
    CHECK_INT(paths_missing(&(struct moving){.table = &table, .directory = directory}), 0);
    mn_node_unpin(&table, directory);

    RUN("of several names one is left when the others go, whatever the order");
    directory = mn_node_get(&table, &directory_handle, table.root, "d");
    mn_node_place(&table, file, table.root, "one");
    mn_node_place(&table, file, directory, "two");
    mn_node_place(&table, file, directory, "two");
    mn_node_place(&table, file, table.root, "three");
    mn_node_unplace(&table, file, table.root, "one");
    CHECK_TEXT(file->name, "two");
    CHECK(file->parent == directory);
    mn_node_unplace(&table, file, table.root, "three");
    CHECK_TEXT(file->name, "two");
    mn_node_unpin(&table, directory);
    CHECK_INT(table.node_count, 3); /* the name keeps its directory */
    mn_node_unplace(&table, file, directory, "two");
    CHECK(file->parent == NULL && file->others == NULL);
    CHECK_INT(table.node_count, 2);

    RUN("more names than are kept are harmless");
    for (int i = 0; i < 2 * MN_NODE_OTHER_NAMES_MAX; i++) {
        char name[8] = {(char)('a' + i % 26), (char)('a' + i / 26)};

        mn_node_place(&table, file, table.root, name);
    }
    CHECK_TEXT(file->name, "a"
                           "a");
    CHECK_INT(table.node_count, 2);

    RUN("times are marked once and taken once");
    mn_node_times_mark(&table, file);
    mn_node_times_mark(&table, file);
    CHECK(mn_node_times_take(&table) == file);
    CHECK(mn_node_times_take(&table) == NULL);
    mn_node_unpin(&table, file);
    mn_node_unpin(&table, file);
    CHECK_INT(table.node_count, 1);

    RUN("what was removed is held open for as long as the kernel knows it, and no longer");
    directory = mn_node_get(&table, &directory_handle, table.root, "d");
    mn_node_looked_up(&table, directory);
    mn_node_looked_up(&table, directory);
    directory->removed_fd = open("/", O_PATH);
    CHECK(directory->removed_fd >= 0);
    removed_fd = directory->removed_fd;
    mn_node_forget(&table, directory, 1);
    CHECK(fcntl(removed_fd, F_GETFD) >= 0);
    mn_node_forget(&table, directory, 1); /* its time is still to be sent: it is pinned */
    CHECK_INT(fcntl(removed_fd, F_GETFD), -1);
    mn_node_unpin(&table, directory);
    CHECK_INT(table.node_count, 1);

    RUN("many nodes are found again after the table has grown");
    for (int i = 0; i < 5000; i++) {
        struct mn_handle handle = {
            .type = 1, .size = 4, .bytes = {9, (uint8_t)i, (uint8_t)(i >> 8), 1}};

        CHECK(mn_node_get(&table, &handle, table.root, "x") != NULL);
        CHECK(mn_node_find(&table, &handle) != NULL);
    }
    CHECK_INT(table.node_count, 5001);
    mn_node_table_deinit(&table);
    return 0;
}
