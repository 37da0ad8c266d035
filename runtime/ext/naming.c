/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name that multiprocessing gives a process, for the process table.
 */
#include "naming.h"

#include "compat.h"
#include "process.h"

_Atomic uint32_t rt_naming_left;

/* The process object whose name was taken; compared, never used. A fork has it until it gets one of
 * its own. */
static void *_Atomic taken;

void rt_naming_expect(uint32_t looks)
{
    atomic_store_explicit(&rt_naming_left, looks, memory_order_relaxed);
}

/* The value of a key, new, or NULL without an exception. */
static PyObject *item(PyObject *dict, const char *key)
{
    PyObject *name = PyUnicode_FromString(key), *value = NULL;

    if (name && dict && PyDict_Check(dict)) {
#if RT_FREE_THREADED
        PyDict_GetItemRef(dict, name, &value);
#else
        value = Py_XNewRef(PyDict_GetItemWithError(dict, name));
#endif
    }
    Py_XDECREF(name);
    PyErr_Clear();
    return value;
}

/* An attribute in the way of plain objects, which runs no code of a subclass: the same. */
static PyObject *attribute(PyObject *object, const char *key)
{
    PyObject *name = PyUnicode_FromString(key);
    PyObject *value = name ? PyObject_GenericGetAttr(object, name) : NULL;

    Py_XDECREF(name);
    PyErr_Clear();
    return value;
}

/* The object that stands for this process: new, or NULL if multiprocessing did not make it. */
static PyObject *find_process(void)
{
    PyObject *module = item(PyImport_GetModuleDict(), "multiprocessing.process");
    PyObject *process = NULL, *parent;

    if (!module) { /* whoever forks by it has imported it */
        if (atomic_load_explicit(&rt_naming_left, memory_order_relaxed) < RT_NAMING_FORK)
            rt_naming_expect(0);
        return NULL;
    }
    if (PyModule_Check(module))
        process = item(PyModule_GetDict(module), "_current_process");
    Py_DECREF(module);
    if (!process)
        return NULL;
    parent = attribute(process, "_parent_pid");
    if (process == taken || !parent || !PyLong_Check(parent))
        Py_CLEAR(process);
    Py_XDECREF(parent);
    return process;
}

void rt_naming_look(void)
{
    PyObject *type, *value, *trace, *process, *name;
    const char *text;

    atomic_fetch_sub_explicit(&rt_naming_left, 1, memory_order_relaxed);
    PyErr_Fetch(&type, &value, &trace);
    process = find_process();
    if (process) {
        name = attribute(process, "_name");
        text = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
        if (text)
            rt_process_name(text);
        PyErr_Clear();
        Py_XDECREF(name);
        taken = process;
        rt_naming_expect(0);
        Py_DECREF(process);
    }
    PyErr_Restore(type, value, trace);
}
