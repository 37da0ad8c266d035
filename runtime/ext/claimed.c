/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The claim, the callables that it returns, and what those record.
 *
 * For a file name a claim returns None (no plug-in takes it), False (claimed, but left out), or
 * three callables. Code objects keep these in their struct rt_code with the number of the claim; a
 * new claim, or none, gets a new number, and the callables of earlier ones are not called any more.
 *
 * Nothing of this is called while the interpreter shuts down, when modules are torn down under our
 * code and the plug-in's. Earlier answers remain valid; a file without one is decided by the rules,
 * as if there were no plug-ins, which is no loss.
 */
#include "claimed.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "context.h"
#include "file.h"
#include "process.h"

enum claimed_call { STARTED, LINE, ENDED, CALLS };

static struct rt_state *state_of(PyObject *module)
{
    return PyModule_GetState(module);
}

/* Drops an Exception, which is ours or the plug-in's, and counts it as lost: 0. -1: any other is
 * the program's. */
static int forget_exception(void)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return -1;
    PyErr_Clear();
    seg_lose(rt_process_seg(), SEG_LOST_TRACER, 1);
    return 0;
}

/* -- the claim -- */

static bool in_main_interpreter(void)
{
    return PyInterpreterState_Get() == PyInterpreterState_Main();
}

void rt_claimed_load(struct rt_state *state)
{
    const char *plugins = rt_rules_text(rt_process_rules(), SEG_RULE_FILE_TRACERS);
    const char *debug = getenv("SHMCOV_DEBUG");
    PyObject *module, *result = NULL, *type, *value, *trace;

    if (!plugins || state->claims_loaded || !in_main_interpreter())
        return;
    if (seg_is_shared(rt_process_seg()))
        return; /* no run has both: another user wrote the rule, to run code in this process */
    state->claims_loaded = true; /* first: a plug-in may process .pth files and come here again */
    module = PyImport_ImportModule("shmcov.file_tracers");
    if (module)
        result = PyObject_CallMethod(module, "start", "s", plugins);
    Py_XDECREF(module);
    Py_XDECREF(result);
    if (result)
        return;
    seg_lose(rt_process_seg(), SEG_LOST_PLUGIN, 1);
    if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt))
        PyErr_SetInterrupt(); /* for the program, which begins soon */
    PyErr_Fetch(&type, &value, &trace);
    if (debug && *debug)
        PySys_FormatStderr("shmcov: process %d runs without file tracers: %S: %S\n", (int)getpid(),
                           type, value);
    PyErr_Clear(); /* printing may have failed */
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
}

static bool is_calls(PyObject *answer)
{
    return PyTuple_Check(answer) && PyTuple_GET_SIZE(answer) == CALLS;
}

/* The claim's answer for the running frame's file: borrowed, or NULL with an exception. */
static PyObject *claimed_ask(struct rt_state *state, PyObject *filename)
{
    PyObject *answer = PyDict_GetItemWithError(state->claims, filename), *claim, *first;
    uint32_t number = state->claim_number;

    if (answer || PyErr_Occurred())
        return answer;
    claim = Py_IsFinalizing() ? NULL : Py_XNewRef(state->claim);
    if (!claim)
        return Py_None;
    rt_file_main_began();
    answer = PyObject_CallFunctionObjArgs(claim, filename, (PyObject *)PyEval_GetFrame(), NULL);
    Py_DECREF(claim);
    if (!answer)
        return NULL;
    if (number != state->claim_number) { /* there is another claim meanwhile */
        Py_DECREF(answer);
        return Py_None;
    }
    first = PyDict_SetDefault(state->claims, filename, answer); /* another thread may have asked */
    Py_DECREF(answer);
    return first;
}

bool rt_claimed(struct rt_state *state, PyCodeObject *code, struct rt_code **rc)
{
    PyObject *answer = claimed_ask(state, code->co_filename);

    *rc = NULL;
    if (!answer && PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) {
        PyErr_Clear();
        answer = claimed_ask(state, code->co_filename);
        PyErr_SetInterrupt(); /* for the program */
    }
    if (!answer) {
        PyErr_Clear();
        seg_lose(rt_process_seg(), SEG_LOST_TRACER, 1);
    }
    if (!answer || answer == Py_None)
        return false;
    if (is_calls(answer))
        *rc = rt_code_of_claim(answer, state->claim_number);
    return true;
}

/* -- the calls -- */

static int claimed_call(struct rt_state *state, const struct rt_code *rc, enum claimed_call which,
                        PyFrameObject *frame, PyObject *more)
{
    PyObject *args[] = {(PyObject *)frame, more}, *result;

    if (rc->claim_number != state->claim_number || !frame || Py_IsFinalizing())
        return 0;
    result = PyObject_Vectorcall(PyTuple_GET_ITEM(rc->claim, which), args, more ? 2 : 1, NULL);
    Py_XDECREF(result);
    return result ? 0 : forget_exception();
}

int rt_claimed_start(struct rt_state *state, const struct rt_code *rc, PyFrameObject *frame,
                     bool begins)
{
    return claimed_call(state, rc, STARTED, frame, begins ? Py_True : Py_False);
}

int rt_claimed_line(struct rt_state *state, const struct rt_code *rc, PyFrameObject *frame)
{
    return claimed_call(state, rc, LINE, frame, NULL);
}

int rt_claimed_end(struct rt_state *state, const struct rt_code *rc, PyFrameObject *frame)
{
    return claimed_call(state, rc, ENDED, frame, NULL);
}

void rt_claimed_clear(struct rt_state *state)
{
    Py_CLEAR(state->claim);
    Py_CLEAR(state->claims);
}

int rt_claimed_traverse(struct rt_state *state, visitproc visit, void *arg)
{
    Py_VISIT(state->claim);
    Py_VISIT(state->claims);
    return 0;
}

