/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map of integers that is used wherever one thread, or the holder of a GIL, is alone with it:
 * open addressing, a power of two of slots, at most half of them taken. docs/design.md has the
 * other tables, and why they are others.
 */
#ifndef RT_MAP_H
#define RT_MAP_H

#include <stddef.h>
#include <stdint.h>

struct rt_map { /* zeroed: empty */
    struct rt_map_slot {
        uint64_t key;
        uint64_t generation; /* that of the map, cleared + 1: taken */
        int64_t value;
    } * slots;
    size_t cap, used;
    uint64_t cleared; /* so often */
};

/* The value of a key, or NULL; valid until the map changes. */
int64_t *rt_map_get(const struct rt_map *map, uint64_t key);

/* 0, or -1: no memory, and the map is as it was. */
int rt_map_set(struct rt_map *map, uint64_t key, int64_t value);
void rt_map_remove(struct rt_map *map, uint64_t key);

/* Removes all keys in constant time, and keeps the memory. */
void rt_map_clear(struct rt_map *map);

#endif
