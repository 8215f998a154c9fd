/* The recent set: what is kept, what subsumes, what is forgotten when, and what gives way. */
#include "check.h"
#include "journal/recent.h"

enum { PLACES_MAX = 1024 };

struct shown {
    uint32_t count;
    uint32_t of_kind[8];
    struct mn_ref last;
    char hint[256];
    char name[256];
};

static int show(void *context, const struct mn_ref *ref, const struct mn_place *place)
{
    struct shown *shown = context;

    shown->count++;
    shown->of_kind[place->kind]++;
    shown->last = *ref;
    memcpy(shown->hint, ref->name, ref->name_size);
    shown->hint[ref->name_size] = '\0';
    memcpy(shown->name, place->name, place->name_size);
    shown->name[place->name_size] = '\0';
    return 0;
}

static struct shown look(struct mn_recent *recent)
{
    struct shown shown = {0};
    CHECK_INT(mn_recent_visit(recent, show, &shown), 0);
    CHECK_INT(shown.count, mn_recent_count(recent));
    return shown;
}

static struct mn_ref object_of(uint32_t number, const char *hint)
{
    struct mn_ref ref = {.name = hint, .name_size = (uint16_t)strlen(hint), .root = 1};
    memcpy(ref.id.bytes, &number, sizeof(number));
    ref.id.bytes[15] = 1;
    return ref;
}

static void note(struct mn_recent *recent, uint32_t object, uint8_t kind, uint64_t region,
                 const char *name, uint64_t epoch)
{
    struct mn_ref ref = object_of(object, "hint");
    struct mn_place place = {.kind = kind,
                             .region_first = region,
                             .region_last = region,
                             .name = name,
                             .name_size = (uint16_t)(name ? strlen(name) : 0)};
    mn_recent_note(recent, &ref, &place, epoch);
}

static void test_keeps_and_forgets(struct mn_recent *recent)
{
    RUN("a place noted twice is one place, with the newer epoch");
    note(recent, 1, MN_PLACE_DATA, 7, NULL, 1);
    note(recent, 1, MN_PLACE_DATA, 7, NULL, 3);
    note(recent, 1, MN_PLACE_DATA, 7, NULL, 2);
    note(recent, 1, MN_PLACE_DATA, 8, NULL, 2);
    note(recent, 1, MN_PLACE_ATTRIBUTES, 0, NULL, 2);
    note(recent, 2, MN_PLACE_NAME, 0, "one", 2);
    note(recent, 2, MN_PLACE_NAME, 0, "two", 2);
    CHECK_INT(mn_recent_count(recent), 5);
    mn_recent_trim(recent, 2);
    struct shown shown = look(recent);
    CHECK(shown.of_kind[MN_PLACE_DATA] >= 1);
    mn_recent_trim(recent, 3);
    CHECK_INT(mn_recent_count(recent), 0);

    RUN("what is shown is what was noted");
    struct mn_ref ref = object_of(5, "where it was");
    ref.handle = (struct mn_handle){.type = 1, .size = 8, .bytes = "handle!"};
    struct mn_place place = {.kind = MN_PLACE_NAME, .name = "born", .name_size = 4};
    mn_recent_note(recent, &ref, &place, 4);
    shown = look(recent);
    CHECK_TEXT(shown.hint, "where it was");
    CHECK_TEXT(shown.name, "born");
    CHECK(mn_handle_equal(&shown.last.handle, &ref.handle));
    CHECK(mn_id_equal(&shown.last.id, &ref.id));
    CHECK_INT(shown.last.root, 1);
    mn_recent_clear(recent);
    CHECK_INT(mn_recent_count(recent), 0);
}

static void test_late_place_is_not_lost(struct mn_recent *recent)
{
    RUN("a place that came late with an old epoch goes with the newer ones at the latest");
    note(recent, 1, MN_PLACE_DATA, 1, NULL, 9);
    note(recent, 1, MN_PLACE_DATA, 2, NULL, 8);
    mn_recent_trim(recent, 7);
    CHECK_INT(mn_recent_count(recent), 2);
    mn_recent_trim(recent, 9);
    CHECK_INT(mn_recent_count(recent), 0);
}

static void test_subsumes(struct mn_recent *recent)
{
    struct mn_ref ref = object_of(1, "file");
    struct mn_place large = {.kind = MN_PLACE_DATA, .region_first = 0, .region_last = 1u << 30};

    RUN("a whole object takes the newest epoch of what it replaces");
    note(recent, 1, MN_PLACE_DATA, 1, NULL, 5);
    note(recent, 1, MN_PLACE_ATTRIBUTES, 0, NULL, 1);
    mn_recent_note(recent, &ref, &large, 2);
    struct shown shown = look(recent);
    CHECK_INT(shown.count, 1);
    CHECK_INT(shown.of_kind[MN_PLACE_WHOLE], 1);
    mn_recent_trim(recent, 4);
    CHECK_INT(mn_recent_count(recent), 1);

    RUN("a touch of a part keeps the whole");
    note(recent, 1, MN_PLACE_DATA, 77, NULL, 6);
    CHECK_INT(mn_recent_count(recent), 1);
    mn_recent_trim(recent, 5);
    CHECK_INT(mn_recent_count(recent), 1);
    note(recent, 1, MN_PLACE_NAME, 0, "not data", 6);
    CHECK_INT(mn_recent_count(recent), 2);
    mn_recent_trim(recent, 6);

    RUN("a root marked as a whole takes everything of that root only");
    note(recent, 1, MN_PLACE_DATA, 1, NULL, 7);
    ref.root = 2;
    struct mn_place region = {.kind = MN_PLACE_DATA};
    mn_recent_note(recent, &ref, &region, 1);
    note(recent, 0, MN_PLACE_ALL, 0, NULL, 1);
    shown = look(recent);
    CHECK_INT(shown.count, 2);
    CHECK_INT(shown.of_kind[MN_PLACE_ALL], 1);
    note(recent, 9, MN_PLACE_DATA, 1, NULL, 8);
    CHECK_INT(mn_recent_count(recent), 2);
    mn_recent_trim(recent, 7);
    CHECK_INT(look(recent).of_kind[MN_PLACE_ALL], 1);
    mn_recent_trim(recent, 8);
    CHECK_INT(mn_recent_count(recent), 0);
}

