/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process table: who takes part in a run.
 */
#ifndef SEG_PROCESS_H
#define SEG_PROCESS_H

#include "layout.h"
#include "status.h"

/* Adds a row for the calling process to the table. 0 or the error of seg_alloc. */
int seg_process_enter(seg_t *seg, uint32_t interpreter, bool forked, struct seg_process **row);

/* Gives the process a name, for people. 0 or the error of seg_intern. */
int seg_process_name(seg_t *seg, struct seg_process *row, const char *name, size_t len);

/* Says that the process is in a context from now on (0: none). */
enum seg_switch {
    SEG_SWITCH_TEST,  /* which begins, or some other context */
    SEG_SWITCH_PHASE, /* of the test that the process is in: the row keeps the time */
    SEG_SWITCH_NONE,
};
void seg_process_switch(struct seg_process *row, uint32_t context, enum seg_switch how);

/* What seg_process_switch wrote: the context, and CLOCK_MONOTONIC in nanoseconds, which lacks less
 * than 2^20. */
uint32_t seg_process_context(const struct seg_process *row, uint64_t *since);

/* Records in the row that the process ends, or takes part no more. */
void seg_process_leave(struct seg_process *row, enum seg_process_state state);

#endif
