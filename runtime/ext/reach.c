/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CPython calls to run code or to make a function of it, changed to take the code's twin.
 *
 * exec() and eval() stay the objects that they are, since importlib and programs hold them; their
 * method definition is another. function.__new__ and the setter of __code__ are slots that all
 * interpreters of the process share, so the interpreter that is running is looked up in each call.
 *
 * The main script is run by a C function that nothing leads to. An eval-frame hook (PEP 523) waits
 * for its frame. Python code runs 2 to 9 % slower while such a hook is set, so it goes at once
 * after that.
 *
 * All of this runs under the GIL, which all interpreters of 3.11 share.
 */
#include "reach.h"

#if RT_BREAKPOINTS

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define Py_BUILD_CORE 1
#include <internal/pycore_frame.h>

#include "file.h"
#include "process.h"
#include "reach_existing.h"
#include "twin.h"
#include "twin_equal.h"

/* exec() takes that many arguments, eval() fewer. */
enum { MOST_ARGS = 4 };

/* What one interpreter has changed. */
struct reach {
    struct reach *next;
    PyInterpreterState *interp;
    int64_t id; /* of the interpreter: its address may be given again */
    struct rt_state *state;
    PyCFunctionObject *exec, *eval; /* owned */
    PyObject *main;                 /* owned: globals of the main script that is yet to run */
};

static struct reach *reaches; /* of all interpreters */

/* What was there before. The same in all interpreters. */
static PyMethodDef *exec_before, *eval_before;
static newfunc function_new_before;
static PyGetSetDef *code_attribute_before;

static struct reach *reach_of(PyInterpreterState *interp)
{
    int64_t id = PyInterpreterState_GetID(interp);
    struct reach *one = reaches;

    while (one && one->id != id)
        one = one->next;
    return one;
}

/* The interpreter that is running, if twins run in it. */
static struct rt_state *state_here(void)
{
    const struct reach *reach = reach_of(PyInterpreterState_Get());

    return reach ? reach->state : NULL;
}

PyObject *rt_reach_twin(struct rt_state *state, PyObject *code, PyObject *globals)
{
    PyObject *entering, *type, *value, *traceback, *twin;

    if (!rt_process_seg())
        return NULL;
    PyErr_Fetch(&type, &value, &traceback); /* of the caller's caller, if any */
    entering = state->entering;
    state->entering = globals && PyDict_Check(globals) ? globals : NULL;
    twin = (PyObject *)rt_twin_of(state, (PyCodeObject *)code);
    if (!twin && rt_file_of(state, (PyCodeObject *)code)) /* it was refused, and that was counted */
        rt_reach_constants(state, (PyCodeObject *)code, globals);
    state->entering = entering;
    PyErr_Restore(type, value, traceback);
    return twin;
}

/* What is to run instead of it: new. Whatever is no code, or not measured, is itself. */
static PyObject *instead_of(PyObject *code, PyObject *globals)
{
    struct rt_state *state = PyCode_Check(code) ? state_here() : NULL;
    PyObject *twin = state ? rt_reach_twin(state, code, globals) : NULL;

    return twin ? twin : Py_NewRef(code);
}

/* -- exec, eval -- */

static PyObject *reach_exec(PyObject *module, PyObject *const *args, Py_ssize_t n,
                            PyObject *kwnames)
{
    _PyCFunctionFastWithKeywords before =
        (_PyCFunctionFastWithKeywords)(void (*)(void))exec_before->ml_meth;
    Py_ssize_t all = n + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
    PyObject *copy[MOST_ARGS], *result;

    if (n < 1 || all > MOST_ARGS || !PyCode_Check(args[0]))
        return before(module, args, n, kwnames);
    memcpy(copy, args, (size_t)all * sizeof *copy);
    copy[0] = instead_of(args[0], n > 1 && args[1] != Py_None ? args[1] : NULL);
    result = before(module, copy, n, kwnames);
    Py_DECREF(copy[0]);
    return result;
}

static PyObject *reach_eval(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
    _PyCFunctionFast before = (_PyCFunctionFast)(void (*)(void))eval_before->ml_meth;
    PyObject *copy[MOST_ARGS], *result;

    if (n < 1 || n > MOST_ARGS || !PyCode_Check(args[0]))
        return before(module, args, n);
    memcpy(copy, args, (size_t)n * sizeof *copy);
    copy[0] = instead_of(args[0], n > 1 && args[1] != Py_None ? args[1] : NULL);
    result = before(module, copy, n);
    Py_DECREF(copy[0]);
    return result;
}

