/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the line table and the exception table of code whose instructions have moved.
 */
#ifndef RT_TWIN_TABLES_H
#define RT_TWIN_TABLES_H

#include "compat.h"
#include "tables.h"

#if RT_BREAKPOINTS

struct rt_buffer { /* zeroed: empty; malloc */
    uint8_t *data;
    size_t n, cap;
};

/* The line table of `n` units: unit u has the location that unit origin[u] has in the old table, of
 * n_old units; RT_NO_UNIT: none. 0, -1: no memory, or 1: the old table is malformed. */
int rt_move_lines(struct rt_buffer *out, struct rt_bytes old, uint32_t n_old, int32_t first_line,
                  const uint32_t *origin, uint32_t n);

/* The exception table with each unit u of the old one at moved[u]; moved[n_old] is the new end. The
 * same. */
int rt_move_exceptions(struct rt_buffer *out, struct rt_bytes old, uint32_t n_old,
                       const uint32_t *moved);

#endif
#endif
