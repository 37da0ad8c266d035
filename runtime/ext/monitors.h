/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CPython keeps about the instrumentation of a code object, as far as a tracer needs it.
 *
 *   active_monitors.tools[event]   the tools that listen to an event
 *   tools, line_tools, per_instruction_tools   the same for each code unit: of LINE, of INSTRUCTION
 *       and of any other event. They are NULL while no event has two tools.
 *
 * When an event first has two tools, CPython makes per_instruction_tools of zeros: whoever listened
 * to INSTRUCTION until then hears nothing more of that code. Every debugger and every profiler does
 * this to us. So rt_monitors_keep() makes the arrays before CPython does.
 *
 * The structures are those of CPython's headers. Whether this interpreter has them, which may be of
 * an earlier or later bug-fix release, rt_monitors_usable() tries.
 *
 * Where RT_MONITORS is 0 there are no functions, and each call stands behind it. Everything here
 * needs the GIL, or takes the lock of the code object, and raises nothing.
 */
#ifndef RT_MONITORS_H
#define RT_MONITORS_H

#include <stdbool.h>
#include <stdint.h>

#include "compat.h"

/* Turns local events of our tool on for a code object, those of `events` and no others. */
typedef int rt_arm(void *arg, PyCodeObject *code, unsigned long events);

/* Whether this interpreter has the structures. Leaves no exception set. */
bool rt_monitors_usable(rt_arm *arm, void *arg, long tool);

/* Before events are turned on for `code`: nobody who listens to INSTRUCTION is silenced by it. */
void rt_monitors_share(PyCodeObject *code);

/* INSTRUCTION is on for `tool`: whatever other tools do later takes none of its events away. Where
 * another tool listens to LINE as well, `tool` does so too until rt_monitors_recorded: when the
 * last tool leaves a LINE, CPython forgets the INSTRUCTION of that execution. False: no memory. */
bool rt_monitors_keep(PyCodeObject *code, long tool);

/* The INSTRUCTION at `unit` is recorded. */
void rt_monitors_recorded(PyCodeObject *code, long tool, uint32_t unit);

/* Specialised instructions that do the work of the instruction behind them and skip it are made
 * plain where that one is instrumented. CPython does not see to it. */
void rt_monitors_settle(PyCodeObject *code);

#endif
