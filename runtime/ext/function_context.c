/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contexts named after the test function that runs.
 */
#include "function_context.h"

#include <string.h>

#include "context.h"
#include "process.h"

bool rt_function_may_begin(PyCodeObject *code)
{
    const char *name = PyUnicode_AsUTF8(code->co_name);

    if (!name)
        PyErr_Clear();
    return name && (!strncmp(name, "test", 4) || !strcmp(name, "runTest"));
}

/* The frame's first argument if it is called `self`: new, or NULL. */
static PyObject *self_of(PyFrameObject *frame, PyCodeObject *code)
{
    PyObject *names, *self = NULL;

    if (!code->co_argcount)
        return NULL;
    names = PyCode_GetVarnames(code);
    if (names && PyTuple_GET_SIZE(names) &&
        !PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "self"))
        self = PyFrame_GetVar(frame, PyTuple_GET_ITEM(names, 0));
    Py_XDECREF(names);
    return self;
}

/* The names of the attributes that are asked for, as the interpreter has them: it looks them up
 * several times as fast. False, with an exception: no memory. */
static bool know_words(struct rt_state *state)
{
    struct rt_words *words = &state->words;

    if (words->qualname)
        return true;
    words->module = PyUnicode_InternFromString("__module__");
    words->name = PyUnicode_InternFromString("__name__");
    words->func = PyUnicode_InternFromString("__func__");
    words->qualname = PyUnicode_InternFromString("__qualname__");
    if (words->module && words->name && words->func && words->qualname)
        return true;
    rt_function_clear(state);
    return false;
}

void rt_function_clear(struct rt_state *state)
{
    Py_CLEAR(state->words.module);
    Py_CLEAR(state->words.name);
    Py_CLEAR(state->words.func);
    Py_CLEAR(state->words.qualname);
}

/* The parts, joined by dots, in UTF-8: new, or NULL, perhaps with an exception. Only the last may
 * be NULL. */
static PyObject *join(PyObject *first, PyObject *second, PyObject *third)
{
    PyObject *parts[] = {first, second, third}, *result;
    const char *text[3];
    Py_ssize_t len[3], total = -1;
    int n = third ? 3 : 2;
    char *to;

    for (int i = 0; i < n; i++) {
        if (!PyUnicode_Check(parts[i]) || !(text[i] = PyUnicode_AsUTF8AndSize(parts[i], &len[i])))
            return NULL;
        total += 1 + len[i];
    }
    result = PyBytes_FromStringAndSize(NULL, total);
    if (!result)
        return NULL;
    to = PyBytes_AS_STRING(result);
    for (int i = 0; i < n; i++) {
        if (i)
            *to++ = '.';
        memcpy(to, text[i], (size_t)len[i]);
        to += len[i];
    }
    return result;
}

/* "module.name" or "module.middle.name", with the module of an object. The same. */
static PyObject *in_module(const struct rt_state *state, PyObject *owner, PyObject *name,
                           PyObject *more)
{
    PyObject *module = PyObject_GetAttr(owner, state->words.module);
    PyObject *result = module ? join(module, name, more) : NULL;

    Py_XDECREF(module);
    return result;
}

/* module + qualified name of the method; if the attribute is no method, module.class.name. */
static PyObject *method_name(const struct rt_state *state, PyObject *self, PyObject *method,
                             PyObject *name)
{
    PyObject *function = PyObject_GetAttr(method, state->words.func), *part, *result = NULL;

    if (function) {
        part = PyObject_GetAttr(function, state->words.qualname);
        if (part)
            result = in_module(state, function, part, NULL);
    } else {
        PyErr_Clear();
        part = PyObject_GetAttr((PyObject *)Py_TYPE(self), state->words.name);
        if (part)
            result = in_module(state, (PyObject *)Py_TYPE(self), part, name);
    }
    Py_XDECREF(part);
    Py_XDECREF(function);
    return result;
}

/* module + qualified name of the function, for static and class methods (coverage.py 7.16 and
 * later). New, or NULL: it is local to another function. */
static PyObject *qualified_name(const struct rt_state *state, PyObject *globals, PyCodeObject *code)
{
    const char *name = PyUnicode_AsUTF8(code->co_qualname);
    PyObject *module, *text, *result;

    if (!name || !(code->co_flags & CO_OPTIMIZED) || strstr(name, "<locals>"))
        return NULL;
    module = PyDict_GetItemWithError(globals, state->words.name); /* borrowed */
    text = PyObject_Str(module ? module : Py_None);
    result = text ? join(text, code->co_qualname, NULL) : NULL;
    Py_XDECREF(text);
    return result;
}

/* The name of the context that the call begins, in UTF-8: new, or NULL (perhaps with an exception)
 * for none. */
static PyObject *context_name(const struct rt_state *state, PyFrameObject *frame,
                              PyCodeObject *code)
{
    PyObject *self = self_of(frame, code), *method = NULL, *globals, *function, *result = NULL;

    PyErr_Clear();
    if (self) {
        method = PyObject_GetAttr(self, code->co_name);
        PyErr_Clear();
    }
    if (method && method != Py_None) {
        result = method_name(state, self, method, code->co_name);
    } else {
        globals = PyFrame_GetGlobals(frame);
        function = PyDict_GetItemWithError(globals, code->co_name);
        if (function && function != Py_None)
            result = in_module(state, function, code->co_name, NULL);
        else if (seg_flags(rt_process_seg()) & SEG_FLAG_QUALNAME && !PyErr_Occurred())
            result = qualified_name(state, globals, code);
        Py_DECREF(globals);
    }
    Py_XDECREF(method);
    Py_XDECREF(self);
    return result;
}

void rt_function_begin(struct rt_state *state)
{
    struct rt_context *context = rt_context_get();
    PyFrameObject *frame = PyEval_GetFrame(); /* borrowed */
    PyObject *type, *value, *trace, *name;
    PyCodeObject *code;

    if (!context || context->own || context->owner || !frame)
        return;
    PyErr_Fetch(&type, &value, &trace);
    code = PyFrame_GetCode(frame);
    context->owner = frame; /* Python code that the look-up runs begins no context */
    name = know_words(state) ? context_name(state, frame, code) : NULL;
    context->owner = NULL;
    if (name) {
        rt_context_switch(state, PyBytes_AS_STRING(name), (size_t)PyBytes_GET_SIZE(name));
        context->owner = frame;
    }
    Py_XDECREF(name);
    Py_DECREF(code);
    PyErr_Restore(type, value, trace);
}

void rt_function_end(struct rt_state *state)
{
    struct rt_context *context = rt_context_get();

    if (context && context->owner && context->owner == PyEval_GetFrame())
        rt_context_switch(state, NULL, 0);
}
