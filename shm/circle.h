/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of a segment may be damaged so that they go in a circle.
 */
#ifndef SEG_CIRCLE_H
#define SEG_CIRCLE_H

#include <stdbool.h>
#include <stdint.h>

/* One more step on a list. True: it goes in a circle (Brent: remember the place at each power of
 * two steps, a circle comes back to it). Both begin at zero. */
static inline bool seg_in_circle(uint64_t off, uint64_t *steps, uint64_t *mark)
{
    if (off == *mark)
        return true;
    ++*steps;
    if ((*steps & (*steps - 1)) == 0)
        *mark = off;
    return false;
}

#endif
