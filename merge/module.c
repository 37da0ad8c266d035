/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The extension module shmcov._merge: what Python sees of merge/. The supervisor and the other
 * commands import it, and of measured processes those that make a Coverage object with our plug-in.
 * runtime/shmcov/_merge.pyi documents it.
 */
#include "module.h"

#include "logical.h"
#include "names.h"

static struct merge_module *state_of(PyObject *module)
{
    return PyModule_GetState(module);
}

PyObject *merge_raise(struct merge_module *state, int status, const struct merge_error *error)
{
    PyObject *text;

    if (status == MERGE_ERR_NOMEM)
        return PyErr_NoMemory();
    text = PyUnicode_DecodeFSDefault(error->text);
    if (text)
        PyErr_SetObject(state->data_error, text);
    Py_XDECREF(text);
    return NULL;
}

PyDoc_STRVAR(check_target_doc, "check_target(target, *, has_arcs, append)\n--\n\n"
                               "Raise DataError if write() will not be able to write target.");

static PyObject *check_target(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"target", "has_arcs", "append", NULL};
    PyObject *target = NULL; /* owned */
    struct merge_error error;
    int has_arcs = -1, append = -1, status;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&|$pp:check_target", names,
                                     PyUnicode_FSConverter, &target, &has_arcs, &append))
        return NULL;
    if (has_arcs < 0 || append < 0) {
        Py_DECREF(target);
        PyErr_SetString(PyExc_TypeError, "check_target() needs has_arcs and append");
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    status = merge_check_target(PyBytes_AS_STRING(target), has_arcs, append, &error);
    Py_END_ALLOW_THREADS
    Py_DECREF(target);
    return status ? merge_raise(state_of(module), status, &error) : Py_NewRef(Py_None);
}

PyDoc_STRVAR(
    logical_lines_doc,
    "logical_lines(source, /)\n--\n\n"
    "Physical line to first line of its logical line, for logical lines of several lines.");

static PyObject *logical_lines(PyObject *Py_UNUSED(module), PyObject *source)
{
    PyObject *map, *key, *value;
    uint32_t *first;
    size_t n, failed = 0;

    if (!PyBytes_Check(source))
        return PyErr_Format(PyExc_TypeError,
                            "logical_lines() needs the source as bytes, not %.100s",
                            Py_TYPE(source)->tp_name);
    n = merge_count_lines(PyBytes_AS_STRING(source), (size_t)PyBytes_GET_SIZE(source)) + 2;
    first = malloc(n * sizeof *first);
    map = PyDict_New();
    if (!first || !map) {
        free(first);
        Py_XDECREF(map);
        return PyErr_NoMemory();
    }
    merge_logical_lines(PyBytes_AS_STRING(source), (size_t)PyBytes_GET_SIZE(source), first);
    for (size_t line = 1; line < n && !failed; line++) {
        if (!first[line])
            continue;
        key = PyLong_FromSize_t(line);
        value = PyLong_FromUnsignedLong(first[line]);
        failed = !key || !value || PyDict_SetItem(map, key, value);
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    free(first);
    if (failed)
        Py_CLEAR(map);
    return map;
}

static int add_constants(PyObject *module, const char *prefix, const struct seg_name *names)
{
    char name[64];
    int status = 0;

    for (; names->name && !status; names++) {
        snprintf(name, sizeof name, "%s_%s", prefix, names->name);
        status = PyModule_AddIntConstant(module, name, (long)names->value);
    }
    return status;
}

static int module_exec(PyObject *module)
{
    struct merge_module *state = state_of(module);

    state->segment_error = PyErr_NewExceptionWithDoc("shmcov._merge.SegmentError",
                                                     "A segment that cannot be read.", NULL, NULL);
    if (state->segment_error)
        state->version_error = PyErr_NewExceptionWithDoc("shmcov._merge.VersionError",
                                                         "A segment of another version of shmcov.",
                                                         state->segment_error, NULL);
    state->data_error = PyErr_NewExceptionWithDoc(
        "shmcov._merge.DataError", "A data file that cannot be read, written or replaced.", NULL,
        NULL);
    state->copy_type = PyType_FromModuleAndSpec(module, &merge_copy_spec, NULL);
    state->input_error = PyErr_NewExceptionWithDoc("shmcov._merge.InputError",
                                                   "An input that cannot be used; others can.",
                                                   state->data_error, NULL);
    if (state->input_error)
        state->busy_error = PyErr_NewExceptionWithDoc(
            "shmcov._merge.BusyError", "An input that is being written.", state->input_error, NULL);
    state->mixed_error = PyErr_NewExceptionWithDoc(
        "shmcov._merge.MixedError", "Line data and branch data.", state->data_error, NULL);
    state->combine_type = PyType_FromModuleAndSpec(module, &merge_combine_spec, NULL);
    if (!state->segment_error || !state->version_error || !state->data_error || !state->copy_type ||
        !state->input_error || !state->busy_error || !state->mixed_error || !state->combine_type ||
        PyModule_AddObjectRef(module, "InputError", state->input_error) ||
        PyModule_AddObjectRef(module, "BusyError", state->busy_error) ||
        PyModule_AddObjectRef(module, "MixedError", state->mixed_error) ||
        PyModule_AddType(module, (PyTypeObject *)state->combine_type) ||
        PyModule_AddIntConstant(module, "SCHEMA_VERSION", MERGE_SCHEMA_VERSION) ||
        PyModule_AddObjectRef(module, "SegmentError", state->segment_error) ||
        PyModule_AddObjectRef(module, "VersionError", state->version_error) ||
        PyModule_AddObjectRef(module, "DataError", state->data_error) ||
        PyModule_AddType(module, (PyTypeObject *)state->copy_type) ||
        add_constants(module, "FLAG", seg_flag_names) ||
        add_constants(module, "RULE", seg_rule_names))
        return -1;
    return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct merge_module *state = state_of(module);

    Py_VISIT(state->copy_type);
    Py_VISIT(state->segment_error);
    Py_VISIT(state->version_error);
    Py_VISIT(state->data_error);
    Py_VISIT(state->combine_type);
    Py_VISIT(state->input_error);
    Py_VISIT(state->busy_error);
    Py_VISIT(state->mixed_error);
    return 0;
}

static int module_clear(PyObject *module)
{
    struct merge_module *state = state_of(module);

    Py_CLEAR(state->copy_type);
    Py_CLEAR(state->segment_error);
    Py_CLEAR(state->version_error);
    Py_CLEAR(state->data_error);
    Py_CLEAR(state->combine_type);
    Py_CLEAR(state->input_error);
    Py_CLEAR(state->busy_error);
    Py_CLEAR(state->mixed_error);
    return 0;
}

static PyMethodDef module_methods[] = {
    {"check_target", (PyCFunction)(void (*)(void))check_target, METH_VARARGS | METH_KEYWORDS,
     check_target_doc},
    {"logical_lines", logical_lines, METH_O, logical_lines_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "shmcov._merge",
    .m_doc = "From a segment to a data file that coverage.py reads.",
    .m_size = sizeof(struct merge_module),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

PyMODINIT_FUNC PyInit__merge(void)
{
    return PyModuleDef_Init(&module_def);
}