/* Filled in from what was there, but for the function. */
static PyMethodDef exec_ours, eval_ours;

/* A built-in function that is called as we expect: new, or NULL with an exception. */
static PyCFunctionObject *builtin(const char *name, int flags)
{
    PyObject *builtins = PyEval_GetBuiltins(); /* borrowed */
    PyObject *found = builtins ? PyDict_GetItemString(builtins, name) : NULL;

    if (!found || !PyCFunction_CheckExact(found) || PyCFunction_GET_FLAGS(found) != flags) {
        PyErr_Format(PyExc_RuntimeError, "%s() is not the built-in function", name);
        return NULL;
    }
    return (PyCFunctionObject *)Py_NewRef(found);
}

/* Has `function` run `ours` instead. False: some other interpreter has changed another one. */
static bool redirect(PyCFunctionObject *function, PyMethodDef **before, PyMethodDef *ours,
                     PyCFunction run)
{
    if (function->m_ml == ours)
        return true;
    if (*before && *before != function->m_ml)
        return false;
    *before = function->m_ml;
    *ours = **before;
    ours->ml_meth = run;
    function->m_ml = ours;
    return true;
}

static void give_back(PyCFunctionObject *function, PyMethodDef *before, const PyMethodDef *ours)
{
    if (function && function->m_ml == ours)
        function->m_ml = before;
    Py_XDECREF(function);
}

/* -- functions -- */

/* The arguments with the twin in the place of the code: new. NULL: without memory. */
static PyObject *with_twin(PyObject *args, PyObject *twin)
{
    PyObject *copy = PyTuple_New(PyTuple_GET_SIZE(args));

    for (Py_ssize_t i = 0; copy && i < PyTuple_GET_SIZE(args); i++)
        PyTuple_SET_ITEM(copy, i, Py_NewRef(i ? PyTuple_GET_ITEM(args, i) : twin));
    return copy;
}

/* The arguments (code, globals) of a call, by place or by name: borrowed, or NULL. */
static PyObject *argument(PyObject *args, PyObject *kwargs, Py_ssize_t at, const char *name)
{
    if (PyTuple_GET_SIZE(args) > at)
        return PyTuple_GET_ITEM(args, at);
    return kwargs ? PyDict_GetItemString(kwargs, name) : NULL;
}

static PyObject *reach_function_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *code = argument(args, kwargs, 0, "code"), *twin, *result = NULL;
    PyObject *with_args = NULL, *with_kwargs = NULL;

    if (!code || !PyCode_Check(code))
        return function_new_before(type, args, kwargs);
    twin = instead_of(code, argument(args, kwargs, 1, "globals"));
    if (PyTuple_GET_SIZE(args)) {
        with_args = with_twin(args, twin);
        with_kwargs = Py_XNewRef(kwargs);
    } else {
        with_args = Py_NewRef(args);
        with_kwargs = PyDict_Copy(kwargs);
        if (with_kwargs && PyDict_SetItemString(with_kwargs, "code", twin))
            Py_CLEAR(with_kwargs);
    }
    if (with_args && (with_kwargs || !kwargs))
        result = function_new_before(type, with_args, with_kwargs);
    Py_XDECREF(with_args);
    Py_XDECREF(with_kwargs);
    Py_DECREF(twin);
    return result;
}

static int reach_set_code(PyObject *function, PyObject *value, void *closure)
{
    PyObject *code = value;
    int status;

    if (value && PyCode_Check(value))
        code = instead_of(value, PyFunction_GET_GLOBALS(function));
    status = code_attribute_before->set(function, code, closure);
    if (value && PyCode_Check(value))
        Py_DECREF(code);
    return status;
}

static PyGetSetDef code_attribute_ours;

/* The descriptor of function.__code__: borrowed, or NULL. */
static PyGetSetDescrObject *code_attribute(void)
{
    PyObject *found = PyDict_GetItemString(PyFunction_Type.tp_dict, "__code__");

    return found && Py_IS_TYPE(found, &PyGetSetDescr_Type) ? (PyGetSetDescrObject *)found : NULL;
}

static int redirect_functions(void)
{
    PyGetSetDescrObject *attribute = code_attribute();

    if (PyFunction_Type.tp_new == reach_function_new)
        return 0; /* for another interpreter */
    if (!attribute) {
        PyErr_SetString(PyExc_RuntimeError, "the attribute __code__ of functions is not built in");
        return -1;
    }
    function_new_before = PyFunction_Type.tp_new;
    PyFunction_Type.tp_new = reach_function_new;
    code_attribute_before = attribute->d_getset;
    code_attribute_ours = *code_attribute_before;
    code_attribute_ours.set = reach_set_code;
    attribute->d_getset = &code_attribute_ours;
    return 0;
}

