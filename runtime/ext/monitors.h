/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CPython keeps about the instrumentation of a code object, as far as a tracer needs it.
 *
 *   active_monitors.tools[event]   the tools that listen to an event
 *   line_tools, per_instruction_tools, tools   the same for each code unit: of LINE, of INSTRUCTION
 *       and of all other events. They are NULL while no event has two tools.
 *
 * When an event first has two tools, CPython fills per_instruction_tools with zeros: whoever
 * listened to INSTRUCTION until then gets no more events of that code. Every debugger and profiler
 * does this to us. So rt_monitors_keep() makes the arrays before CPython does.
 *
 * The structures are those of CPython's headers. The interpreter may be of another bug-fix release;
 * rt_monitors_usable() probes whether it has the same.
 *
 * Where RT_MONITORS is 0 there are no functions, and each call stands behind it. Everything here
 * needs the GIL, or takes the lock of the code object, and raises nothing.
 */
#ifndef RT_MONITORS_H
#define RT_MONITORS_H

#include <stdbool.h>
#include <stdint.h>

#include "compat.h"

/* Sets the local events of our tool for a code object to `events`. 0, or -1 with an exception. */
typedef int rt_arm(void *arg, PyCodeObject *code, unsigned long events);

/* Whether this interpreter has the structures. Leaves no exception set. */
bool rt_monitors_usable(rt_arm *arm, void *arg, long tool);

/* To be called before `code` is armed, so that arming silences no tool's INSTRUCTION. */
void rt_monitors_share(PyCodeObject *code);

/* To be called after arming `tool` with INSTRUCTION: no other tool can take these events away from
 * now on. Where another tool listens to LINE, `tool` is kept there too until rt_monitors_recorded:
 * when the last tool leaves a LINE, CPython drops the INSTRUCTION of that execution. False: no
 * memory. */
bool rt_monitors_keep(PyCodeObject *code, long tool);

/* The INSTRUCTION at `unit` is recorded. */
void rt_monitors_recorded(PyCodeObject *code, long tool, uint32_t unit);

/* To be called where the INSTRUCTION of `tool` at `unit`, which was kept, is disabled for good:
 * joins the instruction with the one before it again, as it was before the code was armed. Where
 * RT_PAIRS is 0 there is no such function. */
void rt_monitors_join(PyCodeObject *code, long tool, uint32_t unit);

/* To be called after arming: makes specialised instructions plain if they do the work of the next
 * instruction and skip it, and that one is instrumented. CPython does not. */
void rt_monitors_settle(PyCodeObject *code);

#endif
