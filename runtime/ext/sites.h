/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sites of a code object: where CPython has instrumented an opcode for our tool.
 *
 * sys.monitoring can disable one site (a callback returns DISABLE) but not enable one again:
 * set_local_events instruments a whole code object anew, restart_events everything of every tool.
 * With contexts each disabled site must come back at each switch, so this writes the instrumented
 * opcode back itself, as instrument() and instrument_line() of CPython's Python/instrumentation.c
 * do for one site, and leaves other tools' bits as they are.
 *
 * This needs CPython's own structures (monitors.h), which rt_sites_usable() probes at run time. The
 * tracer does without where they are not usable: with a JIT, which compiles the absence of a site
 * into its code, and on free-threaded builds, where other threads run the code and have copies.
 * Where RT_SITES is 0 these functions are not compiled, and their callers test it.
 *
 * Everything here needs the GIL, and raises nothing.
 */
#ifndef RT_SITES_H
#define RT_SITES_H

#include "code.h"
#include "monitors.h"

/* Finds the sites that have something to record, in a code object that has just been armed for
 * `tool` (its number). INSTRUCTION is removed from all units that imply no arc, and LINE from those
 * that do, so a unit fires once. NULL: no memory. Freed with free(). */
struct rt_sites *rt_sites_find(PyCodeObject *code, const struct rt_code *rc, long tool);

/* The line is recorded: disables all its sites. Unlike DISABLE, this reaches sites at which the
 * interpreter calls no callback because the line has not changed, and brings back the specialised
 * instruction that restoring the site replaced. False: the line has no site, and DISABLE would lose
 * no INSTRUCTION. */
bool rt_sites_line_off(struct rt_sites *sites, PyCodeObject *code, int32_t line);

/* The same in a few instructions, if it is the line behind the one recorded last, has one site, and
 * no other tool listens there. False: it is not, and nothing was done. */
bool rt_sites_next_line_off(struct rt_sites *sites, PyCodeObject *code, int32_t line);

/* The same for the INSTRUCTION of a unit. False: it has none. */
bool rt_sites_unit_off(struct rt_sites *sites, PyCodeObject *code, uint32_t unit);

/* Re-arms every site, also in running frames. False: the code is no longer armed as when its sites
 * were found, and nothing was done. */
bool rt_sites_restore(struct rt_sites *sites, PyCodeObject *code);

/* Whether this interpreter's sites can be restored: tried on a function with every kind of site.
 * Leaves no exception set. To be called after rt_monitors_usable(). */
bool rt_sites_usable(rt_arm *arm, void *arg, long tool);

#endif
