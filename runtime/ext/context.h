/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dynamic context that a thread is in, and the bits of what runs in it.
 *
 * A context belongs to the thread that switched to it. A thread without one of its own, like every
 * new thread, is in that of the process, which is the one that any thread switched to last: so what
 * a test starts, or has a pool do, counts for the test. Id 0 is the static context. All else is the
 * calling thread's own, so nothing is locked: a thread has one map from (file, space, record
 * number) to the record's bits, valid for one generation.
 */
#ifndef RT_CONTEXT_H
#define RT_CONTEXT_H

#include <stdbool.h>

#include "map.h"
#include "segment.h"

/* For slow paths: keeps a function out of line, away from what every event runs. */
#define RT_SELDOM __attribute__((noinline, cold))

struct rt_context {
    uint32_t id;           /* of the context; 0: the static one */
    uint32_t generation;   /* shared by threads in the process's context; each switch begins one */
    uint64_t seen;         /* the process's context when the thread last looked */
    uint32_t epoch;        /* of the process, in which id and records are valid */
    bool own;              /* the thread has chosen this context; otherwise it is the process's */
    const void *owner;     /* the frame whose end ends the context (test functions), or NULL */
    struct rt_map records; /* (file, space, record number) -> address of its bits */
};

struct rt_state;

/* Whether this process records contexts at all: since it entered its segment, or since
 * rt_context_enable(). */
bool rt_context_enabled(void);
void rt_context_enable(void);

/* The calling thread's context. NULL: the process records none, or there is no memory; then
 * everything counts in the static one. */
struct rt_context *rt_context_get(void);

/* The same, at once: NULL as well if the thread has to find out. */
struct rt_context *rt_context_peek(void);

/* The calling thread switches to the context of that name, or to none (NULL), and makes it that of
 * the process; the tracer of `state` is notified. 0 or a seg_status: then it is in none, and the
 * loss is counted. No exception is touched. */
int rt_context_switch(struct rt_state *state, const char *name, size_t len);

/* The same for all threads that are in no context of their own. */
int rt_context_everywhere(struct rt_state *state, const char *name, size_t len);

/* Whether all threads are in one context now: only the calling one may be in one of its own. */
bool rt_context_shared(void);

/* In the child of a fork: the other threads are gone. */
void rt_context_after_fork(void);

/* The process has entered another segment: all threads are in its static context. `record`: it
 * records contexts. */
void rt_context_reset(bool record);

/* The record (SEG_RECORD_BITS bits) with bit n of a file's space in this dynamic context. NULL: no
 * room, counted as lost. */
seg_u8 *rt_context_bits(struct rt_context *context, uint32_t file, enum seg_space space,
                        uint32_t n);

#endif
