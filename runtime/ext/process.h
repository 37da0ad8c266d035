/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This process as a part of a run: the segment it has mapped, the rules it found there, its row in
 * the process table. There is one, whatever the number of interpreters and threads.
 */
#ifndef RT_PROCESS_H
#define RT_PROCESS_H

#include <stdbool.h>

#include "segment.h"
#include "select.h"

struct rt_process {
    seg_t *seg;
    struct rt_rules *rules;
    bool branches;
};

/* What this process attached to; seg is NULL before. */
extern struct rt_process rt_process;

/* Attaches to the segment that the environment names, or to the run of an ancestor. Idempotent,
 * any thread. 0: attached, 1: nothing to attach to, -1: failed (*why, static text). */
int rt_process_attach(uint32_t interpreter, const char **why);

#endif
