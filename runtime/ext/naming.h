/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name that multiprocessing gives a process, for the process table.
 *
 * It is known in the process itself, a few calls after a fork or well after the start of an
 * interpreter, and nothing tells when. So the first sight of a code object is the occasion to look,
 * a limited number of times: a process that is not of multiprocessing never has one.
 */
#ifndef RT_NAMING_H
#define RT_NAMING_H

#include <stdatomic.h>
#include <stdint.h>

/* How often to look. A fork comes to multiprocessing's own code at once, but that of a fork server
 * reads its orders first; an interpreter that it starts has imported this and that by then. */
#define RT_NAMING_FORK 1000u
#define RT_NAMING_START 5000u

extern _Atomic uint32_t rt_naming_left;

/* This process may get a name from multiprocessing. */
void rt_naming_expect(uint32_t looks);

/* Looks whether it has one. Needs the GIL; runs no Python code, touches no exception. */
void rt_naming_look(void);

static inline void rt_naming_occasion(void)
{
    if (atomic_load_explicit(&rt_naming_left, memory_order_relaxed))
        rt_naming_look();
}

#endif
