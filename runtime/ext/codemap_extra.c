/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The code map of builds with a GIL: a slot of co_extra, guarded by the GIL of the interpreter that
 * owns the code object.
 */
#include "codemap.h"

#include "process.h"

#if !RT_FREE_THREADED

/* What CPython keeps behind co_extra. No header has it; it is the same from 3.6 to 3.15. */
struct extra {
    Py_ssize_t n;
    void *slot[];
};

static void codemap_drop(void *entry)
{
    rt_code_free(entry);
}

struct rt_code *rt_codemap_peek(const struct rt_state *state, const PyCodeObject *code)
{
    const struct extra *extra = code->co_extra;

    return extra && extra->n > state->slot ? extra->slot[state->slot] : NULL;
}

int rt_extra_put(const struct rt_state *state, PyCodeObject *code, Py_ssize_t index, void *value)
{
    const struct extra *before = code->co_extra;
    Py_ssize_t n = before ? before->n : 0;

    if (PyUnstable_Code_SetExtra((PyObject *)code, index, value)) {
        PyErr_Clear();
        return -1;
    }
    if (state->slot == state->extra && n <= index)
        ((struct extra *)code->co_extra)->n = index + 1;
    return 0;
}

/* Whether what was put into a slot is where rt_codemap_peek() looks for it. */
static bool try_slot(const struct rt_state *state)
{
    PyCodeObject *probe = PyCode_NewEmpty("<shmcov>", "probe", 1);
    struct rt_code *entry = rt_code_unmeasured(false); /* which rt_code_free() leaves alone */
    bool known = probe && entry && !rt_codemap_peek(state, probe) &&
                 !PyUnstable_Code_SetExtra((PyObject *)probe, state->extra, entry) &&
                 rt_codemap_peek(state, probe) == entry;

    PyErr_Clear();
    Py_XDECREF(probe);
    return known;
}

int rt_codemap_start(struct rt_state *state)
{
    state->extra = PyUnstable_Eval_RequestCodeExtraIndex(codemap_drop);
    if (state->extra < 0) {
        PyErr_SetString(PyExc_RuntimeError, "all slots of co_extra are taken");
        return -1;
    }
    state->slot = state->extra;
    if (!try_slot(state))
        state->slot = PY_SSIZE_T_MAX;
    return 0;
}

RT_SELDOM static void *ask_for_slot(const struct rt_state *state, PyCodeObject *code)
{
    void *entry = NULL;

    if (PyUnstable_Code_GetExtra((PyObject *)code, state->extra, &entry))
        PyErr_Clear();
    return entry;
}

struct rt_code *rt_codemap_get(const struct rt_state *state, PyCodeObject *code)
{
    struct rt_code *entry = rt_codemap_peek(state, code);

    if (!entry && state->slot != state->extra)
        entry = ask_for_slot(state, code);
    return entry && entry->epoch == rt_process_epoch() ? entry : NULL;
}

int rt_codemap_put(struct rt_state *state, PyCodeObject *code, struct rt_code *entry)
{
    if (rt_codemap_get(state, code))
        return 1;
    return rt_extra_put(state, code, state->extra, entry); /* frees that of another epoch */
}

#endif
