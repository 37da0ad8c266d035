/* SPDX-License-Identifier: Apache-2.0 */
/*
 * twin.c, twin_plan.c, twin_patch.c, hit.c: breakpoints in code of 3.11.
 */
#include "unit.h"

#if RT_BREAKPOINTS

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "breakpoints.h"
#include "codemap.h"
#include "twin.h"

static struct seg_entry *file;
static bool begins; /* contexts begin with the first switch */

/* Makes unit_state one of the breakpoints tracer. */
static bool begin(bool branches, bool contexts)
{
    if (!unit_enter() || !(unit_state.decisions = PyDict_New()) || rt_codemap_start(&unit_state))
        return false;
    atomic_store(&rt_process.branches, branches);
    if (contexts)
        rt_context_enable();
    unit_state.tracer = &rt_tracer_breakpoints;
    return !rt_breakpoints_open(&unit_state);
}

/* The file of that name is measured. */
static void measure(PyObject *name)
{
    PyObject *address;

    file = unit_file("/measured.py");
    address = PyLong_FromVoidPtr(file);
    unit_state.decisions_epoch = rt_process_epoch();
    PyDict_SetItem(unit_state.decisions, name, address);
    Py_DECREF(address);
}

/* The twin of a source, in a file that is measured; NULL: something went wrong. */
static PyCodeObject *twin_of_source(const char *source)
{
    PyObject *code = Py_CompileString(source, "/measured.py", Py_file_input);
    PyCodeObject *twin;

    if (!code)
        return NULL;
    measure(((PyCodeObject *)code)->co_filename);
    twin = rt_twin_of(&unit_state, (PyCodeObject *)code);
    Py_DECREF(code);
    return twin;
}

static PyObject *switch_now(PyObject *self, PyObject *none)
{
    static int count;
    char name[] = "a";

    (void)self, (void)none;
    if (begins) {
        rt_context_enable();
        unit_state.tracer->contexts_begin(&unit_state);
        begins = false;
    }
    name[0] = (char)('a' + count++ % 2);
    rt_context_switch(&unit_state, name, 1);
    Py_RETURN_NONE;
}

static PyMethodDef switch_method = {"switch", switch_now, METH_NOARGS, NULL};

/* What the module's `result` is, as a number, if it runs as this code object; -1: something went
 * wrong. The program can call switch(). */
static long run(PyCodeObject *code)
{
    PyObject *globals = PyDict_New(), *function = PyCFunction_New(&switch_method, NULL), *done;
    PyObject *result;
    long number;

    PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins());
    PyDict_SetItemString(globals, switch_method.ml_name, function);
    done = PyEval_EvalCode((PyObject *)code, globals, globals);
    if (!done)
        PyErr_Print();
    result = PyDict_GetItemString(globals, "result");
    number = done && result ? PyLong_AsLong(result) : -1;
    Py_XDECREF(done);
    Py_DECREF(function);
    Py_DECREF(globals);
    return number;
}

/* Runs a source bare, and several times as its twin: with the same result. */
static bool same_result(const char *source)
{
    PyCodeObject *bare = (PyCodeObject *)Py_CompileString(source, "/bare.py", Py_file_input);
    PyCodeObject *twin = twin_of_source(source);
    long expected;

    if (!bare || !twin || (expected = run(bare)) < 0)
        return false;
    for (int i = 0; i < 5; i++)
        if (run(twin) != expected)
            return false;
    Py_DECREF(bare);
    Py_DECREF(twin);
    return true;
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
    PyCodeObject *twin;

    CHECK(begin(false, false));
    twin = twin_of_source(SUM);
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
    PyCodeObject *twin, *again;

    CHECK(begin(false, false));
    twin = twin_of_source(SUM);
    again = rt_twin_of(&unit_state, twin);
    CHECK(again == twin);
    Py_DECREF(again);
    Py_DECREF(twin);
    return NULL;
}

