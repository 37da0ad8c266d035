/* SPDX-License-Identifier: Apache-2.0 */
#include "listener.h"

#if RT_MONITORING

#include <stddef.h>

static int listener_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((struct rt_listener *)self)->module);
    return 0;
}

/* No tp_clear: what a listener owns does not lead back to it. */
static void listener_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    Py_XDECREF(((struct rt_listener *)self)->module);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef listener_members[] = {
    {"__vectorcalloffset__", Py_T_PYSSIZET, offsetof(struct rt_listener, call), Py_READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot listener_slots[] = {
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_traverse, listener_traverse},
    {Py_tp_dealloc, listener_dealloc},
    {Py_tp_members, listener_members},
    {0, NULL},
};

static PyType_Spec listener_spec = {
    .name = "_shmcov.Listener",
    .basicsize = sizeof(struct rt_listener),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = listener_slots,
};

PyTypeObject *rt_listener_type(PyObject *module)
{
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &listener_spec, NULL);
}

PyObject *rt_listener_new(PyTypeObject *type, PyObject *module, vectorcallfunc call)
{
    struct rt_listener *listener = PyObject_GC_New(struct rt_listener, type);

    if (!listener)
        return NULL;
    listener->call = call;
    listener->state = PyModule_GetState(module);
    listener->module = Py_NewRef(module);
    PyObject_GC_Track(listener);
    return (PyObject *)listener;
}

#endif
