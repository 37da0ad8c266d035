/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The code objects of an interpreter in which something has been disabled since the last switch of
 * context. None is kept alive by it: with the GIL they are linked through their struct rt_code,
 * which leaves the list when it is freed; without it there are weak references, and those of dead
 * code go when they have become as many as the others.
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
    struct rt_link list; /* a ring; this one is no code object's */
#endif
};

/* 0, or -1 with an exception. */
int rt_rearm_start(struct rt_rearm *rearm);
void rt_rearm_end(struct rt_rearm *rearm);
int rt_rearm_traverse(struct rt_rearm *rearm, visitproc visit, void *arg);

/* Adds a code object that is not there, `rc` being what it sets. False: no memory. No exception is
 * left set. */
bool rt_rearm_add(struct rt_rearm *rearm, PyCodeObject *code, struct rt_code *rc);

/* Calls `each` for every one that is there, and takes it out before; those that are added
 * meanwhile remain. No exception is left set. */
void rt_rearm_drain(struct rt_rearm *rearm, void (*each)(void *arg, PyCodeObject *code), void *arg);

#endif
