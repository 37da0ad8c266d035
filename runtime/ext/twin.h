/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Twins of code objects on 3.11: code that runs in the place of measured code and tells once of
 * each line and each edge of a branch (docs/breakpoints.md).
 *
 * A twin shows the instructions, tables and constants of the code that it is the twin of. Behind
 * its end lie the pads of its sites (twin_plan.h), which CPython's headers do not know of: the size
 * of the object was made smaller after it was made. The record that the pads load stands in the
 * same way behind the end of its constants.
 *
 * The original keeps its twin, the twin its record, both in a slot of co_extra; a twin whose
 * original has died lives as long as what runs it. All of this needs the GIL.
 */
#ifndef RT_TWIN_H
#define RT_TWIN_H

#include <stdbool.h>

#include "state.h"

#if RT_BREAKPOINTS

/* The twin that is to run in the place of `code`: new. That of a twin is itself. The code objects
 * among its constants are twins too, so functions that it makes need nothing more. NULL: `code` is
 * not measured, or it cannot have one, which is counted as lost. Runs Python the first time that
 * a file name is seen. No exception is left set. */
PyCodeObject *rt_twin_of(struct rt_state *state, PyCodeObject *code);

/* A twin of code of no file, which records nothing: new, or NULL. No exception is left set. */
PyCodeObject *rt_twin_probe(struct rt_state *state, PyCodeObject *code);

/* The record of a twin: borrowed, or NULL. */
struct rt_twin *rt_twin_record(const struct rt_state *state, const PyCodeObject *twin);

/* Whether the code object is a twin of this interpreter. */
bool rt_twin_is(const PyCodeObject *code);

#endif
#endif
