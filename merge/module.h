/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the extension module shmcov._merge share.
 */
#ifndef MERGE_MODULE_H
#define MERGE_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "merge.h"

struct merge_module {
    PyObject *copy_type;
    PyObject *segment_error;
    PyObject *version_error;
    PyObject *data_error;
    PyObject *combine_type;
    PyObject *input_error, *busy_error, *mixed_error;
};

extern PyType_Spec merge_copy_spec, merge_combine_spec;

/* Raises DataError or MemoryError; returns NULL. */
PyObject *merge_raise(struct merge_module *state, int status, const struct merge_error *error);

#endif
