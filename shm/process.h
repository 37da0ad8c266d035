/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process table: who takes part in a run.
 */
#ifndef SEG_PROCESS_H
#define SEG_PROCESS_H

#include "layout.h"
#include "status.h"

/* Takes a new row of the process table for the calling process. */
int seg_process_enter(seg_t *seg, uint32_t interpreter, bool forked, struct seg_process **row);

/* Says in the row that the process ends or has left. */
void seg_process_leave(struct seg_process *row, enum seg_process_state state);

struct seg_relative {
    uint32_t pid;
    uint64_t start;
};

/* The number of the first of `n` relatives that stands in the process table; n: none does. */
unsigned seg_process_match(seg_t *seg, const struct seg_relative *relatives, unsigned n);

#endif
