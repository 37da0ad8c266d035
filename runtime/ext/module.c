/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The module `_shmcov`: all of shmcov that a measured process imports, unless file tracers or our
 * plug-in for coverage.py run in it. The start-up file calls attach(); an owner calls create().
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "choice.h"
#include "claimed.h"
#include "codemap.h"
#include "context.h"
#include "ending.h"
#include "function_context.h"
#include "naming.h"
#include "process.h"
#include "segment.h"
#include "state.h"

static struct rt_state *state_of(PyObject *module)
{
    return PyModule_GetState(module);
}

/* Says why a process is not measured, if SHMCOV_DEBUG is set: an unexpected line on stderr would
 * break programs whose output is compared. */
static void complain(const char *what, const char *why)
{
    static bool told; /* site reads the start-up files of a virtual environment twice */
    const char *debug = getenv("SHMCOV_DEBUG");

    if (debug && *debug && !told)
        PySys_FormatStderr("shmcov: process %d is not measured: %s: %s\n", (int)getpid(), what,
                           why);
    told = true;
}

static void complain_of_segment(int status, const char *why)
{
    const char *named = getenv("SHMCOV_SEGMENT");

    if (named && *named)
        complain(named, why);
    else
        complain("SHMCOV_SEGMENT is not set", status < 0 ? why : "no ancestor takes part in a run");
}

/* Starts the tracer that is chosen, or the one that stands in for it. */
static int start_chosen(PyObject *module, struct rt_state *state, struct rt_choice choice)
{
    int status;

    for (;;) {
        state->tracer = choice.tracer;
        status = state->tracer->start(module, state);
        if (!status || !rt_choice_instead(&choice))
            break;
        PyErr_Clear();
        state->tracer->clear(state);
    }
    rt_choice_tell(&choice);
    return status;
}

static int start_tracer(PyObject *module, struct rt_state *state)
{
    state->decisions = PyDict_New();
    if (!state->decisions || rt_codemap_start(state))
        return -1;
    return start_chosen(module, state, rt_choice_of(state));
}

/* The process is in another segment, whose run may need another tracer. */
static int restart_tracer(PyObject *module, struct rt_state *state)
{
    struct rt_choice choice = rt_choice_of(state);

    if (!choice.fell_back || choice.tracer == state->tracer)
        return state->tracer->restart(state);
    state->tracer->clear(state);
    return start_chosen(module, state, choice);
}

/* Keeps coverage.py's own start-up file, which runs after ours, from measuring this process a
 * second time into a file of its own. The program itself may have set its variables. */
static void keep_coverage_out(void)
{
    static const char *const names[] = {"COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"};
    PyObject *os, *environ;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!getenv(names[i]))
            continue;
        os = PyImport_ImportModule("os"); /* site has it */
        environ = os ? PyObject_GetAttrString(os, "environ") : NULL;
        if (!environ || PyMapping_DelItemString(environ, names[i])) /* calls unsetenv */
            PyErr_Clear();
        Py_XDECREF(environ);
        Py_XDECREF(os);
    }
}

/* Has this interpreter been started with that argument? */
static bool has_argument(const char *text)
{
    PyObject *argv = PySys_GetObject("orig_argv"); /* borrowed */
    bool found = false;

    for (Py_ssize_t i = 0; argv && PyList_Check(argv) && i < PyList_GET_SIZE(argv); i++) {
        PyObject *arg = PyList_GET_ITEM(argv, i); /* borrowed */

        found |= PyUnicode_Check(arg) && !PyUnicode_CompareWithASCIIString(arg, text);
    }
    return found;
}

/* Is this process a gateway of execnet, like a worker of pytest-xdist? */
static bool is_gateway(void)
{
    return has_argument("import sys;exec(eval(sys.stdin.readline()))");
}

/* Returns nonzero with an exception. */
static int enter_context(struct rt_state *state, const char *name, size_t len, bool everywhere)
{
    if (!rt_context_enabled()) {
        rt_context_enable();
        if (state->tracer->contexts_begin(state))
            return -1;
    }
    (everywhere ? rt_context_everywhere : rt_context_switch)(state, len ? name : NULL, len);
    return 0;
}

