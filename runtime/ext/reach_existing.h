/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions, and frames that run or are suspended, that are there when measuring begins.
 */
#ifndef RT_REACH_EXISTING_H
#define RT_REACH_EXISTING_H

#include "state.h"

/* Gives twins to all functions of this interpreter. Frames keep the code that they run, but the
 * functions that they make from now on have twins. 0, or -1 with a Python exception. */
int rt_reach_existing(struct rt_state *state);

/* Gives twins to the code objects among the constants of a code object that has none itself: the
 * functions that its frames go on to make run as twins. */
void rt_reach_constants(struct rt_state *state, PyCodeObject *code, PyObject *globals);

/* The twin of a code object that is about to run, or to become a function's, with these globals
 * (NULL: those of the running frame): new. NULL: it has none. An exception that is set stays, no
 * other is left. In reach.c. */
PyObject *rt_reach_twin(struct rt_state *state, PyObject *code, PyObject *globals);

#endif
