/* The dirty index under many threads: notes share commits, readers and removals take turns with
 * them, and no note that returned is lost. */
#include <pthread.h>
#include <stdatomic.h>

#include "check.h"
#include "journal/index.h"
#include "scratch.h"

enum { THREADS = 4, NOTES = 300, REGIONS = 40, ROOM = 64 };

static struct mn_index *index_;
static _Atomic int stop;

static struct mn_ref object_of(uintptr_t number)
{
    struct mn_ref ref = {.name = "name", .name_size = 4};
    memcpy(ref.id.bytes, &number, sizeof(number));
    return ref;
}

static void *note(void *argument)
{
    struct mn_ref ref = object_of((uintptr_t)argument);

    for (uint32_t i = 0; i < NOTES; i++) {
        struct mn_place place = {
            .kind = MN_PLACE_DATA, .region_first = i % REGIONS, .region_last = i % REGIONS};
        CHECK_INT(mn_index_note(index_, &ref, &place, NULL), 0);
    }
    return NULL;
}

static void *take_away(void *unused)
{
    struct mn_index_entry entries[ROOM];
    uint8_t cursor[512];
    uint32_t count;

    (void)unused;
    while (!stop) {
        uint16_t cursor_size = 0;
        CHECK_INT(mn_index_next(index_, cursor, &cursor_size, entries, ROOM, &count), 0);
        CHECK_INT(mn_index_remove(index_, entries, count), 0);
    }
    return NULL;
}

int main(void)
{
    char scratch[SCRATCH_PATH_BYTES];
    pthread_t threads[THREADS], remover;

    RUN("notes, walks and removals at once");
    if (!scratch_make(scratch))
        return 0;
    CHECK_INT(mn_index_open(scratch, 4 << 20, 10000, &index_), 0);
    CHECK_INT(pthread_create(&remover, NULL, take_away, NULL), 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, note, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    stop = 1;
    CHECK_INT(pthread_join(remover, NULL), 0);

    RUN("a note after the removals is there");
    for (uintptr_t i = 0; i < THREADS; i++) {
        struct mn_ref ref = object_of(i);
        (void)note((void *)i);
        for (uint64_t region = 0; region < REGIONS; region++)
            CHECK(mn_index_has(index_, 0, &ref.id, MN_PLACE_DATA, region));
    }
    mn_index_close(index_);
    scratch_remove(scratch);
    return 0;
}
