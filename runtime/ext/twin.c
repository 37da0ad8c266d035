/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes twins.
 */
#include "twin.h"

#if RT_BREAKPOINTS

#include <stdlib.h>
#include <string.h>

#define Py_BUILD_CORE 1
#undef _PyGC_FINALIZED
#include <internal/pycore_code.h>

#include "breakpoints.h"
#include "codemap.h"
#include "context.h"
#include "file.h"
#include "process.h"
#include "twin_islands.h"

/* -- records -- */

static PyNumberMethods record_number = {.nb_bool = rt_twin_hit};

/* No heap type: pads may run, and records be freed, after the module is gone. */
PyTypeObject rt_twin_type = {
    .ob_base = {PyObject_HEAD_INIT(NULL) 0},
    .tp_name = "_shmcov.Twin",
    .tp_basicsize = sizeof(struct rt_twin),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_as_number = &record_number,
};

/* More references than there will ever be: a record dies with its code, not by them. */
#define LASTING_REFERENCES ((Py_ssize_t)1 << 30)

static void record_free(struct rt_twin *twin)
{
    if (!twin)
        return;
    rt_link_leave(&twin->all);
    rt_link_leave(&twin->rearm);
    rt_code_free(twin->rc);
    free(twin->pad_site);
    free(twin->sites);
    free(twin->arcs);
    free(twin->off);
    free(twin);
}

/* Takes over what the plan found. NULL: no memory. */
static struct rt_twin *record_make(struct rt_breakpoints *own, struct seg_entry *file,
                                   struct rt_plan *plan)
{
    struct rt_twin *twin = calloc(1, sizeof *twin);
    uint32_t pads = plan->n_words - plan->first_pad;

    if (!twin)
        return NULL;
    twin->pad_site = malloc(((size_t)pads + 1) * sizeof *twin->pad_site);
    twin->off = malloc(((size_t)plan->n_sites + 1) * sizeof *twin->off);
    if (!twin->pad_site || !twin->off) {
        record_free(twin);
        return NULL;
    }
    memcpy(twin->pad_site, plan->pad_site + plan->first_pad, pads * sizeof *twin->pad_site);
    Py_SET_TYPE((PyObject *)twin, &rt_twin_type);
    Py_SET_REFCNT((PyObject *)twin, LASTING_REFERENCES);
    twin->owner = own;
    twin->file = file;
    twin->epoch = rt_process_epoch();
    twin->n_words = plan->n_words;
    twin->first_pad = plan->first_pad;
    twin->n_sites = plan->n_sites;
    twin->sites = plan->sites;
    twin->arcs = plan->arcs;
    plan->sites = NULL;
    plan->arcs = NULL;
    return twin;
}

/* -- constants -- */

/* The size of the constants includes the record again, so that they go back where they came from.
 * If somebody else has them, they stay as he knows them. */
static void uncover_constants(PyCodeObject *code)
{
    PyTupleObject *consts = (PyTupleObject *)code->co_consts;
    Py_ssize_t n = PyTuple_GET_SIZE(consts);

    if (Py_REFCNT(consts) != 1)
        return;
    consts->ob_item[n] = NULL;
    Py_SET_SIZE(consts, n + 1);
}

/* The constants of a twin, with the twins of code objects, and with the record behind their end:
 * new, or NULL with an exception. */
static PyObject *twin_constants(struct rt_state *state, PyCodeObject *code, PyObject *record)
{
    Py_ssize_t n = PyTuple_GET_SIZE(code->co_consts);
    PyObject *consts = PyTuple_New(n + 1);

    if (!consts)
        return NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *item = PyTuple_GET_ITEM(code->co_consts, i), *twin = NULL;

        if (PyCode_Check(item))
            twin = (PyObject *)rt_twin_of(state, (PyCodeObject *)item);
        PyTuple_SET_ITEM(consts, i, twin ? twin : Py_NewRef(item));
    }
    PyTuple_SET_ITEM(consts, n, record);
    Py_SET_SIZE(consts, n);
    return consts;
}

/* -- lines for debuggers -- */

/* CPython makes its array of lines with the size that it knows of, and a debugger would have it
 * look up the lines of pads behind its end. So a twin brings its own, in which pads have none.
 * False: no memory. */
static bool give_lines(PyCodeObject *code, const struct rt_plan *plan)
{
    uint32_t n = plan->units.n;
    int32_t highest = 0, line;
    bool small;
    void *lines;

    for (uint32_t i = 0; i < n; i++)
        if (plan->units.unit[i].line > highest)
            highest = plan->units.unit[i].line;
    small = highest <= INT16_MAX;
    lines = PyMem_Malloc((small ? sizeof(int16_t) : sizeof(int32_t)) * plan->n_words);
    if (!lines)
        return false;
    for (uint32_t i = 0; i < plan->n_words; i++) {
        line = i < n && plan->units.unit[i].line ? plan->units.unit[i].line : -1;
        if (line < 0 && i <= plan->units.resume)
            line = PyCode_Addr2Line(code, 2 * (int)i); /* 0, perhaps */
        if (small)
            ((int16_t *)lines)[i] = (int16_t)line;
        else
            ((int32_t *)lines)[i] = line;
    }
    code->_co_linearray = lines;
    code->_co_linearray_entry_size = small ? sizeof(int16_t) : sizeof(int32_t);
    return true;
}

