/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The re-arm list: an interpreter's code objects in which something has been disabled since the
 * last switch of context. It keeps none of them alive: with the GIL they are linked through their
 * struct rt_code, which leaves the list when it is freed; without it the list has weak references,
 * and those to dead code are dropped when they may be as many as the others.
 */
#ifndef RT_REARM_H
#define RT_REARM_H

#include "code.h"
#include "compat.h"

struct rt_rearm {
#if RT_FREE_THREADED
    PyMutex mutex;
    PyObject *weak; /* owned: list of weak references */
    Py_ssize_t limit;
#else
    struct rt_link list; /* the head of a ring */
#endif
};

/* 0, or -1 with an exception. */
int rt_rearm_start(struct rt_rearm *rearm);
void rt_rearm_end(struct rt_rearm *rearm);
int rt_rearm_traverse(struct rt_rearm *rearm, visitproc visit, void *arg);

/* Adds a code object, whose entry in the code map is `rc`. False: no memory. No exception is left
 * set. */
bool rt_rearm_add(struct rt_rearm *rearm, PyCodeObject *code, struct rt_code *rc);

/* Takes out every code object and calls `each` for it; those that are added meanwhile remain. No
 * exception is left set. */
void rt_rearm_drain(struct rt_rearm *rearm, void (*each)(void *arg, PyCodeObject *code), void *arg);

#endif
