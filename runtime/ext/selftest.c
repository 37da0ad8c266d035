/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probe has each kind of site: lines that are entered from in front and by jumps, both ways of
 * branches, loops, a handler, a line that only shares its code units with a pair. It is run often
 * enough to be specialised, with all sites on, then with those that are left, and then with all of
 * them on again.
 *
 * A wheel is built with the headers of one bug-fix release and runs with another. What changed
 * between the two in how instructions are specialised, this finds out before a program does.
 */
#include "selftest.h"

#if RT_BREAKPOINTS

#include <stdbool.h>

#include "breakpoints.h"
#include "code.h"
#include "twin.h"

static const char probe_source[] = "def probe(n):\n"
                                   "    total = 0\n"
                                   "    for i in range(n):\n"
                                   "        if i == 1:\n"
                                   "            total += 10\n"
                                   "        elif i is None:\n"
                                   "            total += 100\n"
                                   "        else:\n"
                                   "            a = i\n"
                                   "            b = a\n"
                                   "            total += b + 1\n"
                                   "    while total > 20:\n"
                                   "        total -= 20\n"
                                   "    try:\n"
                                   "        total += 6 // (n - 3)\n"
                                   "    except ZeroDivisionError:\n"
                                   "        total = -total\n"
                                   "    return total\n";

/* Calls are specialised after eight, and learn what their numbers are a little later. */
enum { CALLS = 20, ARGUMENTS = 6 };

/* The lines that probe(n) runs, as bits, by n. */
#define LINE(n) (1u << (n))
#define ALWAYS (LINE(2) | LINE(3) | LINE(12) | LINE(14) | LINE(15) | LINE(18))
#define OTHERS (LINE(4) | LINE(6) | LINE(9) | LINE(10) | LINE(11))
static const uint32_t expected_lines[ARGUMENTS] = {
    ALWAYS,
    ALWAYS | OTHERS,
    ALWAYS | OTHERS | LINE(5),
    ALWAYS | OTHERS | LINE(5) | LINE(16) | LINE(17),
    ALWAYS | OTHERS | LINE(5),
    ALWAYS | OTHERS | LINE(5) | LINE(13),
};

/* probe(n), or -1 with an exception. */
static long call(PyObject *function, int n)
{
    PyObject *result = PyObject_CallFunction(function, "i", n);
    long value = result ? PyLong_AsLong(result) : -1;

    Py_XDECREF(result);
    return value;
}

/* The lines that were recorded: a hit turns a site off that says so. */
static uint32_t lines_hit(const struct rt_twin *twin)
{
    uint32_t hit = 0;

    for (uint32_t i = 0; i < twin->n_sites; i++)
        if (!twin->sites[i].on && twin->sites[i].line > 0 && twin->sites[i].line < 32)
            hit |= LINE(twin->sites[i].line);
    return hit;
}

/* Does the twin do for `n` what the original does, with all sites on at first? */
static bool try_calls(struct rt_twin *twin, PyObject *original, PyObject *function, int n)
{
    bool fine = true;

    rt_twin_all(twin, true);
    for (int i = 0; fine && i < CALLS; i++) {
        long wanted = call(original, n);

        fine = call(function, n) == wanted && !PyErr_Occurred();
        if (i == 0)
            fine = fine && lines_hit(twin) == expected_lines[n];
    }
    return fine;
}

static bool try_twin(PyObject *original, PyObject *function, struct rt_twin *twin)
{
    for (int round = 0; round < 2; round++)
        for (int n = 0; n < ARGUMENTS; n++)
            if (!try_calls(twin, original, function, n))
                return false;
    return true;
}

int rt_selftest(struct rt_state *state)
{
    PyCodeObject *code = rt_code_compile(probe_source);
    PyCodeObject *copy = code ? rt_twin_probe(state, code) : NULL;
    PyObject *globals = copy ? PyDict_New() : NULL;
    PyObject *original = NULL, *function = NULL, *builtins = PyEval_GetBuiltins() /* borrowed */;
    bool fine = false;

    if (globals && !PyDict_SetItemString(globals, "__builtins__", builtins)) {
        original = PyFunction_New((PyObject *)code, globals);
        function = original ? PyFunction_New((PyObject *)copy, globals) : NULL;
    }
    if (function)
        fine = try_twin(original, function, rt_twin_record(state, copy));
    PyErr_Clear();
    Py_XDECREF(function);
    Py_XDECREF(original);
    Py_XDECREF(globals);
    Py_XDECREF(copy);
    Py_XDECREF(code);
    if (fine)
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "breakpoints do not work in this interpreter");
    return -1;
}

#endif
