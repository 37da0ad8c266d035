/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tracer of 3.11: PyEval_SetTrace, on every thread.
 *
 * Each line of every frame calls trace(), so it is short: the code object's slot, the line's bit.
 * Arcs are those of coverage.py's own C tracer: pairs of a frame's last line and this one. A pair
 * is looked up in its code object; a new one gets an entry in the segment with one exact arc.
 *
 * The last line is kept by frame, not by thread: greenlets switch frames below us.
 */
#include "claimed.h"
#include "code.h"
#include "codemap.h"
#include "function_context.h"
#include "process.h"
#include "state.h"

#if !RT_MONITORING

#include <opcode.h>
#include <stdlib.h>
#include <string.h>

struct settrace {
    PyObject *tracer;           /* what sys.gettrace() returns */
    PyObject *start_new_thread; /* the original */
    PyObject *f_trace;          /* the attribute's name */
    PyObject *sys;              /* the module */
    struct rt_state *state;
    /* The last line of each running frame of measured code, by the frame's address; only with arcs
     * or `late_start`. */
    struct rt_map frames;
    /* Recording began in the middle of the program: frames from before are not recorded. */
    bool late_start;
};

struct tracer {
    PyObject_HEAD
    struct settrace *own;
};

static struct settrace *own(const struct rt_state *state)
{
    return state->tracer_state;
}

/* -- events -- */

static const uint8_t *instruction(PyFrameObject *frame, PyCodeObject *code, Py_ssize_t *left)
{
    PyObject *bytes = PyCode_GetCode(code); /* cached by the code object */
    const uint8_t *at;
    int lasti = PyFrame_GetLasti(frame);

    if (!bytes || lasti < 0) {
        PyErr_Clear();
        Py_XDECREF(bytes);
        *left = 0;
        return NULL;
    }
    at = (const uint8_t *)PyBytes_AS_STRING(bytes) + lasti;
    *left = PyBytes_GET_SIZE(bytes) - lasti;
    Py_DECREF(bytes);
    return at;
}

/* Does the frame begin, rather than go on after a yield? RESUME's argument says so. */
static bool begins(PyFrameObject *frame, PyCodeObject *code)
{
    Py_ssize_t left;
    const uint8_t *at = instruction(frame, code, &left);

    return !at || left < 2 || at[0] != RESUME || at[1] == 0;
}

/* Has the frame ended, rather than been suspended by a yield, which a RESUME follows? */
static bool ends(PyFrameObject *frame, PyCodeObject *code)
{
    Py_ssize_t left;
    const uint8_t *at;

    if (!(code->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)))
        return true;
    at = instruction(frame, code, &left);
    return !at || left < 4 || at[2] != RESUME;
}

static void settrace_on_arc(struct rt_code *rc, int from, int to)
{
    if (from > 0)
        rt_code_pair(rc, rt_context_get(), from, to);
}

/* Is `frames` kept? */
static bool follows_frames(const struct settrace *s)
{
    return rt_process_branches() || s->late_start;
}

static uint64_t key_of(const PyFrameObject *frame)
{
    return (uintptr_t)frame;
}

static void settrace_on_line(struct settrace *s, struct rt_code *rc, PyFrameObject *frame)
{
    int line = PyFrame_GetLineNumber(frame);
    int64_t *last;

    if (follows_frames(s)) {
        last = rt_map_get(&s->frames, key_of(frame));
        if (!last && s->late_start)
            return;
        if (!last)
            rt_map_set(&s->frames, key_of(frame), line);
        else if (rt_process_branches()) {
            settrace_on_arc(rc, (int)*last, line);
            *last = line;
        }
    }
    rt_code_line(rc, rt_context_get(), line);
}

static void settrace_on_return(struct settrace *s, struct rt_code *rc, PyFrameObject *frame,
                               PyCodeObject *code)
{
    const int64_t *last = rt_map_get(&s->frames, key_of(frame));

    if (last && rt_process_branches() && ends(frame, code))
        settrace_on_arc(rc, (int)*last, -code->co_firstlineno);
    if (last)
        rt_map_remove(&s->frames, key_of(frame));
}

/* Sets f_trace: if the program passes our tracer to sys.settrace(), Python calls what it names. */
static void mark_frame(const struct settrace *s, PyFrameObject *frame, PyObject *self)
{
    if (PyObject_SetAttr((PyObject *)frame, s->f_trace, self))
        PyErr_Clear();
}

/* An event of claimed code. */
static int claimed_event(struct settrace *s, const struct rt_code *rc, PyFrameObject *frame,
                         PyCodeObject *code, int what)
{
    if (what == PyTrace_LINE)
        return rt_claimed_line(s->state, rc, frame);
    if (what == PyTrace_CALL) {
        mark_frame(s, frame, s->tracer);
        return rt_claimed_start(s->state, rc, frame, begins(frame, code));
    }
    return rt_process_branches() && ends(frame, code) ? rt_claimed_end(s->state, rc, frame) : 0;
}

