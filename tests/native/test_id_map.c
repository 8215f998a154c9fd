/* The map of identities: finds what it learnt, and when it is full keeps what is used. */
#include "apply/id_map.h"
#include "check.h"

static struct mn_id id_of(uint32_t number)
{
    struct mn_id id = {{0}};
    memcpy(id.bytes, &number, sizeof(number));
    id.bytes[15] = 1;
    return id;
}

static void learn(struct mn_id_map *map, uint32_t number)
{
    struct mn_id id = id_of(number);
    struct mn_id parent = id_of(number + 1);
    struct mn_handle handle = {.type = 1, .size = sizeof(number)};
    char name[256];

    memcpy(handle.bytes, &number, sizeof(number));
    int size = snprintf(name, sizeof(name), "%0*u", (int)(number % 255) + 1, number);
    CHECK_INT(mn_id_map_learn(map, 3, &id, &handle, &parent, name, (uint16_t)size), 0);
}

static int finds(struct mn_id_map *map, uint32_t number)
{
    struct mn_id id = id_of(number);
    struct mn_found found;
    char name[256];

    if (mn_id_map_find(map, 3, &id, &found) != 0)
        return 0;
    CHECK_BYTES(found.handle.bytes, &number, sizeof(number));
    if (found.name_size > 0) {
        int size = snprintf(name, sizeof(name), "%0*u", (int)(number % 255) + 1, number);
        CHECK_INT(found.name_size, size);
        CHECK_BYTES(found.name, name, found.name_size);
    }
    return 1;
}

int main(void)
{
    enum { MANY = 150000, FEW = 6400 };
    struct mn_id_map *map;
    struct mn_found found;
    struct mn_id id = id_of(7), parent = id_of(99);

    RUN("what was learnt is found, of its root only");
    CHECK_INT(mn_id_map_create(4000000, &map), 0);
    CHECK(!finds(map, 7));
    for (uint32_t i = 0; i < MANY; i++)
        learn(map, i);
    for (uint32_t i = 0; i < MANY; i++)
        CHECK(finds(map, i));
    CHECK(!finds(map, MANY));
    CHECK_INT(mn_id_map_find(map, 2, &id, NULL), 1);

    RUN("a move changes the hint, a clear forgets");
    mn_id_map_moved(map, 3, &id, &parent, "elsewhere", 9);
    CHECK_INT(mn_id_map_find(map, 3, &id, &found), 0);
    CHECK(mn_id_equal(&found.parent, &parent));
    CHECK_INT(found.name_size, 9);
    CHECK_BYTES(found.name, "elsewhere", 9);
    mn_id_map_clear(map);
    CHECK(!finds(map, 7));
    mn_id_map_destroy(map);

    RUN("a full map keeps what is in use");
    CHECK_INT(mn_id_map_create(FEW, &map), 0);
    for (uint32_t i = 0; i < 20 * FEW; i++) {
        learn(map, i);
        CHECK(finds(map, i));
        CHECK(finds(map, 0));
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < 20 * FEW; i++)
        kept += (uint32_t)finds(map, i);
    CHECK(kept > FEW / 2 && kept <= FEW + 64);
    mn_id_map_destroy(map);
    return 0;
}
