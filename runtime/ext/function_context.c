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
    PyObject *names, *locals, *self = NULL;

    if (!code->co_argcount)
        return NULL;
    names = PyCode_GetVarnames(code);
    if (names && PyTuple_GET_SIZE(names) &&
        !PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "self")) {
        locals = PyFrame_GetLocals(frame);
        if (locals)
            self = PyMapping_GetItemString(locals, "self");
        Py_XDECREF(locals);
    }
    Py_XDECREF(names);
    return self;
}

/* "module.name", with either from an attribute of an object. New, or NULL with an exception. */
static PyObject *join(PyObject *owner, PyObject *middle, PyObject *name)
{
    PyObject *module = PyObject_GetAttrString(owner, "__module__"), *result = NULL;

    if (module && PyUnicode_Check(module))
        result = middle ? PyUnicode_FromFormat("%U.%U.%U", module, middle, name)
                        : PyUnicode_FromFormat("%U.%U", module, name);
    Py_XDECREF(module);
    return result;
}

/* module + qualified name of the method; if the attribute is no method, module.class.name. */
static PyObject *method_name(PyObject *self, PyObject *method, PyObject *name)
{
    PyObject *function = PyObject_GetAttrString(method, "__func__"), *part, *result = NULL;

    if (function) {
        part = PyObject_GetAttrString(function, "__qualname__");
        if (part)
            result = join(function, NULL, part);
    } else {
        PyErr_Clear();
        part = PyObject_GetAttrString((PyObject *)Py_TYPE(self), "__name__");
        if (part)
            result = join((PyObject *)Py_TYPE(self), part, name);
    }
    Py_XDECREF(part);
    Py_XDECREF(function);
    return result;
}

/* module + qualified name of the function, for static and class methods (coverage.py 7.16 and
 * later). New, or NULL: it is local to another function. */
static PyObject *qualified_name(PyObject *globals, PyCodeObject *code)
{
    PyObject *module = PyDict_GetItemString(globals, "__name__"); /* borrowed */
    const char *name = PyUnicode_AsUTF8(code->co_qualname);

    if (!name || !(code->co_flags & CO_OPTIMIZED) || strstr(name, "<locals>"))
        return NULL;
    return PyUnicode_FromFormat("%S.%U", module ? module : Py_None, code->co_qualname);
}

/* The name of the context that the call begins: new, or NULL (perhaps with an exception) for
 * none. */
static PyObject *context_name(PyFrameObject *frame, PyCodeObject *code)
{
    PyObject *self = self_of(frame, code), *method = NULL, *globals, *function, *result = NULL;

    PyErr_Clear();
    if (self) {
        method = PyObject_GetAttr(self, code->co_name);
        PyErr_Clear();
    }
    if (method && method != Py_None) {
        result = method_name(self, method, code->co_name);
    } else {
        globals = PyFrame_GetGlobals(frame);
        function = PyDict_GetItemWithError(globals, code->co_name);
        if (function && function != Py_None)
            result = join(function, NULL, code->co_name);
        else if (seg_flags(rt_process_seg()) & SEG_FLAG_QUALNAME && !PyErr_Occurred())
            result = qualified_name(globals, code);
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
    PyObject *type, *value, *trace, *name = NULL;
    PyCodeObject *code;
    const char *text;
    Py_ssize_t len;

    if (!context || context->own || context->owner || !frame)
        return;
    PyErr_Fetch(&type, &value, &trace);
    code = PyFrame_GetCode(frame);
    context->owner = frame; /* Python code that the look-up runs begins no context */
    name = context_name(frame, code);
    text = name ? PyUnicode_AsUTF8AndSize(name, &len) : NULL;
    context->owner = NULL;
    if (text) {
        rt_context_switch(state, text, (size_t)len);
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
