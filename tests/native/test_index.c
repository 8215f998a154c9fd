/* The dirty index: durable when it says so, bounded, and never forgetful. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "index_notes.h"
#include "scratch.h"

enum { MAP_BYTES = 4 << 20, ENTRIES_MAX = 10000, ROOM = 256 };

static char scratch[SCRATCH_PATH_BYTES];
static char directory[SCRATCH_PATH_BYTES + 16];
static struct mn_index_entry entries[ROOM];

static struct mn_index *open_index(uint64_t map_bytes, uint32_t entry_count_max)
{
    struct mn_index *index;
    CHECK_INT(mn_index_open(directory, map_bytes, entry_count_max, &index), 0);
    return index;
}

/* How many entries of a kind the walk shows, or of all kinds when kind is 0. */
static uint32_t walk(struct mn_index *index, uint8_t kind)
{
    uint8_t cursor[512];
    uint16_t cursor_size = 0;
    uint32_t count, found = 0;

    do {
        CHECK_INT(mn_index_next(index, cursor, &cursor_size, entries, 7, &count), 0);
        for (uint32_t i = 0; i < count; i++)
            found += kind == 0 || entries[i].kind == kind;
    } while (count > 0);
    return found;
}

static void test_round_trip(void)
{
    RUN("what is noted is there, in order, and after reopening");
    struct mn_index *index = open_index(MAP_BYTES, ENTRIES_MAX);
    struct mn_index *second;
    CHECK_INT(mn_index_open(directory, MAP_BYTES, ENTRIES_MAX, &second), -EBUSY);
    CHECK_INT(index_note(index, 2, MN_PLACE_NAME, 0, "name"), 0);
    CHECK_INT(index_note(index, 1, MN_PLACE_DATA, 300, NULL), 0);
    CHECK_INT(index_note(index, 1, MN_PLACE_DATA, 2, NULL), 0);
    CHECK_INT(index_note(index, 1, MN_PLACE_DATA, 2, NULL), 0);
    CHECK_INT(index_note(index, 1, MN_PLACE_ATTRIBUTES, 0, NULL), 0);
    CHECK_INT(index_note(index, 3, MN_PLACE_SUBTREE, 0, NULL), 0);
    mn_index_close(index);
    index = open_index(MAP_BYTES, ENTRIES_MAX);
    CHECK_INT(mn_index_count(index), 5);
    CHECK_INT(walk(index, 0), 5);
    CHECK_INT(index_read(index, entries, ROOM), 5);
    CHECK_INT(entries[0].kind, MN_PLACE_DATA);
    CHECK_INT(entries[0].region, 2);
    CHECK_INT(entries[1].region, 300);
    CHECK_INT(entries[2].kind, MN_PLACE_ATTRIBUTES);
    CHECK_INT(entries[3].kind, MN_PLACE_NAME);
    CHECK_INT(entries[3].name_size, 4);
    CHECK_BYTES(entries[3].name, "name", 4);
    CHECK_BYTES(entries[3].hint, "hint", 4);
    CHECK_INT(entries[3].handle.size, 8);
    CHECK_INT(entries[3].parent_handle.type, 2);
    CHECK_INT(entries[3].parent_handle.size, 7);
    CHECK_BYTES(entries[3].parent_handle.bytes, "parent", 7);
    CHECK_INT(entries[0].parent_handle.size, 0);
    CHECK_INT(entries[3].root, 2);
    struct mn_ref one = index_object(1);
    CHECK(mn_index_has(index, 2, &one.id, MN_PLACE_DATA, 300));
    CHECK(!mn_index_has(index, 2, &one.id, MN_PLACE_DATA, 301));
    CHECK(!mn_index_has(index, 1, &one.id, MN_PLACE_DATA, 300));

    RUN("what cannot be is refused");
    CHECK_INT(index_note(index, 1, 9, 0, NULL), -EINVAL);
    CHECK_INT(index_note(index, 1, MN_PLACE_NAME, 0, NULL), -EINVAL);
    CHECK_INT(index_note(index, 1, MN_PLACE_DATA, 4, NULL), 0);

    RUN("cleared is empty, also for what was known");
    CHECK_INT(mn_index_clear(index), 0);
    CHECK_INT(mn_index_count(index), 0);
    CHECK_INT(index_note(index, 1, MN_PLACE_DATA, 2, NULL), 0);
    CHECK_INT(mn_index_count(index), 1);
    CHECK_INT(mn_index_clear(index), 0);
    mn_index_close(index);
}

