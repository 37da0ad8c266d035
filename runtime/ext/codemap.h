/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a code object to what it sets (struct rt_code). An entry is freed with its code object.
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

/* The same of any epoch, at once: NULL as well where finding it would take a call. */
struct rt_code *rt_codemap_peek(const struct rt_state *state, const PyCodeObject *code);

/* Gives `code` an entry, in place of one of another epoch, and takes it over: 0. The caller keeps
 * it if another thread was first: 1, or without memory: -1. No exception is left set. */
int rt_codemap_put(struct rt_state *state, PyCodeObject *code, struct rt_code *entry);

#if !RT_FREE_THREADED
/* Puts a value into a slot of co_extra that is ours: 0, or -1: no memory. No exception is left set.
 * When the code dies, CPython calls the function that frees a slot for each slot that the code has,
 * empty or not, and has made one for everybody. The function of somebody else may be gone by then,
 * so slots behind ours are taken away again until somebody uses them. */
int rt_extra_put(const struct rt_state *state, PyCodeObject *code, Py_ssize_t index, void *value);
#endif

/* First sight: finds out what the code sets, which runs Python, and puts that there. NULL: nothing,
 * or the epoch has ended meanwhile, or there is no memory. *wanted: the entry is new, and may still
 * set something. In codemap.c. */
struct rt_code *rt_codemap_add(struct rt_state *state, PyCodeObject *code, bool *wanted);

#endif
