/* The dirty index knows what was noted ahead of a touch, and what was touched since it was read,
 * also when one commit has more than it can remember. */
#include "check.h"
#include "index_notes.h"
#include "journal/index_private.h"
#include "scratch.h"

enum { MAP_BYTES = 16 << 20, ENTRIES_MAX = 3 * MN_BATCH_KEYS_MAX, ROOM = 256 };

static char scratch[SCRATCH_PATH_BYTES];
static struct mn_index_entry entries[ROOM];

static struct mn_index *open_index(void)
{
    char directory[SCRATCH_PATH_BYTES + 16];
    struct mn_index *index;

    (void)snprintf(directory, sizeof(directory), "%s/index", scratch);
    CHECK_INT(mn_index_open(directory, MAP_BYTES, ENTRIES_MAX, &index), 0);
    return index;
}

/* Region 5 of object 1, with 0 to 7 ahead. */
static void note_ahead(struct mn_index *index)
{
    struct mn_ref ref = index_object(1);
    struct mn_place place = {.kind = MN_PLACE_DATA, .region_first = 5, .region_last = 5};
    struct mn_place ahead = {.kind = MN_PLACE_DATA, .region_first = 0, .region_last = 7};
    CHECK_INT(mn_index_note(index, &ref, &place, &ahead), 0);
}

/* The regions of object 1 that were noted ahead and not touched, as bits. */
static uint32_t ahead_of(struct mn_index *index)
{
    uint32_t found = 0;
    uint32_t count = index_read(index, entries, ROOM);

    for (uint32_t i = 0; i < count; i++)
        found |= (uint32_t)entries[i].ahead << entries[i].region;
    return found;
}

static void test_ahead(void)
{
    RUN("what was noted ahead says so, until it is touched, noted, or came from the peer");
    struct mn_index *index = open_index();
    struct mn_ref one = index_object(1);
    struct mn_place seven = {.kind = MN_PLACE_DATA, .region_first = 7, .region_last = 7};
    note_ahead(index);
    CHECK_INT(mn_index_count(index), 8);
    CHECK_INT(ahead_of(index), 0xdf);
    note_ahead(index);
    CHECK_INT(ahead_of(index), 0xdf);
    CHECK(mn_index_touch(index, &one, &seven));
    CHECK_INT(index_note(index, 1, MN_PLACE_DATA, 6, NULL), 0);
    CHECK_INT(ahead_of(index), 0x1f);
    CHECK_INT(index_read(index, entries, ROOM), 8);
    CHECK_INT(mn_index_merge(index, &entries[1], 1), 0);
    CHECK_INT(ahead_of(index), 0x1d);
    CHECK(mn_index_has(index, 2, &one.id, MN_PLACE_DATA, 0));
    mn_index_close(index);

    RUN("another process does not know it, and does not come to believe it");
    index = open_index();
    CHECK_INT(ahead_of(index), 0);
    note_ahead(index);
    CHECK_INT(ahead_of(index), 0);
    CHECK_INT(mn_index_clear(index), 0);

    RUN("what was touched before its neighbours were noted is no neighbour");
    CHECK_INT(index_note(index, 1, MN_PLACE_DATA, 2, NULL), 0);
    note_ahead(index);
    CHECK_INT(ahead_of(index), 0xdb);

    RUN("what is removed is forgotten, and may be noted ahead again");
    CHECK_INT(index_read(index, entries, ROOM), 8);
    CHECK_INT(mn_index_remove(index, entries, 8), 0);
    CHECK_INT(mn_index_count(index), 0);
    note_ahead(index);
    CHECK_INT(ahead_of(index), 0xdf);

    RUN("beneath what covers it nothing is noted ahead");
    CHECK_INT(index_note(index, 1, MN_PLACE_WHOLE, 0, NULL), 0);
    note_ahead(index);
    CHECK_INT(mn_index_count(index), 1);
    CHECK_INT(mn_index_clear(index), 0);
    mn_index_close(index);
}

/* One commit: region 3 of object 1, and so many other places, of as many objects. */
static void note_together(struct mn_index *index, uint32_t others, bool others_first)
{
    struct mn_index_entry *together = calloc(others + 1, sizeof(*together));
    struct mn_ref one = index_object(1);

    CHECK(together != NULL);
    for (uint32_t i = 0; i <= others; i++) {
        together[i] = (struct mn_index_entry){.kind = MN_PLACE_DATA, .root = one.root};
        together[i].id = index_object(1000 + i).id;
    }
    together[others_first ? others : 0].id = one.id;
    together[others_first ? others : 0].region = 3;
    CHECK_INT(mn_index_merge(index, together, others + 1), 0);
    free(together);
}