/* -- what the callables record -- */

/* The file of a path, or NULL: nothing is recorded now, no room, or an exception. */
static struct seg_entry *file_of(PyObject *path)
{
    struct seg_entry *file = NULL;
    PyObject *bytes;

    if (!rt_process_seg() || rt_process_paused())
        return NULL;
    bytes = PyUnicode_EncodeFSDefault(path);
    if (bytes && seg_file(rt_process_seg(), PyBytes_AS_STRING(bytes),
                          (size_t)PyBytes_GET_SIZE(bytes), &file))
        file = NULL;
    Py_XDECREF(bytes);
    return file;
}

static bool set_arc(struct seg_entry *file, int32_t from, int32_t to)
{
    uint32_t bit;

    if (!rt_process_branches() || !from || !to)
        return true;
    return !rt_file_arc(file, from, to, &bit) && rt_file_set(file, rt_context_get(), SEG_ARCS, bit);
}

static PyObject *record(PyObject *module, PyObject *args)
{
    struct seg_entry *file;
    PyObject *path;
    int first, last, previous;
    bool room = true;

    (void)module;
    if (!PyArg_ParseTuple(args, "Uiii", &path, &first, &last, &previous))
        return NULL;
    file = file_of(path);
    for (int64_t line = first > 0 ? first : 1; file && room && line <= last; line++) {
        room = rt_file_set(file, rt_context_get(), SEG_LINES, (uint32_t)line) &&
               set_arc(file, previous, (int32_t)line);
        previous = (int32_t)line;
    }
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

static PyObject *record_arc(PyObject *module, PyObject *args)
{
    struct seg_entry *file;
    PyObject *path;
    int from, to;

    (void)module;
    if (!PyArg_ParseTuple(args, "Uii", &path, &from, &to))
        return NULL;
    file = file_of(path);
    if (file)
        set_arc(file, from, to);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

static PyObject *record_tracer(PyObject *module, PyObject *args)
{
    const struct seg_entry *file;
    PyObject *path;
    const char *name;
    Py_ssize_t len;

    (void)module;
    if (!PyArg_ParseTuple(args, "Us#", &path, &name, &len))
        return NULL;
    file = file_of(path);
    if (file)
        seg_tracer(rt_process_seg(), file, name, (size_t)len);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

/* -- the rest of what Python sees -- */

static PyObject *set_file_tracers(PyObject *module, PyObject *claim)
{
    struct rt_state *state = state_of(module);
    PyObject *claims, *old_claim = state->claim, *old_claims = state->claims;

    if (claim != Py_None && !PyCallable_Check(claim)) {
        PyErr_Format(PyExc_TypeError, "set_file_tracers() needs a callable or None, not %.100s",
                     Py_TYPE(claim)->tp_name);
        return NULL;
    }
    if (!in_main_interpreter()) {
        PyErr_SetString(PyExc_RuntimeError, "file tracers can be set only in the main interpreter");
        return NULL;
    }
    claims = PyDict_New();
    if (!claims)
        return NULL;
    state->claim_number++;
    state->claims = claims;
    state->claim = claim == Py_None ? NULL : Py_NewRef(claim);
    Py_XDECREF(old_claim);
    Py_XDECREF(old_claims);
    Py_RETURN_NONE;
}

static const char *text_of(PyObject *bytes)
{
    return bytes ? PyBytes_AS_STRING(bytes) : NULL;
}

static PyObject *measured(PyObject *module, PyObject *args)
{
    PyObject *module_name, *path = NULL, *name = NULL, *module_bytes = NULL;
    int yes = 0;

    (void)module;
    if (!PyArg_ParseTuple(args, "O&O&O", PyUnicode_FSConverter, &path, PyUnicode_FSConverter, &name,
                          &module_name))
        goto done; /* PyArg_ParseTuple() has released what it converted */
    if (PyUnicode_Check(module_name))
        module_bytes = PyUnicode_EncodeFSDefault(module_name);
    if (!PyErr_Occurred() && rt_process_rules())
        yes = rt_rules_match(rt_process_rules(), text_of(path), text_of(name),
                             text_of(module_bytes), rt_sys_path_entry, NULL);
    if (yes < 0) {
        yes = 0;
        seg_lose(rt_process_seg(), SEG_LOST_TRACER, 1);
    }
    Py_DECREF(path);
    Py_DECREF(name);
done:
    Py_XDECREF(module_bytes);
    return PyErr_Occurred() ? NULL : PyBool_FromLong(yes);
}

PyMethodDef rt_claimed_methods[] = {
    {"set_file_tracers", set_file_tracers, METH_O,
     "set_file_tracers(claim)\n\n"
     "Calls claim(filename, frame) once for each co_filename that is new from now on. It returns\n"
     "None if no plug-in takes the file, False if its code is not to be measured, or three\n"
     "callables for frames of its code: started(frame, begins), line(frame), ended(frame).\n"
     "set_file_tracers(None): no claim any more."},
    {"measured", measured, METH_VARARGS,
     "measured(path, name, module) -> bool\n\n"
     "Do the rules of the run measure the file? path: absolute, without links; name: as patterns\n"
     "see it; module: its name, or None."},
    {"record", record, METH_VARARGS,
     "record(path, first, last, previous)\n\n"
     "Lines first to last of a file ran, after the line `previous`, in the thread's context."},
    {"record_arc", record_arc, METH_VARARGS,
     "record_arc(path, from, to)\n\nOne arc of a file was taken; for runs that record branches."},
    {"record_tracer", record_tracer, METH_VARARGS,
     "record_tracer(path, name)\n\nThe file belongs to the file tracer plug-in `name`."},
    {NULL, NULL, 0, NULL},
};
