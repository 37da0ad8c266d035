/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This process as a part of a run: the segment it has mapped, the rules it found there, its row in
 * the process table. All its interpreters and threads share one.
 *
 * A process usually records into one segment for as long as it lives. One in which coverage.py's
 * Coverage objects come and go may change to another: that begins an epoch, and what was found in
 * an earlier one (code, files, contexts) is looked up again. Changes need the GIL; without one the
 * caller sees to it that there is one change at a time. Threads that are in a callback meanwhile
 * set their bit in the old segment.
 */
#ifndef RT_PROCESS_H
#define RT_PROCESS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "segment.h"
#include "select.h"

/* Written one change at a time, read by any thread beside it. */
struct rt_process {
    _Atomic(seg_t *) seg;
    _Atomic(struct rt_rules *) rules;
    _Atomic bool branches;
    _Atomic bool function_contexts; /* dynamic_context = test_function */
    _Atomic bool late_start;        /* it attached after its interpreter had started */
    _Atomic uint32_t epoch;         /* rises with each change of segment */
    _Atomic bool paused;            /* nothing is recorded at the moment */
};

extern struct rt_process rt_process;

/* NULL until the process attaches. Acquire: pairs with the release in process.c; what they lead to
 * is complete. */
static inline seg_t *rt_process_seg(void)
{
    return atomic_load_explicit(&rt_process.seg, memory_order_acquire);
}

static inline struct rt_rules *rt_process_rules(void)
{
    return atomic_load_explicit(&rt_process.rules, memory_order_acquire);
}

/* Relaxed: they lead nowhere, and the epoch says whether they belong to another segment. */
static inline bool rt_process_branches(void)
{
    return atomic_load_explicit(&rt_process.branches, memory_order_relaxed);
}

static inline bool rt_process_function_contexts(void)
{
    return atomic_load_explicit(&rt_process.function_contexts, memory_order_relaxed);
}

static inline bool rt_process_late_start(void)
{
    return atomic_load_explicit(&rt_process.late_start, memory_order_relaxed);
}

/* Acquire: pairs with the release in process.c. Whoever sees a new epoch sees its segment. */
static inline uint32_t rt_process_epoch(void)
{
    return atomic_load_explicit(&rt_process.epoch, memory_order_acquire);
}

/* Relaxed: it leads to nothing else. An event that runs beside a change falls on either side. */
static inline bool rt_process_paused(void)
{
    return atomic_load_explicit(&rt_process.paused, memory_order_relaxed);
}

/* Attaches to the segment that the environment names, or to the run of an ancestor. Idempotent, on
 * any thread. 0: attached; 1: no segment; -1: failed. *why (static text): for 1 and -1. */
int rt_process_attach(uint32_t interpreter, const char **why);

/* Leaves the segment that the process is in, if any, and enters the one of that name. 0: it is
 * there now; -1: failed (*why), and the process is where it was. */
int rt_process_enter(uint32_t interpreter, const char *name, const char **why);

/* Says that the interpreter had started before the process attached. */
void rt_process_started_late(void);

/* What a person calls this process, in this segment and in those that come. Not 0: no memory. */
int rt_process_name(const char *text);

/* Says in the process table that the process is in a context from now on (0: none). Needs the GIL,
 * where there is one. */
void rt_process_switched(uint32_t context, enum seg_switch how);

/* Pauses or resumes recording. Processes that start during a pause do not adopt the run from
 * here. */
void rt_process_pause(bool paused);

/* Pauses, and unmaps the segment; without a GIL it stays mapped, since a thread may be setting a
 * bit. What a callback has from before a call into Python is valid after it if the epoch is the
 * same. */
void rt_process_leave(void);

#endif