/* Is region 3 of object 1 known to have been noted ahead of a touch? */
static bool is_ahead(struct mn_index *index)
{
    uint32_t found = 0;
    uint32_t count = index_read(index, entries, ROOM);

    for (uint32_t i = 0; i < count; i++)
        if (entries[i].region == 3) {
            found++;
            entries[0] = entries[i];
        }
    CHECK_INT(found, 1);
    return entries[0].ahead;
}

static void test_more_than_a_commit_remembers(void)
{
    RUN("one that was touched is not ahead, whatever else its commit could not remember");
    for (int others_first = 0; others_first < 2; others_first++) {
        struct mn_index *index = open_index();
        note_ahead(index);
        CHECK(is_ahead(index));
        note_together(index, MN_BATCH_KEYS_MAX, others_first == 1);
        CHECK(!is_ahead(index));
        CHECK_INT(mn_index_clear(index), 0);
        mn_index_close(index);
    }

    RUN("and stays, known or not, when it is removed by who has read it before");
    for (int known = 0; known < 2; known++) {
        struct mn_index *index = open_index();
        CHECK_INT(index_note(index, 1, MN_PLACE_DATA, 3, NULL), 0);
        if (known == 0) {
            mn_index_close(index);
            index = open_index();
        }
        CHECK_INT(index_read(index, entries, ROOM), 1);
        note_together(index, MN_BATCH_KEYS_MAX, false);
        CHECK_INT(mn_index_remove(index, entries, 1), 0);
        CHECK_INT(mn_index_count(index), MN_BATCH_KEYS_MAX + 1);
        CHECK_INT(mn_index_clear(index), 0);
        mn_index_close(index);
    }

    RUN("ahead are those that the commit remembered at its end");
    struct mn_index *index = open_index();
    struct mn_ref one = index_object(1);
    struct mn_place place = {.kind = MN_PLACE_DATA, .region_first = 5, .region_last = 5};
    struct mn_place ahead = {.kind = MN_PLACE_DATA, .region_last = MN_BATCH_KEYS_MAX + 99};
    uint8_t cursor[512];
    uint16_t cursor_size = 0;
    uint32_t count, ahead_count = 0;
    CHECK_INT(mn_index_note(index, &one, &place, &ahead), 0);
    do {
        CHECK_INT(mn_index_next(index, cursor, &cursor_size, entries, ROOM, &count), 0);
        for (uint32_t i = 0; i < count; i++) {
            CHECK_INT(entries[i].ahead, entries[i].region >= MN_BATCH_KEYS_MAX);
            ahead_count += entries[i].ahead;
        }
    } while (count > 0);
    CHECK_INT(ahead_count, 100);
    CHECK_INT(mn_index_clear(index), 0);
    mn_index_close(index);
}

/* One commit: region 3 of object 1, then the whole of object 2, of which a part is noted. */
static void note_beside_a_whole(struct mn_index *index)
{
    struct mn_ref one = index_object(1), two = index_object(2);
    struct mn_index_entry together[] = {
        {.kind = MN_PLACE_DATA, .root = one.root, .id = one.id, .region = 3},
        {.kind = MN_PLACE_WHOLE, .root = two.root, .id = two.id},
    };
    CHECK_INT(mn_index_merge(index, together, 2), 0);
}

static void test_beside_what_is_widened(void)
{
    RUN("one that was touched is not ahead, and stays, though another lost its parts meanwhile");
    struct mn_index *index = open_index();
    note_ahead(index);
    CHECK_INT(index_note(index, 2, MN_PLACE_DATA, 9, NULL), 0);
    CHECK(is_ahead(index));
    note_beside_a_whole(index);
    CHECK_INT(mn_index_remove(index, entries, 1), 0);
    CHECK(!is_ahead(index));
    CHECK_INT(mn_index_count(index), 9);
    CHECK_INT(mn_index_clear(index), 0);
    mn_index_close(index);
}

int main(void)
{
    if (!scratch_make(scratch))
        return 0;
    test_ahead();
    test_more_than_a_commit_remembers();
    test_beside_what_is_widened();
    scratch_remove(scratch);
    return 0;
}