/* Is this place, or one that covers it, there? */
struct sought {
    struct mn_ref ref;
    struct mn_place place;
    int found;
};

static int seek(void *context, const struct mn_ref *ref, const struct mn_place *place)
{
    struct sought *sought = context;
    int same_object = mn_id_equal(&ref->id, &sought->ref.id);
    int whole = place->kind == MN_PLACE_WHOLE || place->kind == MN_PLACE_DIRECTORY;

    int same_place = place->kind == sought->place.kind &&
                     place->region_first == sought->place.region_first &&
                     place->name_size == sought->place.name_size &&
                     memcmp(place->name, sought->place.name, place->name_size) == 0;

    if ((place->kind == MN_PLACE_ALL && ref->root == sought->ref.root) ||
        (same_object && (whole || same_place)))
        sought->found = 1;
    return 0;
}

static int covered(struct mn_recent *recent, uint32_t object, uint8_t kind, uint64_t region,
                   const char *name)
{
    struct sought sought = {.ref = object_of(object, "")};
    sought.place = (struct mn_place){.kind = kind,
                                     .region_first = region,
                                     .name = name ? name : "",
                                     .name_size = (uint16_t)(name ? strlen(name) : 0)};
    (void)mn_recent_visit(recent, seek, &sought);
    return sought.found;
}

static void test_full(struct mn_recent *recent)
{
    char name[256];

    RUN("full of regions: objects become whole, nothing is lost");
    for (uint32_t i = 0; i < 4 * PLACES_MAX; i++)
        note(recent, i % 8, MN_PLACE_DATA, i, NULL, 1);
    for (uint32_t i = 0; i < 4 * PLACES_MAX; i += 97)
        CHECK(covered(recent, i % 8, MN_PLACE_DATA, i, NULL));
    CHECK_INT(look(recent).of_kind[MN_PLACE_ALL], 0);
    CHECK(look(recent).of_kind[MN_PLACE_WHOLE] > 0);
    mn_recent_clear(recent);

    RUN("full of long names: directories become whole, nothing is lost");
    for (uint32_t i = 0; i < 2 * PLACES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "%0255u", i);
        note(recent, i % 16, MN_PLACE_NAME, 0, name, 1);
    }
    for (uint32_t i = 0; i < 2 * PLACES_MAX; i += 97) {
        (void)snprintf(name, sizeof(name), "%0255u", i);
        CHECK(covered(recent, i % 16, MN_PLACE_NAME, 0, name));
    }
    CHECK_INT(look(recent).of_kind[MN_PLACE_ALL], 0);
    mn_recent_clear(recent);

    RUN("full of objects: the root becomes whole, and can be forgotten");
    for (uint32_t i = 0; i < 2 * PLACES_MAX; i++)
        note(recent, i, MN_PLACE_DATA, 0, NULL, 1);
    CHECK_INT(look(recent).of_kind[MN_PLACE_ALL], 1);
    CHECK_INT(mn_recent_count(recent), 1);
    mn_recent_trim(recent, 1);
    CHECK_INT(mn_recent_count(recent), 0);
}

/* A slow and simple set of its own, for comparison. */
static void test_against_model(struct mn_recent *recent)
{
    enum { OBJECTS = 6, REGIONS = 12 };
    uint64_t epochs[OBJECTS][REGIONS] = {{0}};
    uint64_t state = 12345;

    RUN("ten thousand random steps agree with a plain table");
    for (uint64_t step = 1; step <= 10000; step++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint32_t object = (uint32_t)(state >> 33) % OBJECTS;
        uint32_t region = (uint32_t)(state >> 43) % REGIONS;
        uint64_t epoch = step / 10 + 1; /* never goes back here, so the trim is exact */
        note(recent, object, MN_PLACE_DATA, region, NULL, epoch);
        epochs[object][region] = epoch;
        if (step % 25 == 0) {
            uint64_t trimmed = epoch - 2;
            uint64_t expected = 0;
            mn_recent_trim(recent, trimmed);
            for (int i = 0; i < OBJECTS * REGIONS; i++)
                expected += epochs[i / REGIONS][i % REGIONS] > trimmed;
            CHECK_INT(mn_recent_count(recent), expected);
        }
    }
    mn_recent_clear(recent);
}

int main(void)
{
    struct mn_recent *recent;

    CHECK_INT(mn_recent_create(PLACES_MAX, &recent), 0);
    test_keeps_and_forgets(recent);
    test_late_place_is_not_lost(recent);
    test_subsumes(recent);
    test_full(recent);
    test_against_model(recent);
    mn_recent_destroy(recent);
    return 0;
}
