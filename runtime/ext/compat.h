/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The differences between versions and builds of CPython, by what they mean. No other file compares
 * PY_VERSION_HEX.
 */
#ifndef RT_COMPAT_H
#define RT_COMPAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* There is sys.monitoring (PEP 669). Without it the tracer uses PyEval_SetTrace. */
#define RT_MONITORING (PY_VERSION_HEX >= 0x030C0000)

/* Breakpoints in the bytecode can be used instead of PyEval_SetTrace (docs/breakpoints.md). */
#define RT_BREAKPOINTS (!RT_MONITORING)

/* BRANCH_LEFT and BRANCH_RIGHT: two events, each disabled on its own. Before: one event BRANCH
 * for both edges of a branch. */
#define RT_BRANCH_SIDES (PY_VERSION_HEX >= 0x030E0000)

/* For lines, LINE is the better event in code objects of up to so many units: until 3.13 it takes
 * time quadratic in the length. INSTRUCTION costs more on 3.12, where pairs are joined again
 * one by one. */
#define RT_LINE_MAX_UNITS (PY_VERSION_HEX < 0x030D0000 ? 3000u : 1000u)

/* LINE takes time linear in the code's length. */
#define RT_LINE_LINEAR (PY_VERSION_HEX >= 0x030E0000)

/* A loop that ends skips the POP_TOP behind its END_FOR too. */
#define RT_END_FOR_POPS (PY_VERSION_HEX >= 0x030D0000 && PY_VERSION_HEX < 0x030E0000)

#ifdef Py_GIL_DISABLED
#define RT_FREE_THREADED 1
#else
#define RT_FREE_THREADED 0
#endif

/* CPython's structures for who listens to what are as monitors.c expects: the build checks the
 * headers, and defines this as 0 where they are not. */
#ifndef RT_MONITORS_KNOWN
#define RT_MONITORS_KNOWN 1
#endif
#define RT_MONITORS (RT_MONITORING && RT_MONITORS_KNOWN)

/* Single sites of sys.monitoring can be restored (sites.h). */
#define RT_SITES (RT_MONITORS && !RT_FREE_THREADED)

/* Keeps other threads from changing the instrumentation of a code object. */
#if RT_FREE_THREADED
#define RT_LOCK_CODE(code) Py_BEGIN_CRITICAL_SECTION(code)
#define RT_UNLOCK_CODE() Py_END_CRITICAL_SECTION()
#else
#define RT_LOCK_CODE(code) {
#define RT_UNLOCK_CODE() }
#endif

/* A thread-local word that is read without a call (initial-exec). glibc reserves room for a few in
 * libraries that are loaded later. */
#ifdef __GLIBC__
#define RT_THREAD_LOCAL __thread __attribute__((tls_model("initial-exec")))
#else
#define RT_THREAD_LOCAL __thread
#endif

/* getenv(), but NULL in programs that run with more rights than whoever started them. */
#ifdef __GLIBC__
#define rt_secure_getenv secure_getenv
#else
#define rt_secure_getenv getenv
#endif

/* Slots of a module that say how it may be loaded, where they exist. */
#ifdef Py_mod_multiple_interpreters
#define RT_SLOT_INTERPRETERS {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#else
#define RT_SLOT_INTERPRETERS
#endif
#ifdef Py_mod_gil
#define RT_SLOT_GIL {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#else
#define RT_SLOT_GIL
#endif

/* Pairs of instructions are joined into one when a code object is made, and come apart for good
 * when it is instrumented. Later versions do so in the compiler. */
#define RT_PAIRS (PY_VERSION_HEX < 0x030D0000)

/* Conditional jumps have an opcode for each direction, and some leave a value on the stack. */
#define RT_JUMPS_HAVE_DIRECTIONS (PY_VERSION_HEX < 0x030C0000)

/* The jump of an `and` or `or` of several lines is on the first of them. */
#define RT_JUMPS_ON_FIRST_LINE (PY_VERSION_HEX < 0x030C0000)

/* What an await sends to is left on the stack, to be dropped by END_SEND. */
#define RT_END_SEND (PY_VERSION_HEX >= 0x030C0000)

/* There are builds with a JIT. */
#define RT_JIT (PY_VERSION_HEX >= 0x030D0000)

#if PY_VERSION_HEX < 0x030D0000
#define Py_IsFinalizing _Py_IsFinalizing
#define CALL_LIST_APPEND CALL_NO_KW_LIST_APPEND
#endif

#if PY_VERSION_HEX < 0x030C0000
#define PyUnstable_Eval_RequestCodeExtraIndex _PyEval_RequestCodeExtraIndex
#define PyUnstable_Code_GetExtra _PyCode_GetExtra
#define PyUnstable_Code_SetExtra _PyCode_SetExtra

/* The value of a frame's variable: new, or NULL with an exception. */
static inline PyObject *PyFrame_GetVar(PyFrameObject *frame, PyObject *name)
{
    PyObject *locals = PyFrame_GetLocals(frame);
    PyObject *value = locals ? PyObject_GetItem(locals, name) : NULL;

    Py_XDECREF(locals);
    return value;
}
#endif

#endif