/* No interpreter needs it any longer. */
static void give_back_shared(void)
{
    PyGetSetDescrObject *attribute = code_attribute();

    rt_twin_equal_stop();
    if (PyFunction_Type.tp_new == reach_function_new)
        PyFunction_Type.tp_new = function_new_before;
    if (attribute && attribute->d_getset == &code_attribute_ours)
        attribute->d_getset = code_attribute_before;
}

/* -- the main script -- */

/* Ends the waiting, if the hook is still ours. */
static void wait_no_more(struct reach *reach);

/* The frame has been made, but nothing leads to it yet: another one may run in its place. */
static PyObject *reach_frame(PyThreadState *thread, struct _PyInterpreterFrame *frame, int raises)
{
    struct reach *reach = reach_of(thread->interp);
    PyObject *twin = NULL, *result;

    if (!reach || !reach->main || frame->f_globals != reach->main || raises)
        return _PyEval_EvalFrameDefault(thread, frame, raises);
    wait_no_more(reach);
    if (frame->f_locals && !frame->f_code->co_nlocalsplus)
        twin = rt_reach_twin(reach->state, (PyObject *)frame->f_code, frame->f_globals);
    if (!twin || twin == (PyObject *)frame->f_code)
        result = _PyEval_EvalFrameDefault(thread, frame, raises);
    else
        result = PyEval_EvalCode(twin, frame->f_globals, frame->f_locals);
    Py_XDECREF(twin);
    return result;
}

static void wait_no_more(struct reach *reach)
{
    if (_PyInterpreterState_GetEvalFrameFunc(reach->interp) == reach_frame)
        _PyInterpreterState_SetEvalFrameFunc(reach->interp, _PyEval_EvalFrameDefault);
    Py_CLEAR(reach->main);
}

/* A program that embeds Python has no main script; nor is one to come where one runs already. */
static void wait_for_main(struct reach *reach)
{
    PyObject *modules = PySys_GetObject("modules"); /* borrowed */
    PyObject *main = modules ? PyDict_GetItemString(modules, "__main__") : NULL;

    if (rt_process_late_start() || reach->interp != PyInterpreterState_Main() ||
        !_PyInterpreterState_GetConfig(reach->interp)->parse_argv || !main || !PyModule_Check(main))
        return;
    reach->main = Py_NewRef(PyModule_GetDict(main));
    _PyInterpreterState_SetEvalFrameFunc(reach->interp, reach_frame);
}

/* -- start -- */

static void reach_free(struct reach *reach)
{
    wait_no_more(reach);
    give_back(reach->exec, exec_before, &exec_ours);
    give_back(reach->eval, eval_before, &eval_ours);
    PyMem_RawFree(reach);
}

int rt_reach_start(struct rt_state *state)
{
    struct reach *reach = PyMem_RawCalloc(1, sizeof *reach);

    if (!reach) {
        PyErr_NoMemory();
        return -1;
    }
    reach->interp = PyInterpreterState_Get();
    reach->id = PyInterpreterState_GetID(reach->interp);
    reach->state = state;
    reach->exec = builtin("exec", METH_FASTCALL | METH_KEYWORDS);
    reach->eval = reach->exec ? builtin("eval", METH_FASTCALL) : NULL;
    if (!reach->eval)
        goto failed;
    if (!redirect(reach->exec, &exec_before, &exec_ours, (PyCFunction)(void (*)(void))reach_exec) ||
        !redirect(reach->eval, &eval_before, &eval_ours, (PyCFunction)(void (*)(void))reach_eval)) {
        PyErr_SetString(PyExc_RuntimeError, "exec() is another one than in other interpreters");
        goto failed;
    }
    if (redirect_functions() || rt_twin_equal_start())
        goto failed;
    reach->next = reaches;
    reaches = reach;
    wait_for_main(reach);
    return rt_reach_again(state);
failed:
    reach_free(reach);
    if (!reaches)
        give_back_shared();
    return -1;
}

int rt_reach_again(struct rt_state *state)
{
    return rt_process_seg() ? rt_reach_existing(state) : 0;
}

void rt_reach_stop(struct rt_state *state)
{
    struct reach **at = &reaches, *reach;

    while (*at && (*at)->state != state)
        at = &(*at)->next;
    reach = *at;
    if (!reach)
        return;
    *at = reach->next;
    reach_free(reach);
    if (!reaches)
        give_back_shared();
}

#endif
