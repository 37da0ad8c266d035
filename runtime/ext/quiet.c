/* SPDX-License-Identifier: Apache-2.0 */
#include "quiet.h"

#if RT_MONITORING && !RT_FREE_THREADED

static void make_ring(struct rt_link *list)
{
    list->next = list->prev = list;
}

int rt_quiet_start(struct rt_quiet *quiet)
{
    make_ring(&quiet->list);
    return 0;
}

/* Code outlives the module: nothing may point to `quiet` any more. */
void rt_quiet_end(struct rt_quiet *quiet)
{
    while (quiet->list.next && quiet->list.next != &quiet->list)
        rt_link_leave(quiet->list.next);
}

int rt_quiet_traverse(struct rt_quiet *quiet, visitproc visit, void *arg)
{
    (void)quiet, (void)visit, (void)arg;
    return 0;
}

static void append(struct rt_link *list, struct rt_link *link)
{
    link->prev = list->prev;
    link->next = list;
    list->prev->next = link;
    list->prev = link;
}

bool rt_quiet_add(struct rt_quiet *quiet, PyCodeObject *code, struct rt_code *rc)
{
    if (rc->link.next)
        return true;
    rc->link.code = code;
    append(&quiet->list, &rc->link);
    return true;
}

void rt_quiet_empty(struct rt_quiet *quiet, void (*each)(void *arg, PyCodeObject *code), void *arg)
{
    struct rt_link list;

    if (quiet->list.next == &quiet->list)
        return;
    list = quiet->list;
    list.next->prev = list.prev->next = &list;
    make_ring(&quiet->list);
    /* What dies meanwhile leaves by itself. */
    while (list.next != &list) {
        PyCodeObject *code = list.next->code;

        rt_link_leave(list.next);
        Py_INCREF(code);
        each(arg, code);
        Py_DECREF(code);
    }
}

#elif RT_MONITORING

#define LEAST 64

int rt_quiet_start(struct rt_quiet *quiet)
{
    quiet->limit = LEAST;
    quiet->weak = PyList_New(0);
    return quiet->weak ? 0 : -1;
}

void rt_quiet_end(struct rt_quiet *quiet)
{
    Py_CLEAR(quiet->weak);
}

int rt_quiet_traverse(struct rt_quiet *quiet, visitproc visit, void *arg)
{
    Py_VISIT(quiet->weak);
    return 0;
}

/* Takes out all that is there: a new list, or NULL. */
static PyObject *take(struct rt_quiet *quiet)
{
    PyObject *taken;
    Py_ssize_t n;

    PyMutex_Lock(&quiet->mutex);
    n = PyList_GET_SIZE(quiet->weak);
    taken = PyList_GetSlice(quiet->weak, 0, n);
    if (!taken || PyList_SetSlice(quiet->weak, 0, n, NULL))
        Py_CLEAR(taken);
    PyMutex_Unlock(&quiet->mutex);
    if (!taken)
        PyErr_Clear();
    return taken;
}

static bool append(struct rt_quiet *quiet, PyObject *weak)
{
    int failed;

    PyMutex_Lock(&quiet->mutex);
    failed = PyList_Append(quiet->weak, weak);
    PyMutex_Unlock(&quiet->mutex);
    if (failed)
        PyErr_Clear();
    return !failed;
}

/* Drops what refers to dead code. */
static void prune(struct rt_quiet *quiet)
{
    PyObject *taken = take(quiet);
    Py_ssize_t alive = 0;

    for (Py_ssize_t i = 0; taken && i < PyList_GET_SIZE(taken); i++) {
        PyObject *weak = PyList_GET_ITEM(taken, i), *code = NULL;

        if (PyWeakref_GetRef(weak, &code) > 0)
            alive += append(quiet, weak);
        Py_XDECREF(code);
    }
    Py_XDECREF(taken);
    quiet->limit = 2 * alive > LEAST ? 2 * alive : LEAST;
}

bool rt_quiet_add(struct rt_quiet *quiet, PyCodeObject *code, struct rt_code *rc)
{
    PyObject *weak = PyWeakref_NewRef((PyObject *)code, NULL);
    bool added = weak && append(quiet, weak);

    (void)rc;
    if (!weak)
        PyErr_Clear();
    Py_XDECREF(weak);
    if (PyList_GET_SIZE(quiet->weak) >= quiet->limit)
        prune(quiet);
    return added;
}

void rt_quiet_empty(struct rt_quiet *quiet, void (*each)(void *arg, PyCodeObject *code), void *arg)
{
    PyObject *taken = PyList_GET_SIZE(quiet->weak) ? take(quiet) : NULL;

    for (Py_ssize_t i = 0; taken && i < PyList_GET_SIZE(taken); i++) {
        PyObject *code = NULL;

        if (PyWeakref_GetRef(PyList_GET_ITEM(taken, i), &code) > 0)
            each(arg, (PyCodeObject *)code);
        Py_XDECREF(code);
    }
    Py_XDECREF(taken);
}

#endif
