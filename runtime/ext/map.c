/* SPDX-License-Identifier: Apache-2.0 */
#include "map.h"

#include <stdbool.h>
#include <stdlib.h>

#define FIRST_CAP 16

/* Slots of calloc's are free, in a map that was never cleared as well. */
static bool is_taken(const struct rt_map *map, const struct rt_map_slot *slot)
{
    return slot->generation == map->cleared + 1;
}

/* Where the key is, or would be. */
static struct rt_map_slot *map_slot(const struct rt_map *map, uint64_t key)
{
    size_t i = key * UINT64_C(0x9e3779b97f4a7c15) >> 32 & (map->cap - 1);

    while (is_taken(map, &map->slots[i]) && map->slots[i].key != key)
        i = (i + 1) & (map->cap - 1);
    return &map->slots[i];
}

int64_t *rt_map_get(const struct rt_map *map, uint64_t key)
{
    struct rt_map_slot *slot = map->cap ? map_slot(map, key) : NULL;

    return slot && is_taken(map, slot) ? &slot->value : NULL;
}

static int map_grow(struct rt_map *map)
{
    struct rt_map old = *map;

    map->cap = old.cap ? 2 * old.cap : FIRST_CAP;
    map->slots = calloc(map->cap, sizeof *map->slots);
    if (!map->slots) {
        *map = old;
        return -1;
    }
    for (size_t i = 0; i < old.cap; i++)
        if (is_taken(&old, &old.slots[i]))
            *map_slot(map, old.slots[i].key) = old.slots[i];
    free(old.slots);
    return 0;
}

int rt_map_set(struct rt_map *map, uint64_t key, int64_t value)
{
    struct rt_map_slot *slot;

    if (map->used * 2 >= map->cap && map_grow(map))
        return -1;
    slot = map_slot(map, key);
    map->used += !is_taken(map, slot);
    *slot = (struct rt_map_slot){key, map->cleared + 1, value};
    return 0;
}

void rt_map_remove(struct rt_map *map, uint64_t key)
{
    struct rt_map_slot *slot = map->cap ? map_slot(map, key) : NULL;

    if (!slot || !is_taken(map, slot))
        return;
    slot->generation = 0;
    map->used--;
    /* Moves those that follow to where a search finds them without the removed key. */
    for (size_t i = (size_t)(slot - map->slots + 1) & (map->cap - 1); is_taken(map, &map->slots[i]);
         i = (i + 1) & (map->cap - 1)) {
        struct rt_map_slot moved = map->slots[i];

        map->slots[i].generation = 0;
        *map_slot(map, moved.key) = moved;
    }
}

void rt_map_clear(struct rt_map *map)
{
    map->cleared++;
    map->used = 0;
}
