/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments that nobody delivers: whose owner and users have ended, and whose data is in no file
 * (docs/ending.md, "Left-over segments"). They lie in a folder beside the live ones, where no
 * process that starts looks for its run. Nothing here removes a segment.
 */
#ifndef SEG_LEFTOVER_H
#define SEG_LEFTOVER_H

#include "platform.h"

/* Moves a segment there. One outside the folders of live segments stays, because no process looks
 * for it. 0 or a seg_status. */
int seg_set_aside(const char *path);

/* Moves all segments there whose owner, keeper and users have ended. */
void seg_sweep(void);

/* Is the creator of the segment behind fd alive? SEG_LIFE_UNKNOWN also if that is not a segment. */
enum seg_life seg_owner_life(int fd);

/* Marks the segment as kept: nobody sweeps it while this descriptor is open. */
void seg_keeper_is_here(int fd);

#endif
