/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a segment has been delivered, that is, is in a data file: docs/ending.md.
 *
 * Hits are only ever added, so their number says everything: two copies of a segment with the same
 * number hold the same hits. The header keeps the number that was delivered last.
 */
#ifndef SEG_DELIVERY_H
#define SEG_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

struct seg_delivery {
    bool done;     /* it was delivered before */
    uint64_t hits; /* that number, if so */
    uint64_t to;   /* identifies the data file: seg_delivery_target() */
};

/* What the header behind fd says. 0 or a seg_status. */
int seg_delivery_read(int fd, struct seg_delivery *out);

/* Puts down that `hits` were delivered to `to`. The descriptor must be open for writing, and the
 * caller must hold an exclusive flock on it. 0 or a seg_status. */
int seg_delivery_write(int fd, uint64_t hits, uint64_t to);

/* The same through a mapping. */
void seg_delivery_put(seg_t *seg, uint64_t hits, uint64_t to);

/* Identifies a data file as it is now, by inode, size and time; 0: it is not there. */
uint64_t seg_delivery_target(const char *path);

/* Writes what is in a mapped segment into an empty file, which then reads like the segment. For a
 * process that may not open the segment any more. Nothing is read where the mapping has no page
 * behind it, as write() finds that out without a signal. 0 or a seg_status. */
int seg_spill(seg_t *seg, int fd);

/* Has everything in the segment behind fd been delivered? True as well where there is nothing. An
 * error is not. */
bool seg_delivery_complete(int fd);

#endif
