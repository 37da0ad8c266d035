/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is registered with sys.monitoring: an object that calls a C function, with the state of the
 * module at hand. A built-in function would go through the interpreter's own way of calling one,
 * and would have to ask the module for its state, at each event.
 */
#ifndef RT_LISTENER_H
#define RT_LISTENER_H

#include "state.h"

struct rt_listener {
    PyObject_HEAD
    vectorcallfunc call;
    struct rt_state *state;
    PyObject *module; /* owned: it has the state */
};

static inline struct rt_state *rt_listener_state(PyObject *listener)
{
    return ((struct rt_listener *)listener)->state;
}

/* The type of listeners: new, or NULL with an exception. They own it. */
PyTypeObject *rt_listener_type(PyObject *module);

/* New, or NULL with an exception. `call` has itself as its first argument. */
PyObject *rt_listener_new(PyTypeObject *type, PyObject *module, vectorcallfunc call);

#endif
