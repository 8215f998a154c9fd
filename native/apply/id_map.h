/* Which object an identity names on this node, for one session (design 8): identity -> handle, and
 * where it was last seen. In shards with a mutex each, so that workers do not wait for each other.
 * Bounded: when a shard is full, what was not used for long goes. Private to apply/. */
#ifndef MN_APPLY_ID_MAP_H
#define MN_APPLY_ID_MAP_H

#include "util/object.h"

struct mn_id_map;

/* What is known of one object; a copy. */
struct mn_found {
    struct mn_handle handle;
    struct mn_id parent;
    uint16_t name_size;
    char name[MN_NAME_BYTES_MAX + 1];
};

/* id_count_max: some 130 bytes each, taken as they come. Returns 0 or -ENOMEM. */
int mn_id_map_create(uint32_t id_count_max, struct mn_id_map **map_out);
void mn_id_map_destroy(struct mn_id_map *map);
void mn_id_map_clear(struct mn_id_map *map);
/* Replaces what was known. Returns 0 or -ENOMEM. */
int mn_id_map_learn(struct mn_id_map *map, uint8_t root, const struct mn_id *id,
                    const struct mn_handle *handle, const struct mn_id *parent, const char *name,
                    uint16_t name_size);
/* 0 or 1: unknown. found_out may be NULL. */
int mn_id_map_find(struct mn_id_map *map, uint8_t root, const struct mn_id *id,
                   struct mn_found *found_out);
/* The object has another name now. Unknown: nothing happens. */
void mn_id_map_moved(struct mn_id_map *map, uint8_t root, const struct mn_id *id,
                     const struct mn_id *parent, const char *name, uint16_t name_size);

#endif
