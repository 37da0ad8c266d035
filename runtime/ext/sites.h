/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sites of a code object: where CPython has instrumented an opcode for our tool.
 *
 * sys.monitoring can disable one site (a callback returns DISABLE) and has nothing to enable one
 * again: set_local_events instruments a whole code object anew, restart_events everything of every
 * tool. With contexts each site that was disabled must come back at each switch, so this writes
 * the instrumented opcode back itself, as instrument() and instrument_line() of CPython's
 * Python/instrumentation.c do for one site, and leaves other tools' bits as they are.
 *
 * This needs CPython's own structures (monitors.h). rt_sites_usable() probes them at run time.
 * Where they are not usable (a JIT, which bakes the absence of a site into its code; a
 * free-threaded build, where other threads run the code and have copies of it), the tracer does
 * without. Where RT_SITES is 0 there are no functions, and each call stands behind it.
 *
 * Everything here needs the GIL, and raises nothing.
 */
#ifndef RT_SITES_H
#define RT_SITES_H

#include "code.h"
#include "monitors.h"

/* Finds the sites of a code object that has just been armed for `tool` (its number): those that
 * have something to record. INSTRUCTION is removed from all units that imply no arc, and LINE from
 * those that do, so a unit fires once. NULL: no memory. Freed with free(). */
struct rt_sites *rt_sites_find(PyCodeObject *code, const struct rt_code *rc, long tool);

/* The line is recorded: disables all sites of it. Unlike DISABLE it reaches those where the
 * interpreter asks no callback because the line has not changed, and an instruction that was
 * specialised when the site was restored is so again. False: there is none, and DISABLE loses no
 * INSTRUCTION. */
bool rt_sites_line_off(struct rt_sites *sites, PyCodeObject *code, long tool, int32_t line);

/* The instruction is recorded: disables its INSTRUCTION. The rest as above. */
bool rt_sites_unit_off(struct rt_sites *sites, PyCodeObject *code, long tool, uint32_t unit);

/* Re-arms every site, also in frames that are running. False: the code is not armed as it was
 * when its sites were found, nothing has been done. */
bool rt_sites_restore(struct rt_sites *sites, PyCodeObject *code, long tool);

/* Whether this interpreter's sites can be restored: tried on a function with every kind of site.
 * Leaves no exception set. rt_monitors_usable() has been asked before. */
bool rt_sites_usable(rt_arm *arm, void *arg, long tool);

#endif