/* An event of code that is claimed or may begin a context. */
static int slow_path(struct settrace *s, const struct rt_code *rc, PyFrameObject *frame,
                     PyCodeObject *code, int what)
{
    int status = 0;

    if (rc->test && what == PyTrace_CALL)
        rt_function_begin(s->state);
    if (rc->claim)
        status = claimed_event(s, rc, frame, code, what);
    return status;
}

static int trace(PyObject *self, PyFrameObject *frame, int what, PyObject *arg)
{
    struct settrace *s = ((struct tracer *)self)->own;
    PyCodeObject *code;
    struct rt_code *rc;
    uint32_t epoch;
    int status = 0;
    bool wanted;

    (void)arg;
    if (rt_process_paused())
        return 0;
    epoch = rt_process_epoch();
    if (what != PyTrace_LINE && what != PyTrace_CALL && what != PyTrace_RETURN)
        return 0;
    code = PyFrame_GetCode(frame);
    rc = rt_codemap_get(s->state, code);
    if (!rc)
        rc = rt_codemap_add(s->state, code, &wanted);
    if (rc && rc->slow)
        status = slow_path(s, rc, frame, code, what);
    if (epoch != rt_process_epoch())
        rc = NULL; /* another thread, or a plug-in, changed the segment meanwhile */
    if (rc && rc->file) {
        if (what == PyTrace_CALL)
            mark_frame(s, frame, self);
        if (what == PyTrace_LINE)
            settrace_on_line(s, rc, frame);
        else if (follows_frames(s) && what == PyTrace_CALL)
            rt_map_set(&s->frames, key_of(frame),
                       begins(frame, code) ? -code->co_firstlineno : PyFrame_GetLineNumber(frame));
        else if (follows_frames(s))
            settrace_on_return(s, rc, frame, code);
    }
    if (rc && rc->test && what == PyTrace_RETURN)
        rt_function_end(s->state);
    Py_DECREF(code);
    return status;
}

/* -- the object behind sys.gettrace() -- */

/* Called after a program has passed our tracer to sys.settrace(): continues in C from here. */
static PyObject *tracer_call(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"call", "exception", "line", "return", NULL};
    static char *keywords[] = {"frame", "event", "arg", NULL};
    PyObject *frame, *arg;
    const char *event;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!sO", keywords, &PyFrame_Type, &frame, &event,
                                     &arg))
        return NULL;
    for (int what = 0; names[what]; what++)
        if (!strcmp(names[what], event))
            trace(self, (PyFrameObject *)frame, what, arg);
    if (!strcmp(event, "call"))
        PyEval_SetTrace(trace, self);
    return Py_NewRef(self);
}

static void tracer_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot tracer_slots[] = {
    {Py_tp_call, tracer_call},
    {Py_tp_dealloc, tracer_dealloc},
    {Py_tp_doc, "The trace function of shmcov. Give it back to sys.settrace() to go on."},
    {0, NULL},
};

static PyType_Spec tracer_spec = {
    .name = "_shmcov.Tracer",
    .basicsize = sizeof(struct tracer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = tracer_slots,
};

/* -- threads -- */

/* What a new thread runs; self is (tracer, function). */
static PyObject *run_thread(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyEval_SetTrace(trace, PyTuple_GET_ITEM(self, 0));
    return PyObject_Call(PyTuple_GET_ITEM(self, 1), args, kwargs);
}

static PyMethodDef run_thread_method = {"run_thread", (PyCFunction)(void (*)(void))run_thread,
                                        METH_VARARGS | METH_KEYWORDS, NULL};

/* Stands in for _thread.start_new_thread; self is (tracer, original). */
static PyObject *start_new_thread(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *tracer = PyTuple_GET_ITEM(self, 0), *original = PyTuple_GET_ITEM(self, 1);
    PyObject *function = PyTuple_GET_SIZE(args) ? PyTuple_GET_ITEM(args, 0) : NULL;
    PyObject *pair, *traced = NULL, *rest = NULL, *new_args = NULL, *result = NULL;

    if (!function || !PyCallable_Check(function))
        return PyObject_Call(original, args, kwargs); /* which raises */
    pair = PyTuple_Pack(2, tracer, function);
    if (pair)
        traced = PyCFunction_New(&run_thread_method, pair);
    if (traced)
        rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
    if (rest)
        new_args = PyTuple_New(1 + PyTuple_GET_SIZE(rest));
    if (new_args) {
        PyTuple_SET_ITEM(new_args, 0, Py_NewRef(traced));
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(rest); i++)
            PyTuple_SET_ITEM(new_args, i + 1, Py_NewRef(PyTuple_GET_ITEM(rest, i)));
        result = PyObject_Call(original, new_args, kwargs);
    }
    Py_XDECREF(pair);
    Py_XDECREF(traced);
    Py_XDECREF(rest);
    Py_XDECREF(new_args);
    return result;
}