/* -- making -- */

static struct rt_bytes bytes_of(PyObject *bytes)
{
    return (struct rt_bytes){(const uint8_t *)PyBytes_AS_STRING(bytes),
                             (size_t)PyBytes_GET_SIZE(bytes)};
}

/* Like `code`, with these words and constants: new, or NULL with an exception. */
static PyCodeObject *new_code(PyCodeObject *code, PyObject *words, PyObject *consts,
                              PyObject *lines, PyObject *exceptions)
{
    struct _PyCodeConstructor like = {
        .filename = code->co_filename,
        .name = code->co_name,
        .qualname = code->co_qualname,
        .flags = code->co_flags,
        .code = words,
        .firstlineno = code->co_firstlineno,
        .linetable = lines,
        .consts = consts,
        .names = code->co_names,
        .localsplusnames = code->co_localsplusnames,
        .localspluskinds = code->co_localspluskinds,
        .argcount = code->co_argcount,
        .posonlyargcount = code->co_posonlyargcount,
        .kwonlyargcount = code->co_kwonlyargcount,
        .stacksize = code->co_stacksize + 1,
        .exceptiontable = exceptions,
    };

    return _PyCode_New(&like);
}

/* What a twin is laid out as: as its original, or anew with islands. */
struct draft {
    PyObject *code, *lines, *exceptions; /* owned */
    struct rt_relaid relaid;
    struct rt_layout layout;
    struct rt_plan plan;
};

static void draft_free(struct draft *draft)
{
    Py_XDECREF(draft->code);
    Py_XDECREF(draft->lines);
    Py_XDECREF(draft->exceptions);
    rt_relaid_free(&draft->relaid);
    rt_plan_free(&draft->plan);
}

/* Finds the sites and deals out their pads. */
static int draft_plan(struct draft *draft, PyCodeObject *code, uint32_t record)
{
    struct rt_tables *tables = &draft->layout.tables;
    struct rt_plan *plan = &draft->plan;
    struct rt_shape shape;
    int status = -1;

    tables->code = bytes_of(draft->code);
    tables->lines = bytes_of(draft->lines);
    tables->exceptions = bytes_of(draft->exceptions);
    draft->layout.first_line = code->co_firstlineno;
    draft->layout.island = draft->relaid.island;
    memset(plan, 0, sizeof *plan);
    if (rt_units_read(&plan->units, tables->code, tables->lines, draft->layout.first_line))
        return -1;
    if (!rt_code_read(code, tables, &plan->units, rt_process_branches(), &shape) &&
        !rt_plan_make(plan, &draft->layout, &shape) && !rt_plan_place(plan, &draft->layout, record))
        status = 0;
    rt_shape_free(&shape);
    return status;
}

static PyObject *bytes_from(const void *data, size_t n)
{
    return PyBytes_FromStringAndSize(n ? data : "", (Py_ssize_t)n);
}

/* Lays the code out anew. 0, -1: no memory, or 1: it cannot be done. */
static int draft_anew(struct draft *draft, PyCodeObject *code, uint32_t record)
{
    struct rt_relaid *relaid = &draft->relaid;
    int status = rt_islands_make(relaid, &draft->layout, &draft->plan, record);

    rt_plan_free(&draft->plan);
    if (status)
        return status;
    Py_SETREF(draft->code, bytes_from(relaid->code, relaid->n * sizeof *relaid->code));
    Py_SETREF(draft->lines, bytes_from(relaid->lines, relaid->n_lines));
    Py_SETREF(draft->exceptions, bytes_from(relaid->exceptions, relaid->n_exceptions));
    if (!draft->code || !draft->lines || !draft->exceptions)
        return -1;
    return draft_plan(draft, code, record);
}

/* What cannot be served as it is laid out is laid out anew; what cannot be served then, or could
 * never be, has no site: *lost. 0, or -1: no memory, or it is no code that a compiler made. */
static int draft_make(struct draft *draft, PyCodeObject *code, uint32_t record, bool *lost)
{
    const struct rt_plan *plan = &draft->plan;
    int status;

    memset(draft, 0, sizeof *draft);
    draft->code = PyCode_GetCode(code);
    draft->lines = Py_NewRef(code->co_linetable);
    draft->exceptions = Py_NewRef(code->co_exceptiontable);
    if (!draft->code || draft_plan(draft, code, record) || plan->strange)
        return -1;
    if (plan->out_of_reach || plan->joined) {
        status = draft_anew(draft, code, record);
        if (status > 0) {
            rt_relaid_free(&draft->relaid);
            status = draft_plan(draft, code, record);
        }
        if (status)
            return -1;
    }
    *lost = plan->out_of_reach || plan->joined || plan->untouched;
    return 0;
}

