/* The recent set under many threads: capture notes, checkpoints trim, a parting reads. */
#include <pthread.h>
#include <stdatomic.h>

#include "check.h"
#include "journal/recent.h"

enum { THREADS = 4, NOTES = 20000 };

static struct mn_recent *recent;
static _Atomic uint64_t epoch = 1;

static int visit(void *context, const struct mn_ref *ref, const struct mn_place *place)
{
    (void)ref;
    *(uint64_t *)context += place->kind;
    return 0;
}

static void *note(void *argument)
{
    uint32_t thread = (uint32_t)(uintptr_t)argument;

    for (uint32_t i = 0; i < NOTES; i++) {
        struct mn_ref ref = {.name = "name", .name_size = 4};
        uint32_t number = i % 50 + thread * 10;
        memcpy(ref.id.bytes, &number, sizeof(number));
        struct mn_place place = {
            .kind = MN_PLACE_DATA, .region_first = i % 200, .region_last = i % 200 + 3};
        struct mn_place name = {.kind = MN_PLACE_NAME, .name = "entry", .name_size = 5};
        mn_recent_note(recent, &ref, &place, epoch);
        mn_recent_note(recent, &ref, &name, epoch);
    }
    return NULL;
}

static void *trim(void *stop)
{
    uint64_t seen = 0;

    while (!*(_Atomic int *)stop) {
        uint64_t last = atomic_fetch_add(&epoch, 1);
        mn_recent_trim(recent, last - 1);
        (void)mn_recent_visit(recent, visit, &seen);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS], trimmer;
    _Atomic int stop = 0;

    RUN("notes, trims and visits at once");
    CHECK_INT(mn_recent_create(4096, &recent), 0);
    CHECK_INT(pthread_create(&trimmer, NULL, trim, &stop), 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, note, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    stop = 1;
    CHECK_INT(pthread_join(trimmer, NULL), 0);
    mn_recent_trim(recent, UINT64_MAX);
    CHECK_INT(mn_recent_count(recent), 0);
    mn_recent_destroy(recent);
    return 0;
}
