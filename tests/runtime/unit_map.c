/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map.c: what is in a map that grows and shrinks.
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

UNIT(map_has_what_is_in_it)
{
    struct rt_map map = {0};
    bool in[KEYS] = {false};
    size_t used = 0;

    srandom(1);
    CHECK(!rt_map_get(&map, key_of(0)));
    rt_map_remove(&map, key_of(0));
    for (int step = 0; step < 20000; step++) {
        int i = (int)(random() % KEYS);

        if (in[i])
            rt_map_remove(&map, key_of(i));
        else
            CHECK(!rt_map_set(&map, key_of(i), -i));
        in[i] = !in[i];
        if (step % 97)
            continue;
        used = 0;
        for (int k = 0; k < KEYS; k++) {
            const int64_t *value = rt_map_get(&map, key_of(k));

            CHECK(in[k] ? value && *value == -k : !value);
            used += in[k];
        }
        CHECK(map.used == used && map.cap >= 2 * used);
    }
    rt_map_clear(&map);
    CHECK(!map.used && !rt_map_get(&map, key_of(0)));
    CHECK(!rt_map_set(&map, key_of(0), 5) && !rt_map_set(&map, key_of(0), 6) && map.used == 1);
    CHECK(*rt_map_get(&map, key_of(0)) == 6);
    free(map.slots);
    return NULL;
}
