/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lays code out anew where the sites of its plan cannot be served as it is: with islands for pads
 * in long code, since a jump of one code unit reaches no further than 255, and with a NOP behind
 * each jump whose falling through could not be told from other ways to the same place.
 *
 * Jumps, locations and exception table are rewritten, so all that CPython shows of the code is
 * consistent; offsets are others.
 */
#ifndef RT_TWIN_ISLANDS_H
#define RT_TWIN_ISLANDS_H

#include "twin_plan.h"

#if RT_BREAKPOINTS

struct rt_relaid { /* malloc, each */
    rt_word *code;
    uint32_t n;
    uint8_t *island; /* as in struct rt_layout */
    uint8_t *lines, *exceptions;
    size_t n_lines, n_exceptions; /* bytes */
};

/* 0, -1: no memory, or 1: it cannot be done. Needs rt_relaid_free in all cases. `record`: the
 * number of the constant that pads load. */
int rt_islands_make(struct rt_relaid *out, const struct rt_layout *layout,
                    const struct rt_plan *plan, uint32_t record);
void rt_relaid_free(struct rt_relaid *relaid);

#endif
#endif
