/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer's side of a segment: create it, attach to it, record hits in it. What only reads
 * includes reader.h instead.
 *
 * Guarantees
 *   - Every function may run in any number of processes and threads at once, on the same segment.
 *     None takes a lock in the segment, and none waits for another process.
 *   - A process may be killed between any two instructions. What it leaves behind is complete, or
 *     cannot be reached; at most the piece that it was building is leaked.
 *   - No signal is raised when memory runs out: a page is backed before it is written.
 *   - An entry that a function returns is complete (acquire; pairs with the release in table.c).
 *   - After seg_create or seg_attach no descriptor is open, except the one seg_create returns.
 *
 * Functions return 0 or a negative enum seg_status, which seg_strstatus puts into words. The errors
 * of the hit path (room, mapping) are counted in the segment as well, to be reported when the run
 * is over.
 */
#ifndef SEG_SEGMENT_H
#define SEG_SEGMENT_H

#include "access.h"
#include "adopt.h"
#include "create.h"
#include "folder.h"
#include "handle.h"
#include "hits.h"
#include "layout.h"
#include "platform.h"
#include "process.h"
#include "rules.h"
#include "status.h"
#include "table.h"

#endif