/* The context of whoever started this process, where that says which it is. */
static void inherit_context(struct rt_state *state)
{
    const char *name = getenv("SHMCOV_CONTEXT");

    if (name && *name && enter_context(state, name, strlen(name), true))
        PyErr_Clear();
}

static PyObject *module_attach(PyObject *module, PyObject *noargs)
{
    struct rt_state *state = state_of(module);
    const char *why = "";
    int status;

    (void)noargs;
    if (state->tracer)
        Py_RETURN_TRUE;
    status = rt_process_attach(PY_VERSION_HEX, &why);
    if (status) {
        complain_of_segment(status, why);
        Py_RETURN_FALSE;
    }
    if (seg_flags(rt_process_seg()) & SEG_FLAG_HOLD && is_gateway())
        rt_process_pause(true);
    if (has_argument("--multiprocessing-fork"))
        rt_naming_expect(RT_NAMING_START);
    rt_claimed_load(state); /* before the tracer: what plug-ins import is not measured */
    if (state->tracer)
        Py_RETURN_TRUE; /* a plug-in has come here again */
    if (start_tracer(module, state)) {
        PyErr_Clear();
        seg_lose(rt_process_seg(), SEG_LOST_ATTACH, 1);
        complain("the tracer could not start", state->tracer ? state->tracer->name : "");
        Py_RETURN_FALSE;
    }
    keep_coverage_out();
    inherit_context(state);
    Py_RETURN_TRUE;
}

static PyObject *attached(PyObject *module, PyObject *noargs)
{
    (void)noargs;
    if (!state_of(module)->tracer || !rt_process_seg())
        Py_RETURN_NONE;
    return PyUnicode_DecodeFSDefault(seg_path(rt_process_seg()));
}

static PyObject *module_tracer(PyObject *module, PyObject *none)
{
    struct rt_choice choice = rt_choice_first();
    const struct rt_tracer *now = state_of(module)->tracer;

    (void)none;
    return Py_BuildValue("(ss)", now ? now->name : choice.tracer->name, choice.why);
}

static PyObject *usable(PyObject *module, PyObject *none)
{
    struct rt_state *state = state_of(module);
    bool monitors, sites;

    (void)none;
    if (!state->tracer)
        Py_RETURN_NONE;
    state->tracer->usable(state, &monitors, &sites);
    return Py_BuildValue("(OO)", monitors ? Py_True : Py_False, sites ? Py_True : Py_False);
}

static PyObject *module_start(PyObject *module, PyObject *path)
{
    struct rt_state *state = state_of(module);
    PyObject *bytes;
    const char *why = "";
    int failed;

    if (!PyUnicode_FSConverter(path, &bytes))
        return NULL;
    failed = rt_process_enter(PY_VERSION_HEX, PyBytes_AS_STRING(bytes), &why);
    Py_DECREF(bytes);
    if (failed)
        return PyErr_Format(PyExc_OSError, "the segment %R cannot be used: %s", path, why);
    rt_process_pause(false);
    rt_process_started_late();
    if (state->tracer ? restart_tracer(module, state) : start_tracer(module, state))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *set_paused(PyObject *module, bool paused)
{
    struct rt_state *state = state_of(module);

    if (rt_process_paused() == paused || !rt_process_seg())
        Py_RETURN_NONE;
    rt_process_pause(paused);
    if (state->tracer && state->tracer->pause(state))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *pause_recording(PyObject *module, PyObject *noargs)
{
    (void)noargs;
    return set_paused(module, true);
}

static PyObject *resume_recording(PyObject *module, PyObject *noargs)
{
    (void)noargs;
    return set_paused(module, false);
}

static PyObject *recording(PyObject *module, PyObject *noargs)
{
    (void)noargs;
    return PyBool_FromLong(state_of(module)->tracer && !rt_process_paused());
}

static PyObject *module_leave(PyObject *module, PyObject *noargs)
{
    (void)noargs;
    if (!set_paused(module, true))
        return NULL;
    if (state_of(module)->tracer)
        rt_process_leave();
    return Py_NewRef(Py_None);
}

static PyObject *owner(PyObject *module, PyObject *noargs)
{
    const char *text;
    bool alive;

    (void)noargs;
    if (!state_of(module)->tracer || !rt_process_seg())
        Py_RETURN_NONE;
    text = rt_rules_text(rt_process_rules(), SEG_RULE_OWNER);
    return Py_BuildValue("(INN)", (unsigned)seg_supervisor(rt_process_seg(), &alive),
                         PyBool_FromLong(seg_flags(rt_process_seg()) & SEG_FLAG_OWNED),
                         PyUnicode_DecodeFSDefault(text ? text : ""));
}

static PyObject *switch_context(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"name", "everywhere", NULL};
    struct rt_state *state = state_of(module);
    const char *name;
    Py_ssize_t len;
    int everywhere = 0;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s#|$p:switch_context", names, &name, &len,
                                     &everywhere))
        return NULL;
    if (!state->tracer || !rt_process_seg())
        Py_RETURN_FALSE;
    if (enter_context(state, name, (size_t)len, everywhere))
        return NULL;
    Py_RETURN_TRUE;
}