static void test_removal(void)
{
    RUN("an entry is removed, unless it was touched since it was read");
    struct mn_index *index = open_index(MAP_BYTES, ENTRIES_MAX);
    CHECK_INT(index_note(index, 1, MN_PLACE_DATA, 1, NULL), 0);
    CHECK_INT(index_note(index, 1, MN_PLACE_DATA, 2, NULL), 0);
    CHECK_INT(index_read(index, entries, ROOM), 2);
    CHECK_INT(index_note(index, 1, MN_PLACE_DATA, 2, NULL), 0);
    CHECK_INT(mn_index_remove(index, entries, 2), 0);
    CHECK_INT(index_read(index, entries, ROOM), 1);
    CHECK_INT(entries[0].region, 2);

    RUN("an entry removed is noted again by the next touch");
    CHECK_INT(mn_index_remove(index, entries, 1), 0);
    CHECK_INT(mn_index_count(index), 0);
    CHECK_INT(index_note(index, 1, MN_PLACE_DATA, 2, NULL), 0);
    CHECK_INT(mn_index_count(index), 1);

    RUN("a run of regions is one entry, and each region leaves unless it was touched since");
    for (uint32_t region = 3; region < 9; region++)
        CHECK_INT(index_note(index, 1, MN_PLACE_DATA, region, NULL), 0);
    CHECK_INT(index_note(index, 1, MN_PLACE_DATA, 20, NULL), 0);
    CHECK_INT(index_note(index, 1, MN_PLACE_ATTRIBUTES, 0, NULL), 0);
    CHECK_INT(index_note(index, 3, MN_PLACE_DATA, 21, NULL), 0);
    uint32_t read = index_read(index, entries, ROOM);
    CHECK_INT(mn_index_join_regions(entries, read), 4);
    CHECK_INT(entries[0].region, 2);
    CHECK_INT(entries[0].region_count, 7);
    CHECK_INT(entries[1].region_count, 1);
    CHECK_INT(index_note(index, 1, MN_PLACE_DATA, 5, NULL), 0);
    CHECK_INT(mn_index_remove(index, entries, 4), 0);
    CHECK_INT(index_read(index, entries, ROOM), 1);
    CHECK_INT(entries[0].region, 5);
    CHECK_INT(mn_index_join_regions(entries, 0), 0);

    RUN("a run that comes from the peer is noted region by region");
    entries[0].region_count = 3;
    CHECK_INT(mn_index_merge(index, entries, 1), 0);
    CHECK_INT(mn_index_count(index), 3);
    CHECK_INT(index_read(index, entries, ROOM), 3);
    CHECK_INT(mn_index_remove(index, entries, 3), 0);
    CHECK_INT(mn_index_count(index), 0);

    RUN("a cursor goes on where its entry was removed");
    CHECK_INT(index_note(index, 1, MN_PLACE_DATA, 2, NULL), 0);
    uint8_t cursor[512];
    uint16_t cursor_size = 0;
    uint32_t count;
    for (uint32_t region = 10; region < 15; region++)
        CHECK_INT(index_note(index, 1, MN_PLACE_DATA, region, NULL), 0);
    CHECK_INT(mn_index_next(index, cursor, &cursor_size, entries, 2, &count), 0);
    CHECK_INT(mn_index_remove(index, entries, 2), 0);
    CHECK_INT(mn_index_next(index, cursor, &cursor_size, entries, 2, &count), 0);
    CHECK_INT(count, 2);
    CHECK_INT(entries[0].region, 11);
    CHECK_INT(mn_index_clear(index), 0);
    mn_index_close(index);
}

static void test_joined(void)
{
    struct mn_recent *recent;
    struct mn_place place = {.kind = MN_PLACE_DATA, .region_first = 4, .region_last = 9};
    struct mn_ref ref = index_object(7);

    RUN("a recent set and a peer's entries come in, and a handle is learnt");
    struct mn_index *index = open_index(MAP_BYTES, ENTRIES_MAX);
    CHECK_INT(mn_recent_create(1024, &recent), 0);
    mn_recent_note(recent, &ref, &place, 1);
    CHECK_INT(mn_index_absorb(index, recent), 0);
    CHECK_INT(mn_index_count(index), 6);
    CHECK_INT(mn_recent_count(recent), 6);
    memset(entries, 0, sizeof(entries));
    for (uint32_t i = 0; i < 100; i++) {
        entries[i].kind = MN_PLACE_DATA;
        entries[i].root = 2;
        entries[i].id = ref.id;
        entries[i].region = i;
    }
    CHECK_INT(mn_index_merge(index, entries, 100), 0);
    CHECK_INT(mn_index_count(index), 100);
    CHECK_INT(index_read(index, entries, ROOM), 100);
    CHECK_INT(entries[3].handle.size, 0);
    CHECK_INT(entries[4].handle.size, 8);
    mn_index_close(index);
    index = open_index(MAP_BYTES, ENTRIES_MAX);
    CHECK_INT(index_note(index, 7, MN_PLACE_DATA, 3, NULL), 0);
    CHECK_INT(index_read(index, entries, ROOM), 100);
    CHECK_INT(entries[3].handle.size, 8);

    RUN("a large range is the whole object, which replaces its parts");
    place = (struct mn_place){.kind = MN_PLACE_DATA, .region_last = 1 << 20};
    CHECK_INT(mn_index_note(index, &ref, &place, NULL), 0);
    CHECK_INT(index_read(index, entries, ROOM), 1);
    CHECK_INT(entries[0].kind, MN_PLACE_WHOLE);
    CHECK(mn_index_has(index, 2, &ref.id, MN_PLACE_DATA, 77));

    RUN("a touch of a part keeps the whole");
    CHECK_INT(index_note(index, 7, MN_PLACE_DATA, 5, NULL), 0);
    CHECK_INT(mn_index_count(index), 1);
    CHECK_INT(mn_index_remove(index, entries, 1), 0);
    CHECK_INT(mn_index_count(index), 1);
    CHECK_INT(mn_index_clear(index), 0);
    mn_recent_destroy(recent);
    mn_index_close(index);
}

