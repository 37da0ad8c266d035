/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The class shmcov._merge.Combine.
 *
 * Its lock is held while anything is done with it, with the GIL released. Python code runs under
 * the lock only where finish() tells how far it has come; whatever that does with the object is
 * refused.
 */
#include "module.h"

#include "combine.h"

struct combine {
    PyObject_HEAD
    struct merge_combine *combine; /* NULL: closed */
    PyThread_type_lock lock;
    bool finishing;
};

/* False: it is closed, or not for the caller; an exception is set, and the lock not held. */
static bool lock_combine(struct combine *self)
{
    if (!PyThread_acquire_lock(self->lock, NOWAIT_LOCK)) {
        if (self->finishing) {
            PyErr_SetString(PyExc_ValueError, "finish() has not returned");
            return false;
        }
        Py_BEGIN_ALLOW_THREADS
        PyThread_acquire_lock(self->lock, WAIT_LOCK);
        Py_END_ALLOW_THREADS
    }
    if (self->combine)
        return true;
    PyThread_release_lock(self->lock);
    PyErr_SetString(PyExc_ValueError, "it is closed");
    return false;
}

static PyObject *raise_combine(struct merge_module *state, int status,
                               const struct merge_error *error)
{
    PyObject *type = status == MERGE_ERR_INPUT   ? state->input_error
                     : status == MERGE_ERR_BUSY  ? state->busy_error
                     : status == MERGE_ERR_MIXED ? state->mixed_error
                                                 : state->data_error;
    PyObject *text;

    if (PyErr_Occurred()) /* a signal, or what was told how far it is */
        return NULL;
    if (status == MERGE_ERR_NOMEM)
        return PyErr_NoMemory();
    text = PyUnicode_DecodeFSDefault(error->text);
    if (text)
        PyErr_SetObject(type, text);
    Py_XDECREF(text);
    return NULL;
}

static PyObject *combine_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"target", "append", "coverage_version", "argv",
                            "when",   "memory", "readers",          NULL};
    struct merge_module *state = PyType_GetModuleState(type);
    struct merge_combine_options options = {0};
    struct merge_error error;
    struct combine *self;
    PyObject *target = NULL; /* owned */
    Py_ssize_t memory = 0;
    int append = 0, status;

    if (!state ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "O&|$pszznI:Combine", names,
                                     PyUnicode_FSConverter, &target, &append, &options.version,
                                     &options.argv, &options.when, &memory, &options.readers))
        return NULL;
    if (!options.version || memory < 0) {
        Py_DECREF(target);
        PyErr_SetString(PyExc_TypeError, "Combine() needs coverage_version");
        return NULL;
    }
    options.memory = (size_t)memory;
    options.target = PyBytes_AS_STRING(target);
    options.append = append;
    self = (struct combine *)type->tp_alloc(type, 0);
    if (self && !(self->lock = PyThread_allocate_lock()))
        PyErr_NoMemory();
    if (!self || !self->lock) {
        Py_XDECREF(self);
        Py_DECREF(target);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    status = merge_combine_begin(&options, &self->combine, &error);
    Py_END_ALLOW_THREADS
    Py_DECREF(target);
    if (status) {
        Py_DECREF(self);
        return raise_combine(state, status, &error);
    }
    return (PyObject *)self;
}

static void combine_dealloc(PyObject *object)
{
    struct combine *self = (struct combine *)object;
    PyTypeObject *type = Py_TYPE(object);

    Py_BEGIN_ALLOW_THREADS
    merge_combine_free(self->combine);
    Py_END_ALLOW_THREADS
    if (self->lock)
        PyThread_free_lock(self->lock);
    type->tp_free(object);
    Py_DECREF(type);
}

PyDoc_STRVAR(open_doc, "open(path, /)\n--\n\nOpen an input, and return the files it has.");

