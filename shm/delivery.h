/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of a segment has been delivered, that is, is in a data file: docs/ending.md.
 *
 * Hits are only ever added, so two copies of a segment with the same number of hits have the same
 * hits. The header keeps the number of the last delivery.
 */
#ifndef SEG_DELIVERY_H
#define SEG_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

struct seg_delivery {
    bool done;     /* there was a delivery */
    uint64_t hits; /* that many were delivered last; 0: none */
    uint64_t to;   /* identifies the data file: seg_delivery_target() */
};

/* What the header behind fd says. 0 or a seg_status. */
int seg_delivery_read(int fd, struct seg_delivery *out);

/* Records that `hits` were delivered to `to`. The descriptor must be open for writing, and the
 * caller must hold an exclusive flock on it. 0 or a seg_status. */
int seg_delivery_write(int fd, uint64_t hits, uint64_t to);

/* The same through a mapping. */
void seg_delivery_put(seg_t *seg, uint64_t hits, uint64_t to);

/* Identifies a data file as it is now, by inode, size and time; 0: it is not there. */
uint64_t seg_delivery_target(const char *path);

/* Writes the content of a mapped segment into an empty file, which then reads like the segment: for
 * a process that may no longer open it. Only write() reads the mapping: it fails with EFAULT where
 * a load would raise SIGBUS. 0 or a seg_status. */
int seg_spill(seg_t *seg, int fd);

/* Has everything in the segment behind fd been delivered? True if it is empty; false on an error.
 */
bool seg_delivery_complete(int fd);

#endif
