/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether breakpoints work in this interpreter: tried out before any of its code has one.
 */
#ifndef RT_SELFTEST_H
#define RT_SELFTEST_H

#include "state.h"

/* Runs a probe bare and as its twin, its sites going off and on meanwhile. The tracer has to be
 * able to make twins. 0, or -1 with a Python exception: the interpreter is not as we know it. */
int rt_selftest(struct rt_state *state);

#endif
