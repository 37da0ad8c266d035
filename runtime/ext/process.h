/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This process as a part of a run: the segment it has mapped, the rules it found there, its row in
 * the process table. There is one, whatever the number of interpreters and threads.
 *
 * A process usually records into one segment for as long as it lives. One in which coverage.py's
 * Coverage objects come and go may change to another: that begins an epoch, and what was found in
 * an earlier one (code, files, contexts) is looked up again. Changes need the GIL, or where there
 * is none the caller's word that it changes one at a time; threads that are in a callback meanwhile
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

/* What this process attached to, NULL before. Acquire: pairs with the release in process.c; what
 * they lead to is complete. */
static inline seg_t *rt_process_seg(void)
{
    return atomic_load_explicit(&rt_process.seg, memory_order_acquire);
}

static inline struct rt_rules *rt_process_rules(void)
{
    return atomic_load_explicit(&rt_process.rules, memory_order_acquire);
}

/* Relaxed: they lead nowhere, and whether they are of another epoch, the epoch says. */
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

/* Acquire: pairs with the release in process.c. Who sees a new epoch sees its segment. */
static inline uint32_t rt_process_epoch(void)
{
    return atomic_load_explicit(&rt_process.epoch, memory_order_acquire);
}

/* Relaxed: nothing else hangs on it. An event that runs beside the change falls on either side. */
static inline bool rt_process_paused(void)
{
    return atomic_load_explicit(&rt_process.paused, memory_order_relaxed);
}

/* Attaches to the segment that the environment names, or to the run of an ancestor. Idempotent,
 * any thread. 0: attached, 1: nothing to attach to, -1: failed (*why, static text). */
int rt_process_attach(uint32_t interpreter, const char **why);

/* Leaves the segment that the process is in, if any, and enters the one of that name. 0: done, or
 * it was there already; -1: failed (*why), and the process is where it was. */
int rt_process_enter(uint32_t interpreter, const char *name, const char **why);

/* Says that the interpreter had started before. */
void rt_process_started_late(void);

/* Records nothing, or goes on. Processes that start meanwhile do not find their way here. */
void rt_process_pause(bool paused);

/* Is paused, and lets go of the segment's memory. With a GIL only: without one, a thread may be
 * setting a bit. What a callback holds across a call into Python may be gone afterwards; that the
 * epoch is the same says that it is not. */
void rt_process_leave(void);

#endif