static void test_bounds(void)
{
    enum { SMALL = 100 };

    RUN("beyond the bound objects and directories are whole, then the root is");
    struct mn_index *index = open_index(MAP_BYTES, SMALL);
    for (uint32_t i = 0; i < SMALL; i++)
        CHECK_INT(index_note(index, i % 5, MN_PLACE_DATA, i, NULL), 0);
    CHECK_INT(walk(index, MN_PLACE_WHOLE), 0);
    CHECK_INT(index_note(index, 0, MN_PLACE_DATA, SMALL, NULL), 0);
    CHECK_INT(walk(index, MN_PLACE_WHOLE), 1);
    CHECK_INT(mn_index_count(index), SMALL - SMALL / 5 + 1);
    struct mn_ref zero = index_object(0);
    CHECK(mn_index_has(index, 2, &zero.id, MN_PLACE_DATA, 5));
    for (uint32_t i = 0; i < 3 * SMALL; i++)
        CHECK_INT(index_note(index, 1000 + i, MN_PLACE_ATTRIBUTES, 0, NULL), 0);
    CHECK_INT(walk(index, MN_PLACE_ALL), 1);
    CHECK(mn_index_count(index) <= SMALL + SMALL / 8 + 1);
    struct mn_ref any = index_object(4711);
    CHECK(mn_index_has(index, 2, &any.id, MN_PLACE_ATTRIBUTES, 0));
    CHECK(!mn_index_has(index, 3, &any.id, MN_PLACE_ATTRIBUTES, 0));
    CHECK_INT(mn_index_clear(index), 0);
    mn_index_close(index);
}

static void test_full_map(void)
{
    char name[256];

    RUN("a map that is too small for its bound fills, says ALL, and can be emptied");
    struct mn_index *index = open_index(1 << 20, 1000000);
    for (uint32_t i = 0; i < 300; i++) {
        for (uint32_t k = 0; k < 16; k++) {
            entries[k] =
                (struct mn_index_entry){.kind = MN_PLACE_NAME, .name_size = 255, .hint_size = 255};
            memcpy(entries[k].id.bytes, &i, sizeof(i));
            (void)snprintf(name, sizeof(name), "%0255u", k);
            memcpy(entries[k].name, name, 255);
        }
        CHECK_INT(mn_index_merge(index, entries, 16), 0);
    }
    CHECK_INT(walk(index, MN_PLACE_ALL), 1);
    while (index_read(index, entries, ROOM) > 0)
        CHECK_INT(mn_index_remove(index, entries, index_read(index, entries, ROOM)), 0);
    CHECK_INT(mn_index_count(index), 0);
    CHECK_INT(index_note(index, 1, MN_PLACE_DATA, 2, NULL), 0);
    CHECK_INT(walk(index, MN_PLACE_ALL), 0);
    CHECK_INT(mn_index_clear(index), 0);
    mn_index_close(index);
}

/* Notes regions 0, 1, 2 ... and says each number once it is durable. */
static void note_for_ever(int to)
{
    struct mn_index *index = open_index(MAP_BYTES, ENTRIES_MAX);

    for (uint32_t region = 0; region < ENTRIES_MAX; region++) {
        if (index_note(index, 1, MN_PLACE_DATA, region, NULL) != 0 ||
            write(to, &region, sizeof(region)) != sizeof(region))
            _exit(1);
    }
    _exit(0);
}