/* All that leads to a twin is gone: so is the twin, with those of the functions in it. */
UNIT(twin_dies_with_what_leads_to_it)
{
    struct rt_breakpoints *own;
    PyCodeObject *twin;

    CHECK(begin(true, false));
    own = unit_state.tracer_state;
    twin = twin_of_source(SUM);
    CHECK(run(twin) == 30);
    CHECK(own->twins.next != &own->twins);
    Py_DECREF(twin);
    PyGC_Collect(); /* a function and its globals know each other */
    CHECK(own->twins.next == &own->twins);
    return NULL;
}

UNIT(twin_shows_what_its_original_shows)
{
    PyCodeObject *code, *twin;
    PyObject *before, *after;

    CHECK(begin(false, false));
    code = rt_code_compile(SUM);
    measure(code->co_filename);
    twin = rt_twin_of(&unit_state, code);
    CHECK(twin && twin != code && Py_SIZE(twin) == Py_SIZE(code));
    before = PyCode_GetCode(code);
    after = PyCode_GetCode(twin);
    CHECK(PyObject_RichCompareBool(before, after, Py_EQ) == 1);
    CHECK(PyTuple_GET_SIZE(code->co_consts) == PyTuple_GET_SIZE(twin->co_consts));
    CHECK(PyObject_RichCompareBool(code->co_linetable, twin->co_linetable, Py_EQ) == 1);
    Py_DECREF(before);
    Py_DECREF(after);
    Py_DECREF(twin);
    Py_DECREF(code);
    return NULL;
}

/* A pair that stores runs a destructor in its middle, and that turns on the site of the second
 * half. */
UNIT(twin_has_no_pair_that_a_switch_divides)
{
    CHECK(begin(true, true));
    CHECK(same_result("class Late:\n"
                      "    def __del__(self):\n"
                      "        switch()\n"
                      "def f(a, b, c, d, e):\n"
                      "    x = Late()\n"
                      "    x = a\n"
                      "    y = x\n"
                      "    z = Late()\n"
                      "    z, w = b, y\n"
                      "    v = Late()\n"
                      "    for v in (c,\n"
                      "              d):\n"
                      "        y = v\n"
                      "        v = Late()\n"
                      "    return x + y * 10 + z * 100 + w * 1000 + e * 10000\n"
                      "result = 0\n"
                      "for i in range(100):\n"
                      "    result += f(i, 2, 3, 4, 5)\n"));
    return NULL;
}

/* The same, where contexts begin when the pairs are there. */
UNIT(twin_waits_for_frames_in_pairs)
{
    static const char source[] = "class Late:\n"
                                 "    def __del__(self):\n"
                                 "        if turn == 90:\n"
                                 "            begin()\n"
                                 "def f(a):\n"
                                 "    x = Late()\n"
                                 "    x = a\n"
                                 "    y = x\n"
                                 "    return y\n"
                                 "result = 0\n"
                                 "for turn in range(100):\n"
                                 "    result += f(turn)\n";
    PyCodeObject *twin;

    CHECK(begin(false, false));
    twin = twin_of_source(source);
    switch_method.ml_name = "begin";
    CHECK(twin);
    begins = true;
    CHECK(run(twin) == 4950);
    Py_DECREF(twin);
    return NULL;
}

/* A comparison learns in which direction the jump behind it leads; the jump of a site leads
 * forward. */
UNIT(twin_keeps_comparisons_from_learning_patches)
{
    CHECK(begin(true, true));
    CHECK(same_result("def f(n):\n"
                      "    t = 0\n"
                      "    for i in range(n):\n"
                      "        if i >= 50:\n"
                      "            continue\n"
                      "        t += 1\n"
                      "        if i > 30:\n"
                      "            t += 2\n"
                      "        if i == 40: continue\n"
                      "        t += i\n"
                      "    t += sum([i for i in range(n)\n"
                      "              if i < 50])\n"
                      "    return t\n"
                      "result = 0\n"
                      "for i in range(20):\n"
                      "    result += f(100)\n"
                      "    if i % 3:\n"
                      "        switch()\n"));
    return NULL;
}

