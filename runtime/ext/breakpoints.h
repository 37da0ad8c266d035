/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one interpreter keeps of its twins, for twin.c, hit.c and tracer_breakpoints.c.
 */
#ifndef RT_BREAKPOINTS_H
#define RT_BREAKPOINTS_H

#include "twin_patch.h"

#if RT_BREAKPOINTS

#include "state.h"

struct rt_breakpoints { /* never freed: twins may outlive the module */
    struct rt_breakpoints *next;
    int64_t interp;         /* its id: its address may be another's later */
    struct rt_state *state; /* NULL: the tracer has ended, and hits record nothing */
    Py_ssize_t slot;        /* of co_extra: a twin's record | RT_TWIN_TAG, or an original's twin */
    struct rt_link twins;   /* the ring of all */
    struct rt_link rearm; /* the ring of those in which something went off since the last switch */
    bool lasting;         /* sites come on again at switches of context */
    bool lost;            /* threads have been in contexts of their own, which has been counted */
    uint32_t generation;  /* of the context in which sites went off */
};

#define RT_TWIN_TAG ((uintptr_t)1)

/* Makes ready for twins in the running interpreter: 0, or -1 with an exception. */
int rt_breakpoints_open(struct rt_state *state);

/* That of the running interpreter, or NULL. */
struct rt_breakpoints *rt_breakpoints_here(void);

/* The type of records. */
extern PyTypeObject rt_twin_type;

/* The twin of a link in a ring. */
#define RT_TWIN_OF_LINK(link, member) \
    ((struct rt_twin *)(void *)((char *)(link)-offsetof(struct rt_twin, member)))

void rt_ring_make(struct rt_link *ring);
void rt_ring_add(struct rt_link *ring, struct rt_link *link);

/* Frees what co_extra has in our slot. */
void rt_twin_drop(void *entry);

/* The hit: nb_bool of a record. */
int rt_twin_hit(PyObject *record);

/* Turns on again what went off, in all twins that are listed. */
void rt_twins_rearm(struct rt_breakpoints *own);

/* All sites of a twin on, or off. Those that are on are not listed. */
void rt_twin_all(struct rt_twin *twin, bool on);

#endif
#endif
