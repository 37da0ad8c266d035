/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The code map of builds with a GIL: a slot of co_extra, guarded by the GIL of the interpreter that
 * owns the code object.
 */
#include "codemap.h"

#include "process.h"

#if !RT_FREE_THREADED

static void codemap_drop(void *entry)
{
    rt_code_free(entry);
}

int rt_codemap_start(struct rt_state *state)
{
    state->extra = PyUnstable_Eval_RequestCodeExtraIndex(codemap_drop);
    if (state->extra < 0) {
        PyErr_SetString(PyExc_RuntimeError, "all slots of co_extra are taken");
        return -1;
    }
    return 0;
}

struct rt_code *rt_codemap_get(const struct rt_state *state, PyCodeObject *code)
{
    void *entry = NULL;

    if (PyUnstable_Code_GetExtra((PyObject *)code, state->extra, &entry))
        PyErr_Clear();
    return entry && ((struct rt_code *)entry)->epoch == rt_process_epoch() ? entry : NULL;
}

int rt_codemap_put(struct rt_state *state, PyCodeObject *code, struct rt_code *entry)
{
    if (rt_codemap_get(state, code))
        return 1;
    /* Frees the entry of another epoch. */
    if (PyUnstable_Code_SetExtra((PyObject *)code, state->extra, entry)) {
        PyErr_Clear();
        return -1;
    }
    return 0;
}

#endif