/* Finishes a new code object: nothing has run it yet. */
static bool dress(PyCodeObject *code, struct rt_twin *twin, const struct draft *draft)
{
    const struct rt_plan *plan = &draft->plan;

    if (!give_lines(code, plan))
        return false;
    Py_SET_SIZE(code, plan->units.n);
    code->_co_code = Py_NewRef(draft->code);
    code->co_warmup = 0; /* CPython has nothing to quicken */
    rt_quicken((rt_word *)code->co_code_adaptive, plan->units.n);
    twin->code = code;
    for (struct rt_site *site = twin->sites; site < twin->sites + twin->n_sites; site++)
        if (site->patch)
            rt_site_first_on(twin, site);
    return true;
}

/* A new twin, of which nothing leads to the original. NULL: no memory, perhaps with an exception.
 */
static PyCodeObject *twin_new(struct rt_breakpoints *own, PyCodeObject *code,
                              struct seg_entry *file, struct draft *draft)
{
    struct rt_twin *twin = record_make(own, file, &draft->plan);
    PyObject *words = NULL, *consts = NULL;
    PyCodeObject *made = NULL;

    if (twin)
        consts = twin_constants(own->state, code, (PyObject *)twin);
    if (consts)
        words = PyBytes_FromStringAndSize((const char *)draft->plan.words,
                                          (Py_ssize_t)draft->plan.n_words * 2);
    if (words)
        made = new_code(code, words, consts, draft->lines, draft->exceptions);
    if (made && !dress(made, twin, draft))
        Py_CLEAR(made);
    Py_XDECREF(words);
    Py_XDECREF(consts);
    if (made &&
        rt_extra_put(own->state, made, own->slot, (void *)((uintptr_t)twin | RT_TWIN_TAG))) {
        made->co_warmup = -1;
        Py_CLEAR(made);
    }
    if (made)
        rt_ring_add(&own->twins, &twin->all);
    else
        record_free(twin);
    return made;
}

static PyCodeObject *twin_make(struct rt_breakpoints *own, PyCodeObject *code,
                               struct seg_entry *file)
{
    struct draft draft;
    PyCodeObject *made = NULL;
    bool lost = false;

    if (!draft_make(&draft, code, (uint32_t)PyTuple_GET_SIZE(code->co_consts), &lost))
        made = twin_new(own, code, file, &draft);
    draft_free(&draft);
    PyErr_Clear();
    if (file && (!made || lost)) {
        seg_lose(rt_process_seg(), SEG_LOST_TRACER, 1);
        rt_file_lossy(file);
    }
    return made;
}

/* -- finding -- */

static uintptr_t entry_of(const struct rt_breakpoints *own, const PyCodeObject *code)
{
    void *entry = NULL;

    if (PyUnstable_Code_GetExtra((PyObject *)code, own->slot, &entry))
        PyErr_Clear();
    return (uintptr_t)entry;
}

struct rt_twin *rt_twin_record(const struct rt_state *state, const PyCodeObject *twin)
{
    uintptr_t entry = entry_of(state->tracer_state, twin);

    return entry & RT_TWIN_TAG ? (struct rt_twin *)(entry & ~RT_TWIN_TAG) : NULL;
}

PyCodeObject *rt_twin_probe(struct rt_state *state, PyCodeObject *code)
{
    return twin_make(state->tracer_state, code, NULL);
}

bool rt_twin_is(const PyCodeObject *code)
{
    const struct rt_breakpoints *own = rt_breakpoints_here();

    return own && entry_of(own, code) & RT_TWIN_TAG;
}

PyCodeObject *rt_twin_of(struct rt_state *state, PyCodeObject *code)
{
    struct rt_breakpoints *own = state->tracer_state;
    uintptr_t entry = entry_of(own, code);
    struct seg_entry *file;
    PyCodeObject *twin;

    if (entry)
        return (PyCodeObject *)Py_NewRef(entry & RT_TWIN_TAG ? (PyObject *)code
                                                             : (PyObject *)entry);
    file = rt_file_of(state, code);
    if (!file)
        return NULL;
    twin = twin_make(own, code, file);
    if (twin && rt_extra_put(state, code, own->slot, Py_NewRef(twin)))
        Py_DECREF(twin); /* it is the twin of this call alone, then */
    return twin;
}

void rt_twin_drop(void *entry)
{
    struct rt_twin *twin = (struct rt_twin *)((uintptr_t)entry & ~RT_TWIN_TAG);

    if (!((uintptr_t)entry & RT_TWIN_TAG)) {
        Py_XDECREF((PyObject *)entry);
        return;
    }
    uncover_constants(twin->code);
    twin->code->co_warmup = -1; /* CPython has not counted it among what it has quickened */
    record_free(twin);
}

#endif
