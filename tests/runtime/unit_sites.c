/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sites.c: single sites of a code object are disabled and re-armed, and other tools' are not.
 */
#define Py_BUILD_CORE 1
#include "unit.h"

#include "sites.h"

#if RT_SITES

#include "monitors_layout.h" /* 3.12 has the numbers of events there */

#define TOOL 3
#define OTHER 5
#define A_LINE (1ul << PY_MONITORING_EVENT_LINE)

/* What fires, as line numbers and offsets, of our tool and of another one. */
static const char PREPARE[] =
    "import sys\n"
    "mon = sys.monitoring\n"
    "fired, others = [], []\n"
    "for tool, log in ((3, fired), (5, others)):\n"
    "    mon.use_tool_id(tool, 'unit')\n"
    "    mon.register_callback(tool, mon.events.LINE, lambda code, line, log=log: "
    "log.append(line))\n"
    "    mon.register_callback(tool, mon.events.INSTRUCTION,\n"
    "                          lambda code, offset, log=log: log.append(-offset))\n"
    "def f(x):\n" /* line 9 */
    "    if x:\n"
    "        x += 1\n"
    "    return x\n"
    "def run():\n"
    "    fired.clear(), others.clear()\n"
    "    f(1)\n"
    "    return (fired, others)\n";

static PyObject *globals;

static int arm(void *arg, PyCodeObject *code, unsigned long events)
{
    PyObject *monitoring = PySys_GetObject("monitoring"); /* borrowed */
    PyObject *result = PyObject_CallMethod(monitoring, "set_local_events", "iOk",
                                           (int)(intptr_t)arg, (PyObject *)code, events);

    Py_XDECREF(result);
    return result ? 0 : -1;
}

static PyCodeObject *prepare(void)
{
    PyObject *result, *function;

    globals = PyDict_New();
    if (!globals || PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()))
        return NULL;
    result = PyRun_String(PREPARE, Py_file_input, globals, globals);
    function = result ? PyDict_GetItemString(globals, "f") : NULL; /* borrowed */
    Py_XDECREF(result);
    return function ? (PyCodeObject *)PyFunction_GetCode(function) : NULL;
}

/* f(), armed with events of our tool, and of the other one if there are any: its sites. */
static struct rt_sites *armed(unsigned long events, unsigned long others, PyCodeObject **code,
                              struct rt_code **rc)
{
    *code = prepare();
    *rc = *code ? rt_code_probe(*code) : NULL;
    if (!*rc || !rt_monitors_usable(arm, (void *)TOOL, TOOL) ||
        (others && arm((void *)OTHER, *code, others)) || arm((void *)TOOL, *code, events) ||
        (events & 1ul << PY_MONITORING_EVENT_INSTRUCTION && !rt_monitors_keep(*code, TOOL)))
        return NULL;
    return rt_sites_find(*code, *rc, TOOL);
}

/* Runs f(): how often `what` fired for a tool; -1: it failed. */
static Py_ssize_t runs(const char *log, long what)
{
    PyObject *result = PyRun_String("run()", Py_eval_input, globals, globals), *count;
    PyObject *list = PyDict_GetItemString(globals, log); /* borrowed */
    Py_ssize_t n;

    if (!result)
        return -1;
    count = PyObject_CallMethod(list, "count", "l", what);
    n = count ? PyLong_AsSsize_t(count) : -1;
    Py_XDECREF(count);
    Py_DECREF(result);
    return n;
}

UNIT(sites_are_usable_here)
{
    CHECK(prepare());
    CHECK(rt_monitors_usable(arm, (void *)TOOL, TOOL));
    CHECK(rt_sites_usable(arm, (void *)TOOL, TOOL));
    return NULL;
}

UNIT(sites_of_a_line_go_off_and_on)
{
    PyCodeObject *code;
    struct rt_code *rc;
    struct rt_sites *sites = armed(A_LINE, 0, &code, &rc);

    CHECK(sites && runs("fired", 11) == 1);
    rt_sites_line_off(sites, code, 11);
    CHECK(runs("fired", 11) == 0 && runs("fired", 10) == 1 && runs("fired", 12) == 1);
    CHECK(rt_sites_restore(sites, code));
    CHECK(runs("fired", 11) == 1);
    for (int i = 0; i < 100; i++) /* specialised, and still ours */
        CHECK(runs("fired", 10) == 1);
    rt_sites_line_off(sites, code, 10);
    rt_sites_line_off(sites, code, 12);
    CHECK(runs("fired", 10) == 0 && runs("fired", 12) == 0 && runs("fired", 11) == 1);
    CHECK(rt_sites_restore(sites, code));
    CHECK(runs("fired", 10) == 1 && runs("fired", 12) == 1);
    return NULL;
}

