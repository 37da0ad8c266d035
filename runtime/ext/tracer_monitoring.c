/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tracer of 3.12 and later: sys.monitoring, with callbacks in C.
 *
 * PY_START is on for all code and disabled at the first hit. For code of a measured file it arms
 * the code object with local events, each disabled once it has told what it can tell; code of
 * which everything is set already, by whatever process, is never armed. After that the code runs
 * as if nobody watched.
 *
 * Armed with what (docs/tracers.md has the measurements):
 *   LINE         short code
 *   INSTRUCTION  code in which a jump stays inside a line (LINE can never be disabled there), long
 *                code where LINE is quadratic, and code with branches on 3.12 and 3.13, whose
 *                instructions prove most of the arcs
 *   BRANCH_LEFT, BRANCH_RIGHT   code with branches, 3.14 and later
 *   BRANCH       3.12 and 3.13: code with an arc that no instruction proves
 */
#include "code.h"
#include "codemap.h"
#include "process.h"
#include "state.h"

#if RT_MONITORING

/* Beyond this many units, first execution under LINE (quadratic) costs more than INSTRUCTION. */
#define LINE_MAX_UNITS 1000

enum event { LINE, INSTRUCTION, BRANCH, SIDES, EVENTS };

struct monitoring {
    PyObject *disable;          /* sys.monitoring.DISABLE */
    PyObject *set_local_events; /* the function */
    PyObject *tool;             /* our tool id, an int */
    unsigned long event[EVENTS];
};

static struct rt_state *state_of(PyObject *module)
{
    return PyModule_GetState(module);
}

static struct monitoring *own(const struct rt_state *state)
{
    return state->tracer_state;
}

static PyObject *disable(const struct rt_state *state)
{
    return Py_NewRef(own(state)->disable);
}

static unsigned long events_for(const struct monitoring *m, const struct rt_code *rc)
{
    unsigned long events;
    bool instruction = rc->inner_target || (!RT_LINE_LINEAR && rc->units > LINE_MAX_UNITS);

#if RT_BRANCH_SIDES
    if (rc->n_branches)
        events = m->event[SIDES];
    else
        events = 0;
    instruction = instruction || rc->n_proofs > rc->n_branches * 2;
#else
    instruction = instruction || rc->n_proofs || rc->n_branches;
    events = rc->unproved ? m->event[BRANCH] : 0;
#endif
    return events | m->event[instruction ? INSTRUCTION : LINE];
}

/* Turns local events on for one code object. */
static int arm(const struct rt_state *state, PyObject *code, unsigned long events)
{
    struct monitoring *m = own(state);
    PyObject *number = PyLong_FromUnsignedLong(events), *args[3], *result;

    if (!number)
        return -1;
    args[0] = m->tool;
    args[1] = code;
    args[2] = number;
    result = PyObject_Vectorcall(m->set_local_events, args, 3, NULL);
    Py_DECREF(number);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* Measured code is entered for the first time in this interpreter. */
static void meet(struct rt_state *state, PyCodeObject *code, struct rt_file *file)
{
    bool complete;
    struct rt_code *rc = rt_code_make(file, code, &complete);

    if (!rc)
        return;
    rt_code_enter(rc);
    if (rt_codemap_put(state, code, rc)) {
        rt_code_free(rc);
        return;
    }
    if (complete)
        return;
    if (arm(state, (PyObject *)code, events_for(own(state), rc))) {
        /* e.g. "cannot instrument shim code object" of some Cython modules */
        PyErr_Clear();
        seg_lose(rt_process.seg, SEG_LOST_TRACER, 1);
    }
}

static PyObject *on_start(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    struct rt_state *state = state_of(module);
    PyCodeObject *code = (PyCodeObject *)args[0];
    struct rt_code *rc;
    struct rt_file *file;

    (void)n;
    rc = rt_codemap_get(state, code);
    if (rc)
        rt_code_enter(rc);
    else if ((file = rt_file_of(state, code)))
        meet(state, code, file);
    return disable(state);
}

static PyObject *on_line(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    struct rt_state *state = state_of(module);
    struct rt_code *rc = rt_codemap_get(state, (PyCodeObject *)args[0]);

    (void)n;
    if (rc)
        rt_code_line(rc, (int32_t)PyLong_AsLong(args[1]));
    return disable(state);
}

static PyObject *on_instruction(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    struct rt_state *state = state_of(module);
    struct rt_code *rc = rt_codemap_get(state, (PyCodeObject *)args[0]);

    (void)n;
    if (rc)
        rt_code_unit(rc, (uint32_t)PyLong_AsLong(args[1]) / 2);
    return disable(state);
}

#if RT_BRANCH_SIDES

static PyObject *on_side(PyObject *module, PyObject *const *args, bool right)
{
    struct rt_state *state = state_of(module);
    struct rt_code *rc = rt_codemap_get(state, (PyCodeObject *)args[0]);
    const struct rt_branch *branch;

    if (rc && (branch = rt_code_branch(rc, (uint32_t)PyLong_AsLong(args[1]) / 2)))
        rt_code_arc(rc, right ? branch->far_arc : branch->near_arc);
    return disable(state);
}

static PyObject *on_left(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)n;
    return on_side(module, args, false);
}

static PyObject *on_right(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    (void)n;
    return on_side(module, args, true);
}

#else

