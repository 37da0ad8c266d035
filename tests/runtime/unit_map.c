/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map.c: what is in a map that grows, shrinks and is cleared.
 */
#include "unit.h"

#include <stdlib.h>

#include "map.h"

#define KEYS 600

/* Spread so that many share a slot, as addresses do. */
static uint64_t key_of(int i)
{
    return (uint64_t)(i + 1) << 36;
}

/* Puts keys in and takes them out, by chance. True: all the time what is in it was there. */
static bool holds(struct rt_map *map)
{
    bool in[KEYS] = {false};

    for (int step = 0; step < 20000; step++) {
        int i = (int)(random() % KEYS);
        size_t used = 0;

        if (in[i])
            rt_map_remove(map, key_of(i));
        else if (rt_map_set(map, key_of(i), -i))
            return false;
        in[i] = !in[i];
        if (step % 97)
            continue;
        for (int k = 0; k < KEYS; k++) {
            const int64_t *value = rt_map_get(map, key_of(k));

            if (in[k] ? !value || *value != -k : value != NULL)
                return false;
            used += in[k];
        }
        if (map->used != used || map->cap < 2 * used)
            return false;
    }
    return true;
}

UNIT(map_has_what_is_in_it)
{
    struct rt_map map = {0};

    srandom(1);
    CHECK(!rt_map_get(&map, key_of(0)));
    rt_map_remove(&map, key_of(0));
    for (int round = 0; round < 3; round++) { /* the memory is what the round before left */
        CHECK(holds(&map));
        rt_map_clear(&map);
        CHECK(!map.used && !rt_map_get(&map, key_of(0)));
    }
    CHECK(!rt_map_set(&map, 0, 5) && !rt_map_set(&map, 0, 6) && map.used == 1);
    CHECK(*rt_map_get(&map, 0) == 6);
    free(map.slots);
    return NULL;
}