static PyObject *combine_open(PyObject *object, PyObject *arg)
{
    struct combine *self = (struct combine *)object;
    struct merge_error error;
    PyObject *path, *list = NULL; /* owned */
    int status;

    if (!PyUnicode_FSConverter(arg, &path))
        return NULL;
    if (!lock_combine(self)) {
        Py_DECREF(path);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    status = merge_combine_open(self->combine, PyBytes_AS_STRING(path), &error);
    Py_END_ALLOW_THREADS
    Py_DECREF(path);
    if (status) {
        raise_combine(PyType_GetModuleState(Py_TYPE(object)), status, &error);
    } else {
        size_t n = merge_combine_files(self->combine);

        list = PyList_New((Py_ssize_t)n);
        for (size_t i = 0; list && i < n; i++) {
            PyObject *name = PyUnicode_FromString(merge_combine_file(self->combine, i));

            if (name)
                PyList_SET_ITEM(list, (Py_ssize_t)i, name);
            else
                Py_CLEAR(list);
        }
    }
    PyThread_release_lock(self->lock);
    return list;
}

PyDoc_STRVAR(add_doc, "add(names, /)\n--\n\nAdd the input that is open, with its files so named.");

static PyObject *combine_add(PyObject *object, PyObject *arg)
{
    struct combine *self = (struct combine *)object;
    struct merge_error error;
    PyObject *tuple; /* owned */
    const char **names = NULL;
    PyObject *result = NULL;
    Py_ssize_t n;
    int status;

    if (!PyList_Check(arg))
        return PyErr_Format(PyExc_TypeError, "add() needs a list of names");
    tuple = PyList_AsTuple(arg); /* nobody can change it */
    if (!tuple)
        return NULL;
    if (!lock_combine(self)) {
        Py_DECREF(tuple);
        return NULL;
    }
    n = PyTuple_GET_SIZE(tuple);
    names = PyMem_Calloc((size_t)n + 1, sizeof *names);
    if (!names) {
        PyErr_NoMemory();
        goto out;
    }
    if (!merge_combine_is_open(self->combine) || (size_t)n != merge_combine_files(self->combine)) {
        PyErr_SetString(PyExc_ValueError, "these are not the files of the input that is open");
        goto out;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        names[i] = PyUnicode_AsUTF8(PyTuple_GET_ITEM(tuple, i));
        if (!names[i])
            goto out;
    }
    Py_BEGIN_ALLOW_THREADS
    status = merge_combine_add(self->combine, names, &error);
    Py_END_ALLOW_THREADS
    result = status ? raise_combine(PyType_GetModuleState(Py_TYPE(object)), status, &error)
                    : Py_NewRef(Py_None);
out:
    PyThread_release_lock(self->lock);
    PyMem_Free(names);
    Py_DECREF(tuple);
    return result;
}

static PyObject *counts_dict(const struct merge_combine_counts *counts)
{
    return Py_BuildValue("{sKsKsKsKsKsKsK}", "files", counts->files, "contexts", counts->contexts,
                         "line_rows", counts->line_rows, "arc_rows", counts->arc_rows, "inputs",
                         counts->inputs, "file", counts->file, "rows_read", counts->rows_read);
}

PyDoc_STRVAR(progress_doc, "progress()\n--\n\nHow far it has come.");

static PyObject *combine_progress(PyObject *object, PyObject *Py_UNUSED(args))
{
    struct combine *self = (struct combine *)object;
    struct merge_combine_counts counts;

    if (!lock_combine(self))
        return NULL;
    merge_combine_progress(self->combine, &counts);
    PyThread_release_lock(self->lock);
    return counts_dict(&counts);
}

struct watch {
    struct combine *self;
    PyObject *tell; /* borrowed; NULL: nobody */
    PyThreadState *thread;
};

static bool go_on(void *arg)
{
    struct watch *watch = arg;
    struct merge_combine_counts counts;
    PyObject *result = NULL; /* owned */
    bool failed;

    merge_combine_progress(watch->self->combine, &counts);
    PyEval_RestoreThread(watch->thread);
    failed = PyErr_CheckSignals() != 0;
    if (!failed && watch->tell) {
        PyObject *dict = counts_dict(&counts);

        result = dict ? PyObject_CallOneArg(watch->tell, dict) : NULL;
        failed = !result;
        Py_XDECREF(dict);
    }
    Py_XDECREF(result);
    watch->thread = PyEval_SaveThread();
    return !failed;
}

PyDoc_STRVAR(finish_doc, "finish(tell=None, /)\n--\n\nWrite the output and return counts.");

static PyObject *combine_finish(PyObject *object, PyObject *args)
{
    struct combine *self = (struct combine *)object;
    struct watch watch = {.self = self};
    struct merge_combine_counts counts;
    struct merge_error error;
    PyObject *tell = Py_None, *result; /* borrowed; owned */
    int status;

    if (!PyArg_ParseTuple(args, "|O:finish", &tell) || !lock_combine(self))
        return NULL;
    watch.tell = tell == Py_None ? NULL : tell;
    self->finishing = true;
    watch.thread = PyEval_SaveThread();
    status = merge_combine_finish(self->combine, go_on, &watch, &counts, &error);
    merge_combine_free(self->combine);
    self->combine = NULL;
    PyEval_RestoreThread(watch.thread);
    self->finishing = false;
    result = status ? raise_combine(PyType_GetModuleState(Py_TYPE(object)), status, &error)
                    : counts_dict(&counts);
    PyThread_release_lock(self->lock);
    return result;
}

PyDoc_STRVAR(close_doc, "close()\n--\n\nGive up what finish() has not written.");

static PyObject *combine_close(PyObject *object, PyObject *Py_UNUSED(args))
{
    struct combine *self = (struct combine *)object;

    if (!lock_combine(self)) {
        if (!PyErr_ExceptionMatches(PyExc_ValueError) || self->finishing)
            return NULL;
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    Py_BEGIN_ALLOW_THREADS
    merge_combine_free(self->combine);
    Py_END_ALLOW_THREADS
    self->combine = NULL;
    PyThread_release_lock(self->lock);
    Py_RETURN_NONE;
}

static PyMethodDef combine_methods[] = {
    {"open", combine_open, METH_O, open_doc},
    {"add", combine_add, METH_O, add_doc},
    {"progress", combine_progress, METH_NOARGS, progress_doc},
    {"finish", combine_finish, METH_VARARGS, finish_doc},
    {"close", combine_close, METH_NOARGS, close_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(combine_doc,
             "Combine(target, *, append=False, coverage_version, argv=None, when=None, "
             "memory=0, readers=0)\n--\n\nMany data files, to be one.");

static PyType_Slot combine_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)combine_doc},
    {Py_tp_new, combine_new},
    {Py_tp_dealloc, combine_dealloc},
    {Py_tp_methods, combine_methods},
    {0, NULL},
};

PyType_Spec merge_combine_spec = {
    .name = "shmcov._merge.Combine",
    .basicsize = sizeof(struct combine),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = combine_slots,
};
