/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Code that coverage.py's file tracer plug-ins trace (docs/file-tracers.md).
 *
 * A Python callable, the claim, is asked once for each co_filename whether a plug-in takes the
 * file. If one does, Python functions are called when a frame of such code begins, at each of its
 * lines, and when it ends; they record lines of other files. Without a claim nothing here runs.
 */
#ifndef RT_CLAIMED_H
#define RT_CLAIMED_H

#include "code.h"
#include "state.h"

/* Added to the module by its exec. */
extern PyMethodDef rt_claimed_methods[];

/* Loads the plug-ins of the run, if any, and sets the claim. A failure is counted as lost. No
 * exception is left set. */
void rt_claimed_load(struct rt_state *state);

/* Is a code object that is being entered in the running frame claimed? Then *rc is its entry for
 * the code map, owned by the caller, or NULL: the file is left out. Only with a claim. No exception
 * is left set. */
bool rt_claimed(struct rt_state *state, PyCodeObject *code, struct rt_code **rc);

/* The running frame begins (or is resumed), comes to a line, ends. An Exception of the plug-in is
 * counted as lost and dropped; -1 with any other exception, such as KeyboardInterrupt. */
int rt_claimed_start(struct rt_state *state, const struct rt_code *rc, PyFrameObject *frame,
                     bool begins);
int rt_claimed_line(struct rt_state *state, const struct rt_code *rc, PyFrameObject *frame);
int rt_claimed_end(struct rt_state *state, const struct rt_code *rc, PyFrameObject *frame);

void rt_claimed_clear(struct rt_state *state);
int rt_claimed_traverse(struct rt_state *state, visitproc visit, void *arg);

#endif
