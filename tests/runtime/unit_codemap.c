/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codemap_extra.c, codemap_lfht.c: from a code object to its entry.
 */
#include "unit.h"

#include <stdlib.h>

#include "codemap.h"

#define MANY 1000

static struct rt_code *entry_of_epoch(void)
{
    struct rt_code *rc = calloc(1, sizeof *rc);

    if (rc)
        rc->epoch = rt_process_epoch();
    return rc;
}

UNIT(codemap_has_one_entry_for_a_code_object)
{
    PyCodeObject *code = rt_code_compile("def f(): pass\n"),
                 *same = rt_code_compile("def f(): pass\n");
    struct rt_code *one = entry_of_epoch(), *two = entry_of_epoch();

    CHECK(code && same && one && two && !rt_codemap_start(&unit_state));
    CHECK(PyObject_RichCompareBool((PyObject *)code, (PyObject *)same, Py_EQ) == 1);
    CHECK(!rt_codemap_get(&unit_state, code));
    CHECK(rt_codemap_put(&unit_state, code, one) == 0);
    CHECK(rt_codemap_get(&unit_state, code) == one);
#if !RT_FREE_THREADED
    CHECK(rt_codemap_peek(&unit_state, code) == one); /* co_extra is as expected */
#endif
    CHECK(!rt_codemap_peek(&unit_state, same));
    CHECK(rt_codemap_put(&unit_state, code, two) == 1);
    CHECK(rt_codemap_get(&unit_state, code) == one);
    CHECK(!rt_codemap_get(&unit_state, same)); /* equal, but another one */
    CHECK(rt_codemap_put(&unit_state, same, two) == 0);
    CHECK(rt_codemap_get(&unit_state, same) == two);
    Py_DECREF(code);
    Py_DECREF(same);
    return NULL;
}

#if !RT_FREE_THREADED

static int freed;

static void free_of_others(void *value)
{
    (void)value;
    freed++;
}

/* CPython would call the function of each slot, even if nobody has used it. */
UNIT(codemap_leaves_the_slots_of_others_alone)
{
    PyCodeObject *code = rt_code_compile("def f(): pass\n"),
                 *theirs = rt_code_compile("def f(): pass\n");
    Py_ssize_t other;

    CHECK(code && theirs && !rt_codemap_start(&unit_state));
    other = PyUnstable_Eval_RequestCodeExtraIndex(free_of_others);
    CHECK(other > unit_state.extra);
    CHECK(rt_codemap_put(&unit_state, code, entry_of_epoch()) == 0);
    CHECK(!PyUnstable_Code_SetExtra((PyObject *)theirs, other, &freed));
    CHECK(rt_codemap_put(&unit_state, theirs, entry_of_epoch()) == 0);
    Py_DECREF(code);
    CHECK(freed == 0);
    Py_DECREF(theirs);
    CHECK(freed == 1);
    return NULL;
}

#endif

UNIT(codemap_replaces_what_is_of_another_epoch)
{
    PyCodeObject *code = rt_code_compile("def f(): pass\n");
    struct rt_code *one = entry_of_epoch(), *two;

    CHECK(code && one && !rt_codemap_start(&unit_state));
    CHECK(rt_codemap_put(&unit_state, code, one) == 0);
    unit_next_epoch();
    CHECK(!rt_codemap_get(&unit_state, code));
    two = entry_of_epoch();
    CHECK(two && rt_codemap_put(&unit_state, code, two) == 0);
    CHECK(rt_codemap_get(&unit_state, code) == two);
    Py_DECREF(code);
    return NULL;
}

/* An entry owns its claim, whose reference count shows whether the entry is there. */
UNIT(codemap_entry_goes_with_its_code_object)
{
    PyObject *counted = PyList_New(0);
    PyCodeObject *code = NULL;
    struct rt_code *rc;

    CHECK(counted && !rt_codemap_start(&unit_state));
    for (int i = 0; i < MANY; i++) {
        Py_XDECREF(code);
        if (i == MANY - 1)
            PyGC_Collect(); /* frees code where there is no GIL; the next put its entry */
        code = rt_code_compile("def f(): pass\n");
        rc = entry_of_epoch();
        CHECK(code && rc);
        rc->claim = Py_NewRef(counted);
        CHECK(rt_codemap_put(&unit_state, code, rc) == 0);
    }
    CHECK(Py_REFCNT(counted) == 2); /* the last one's and ours */
    return NULL;
}
