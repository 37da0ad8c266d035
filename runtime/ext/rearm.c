/* SPDX-License-Identifier: Apache-2.0 */
#include "rearm.h"

#if RT_MONITORING && !RT_FREE_THREADED

static void rearm_make_ring(struct rt_link *list)
{
    list->next = list->prev = list;
}

int rt_rearm_start(struct rt_rearm *rearm)
{
    rearm_make_ring(&rearm->list);
    return 0;
}

/* Code may outlive the module, so its links must not lead to `rearm` any more. */
void rt_rearm_end(struct rt_rearm *rearm)
{
    while (rearm->list.next && rearm->list.next != &rearm->list)
        rt_link_leave(rearm->list.next);
}

int rt_rearm_traverse(struct rt_rearm *rearm, visitproc visit, void *arg)
{
    (void)rearm, (void)visit, (void)arg;
    return 0;
}

static void rearm_append(struct rt_link *list, struct rt_link *link)
{
    link->prev = list->prev;
    link->next = list;
    list->prev->next = link;
    list->prev = link;
}

bool rt_rearm_add(struct rt_rearm *rearm, PyCodeObject *code, struct rt_code *rc)
{
    if (rc->link.next)
        return true;
    rc->link.code = code;
    rearm_append(&rearm->list, &rc->link);
    return true;
}

void rt_rearm_drain(struct rt_rearm *rearm, void (*each)(void *arg, PyCodeObject *code), void *arg)
{
    struct rt_link list;

    if (rearm->list.next == &rearm->list)
        return;
    list = rearm->list;
    list.next->prev = list.prev->next = &list;
    rearm_make_ring(&rearm->list);
    /* Code that dies meanwhile leaves the ring by itself. */
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

int rt_rearm_start(struct rt_rearm *rearm)
{
    rearm->limit = LEAST;
    rearm->weak = PyList_New(0);
    return rearm->weak ? 0 : -1;
}

void rt_rearm_end(struct rt_rearm *rearm)
{
    Py_CLEAR(rearm->weak);
}

int rt_rearm_traverse(struct rt_rearm *rearm, visitproc visit, void *arg)
{
    Py_VISIT(rearm->weak);
    return 0;
}

/* Moves all references to a new list; NULL: no memory. */
static PyObject *rearm_take(struct rt_rearm *rearm)
{
    PyObject *taken;
    Py_ssize_t n;

    PyMutex_Lock(&rearm->mutex);
    n = PyList_GET_SIZE(rearm->weak);
    taken = PyList_GetSlice(rearm->weak, 0, n);
    if (!taken || PyList_SetSlice(rearm->weak, 0, n, NULL))
        Py_CLEAR(taken);
    PyMutex_Unlock(&rearm->mutex);
    if (!taken)
        PyErr_Clear();
    return taken;
}

static bool rearm_append(struct rt_rearm *rearm, PyObject *weak)
{
    int failed;

    PyMutex_Lock(&rearm->mutex);
    failed = PyList_Append(rearm->weak, weak);
    PyMutex_Unlock(&rearm->mutex);
    if (failed)
        PyErr_Clear();
    return !failed;
}

/* Drops references to dead code. */
static void rearm_prune(struct rt_rearm *rearm)
{
    PyObject *taken = rearm_take(rearm);
    Py_ssize_t alive = 0;

    for (Py_ssize_t i = 0; taken && i < PyList_GET_SIZE(taken); i++) {
        PyObject *weak = PyList_GET_ITEM(taken, i), *code = NULL;

        if (PyWeakref_GetRef(weak, &code) > 0)
            alive += rearm_append(rearm, weak);
        Py_XDECREF(code);
    }
    Py_XDECREF(taken);
    rearm->limit = 2 * alive > LEAST ? 2 * alive : LEAST;
}

bool rt_rearm_add(struct rt_rearm *rearm, PyCodeObject *code, struct rt_code *rc)
{
    PyObject *weak = PyWeakref_NewRef((PyObject *)code, NULL);
    bool added = weak && rearm_append(rearm, weak);

    (void)rc;
    if (!weak)
        PyErr_Clear();
    Py_XDECREF(weak);
    if (PyList_GET_SIZE(rearm->weak) >= rearm->limit)
        rearm_prune(rearm);
    return added;
}

void rt_rearm_drain(struct rt_rearm *rearm, void (*each)(void *arg, PyCodeObject *code), void *arg)
{
    PyObject *taken = PyList_GET_SIZE(rearm->weak) ? rearm_take(rearm) : NULL;

    for (Py_ssize_t i = 0; taken && i < PyList_GET_SIZE(taken); i++) {
        PyObject *code = NULL;

        if (PyWeakref_GetRef(PyList_GET_ITEM(taken, i), &code) > 0)
            each(arg, (PyCodeObject *)code);
        Py_XDECREF(code);
    }
    Py_XDECREF(taken);
}

#endif