static PyMethodDef start_new_thread_method = {
    "start_new_thread", (PyCFunction)(void (*)(void))start_new_thread, METH_VARARGS | METH_KEYWORDS,
    "start_new_thread(function, args[, kwargs])\n\nStart a new thread and return its identifier."};

/* If threading was imported before, it has the original: replaces that as well. */
static int wrap_in_threading(const struct settrace *s, PyObject *wrapper)
{
    PyObject *modules = PySys_GetObject("modules"); /* borrowed */
    PyObject *threading = modules ? PyDict_GetItemString(modules, "threading") : NULL, *taken;
    int status = 0;

    if (!threading)
        return 0;
    taken = PyObject_GetAttrString(threading, "_start_new_thread");
    if (taken == s->start_new_thread)
        status = PyObject_SetAttrString(threading, "_start_new_thread", wrapper);
    else if (!taken)
        PyErr_Clear();
    Py_XDECREF(taken);
    return status;
}

/* Importing threading takes too long; what it will import is replaced instead. */
static int wrap_threads(struct settrace *s)
{
    PyObject *module = PyImport_ImportModule("_thread"), *pair = NULL, *wrapper = NULL;
    int status = -1;

    if (!module)
        return -1;
    s->start_new_thread = PyObject_GetAttrString(module, "start_new_thread");
    if (s->start_new_thread)
        pair = PyTuple_Pack(2, s->tracer, s->start_new_thread);
    if (pair)
        wrapper = PyCFunction_New(&start_new_thread_method, pair);
    if (wrapper && !PyObject_SetAttrString(module, "start_new_thread", wrapper) &&
        !PyObject_SetAttrString(module, "start_new", wrapper) && !wrap_in_threading(s, wrapper))
        status = 0;
    Py_XDECREF(wrapper);
    Py_XDECREF(pair);
    Py_DECREF(module);
    return status;
}

/* -- start -- */

/* Sets or removes trace() on the calling thread; the others check rt_process_paused(). A pause
 * leaves a foreign trace function alone; when recording goes on it is replaced. */
static int settrace_listen(struct rt_state *state)
{
    struct settrace *s = own(state);
    PyObject *now;
    bool ours;

    if (!rt_process_paused()) {
        PyEval_SetTrace(trace, s->tracer);
        return 0;
    }
    now = PyObject_CallMethod(s->sys, "gettrace", NULL);
    if (!now)
        return -1;
    ours = now == s->tracer;
    Py_DECREF(now);
    if (ours)
        PyEval_SetTrace(NULL, NULL);
    return 0;
}

/* Recording goes on, in frames that begin from now on. */
static int settrace_go_on(struct rt_state *state)
{
    struct settrace *s = own(state);

    s->late_start = true;
    rt_map_clear(&s->frames);
    return settrace_listen(state);
}

static int settrace_start(PyObject *module, struct rt_state *state)
{
    struct settrace *s = PyMem_RawCalloc(1, sizeof *s);
    PyObject *type;

    if (!s) {
        PyErr_NoMemory();
        return -1;
    }
    state->tracer_state = s;
    s->state = state;
    type = PyType_FromModuleAndSpec(module, &tracer_spec, NULL);
    if (!type)
        return -1;
    s->tracer = ((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
    Py_DECREF(type);
    s->f_trace = PyUnicode_InternFromString("f_trace");
    s->sys = PyImport_ImportModule("sys");
    if (!s->tracer || !s->f_trace || !s->sys)
        return -1;
    ((struct tracer *)s->tracer)->own = s;
    if (wrap_threads(s))
        return -1;
    s->late_start = rt_process_late_start();
    return settrace_listen(state);
}

/* The struct itself is never freed: a thread may be inside trace() when the module goes. */
static void settrace_clear(struct rt_state *state)
{
    struct settrace *s = own(state);

    if (!s)
        return;
    Py_CLEAR(s->tracer);
    Py_CLEAR(s->start_new_thread);
    Py_CLEAR(s->f_trace);
    Py_CLEAR(s->sys);
}

static int settrace_traverse(struct rt_state *state, visitproc visit, void *arg)
{
    struct settrace *s = own(state);

    if (s) {
        Py_VISIT(s->tracer);
        Py_VISIT(s->start_new_thread);
        Py_VISIT(s->f_trace);
        Py_VISIT(s->sys);
    }
    return 0;
}

/* Nothing is ever disabled. */
static int settrace_contexts_begin(struct rt_state *state)
{
    (void)state;
    return 0;
}

static void settrace_switched(struct rt_state *state)
{
    (void)state;
}

static void settrace_usable(struct rt_state *state, bool *monitors, bool *sites)
{
    (void)state;
    *monitors = *sites = false;
}

const struct rt_tracer rt_tracer_settrace = {
    .name = "PyEval_SetTrace",
    .sees_all = true,
    .start = settrace_start,
    .restart = settrace_go_on,
    .pause = settrace_go_on,
    .clear = settrace_clear,
    .traverse = settrace_traverse,
    .contexts_begin = settrace_contexts_begin,
    .switched = settrace_switched,
    .usable = settrace_usable,
};

#endif