static void test_killed(void)
{
    for (uint32_t after = 1; after < 200; after += 60) {
        int ends[2];
        uint32_t region = 0, noted = 0;
        RUN("a killed process leaves all that it said was noted");
        CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0)
            note_for_ever(ends[1]);
        close(ends[1]);
        while (read(ends[0], &region, sizeof(region)) == sizeof(region)) {
            if (++noted == after)
                CHECK_INT(kill(child, SIGKILL), 0);
        }
        CHECK_INT(waitpid(child, NULL, 0), child);
        close(ends[0]);
        CHECK(noted >= after);
        struct mn_index *index = open_index(MAP_BYTES, ENTRIES_MAX);
        struct mn_ref ref = index_object(1);
        for (uint32_t i = 0; i < noted; i++)
            CHECK(mn_index_has(index, 2, &ref.id, MN_PLACE_DATA, i));
        CHECK(mn_index_count(index) <= noted + 1);
        CHECK_INT(mn_index_clear(index), 0);
        mn_index_close(index);
    }
}

static void test_damaged(void)
{
    char path[SCRATCH_PATH_BYTES + 32];
    char data[MAP_BYTES];
    struct mn_index *index;

    RUN("a damaged entry, a cut file and foreign bytes are seen at open");
    (void)snprintf(path, sizeof(path), "%s/data.mdb", directory);
    index = open_index(MAP_BYTES, ENTRIES_MAX);
    CHECK_INT(index_note(index, 1, MN_PLACE_NAME, 0, "a name to be found"), 0);
    mn_index_close(index);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    ssize_t size = pread(fd, data, sizeof(data), 0);
    CHECK_INT(size, sizeof(data));
    char *name = memmem(data, sizeof(data), "a name to be found", 18);
    CHECK(name != NULL);
    while (name != NULL) {
        CHECK_INT(pwrite(fd, "A", 1, name - data), 1);
        name = memmem(name + 1, sizeof(data) - (size_t)(name + 1 - data), "a name to be", 12);
    }
    CHECK_INT(mn_index_open(directory, MAP_BYTES, ENTRIES_MAX, &index), -EUCLEAN);
    CHECK_INT(ftruncate(fd, 8192), 0);
    CHECK_INT(mn_index_open(directory, MAP_BYTES, ENTRIES_MAX, &index), -EUCLEAN);
    CHECK_INT(ftruncate(fd, 0), 0);
    CHECK_INT(pwrite(fd, data + 8192, 8192, 0), 8192);
    CHECK_INT(mn_index_open(directory, MAP_BYTES, ENTRIES_MAX, &index), -EUCLEAN);
    CHECK_INT(ftruncate(fd, 0), 0);
    close(fd);
    index = open_index(MAP_BYTES, ENTRIES_MAX);
    CHECK_INT(mn_index_count(index), 0);
    mn_index_close(index);
}

/* In a mount namespace of its own: a small disk. Returns when it is full. */
static void fill_disk(const char *path)
{
    static const char zeros[65536];
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    CHECK(fd >= 0);
    while (write(fd, zeros, sizeof(zeros)) > 0)
        ;
    CHECK_INT(errno, ENOSPC);
    close(fd);
}

static void use_full_disk(void)
{
    char path[SCRATCH_PATH_BYTES + 32];
    struct mn_index *index;

    CHECK_INT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    CHECK_INT(mkdir(directory, 0700) == 0 || errno == EEXIST, 1);
    CHECK_INT(mount("tmpfs", directory, "tmpfs", 0, "size=2m"), 0);
    (void)snprintf(path, sizeof(path), "%s/store", directory);
    CHECK_INT(mn_index_open(path, MAP_BYTES, ENTRIES_MAX, &index), -ENOSPC);
    CHECK_INT(mount("tmpfs", directory, "tmpfs", 0, "size=6m"), 0);
    CHECK_INT(mn_index_open(path, MAP_BYTES, ENTRIES_MAX, &index), 0);
    (void)snprintf(path, sizeof(path), "%s/filler", directory);
    fill_disk(path);
    for (uint32_t i = 0; i < 2000; i++)
        CHECK_INT(index_note(index, i, MN_PLACE_DATA, i, NULL), 0);
    CHECK_INT(mn_index_count(index), 2000);
    CHECK_INT(mn_index_clear(index), 0);
    CHECK_INT(mn_index_count(index), 0);
    mn_index_close(index);
}

static void test_full_disk(void)
{
    int status;

    RUN("no room at open is an error; a disk that fills later is not");
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (unshare(CLONE_NEWNS) != 0) {
            printf("skip: no mount namespaces here\n");
            _exit(0);
        }
        use_full_disk();
        _exit(0);
    }
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
}

int main(void)
{
    if (!scratch_make(scratch))
        return 0;
    (void)snprintf(directory, sizeof(directory), "%s/index", scratch);
    test_round_trip();
    test_removal();
    test_joined();
    test_bounds();
    test_full_map();
    test_killed();
    test_damaged();
    test_full_disk();
    scratch_remove(scratch);
    return 0;
}
