/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin.c, twin_plan.c, twin_patch.c, hit.c: breakpoints in code of 3.11.
 */
#include "unit.h"

#if RT_BREAKPOINTS

#include <string.h>

#include "breakpoints.h"
#include "twin.h"

static struct seg_entry *file;

/* The twin of a source, in a file that is measured; NULL: something went wrong. */
static PyCodeObject *twin_of_source(const char *source)
{
    PyObject *code = Py_CompileString(source, "/measured.py", Py_file_input), *address;
    PyCodeObject *twin;

    if (!code ||
        (!unit_state.tracer_state && (!unit_enter() || !(unit_state.decisions = PyDict_New()) ||
                                      rt_tracer_breakpoints.start(NULL, &unit_state))))
        return NULL;
    file = unit_file("/measured.py");
    address = PyLong_FromVoidPtr(file);
    unit_state.decisions_epoch = rt_process_epoch();
    PyDict_SetItem(unit_state.decisions, ((PyCodeObject *)code)->co_filename, address);
    Py_DECREF(address);
    twin = rt_twin_of(&unit_state, (PyCodeObject *)code);
    Py_DECREF(code);
    return twin;
}

/* What the module's `result` is, as a number; -1: something went wrong. */
static long run(PyCodeObject *twin)
{
    PyObject *globals = PyDict_New(), *done, *result;

    PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins());
    done = PyEval_EvalCode((PyObject *)twin, globals, globals);
    if (!done)
        PyErr_Print();
    result = PyDict_GetItemString(globals, "result");
    return done && result ? PyLong_AsLong(result) : -1;
}

static const char SUM[] = "def f(n):\n"
                          "    total = 0\n"
                          "    for i in range(n):\n"
                          "        if i % 2:\n"
                          "            total += i\n"
                          "        else:\n"
                          "            total += 1\n"
                          "    if total < 0:\n"
                          "        total = 1\n"
                          "    return total\n"
                          "result = f(10)\n";

UNIT(twin_records_what_ran)
{
    PyCodeObject *twin = twin_of_source(SUM);

    CHECK(twin && rt_twin_is(twin));
    CHECK(run(twin) == 30);
    for (uint32_t line = 1; line <= 12; line++)
        CHECK(unit_is_set(file, SEG_LINES, line) == (line != 6 && line != 9 && line != 12));
    CHECK(run(twin) == 30);
    Py_DECREF(twin);
    return NULL;
}

UNIT(twin_of_a_twin_is_itself)
{
    PyCodeObject *twin = twin_of_source(SUM), *again;

    again = rt_twin_of(&unit_state, twin);
    CHECK(again == twin);
    Py_DECREF(again);
    Py_DECREF(twin);
    return NULL;
}

#endif
