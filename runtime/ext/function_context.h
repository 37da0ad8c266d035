/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `dynamic_context = test_function`: coverage.py's rule for which calls begin a context and how it
 * is called (its context.py), for both tracers.
 */
#ifndef RT_FUNCTION_CONTEXT_H
#define RT_FUNCTION_CONTEXT_H

#include "state.h"

/* Could a call of this code begin a context? */
bool rt_function_may_begin(PyCodeObject *code);

/* The running frame, of code that is test-named, begins or is resumed: enters its context unless
 * one is active. No exception is left set; one that is set on entry remains. */
void rt_function_begin(struct rt_state *state);

/* The running frame returns, yields or is unwound: leaves the context that it began. */
void rt_function_end(struct rt_state *state);

#endif
