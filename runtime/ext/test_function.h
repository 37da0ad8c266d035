/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `dynamic_context = test_function`: coverage.py's rule for which calls begin a context and how it
 * is called (its context.py), for both tracers.
 */
#ifndef RT_TEST_FUNCTION_H
#define RT_TEST_FUNCTION_H

#include "state.h"

/* Is the run's dynamic context the test function? Set at attach. */
extern bool rt_test_contexts;

/* Could a call of this code begin a context? */
bool rt_test_named(PyCodeObject *code);

/* The running frame, of code that is test-named, begins or is resumed: enters its context unless
 * one is active. No exception is left set; one that is set on entry stays. */
void rt_test_begin(struct rt_state *state);

/* The running frame returns, yields or is unwound: leaves the context that it began. */
void rt_test_end(struct rt_state *state);

#endif
