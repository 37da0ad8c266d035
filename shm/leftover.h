/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments that nobody delivers: whose owner and users have ended, and whose data is in no file
 * (docs/ending.md, "Left-over segments"). They lie in a folder beside the live ones, where no
 * process that starts looks for its run. Nothing here removes a segment.
 */
#ifndef SEG_LEFTOVER_H
#define SEG_LEFTOVER_H

#include <stddef.h>

#include "segment.h"

/* Writes the folder of left-over segments number `which` into buf; as seg_folder_name. */
int seg_leftover_folder(unsigned which, char *buf, size_t size);

/* Writes the path that the segment at `path` would have there; as seg_folder_name.
 * SEG_ERR_FOREIGN: it is outside the folders of live segments. */
int seg_leftover_path(const char *path, char *buf, size_t size);

/* Moves a segment there. One outside the folders of live segments stays: nobody looks for it. 0 or
 * a seg_status. */
int seg_set_aside(const char *path);

/* Moves all segments there whose owner, keeper and users have ended. */
void seg_sweep(void);

/* Is the process alive that created the segment behind fd? SEG_LIFE_UNKNOWN as well if that is not
 * a segment. */
enum seg_life seg_owner_life(int fd);

/* Says that a keeper holds this descriptor: the segment is not swept. */
void seg_keeper_is_here(int fd);

#endif
