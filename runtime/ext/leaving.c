/* SPDX-License-Identifier: Apache-2.0 */
/*
 * os._exit() says in the process table that the process ends.
 *
 * The function object stays, whoever has it: only the C function behind it is another one.
 */
#include "leaving.h"

#include "compat.h"
#include "process.h"

typedef PyObject *fast_function(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

static PyMethodDef ours; /* all interpreters share posix's definition, and so this one */
static fast_function *theirs;

static PyObject *leaving_exit(PyObject *module, PyObject *const *args, Py_ssize_t n,
                              PyObject *names)
{
    PyObject *result;

    rt_process_ends(true);
    result = theirs(module, args, n, names);
    rt_process_ends(false); /* it was no status */
    return result;
}

void rt_leaving_watch(void)
{
    PyObject *posix = PyImport_ImportModule("posix");
    PyObject *function = posix ? PyObject_GetAttrString(posix, "_exit") : NULL;

    if (function && PyCFunction_CheckExact(function) &&
        PyCFunction_GET_FLAGS(function) == (METH_FASTCALL | METH_KEYWORDS)) {
        PyCFunctionObject *it = (PyCFunctionObject *)function;

        if (!theirs) {
            ours = *it->m_ml;
            theirs = (fast_function *)(void *)ours.ml_meth;
            ours.ml_meth = (PyCFunction)(void *)leaving_exit;
        }
        if (it->m_ml->ml_meth == (PyCFunction)(void *)theirs)
            it->m_ml = &ours;
    }
    PyErr_Clear();
    Py_XDECREF(function);
    Py_XDECREF(posix);
}
