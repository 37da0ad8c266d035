/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways in which code comes to run on 3.11, so that twins run in the place of measured code
 * (twin.h): exec() and eval(), new functions, functions that are given other code, the main script,
 * and what is there already when measuring begins. docs/breakpoints.md says what each covers.
 */
#ifndef RT_REACH_H
#define RT_REACH_H

#include "state.h"

/* From now on, twins run in this interpreter. The tracer has to be able to make them. 0, or -1 with
 * a Python exception, and then nothing is changed. */
int rt_reach_start(struct rt_state *state);

/* Gives twins to what has come to be without them: before the start, or while there was no
 * segment. 0, or -1 with a Python exception. */
int rt_reach_again(struct rt_state *state);

/* Takes everything back that rt_reach_start() has changed. Twins that are there go on running. */
void rt_reach_stop(struct rt_state *state);

#endif
