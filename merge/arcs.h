/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arcs as numbers that sort as SQLite sorts the two columns.
 */
#ifndef MERGE_ARCS_H
#define MERGE_ARCS_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t merge_arc_pack(int32_t from, int32_t to)
{
    return (uint64_t)((uint32_t)from ^ 0x80000000u) << 32 | ((uint32_t)to ^ 0x80000000u);
}

static inline int32_t merge_arc_from(uint64_t packed)
{
    return (int32_t)((uint32_t)(packed >> 32) ^ 0x80000000u);
}

static inline int32_t merge_arc_to(uint64_t packed)
{
    return (int32_t)((uint32_t)packed ^ 0x80000000u);
}

void merge_arcs_sort(uint64_t *arcs, size_t n);

#endif
