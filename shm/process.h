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

/* Records in the row that the process ends, or takes part no more. */
void seg_process_leave(struct seg_process *row, enum seg_process_state state);

#endif
