/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of the module `_shmcov`, of which each interpreter of a process has its own.
 */
#ifndef RT_STATE_H
#define RT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "compat.h"

struct rt_state {
    PyObject *decisions; /* dict: co_filename -> address of the file's struct seg_entry, or None */
    uint32_t decisions_epoch;
    /* codemap_extra.c, codemap_lfht.c: */
    Py_ssize_t extra; /* index of co_extra, or id of a code watcher */
    Py_ssize_t slot;  /* the same, where co_extra can be read without a call; else too high */
    const struct rt_tracer *tracer;
    void *tracer_state; /* the tracer's own */
    /* claimed.c: */
    PyObject *claim;       /* asked for each file name whether a plug-in traces it, or NULL */
    PyObject *claims;      /* dict: co_filename -> its answer */
    uint32_t claim_number; /* of this claim */
    bool claims_loaded;
#if RT_BREAKPOINTS
    PyObject *entering; /* borrowed: globals of code that is about to run; NULL: the frame's */
#endif
    struct rt_words { /* function_context.c: interned strings, or NULL */
        PyObject *module, *name, *func, *qualname;
    } words;
};

/* What records when code runs. Chosen once, in module.c; nothing above asks which one it is. */
struct rt_tracer {
    const char *name;
    bool sees_all; /* code that is not measured has events too: they cannot be disabled */
    /* Starts in this interpreter: 0, or -1 with a Python exception. `module` owns `state`. In a
     * paused process it only gets ready. */
    int (*start)(PyObject *module, struct rt_state *state);
    /* The process is in another segment now: every event must fire again. 0, or -1 with an
     * exception. */
    int (*restart)(struct rt_state *state);
    /* rt_process_paused() has changed. 0, or -1 with an exception. */
    int (*pause)(struct rt_state *state);
    void (*clear)(struct rt_state *state);
    int (*traverse)(struct rt_state *state, visitproc visit, void *arg);
    /* The process records contexts from now on, though its plan did not say so: every event must
     * fire again in each. 0, or -1 with an exception. */
    int (*contexts_begin)(struct rt_state *state);
    /* The calling thread is in another context now. */
    void (*switched)(struct rt_state *state);
    /* Whether CPython's own structures are usable here: to keep other tools from silencing ours,
     * and to restore single sites. */
    void (*usable)(struct rt_state *state, bool *monitors, bool *sites);
};

extern const struct rt_tracer rt_tracer_monitoring;  /* 3.12 and later */
extern const struct rt_tracer rt_tracer_settrace;    /* 3.11 */
extern const struct rt_tracer rt_tracer_breakpoints; /* 3.11, where it is asked for */

#endif