/* One event for both ways: kept until each way is known, or is told by an instruction. */
static PyObject *on_branch(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    struct rt_state *state = state_of(module);
    struct rt_code *rc = rt_codemap_get(state, (PyCodeObject *)args[0]);
    const struct rt_branch *branch;

    (void)n;
    if (!rc || !(branch = rt_code_branch(rc, (uint32_t)PyLong_AsLong(args[1]) / 2)))
        return disable(state);
    if ((uint32_t)PyLong_AsLong(args[2]) / 2 == branch->next)
        rt_code_arc(rc, branch->near_arc);
    else
        rt_code_arc(rc, branch->far_arc);
    if ((branch->near_proved || rt_code_has_arc(rc, branch->near_arc)) &&
        (branch->far_proved || rt_code_has_arc(rc, branch->far_arc)))
        return disable(state);
    Py_RETURN_NONE;
}

#endif

#define CALLBACK(name, function)                                                          \
    {name, (PyCFunction)(void (*)(void))(function), METH_FASTCALL, NULL}

static struct callback {
    const char *event;
    PyMethodDef method;
} callbacks[] = {
    {"PY_START", CALLBACK("shmcov_start", on_start)},
    {"LINE", CALLBACK("shmcov_line", on_line)},
    {"INSTRUCTION", CALLBACK("shmcov_instruction", on_instruction)},
#if RT_BRANCH_SIDES
    {"BRANCH_LEFT", CALLBACK("shmcov_left", on_left)},
    {"BRANCH_RIGHT", CALLBACK("shmcov_right", on_right)},
#else
    {"BRANCH", CALLBACK("shmcov_branch", on_branch)},
#endif
};

/* -- start -- */

static int event_bit(PyObject *monitoring, const char *name, unsigned long *bit)
{
    PyObject *events = PyObject_GetAttrString(monitoring, "events"), *value = NULL;

    if (events)
        value = PyObject_GetAttrString(events, name);
    *bit = value ? PyLong_AsUnsignedLong(value) : 0;
    Py_XDECREF(value);
    Py_XDECREF(events);
    return PyErr_Occurred() ? -1 : 0;
}

/* Takes a free tool id: none is reserved in practice. Those that the documentation gives to
 * debuggers, coverage and profilers are tried last. */
static int take_tool(PyObject *monitoring, struct monitoring *m)
{
    static const long order[] = {3, 4, 5, 2, 0, 1};

    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        PyObject *result = PyObject_CallMethod(monitoring, "use_tool_id", "ls", order[i], "shmcov");

        if (result) {
            Py_DECREF(result);
            m->tool = PyLong_FromLong(order[i]);
            return m->tool ? 0 : -1;
        }
        if (!PyErr_ExceptionMatches(PyExc_ValueError))
            return -1;
        PyErr_Clear();
    }
    PyErr_SetString(PyExc_RuntimeError, "all tool ids of sys.monitoring are taken");
    return -1;
}

static int register_callbacks(PyObject *monitoring, PyObject *module, struct monitoring *m)
{
    for (size_t i = 0; i < sizeof callbacks / sizeof *callbacks; i++) {
        PyObject *function = PyCFunction_New(&callbacks[i].method, module), *result;
        unsigned long bit;

        if (!function)
            return -1;
        if (event_bit(monitoring, callbacks[i].event, &bit)) {
            Py_DECREF(function);
            return -1;
        }
        result = PyObject_CallMethod(monitoring, "register_callback", "OkO", m->tool, bit, function);
        Py_DECREF(function);
        if (!result)
            return -1;
        Py_DECREF(result);
    }
    return 0;
}

static int read_events(PyObject *monitoring, struct monitoring *m)
{
    unsigned long right = 0;

    if (event_bit(monitoring, "LINE", &m->event[LINE]) ||
        event_bit(monitoring, "INSTRUCTION", &m->event[INSTRUCTION]))
        return -1;
#if RT_BRANCH_SIDES
    if (event_bit(monitoring, "BRANCH_LEFT", &m->event[SIDES]) ||
        event_bit(monitoring, "BRANCH_RIGHT", &right))
        return -1;
    m->event[SIDES] |= right;
    return 0;
#else
    (void)right;
    return event_bit(monitoring, "BRANCH", &m->event[BRANCH]);
#endif
}

static int start(PyObject *module, struct rt_state *state)
{
    PyObject *monitoring = PySys_GetObject("monitoring"), *result; /* borrowed */
    struct monitoring *m = PyMem_Calloc(1, sizeof *m);
    unsigned long py_start;

    if (!m) {
        PyErr_NoMemory();
        return -1;
    }
    state->tracer_state = m;
    if (!monitoring) {
        PyErr_SetString(PyExc_RuntimeError, "sys.monitoring is missing");
        return -1;
    }
    m->disable = PyObject_GetAttrString(monitoring, "DISABLE");
    m->set_local_events = PyObject_GetAttrString(monitoring, "set_local_events");
    if (!m->disable || !m->set_local_events || read_events(monitoring, m) ||
        take_tool(monitoring, m) || register_callbacks(monitoring, module, m) ||
        event_bit(monitoring, "PY_START", &py_start))
        return -1;
    result = PyObject_CallMethod(monitoring, "set_events", "Ok", m->tool, py_start);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

static void clear(struct rt_state *state)
{
    struct monitoring *m = own(state);

    if (!m)
        return;
    Py_CLEAR(m->disable);
    Py_CLEAR(m->set_local_events);
    Py_CLEAR(m->tool);
    PyMem_Free(m);
    state->tracer_state = NULL;
}

static int traverse(struct rt_state *state, visitproc visit, void *arg)
{
    struct monitoring *m = own(state);

    if (m) {
        Py_VISIT(m->disable);
        Py_VISIT(m->set_local_events);
        Py_VISIT(m->tool);
    }
    return 0;
}

const struct rt_tracer rt_tracer_monitoring = {"sys.monitoring", start, clear, traverse};

#endif
