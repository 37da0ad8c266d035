/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dynamic context that a thread is in, and the bits of what runs in it.
 *
 * A context belongs to the thread that switched to it. A thread that is in none of its own, as
 * every new one, is in the one of the process, which is what any thread switched to last: what a
 * test starts, or has done by a pool, counts for the test. Id 0 is none, the static context.
 * Everything else is the calling thread's own, so nothing is locked: a thread has one map from
 * (file, space, record number) to the record's bits, valid for one generation: from one
 * switch to the next.
 */
#ifndef RT_CONTEXT_H
#define RT_CONTEXT_H

#include <stdbool.h>

#include "map.h"
#include "segment.h"

/* A function that is kept out of those that every event goes through. */
#define RT_SELDOM __attribute__((noinline, cold))

struct rt_context {
    uint32_t id;           /* of the context; 0: the static one */
    uint32_t generation;   /* threads that follow share it; each switch begins another */
    uint64_t seen;         /* the process's context, when the thread looked last */
    uint32_t epoch;        /* of the process, to which id and records belong */
    bool own;              /* the thread has chosen this context; otherwise it is the process's */
    const void *owner;     /* the frame whose end is the context's end (test functions), or NULL */
    struct rt_map records; /* (file, space, record number) -> address of its bits */
};

struct rt_state;

/* Whether this process records contexts at all: since it entered its segment, or since
 * rt_context_enable(). */
bool rt_context_enabled(void);
void rt_context_enable(void);

/* The calling thread's. NULL where the process records no contexts (and without memory): then
 * everything is in the static one. */
struct rt_context *rt_context_get(void);

/* The calling thread enters a context by name, or none (NULL), and makes it that of the process;
 * the tracer of `state` is notified. 0 or a seg_status; then it is none, and the loss is counted.
 * No exception is touched. */
int rt_context_switch(struct rt_state *state, const char *name, size_t len);

/* The same for all threads that are in none of their own, the calling one as well as others. */
int rt_context_everywhere(struct rt_state *state, const char *name, size_t len);

/* Whether all threads are in one context now: none but the calling one is in one of its own. */
bool rt_context_shared(void);

/* In the child of a fork: the other threads are gone. */
void rt_context_after_fork(void);

/* The process has entered another segment: all threads are in its static context, and it records
 * contexts or not. */
void rt_context_reset(bool record);

/* The record (SEG_RECORD_BITS bits) that holds bit n of a file in this dynamic context.
 * NULL: no room, counted. */
seg_u8 *rt_context_bits(struct rt_context *context, uint32_t file, enum seg_space space,
                        uint32_t n);

#endif
