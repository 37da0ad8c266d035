/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The collector knows all functions and all suspended frames. Its lists are walked as they are:
 * gc.get_objects() would leave out what gc.freeze() has put aside. Making a twin allocates, which
 * may start a collection and change the lists, so the walk only gathers.
 */
#include "reach_existing.h"

#if RT_BREAKPOINTS

#include <stdbool.h>

#define Py_BUILD_CORE 1
#undef _PyGC_FINALIZED /* the collector's own header has another one */
#include <internal/pycore_frame.h>
#include <internal/pycore_gc.h>
#include <internal/pycore_interp.h>

/* Objects that were found: owned. */
struct found {
    PyObject **items;
    size_t n, room;
};

/* 0, or -1 without memory. */
static int gather(struct found *found, PyObject *object)
{
    if (found->n == found->room) {
        size_t room = found->room ? 2 * found->room : 1024;
        PyObject **items = PyMem_RawRealloc(found->items, room * sizeof(PyObject *));

        if (!items)
            return -1;
        found->items = items;
        found->room = room;
    }
    found->items[found->n++] = Py_NewRef(object);
    return 0;
}

/* The frame of a generator, coroutine or asynchronous generator that has not ended; or NULL. */
static const _PyInterpreterFrame *frame_of(PyObject *object)
{
    const PyGenObject *generator = (const PyGenObject *)object;

    if (!PyGen_CheckExact(object) && !PyCoro_CheckExact(object) && !PyAsyncGen_CheckExact(object))
        return NULL;
    if (generator->gi_frame_state >= FRAME_CLEARED)
        return NULL;
    return (const _PyInterpreterFrame *)generator->gi_iframe;
}

static int gather_list(struct found *found, PyGC_Head *list)
{
    for (PyGC_Head *at = _PyGCHead_NEXT(list); at && at != list; at = _PyGCHead_NEXT(at)) {
        PyObject *object = (PyObject *)(at + 1);

        if ((PyFunction_Check(object) || frame_of(object)) && gather(found, object))
            return -1;
    }
    return 0;
}

static int gather_all(struct found *found)
{
    struct _gc_runtime_state *gc = &PyInterpreterState_Get()->gc;

    for (int i = 0; i < NUM_GENERATIONS; i++)
        if (gather_list(found, &gc->generations[i].head))
            return -1;
    return gather_list(found, &gc->permanent_generation.head);
}

/* As an assignment to __code__ does it, but for the audit event. */
static void give_twin(struct rt_state *state, PyFunctionObject *function)
{
    PyObject *twin = rt_reach_twin(state, function->func_code, function->func_globals);

    if (!twin || twin == function->func_code) {
        Py_XDECREF(twin);
        return;
    }
    function->func_version = 0; /* specialised calls look at the code again */
    Py_SETREF(function->func_code, twin);
}

void rt_reach_constants(struct rt_state *state, PyCodeObject *code, PyObject *globals)
{
    PyObject *constants = code->co_consts;

    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(constants); i++) {
        PyObject *constant = PyTuple_GET_ITEM(constants, i), *twin;

        if (!PyCode_Check(constant))
            continue;
        twin = rt_reach_twin(state, constant, globals);
        if (twin && twin != constant) {
            PyTuple_SET_ITEM(constants, i, twin);
            Py_DECREF(constant);
        } else {
            Py_XDECREF(twin);
        }
    }
}

static void give_twins_to_frames(struct rt_state *state, PyThreadState *thread)
{
    PyFrameObject *frame = PyThreadState_GetFrame(thread), *back;

    for (; frame; frame = back) {
        PyCodeObject *code = PyFrame_GetCode(frame);
        PyObject *globals = PyFrame_GetGlobals(frame);

        rt_reach_constants(state, code, globals);
        Py_DECREF(globals);
        Py_DECREF(code);
        back = PyFrame_GetBack(frame);
        Py_DECREF(frame);
    }
}

int rt_reach_existing(struct rt_state *state)
{
    struct found found = {0};
    int status = gather_all(&found);

    for (size_t i = 0; i < found.n; i++) {
        PyObject *object = found.items[i];

        const _PyInterpreterFrame *frame = frame_of(object); /* it may have ended meanwhile */

        if (!status && PyFunction_Check(object))
            give_twin(state, (PyFunctionObject *)object);
        else if (!status && frame)
            rt_reach_constants(state, frame->f_code, frame->f_globals);
        Py_DECREF(object);
    }
    PyMem_RawFree(found.items);
    for (PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get()); thread;
         thread = PyThreadState_Next(thread))
        give_twins_to_frames(state, thread);
    if (status)
        PyErr_NoMemory();
    return status;
}

#endif