UNIT(sites_go_off_in_the_short_way_line_by_line)
{
    PyCodeObject *code;
    struct rt_code *rc;
    struct rt_sites *sites = armed(A_LINE, 0, &code, &rc);

    for (int i = 0; i < 100; i++) { /* specialised in between */
        CHECK(sites && runs("fired", 10) == 1);
        CHECK(!rt_sites_next_line_off(sites, code, 11)); /* 10 is the next */
        CHECK(rt_sites_next_line_off(sites, code, 10));
        CHECK(!rt_sites_next_line_off(sites, code, 10) && !rt_sites_next_line_off(sites, code, 12));
        CHECK(rt_sites_next_line_off(sites, code, 11));
        CHECK(runs("fired", 10) == 0 && runs("fired", 11) == 0 && runs("fired", 12) == 1);
        CHECK(rt_sites_next_line_off(sites, code, 12));
        CHECK(!rt_sites_next_line_off(sites, code, 13)); /* there is none behind the last */
        CHECK(runs("fired", 12) == 0);
        CHECK(rt_sites_restore(sites, code));
    }
    return NULL;
}

UNIT(sites_of_another_tool_go_the_long_way)
{
    PyCodeObject *code;
    struct rt_code *rc;
    struct rt_sites *sites = armed(A_LINE, A_LINE, &code, &rc);

    CHECK(sites && !rt_sites_next_line_off(sites, code, 10));
    CHECK(runs("fired", 10) == 1 && runs("others", 10) == 1);
    CHECK(!arm((void *)OTHER, code, 0) && runs("others", 10) == 0);
    CHECK(rt_sites_restore(sites, code)); /* its bits are gone, the array is still there */
    CHECK(rt_sites_next_line_off(sites, code, 10) && runs("fired", 10) == 0);
    CHECK(rt_sites_restore(sites, code) && runs("fired", 10) == 1);
    return NULL;
}

UNIT(sites_of_another_tool_are_left_alone)
{
    PyCodeObject *code;
    struct rt_code *rc;
    struct rt_sites *sites = armed(A_LINE, A_LINE, &code, &rc);

    CHECK(sites && runs("fired", 11) == 1 && runs("others", 11) == 1);
    rt_sites_line_off(sites, code, 11);
    CHECK(runs("fired", 11) == 0 && runs("others", 11) == 1);
    CHECK(rt_sites_restore(sites, code));
    CHECK(runs("fired", 11) == 1 && runs("others", 11) == 1);
    return NULL;
}

UNIT(sites_are_not_restored_in_code_that_is_armed_otherwise)
{
    PyCodeObject *code;
    struct rt_code *rc;
    struct rt_sites *sites = armed(A_LINE, 0, &code, &rc);

    CHECK(sites && !arm((void *)TOOL, code, 0));
    CHECK(!rt_sites_restore(sites, code) && runs("fired", 11) == 0);
    return NULL;
}

#if !RT_BRANCH_SIDES

UNIT(sites_of_instructions_are_those_that_imply_arcs)
{
    PyCodeObject *code;
    struct rt_code *rc;
    struct rt_sites *sites = armed(A_LINE | 1ul << PY_MONITORING_EVENT_INSTRUCTION, 0, &code, &rc);
    uint32_t unit;

    CHECK(sites && rc->n_implied);
    unit = rc->implied[0].unit;
    CHECK(runs("fired", -2L * unit) == 1 && runs("fired", -2L * (unit + 1)) == 0);
    CHECK(rt_sites_unit_off(sites, code, unit));
    CHECK(!rt_sites_unit_off(sites, code, unit + 1));
    CHECK(runs("fired", -2L * unit) == 0);
    CHECK(rt_sites_restore(sites, code));
    CHECK(runs("fired", -2L * unit) == 1);
    return NULL;
}

#endif
#endif