static PyObject *name_process(PyObject *module, PyObject *arg)
{
    const char *name = PyUnicode_Check(arg) ? PyUnicode_AsUTF8(arg) : NULL;

    if (!name)
        return PyErr_Occurred() ? NULL
                                : PyErr_Format(PyExc_TypeError, "a name is a text, not %R", arg);
    if (rt_process_name(name))
        return PyErr_NoMemory();
    return PyBool_FromLong(state_of(module)->tracer && rt_process_seg());
}

/* Rules as the bytes of a plan: *bytes (malloc). 0, or not with an exception. */
static int put_rules(PyObject *rules, void **bytes, size_t *len)
{
    PyObject *fast = PySequence_Fast(rules, "rules must be a sequence of (kind, text)");
    int status = fast ? SEG_OK : -1;

    for (Py_ssize_t i = 0; !status && i < PySequence_Fast_GET_SIZE(fast); i++) {
        PyObject *text;
        unsigned int kind;

        if (!PyArg_ParseTuple(PySequence_Fast_GET_ITEM(fast, i), "IO&", &kind,
                              PyUnicode_FSConverter, &text)) {
            status = -1;
            break;
        }
        status =
            seg_rule_put(bytes, len, kind, PyBytes_AS_STRING(text), (size_t)PyBytes_GET_SIZE(text));
        Py_DECREF(text);
        if (status)
            PyErr_SetString(PyExc_ValueError, seg_strstatus(status));
    }
    Py_XDECREF(fast);
    return status;
}

static PyObject *create(PyObject *module, PyObject *args)
{
    struct seg_plan plan = {0};
    PyObject *rules, *result = NULL;
    unsigned int flags;
    unsigned long long size = 0;
    const char *folder_name = NULL;
    void *bytes = NULL;
    size_t len = 0;
    char *path = NULL;
    seg_t *seg;
    int fd, status;

    (void)module;
    if (!PyArg_ParseTuple(args, "IO|zK", &flags, &rules, &folder_name, &size) ||
        put_rules(rules, &bytes, &len))
        goto done;
    plan.flags = flags;
    plan.rules = bytes;
    plan.rules_len = len;
    plan.folder = folder_name;
    plan.size = size;
    status = seg_create(&plan, &seg, &path, &fd);
    if (status == SEG_ERR_SYSTEM)
        PyErr_SetFromErrnoWithFilename(PyExc_OSError, folder_name);
    else if (status)
        PyErr_SetString(PyExc_OSError, seg_strstatus(status));
    else
        result = Py_BuildValue("(O&i)", PyUnicode_DecodeFSDefault, path, fd);
    if (!status)
        seg_discard(seg); /* whoever records in it attaches by its name */
done:
    free(bytes);
    free(path);
    return result;
}

