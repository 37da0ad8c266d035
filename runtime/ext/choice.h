/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which tracer records in an interpreter. There is a choice on 3.11 alone.
 */
#ifndef RT_CHOICE_H
#define RT_CHOICE_H

#include <stdbool.h>

#include "state.h"

struct rt_choice {
    const struct rt_tracer *tracer;
    const char *why; /* static text, or that of the environment; "": there is no other */
    bool fell_back;  /* another one was asked for, and cannot be had: the run has to say so */
};

/* What the environment and this interpreter say, before anything is tried. No exception is left
 * set. */
struct rt_choice rt_choice_first(void);

/* The same, once the process is in a segment: with what the run needs. */
struct rt_choice rt_choice_of(const struct rt_state *state);

/* What is left when the tracer of this choice could not be started. False: nothing, and it is as it
 * was. */
bool rt_choice_instead(struct rt_choice *choice);

/* Tells whoever ends the run, once, why `choice` is another tracer than was asked for. */
void rt_choice_tell(const struct rt_choice *choice);

#endif