static const char PART[] = "        t = t + 1 if t % 3 else t + 2\n"
                           "        if t > 1000:\n"
                           "            t -= 900\n"
                           "            continue\n"
                           "        if t == 17: break\n";

/* Jumps over islands, forward and back. */
UNIT(twin_jumps_over_islands)
{
    char *source;
    size_t n = 0, parts = 300;

    CHECK(begin(true, true));
    source = malloc(parts * sizeof PART + 1000);
    n += (size_t)sprintf(source, "def f(t):\n    for i in range(40):\n");
    for (size_t i = 0; i < parts; i++)
        n += (size_t)sprintf(source + n, "%s", PART);
    sprintf(source + n, "    return t\n"
                        "result = 0\n"
                        "for i in range(40):\n"
                        "    result += f(i)\n"
                        "    switch()\n");
    CHECK(same_result(source));
    free(source);
    return NULL;
}

static int lines_seen;

static int see_line(PyObject *self, PyFrameObject *frame, int what, PyObject *arg)
{
    (void)self, (void)arg;
    if (what == PyTrace_LINE)
        lines_seen += PyFrame_GetLineNumber(frame) > 0;
    return 0;
}

/* A debugger's lines, with numbers of two and of four bytes. */
UNIT(twin_brings_its_own_lines_for_debuggers)
{
    for (int far = 0; far < 2; far++) {
        size_t before = far ? 40000 : 0;
        char *source = malloc(before + sizeof SUM);
        PyCodeObject *twin;

        CHECK(begin(false, false));
        memset(source, '\n', before);
        strcpy(source + before, SUM);
        twin = twin_of_source(source);
        CHECK(twin);
        lines_seen = 0;
        PyEval_SetTrace(see_line, NULL);
        CHECK(run(twin) == 30);
        PyEval_SetTrace(NULL, NULL);
        CHECK(lines_seen == 36);
        Py_DECREF(twin);
        free(source);
    }
    return NULL;
}

/* Each allocation of a twin in turn finds no memory. */
static PyMemAllocatorEx real[2];
static long left;

static void *fail_malloc(void *real, size_t n)
{
    PyMemAllocatorEx *to = real;

    return left-- > 0 ? to->malloc(to->ctx, n) : NULL;
}

static void *fail_calloc(void *real, size_t n, size_t size)
{
    PyMemAllocatorEx *to = real;

    return left-- > 0 ? to->calloc(to->ctx, n, size) : NULL;
}

static void *fail_realloc(void *real, void *old, size_t n)
{
    PyMemAllocatorEx *to = real;

    return left-- > 0 ? to->realloc(to->ctx, old, n) : NULL;
}

static void pass_free(void *real, void *old)
{
    PyMemAllocatorEx *to = real;

    to->free(to->ctx, old);
}

UNIT(twin_does_without_memory)
{
    static const PyMemAllocatorDomain domains[] = {PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
    PyCodeObject *code, *twin = NULL;
    bool all = false;

    CHECK(begin(true, false));
    for (long n = 0; !all; n++) {
        CHECK(n < 1000);
        code = (PyCodeObject *)Py_CompileString(SUM, "/measured.py", Py_file_input);
        measure(code->co_filename);
        for (int i = 0; i < 2; i++) {
            PyMemAllocatorEx failing = {&real[i], fail_malloc, fail_calloc, fail_realloc,
                                        pass_free};

            PyMem_GetAllocator(domains[i], &real[i]);
            left = n;
            PyMem_SetAllocator(domains[i], &failing);
        }
        twin = rt_twin_of(&unit_state, code);
        all = left >= 0;
        for (int i = 0; i < 2; i++)
            PyMem_SetAllocator(domains[i], &real[i]);
        CHECK(!PyErr_Occurred());
        CHECK(run(twin ? twin : code) == 30);
        Py_XDECREF(twin);
        Py_DECREF(code);
    }
    CHECK(twin);
    return NULL;
}

#endif
