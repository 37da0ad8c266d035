/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a code object to what it sets (struct rt_code). An entry goes when its code object does.
 *
 * With the GIL it is a slot of the code object itself (codemap_extra.c: co_extra, 0-5 ns). Without
 * it, readers run beside writers and code objects die on any thread: liburcu's lock-free hash table
 * (codemap_lfht.c). Code objects are known by their address, because == ignores the file name.
 */
#ifndef RT_CODEMAP_H
#define RT_CODEMAP_H

#include "code.h"
#include "state.h"

/* Once in each interpreter. 0, or -1 with a Python exception. */
int rt_codemap_start(struct rt_state *state);

/* What a code object sets in this epoch of the process, or NULL. The caller holds a reference to
 * the code object, which keeps the entry alive. */
struct rt_code *rt_codemap_get(const struct rt_state *state, PyCodeObject *code);

/* Gives `code` an entry and owns it, in the place of one of another epoch. 0; 1 if there is one
 * already (of another thread): the caller keeps its own; -1 without memory. No exception is left
 * set. */
int rt_codemap_put(struct rt_state *state, PyCodeObject *code, struct rt_code *entry);

/* The first time that code runs in this interpreter: finds out what it sets, which runs Python, and
 * puts it there. NULL: it matters to nobody, or not in this epoch any more, or there is no memory.
 * *wanted: the entry is new, and not all that it can set is set. In codemap.c. */
struct rt_code *rt_codemap_add(struct rt_state *state, PyCodeObject *code, bool *wanted);

#endif