static PyMethodDef methods[] = {
    {"attach", module_attach, METH_NOARGS,
     "attach() -> bool\n\n"
     "Measures this interpreter if it belongs to a run: the segment that SHMCOV_SEGMENT names, or\n"
     "the run of an ancestor. Calling it again does nothing. Never raises, never prints."},
    {"tracer", module_tracer, METH_NOARGS,
     "tracer() -> (name, why)\n\n"
     "What records in this process, or would: the environment and the interpreter decide. `why` "
     "is\n"
     "empty where there is no choice."},
    {"usable", usable, METH_NOARGS,
     "usable() -> (bool, bool) | None\n\n"
     "Whether CPython's structures are usable in this process: to keep other tools from silencing\n"
     "shmcov, and to restore single sites at a switch of context. None: it is not measured."},
    {"attached", attached, METH_NOARGS,
     "attached() -> str | None\n\nThe path of the segment that this interpreter records into."},
    {"start", module_start, METH_O,
     "start(name)\n\n"
     "Records into the segment of that name from now on, instead of any other. Raises OSError."},
    {"pause", pause_recording, METH_NOARGS,
     "pause()\n\nRecords nothing in this process until resume() or start()."},
    {"resume", resume_recording, METH_NOARGS, "resume()\n\nRecords again."},
    {"recording", recording, METH_NOARGS,
     "recording() -> bool\n\nIs this process measured, and not paused?"},
    {"leave", module_leave, METH_NOARGS,
     "leave()\n\nPauses, and unmaps the segment until start(). Without a GIL it stays mapped."},
    {"owner", owner, METH_NOARGS,
     "owner() -> (pid, owned, digest) | None\n\n"
     "The process that made the segment that this interpreter records into; whether it is itself\n"
     "measured, and delivers; and a digest of what the run measures."},
    {"switch_context", (PyCFunction)(void (*)(void))switch_context, METH_VARARGS | METH_KEYWORDS,
     "switch_context(name, *, everywhere=False) -> bool\n\n"
     "Switches the calling thread to the dynamic context `name`, or to none if that is empty;\n"
     "with `everywhere`, all threads that are in no context of their own. False: the process is\n"
     "not measured."},
    {"name_process", name_process, METH_O,
     "name_process(name) -> bool\n\n"
     "Says what people call this process. False: it is not measured; the name is kept for when it\n"
     "is."},
    {"create", create, METH_VARARGS,
     "create(flags, rules, folder=None, size=0) -> (path, fd)\n\n"
     "Creates a segment. flags: FLAG_*. rules: a sequence of (kind, text), kinds RULE_*. folder:\n"
     "None for one that has room. size: bytes, 0: chosen from what is free. The descriptor stays\n"
     "valid whatever happens to the path. Raises OSError."},
    {NULL, NULL, 0, NULL},
};

static int module_exec(PyObject *module)
{
    if (PyModule_AddFunctions(module, rt_claimed_methods) ||
        PyModule_AddFunctions(module, rt_ending_methods))
        return -1;
    return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct rt_state *state = state_of(module);

    if (!state)
        return 0;
    Py_VISIT(state->decisions);
    if (rt_claimed_traverse(state, visit, arg))
        return -1;
    return state->tracer ? state->tracer->traverse(state, visit, arg) : 0;
}

/* Callbacks own the module, so this runs after the interpreter has dropped them. */
static int module_clear(PyObject *module)
{
    struct rt_state *state = state_of(module);

    if (!state)
        return 0;
    Py_CLEAR(state->decisions);
    rt_claimed_clear(state);
    rt_function_clear(state);
    if (state->tracer)
        state->tracer->clear(state);
    state->tracer = NULL;
    return 0;
}

static void free_module(void *module)
{
    module_clear(module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, module_exec},
    RT_SLOT_INTERPRETERS RT_SLOT_GIL /* each with its comma, or nothing */
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_shmcov",
    .m_doc = "The part of shmcov that runs inside measured processes.",
    .m_size = sizeof(struct rt_state),
    .m_methods = methods,
    .m_slots = slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = free_module,
};

PyMODINIT_FUNC PyInit__shmcov(void)
{
    return PyModuleDef_Init(&definition);
}
