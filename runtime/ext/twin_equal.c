/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPython compares the instructions of code objects as they stand in memory, so a twin with
 * breakpoints in it would differ from a copy of itself, and from itself a moment later. What is
 * compared instead is what the twin shows: code.replace() without arguments makes a code object of
 * it. Code objects are seldom compared, so that it takes a few microseconds does not matter.
 */
#include "twin_equal.h"

#if RT_BREAKPOINTS

#include "twin.h"

static richcmpfunc compare_before;

/* The code object as it shows itself: new, or NULL with an exception. */
static PyObject *shown(PyObject *code)
{
    PyObject *replace, *copy;

    if (!PyCode_Check(code) || !rt_twin_is((PyCodeObject *)code))
        return Py_NewRef(code);
    replace = PyObject_GetAttrString(code, "replace");
    copy = replace ? PyObject_CallNoArgs(replace) : NULL;
    Py_XDECREF(replace);
    return copy;
}

static PyObject *twin_compare(PyObject *left, PyObject *right, int op)
{
    PyObject *shown_left, *shown_right, *result = NULL;

    if (left == right)
        return compare_before(left, right, op);
    shown_left = shown(left);
    shown_right = shown_left ? shown(right) : NULL;
    if (shown_right)
        result = compare_before(shown_left, shown_right, op);
    Py_XDECREF(shown_left);
    Py_XDECREF(shown_right);
    return result;
}

/* The methods code.__eq__ and code.__ne__ have the function by themselves. */
static void change(richcmpfunc from, richcmpfunc to)
{
    static const char *const names[] = {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"};

    if (PyCode_Type.tp_richcompare != from)
        return;
    PyCode_Type.tp_richcompare = to;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        PyObject *method = PyDict_GetItemString(PyCode_Type.tp_dict, names[i]);
        PyWrapperDescrObject *wrapper = (PyWrapperDescrObject *)method;

        if (method && Py_IS_TYPE(method, &PyWrapperDescr_Type) &&
            wrapper->d_wrapped == (void *)from)
            wrapper->d_wrapped = (void *)to;
    }
}

int rt_twin_equal_start(void)
{
    if (!compare_before)
        compare_before = PyCode_Type.tp_richcompare;
    change(compare_before, twin_compare);
    if (PyCode_Type.tp_richcompare == twin_compare)
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "another tool compares code objects");
    return -1;
}

void rt_twin_equal_stop(void)
{
    change(twin_compare, compare_before);
}

#endif
