/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `dynamic_context = test_function`: coverage.py's rule (its context.py) for which calls begin a
 * context and what that is called, for both tracers.
 */
#ifndef RT_FUNCTION_CONTEXT_H
#define RT_FUNCTION_CONTEXT_H

#include "state.h"

/* Could a call of this code begin a context? */
bool rt_function_may_begin(PyCodeObject *code);

/* The running frame, of code that may begin a context, begins or is resumed: switches to its
 * context unless one is active. An exception that is set remains; no other is left set. */
void rt_function_begin(struct rt_state *state);

/* Drops what the state keeps for it. */
void rt_function_clear(struct rt_state *state);

/* The running frame returns, yields or is unwound: leaves the context that it began. */
void rt_function_end(struct rt_state *state);

#endif
