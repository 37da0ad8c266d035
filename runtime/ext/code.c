/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes an rt_code from a code object's shape, and sets bits through it.
 */
#include "code.h"

#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "process.h"

/* -- bits -- */

static seg_u8 *chunk_of(const struct rt_chunks *chunks, uint32_t n)
{
    uint32_t i = (n >> SEG_CHUNK_SHIFT) - chunks->first;

    return i < chunks->n ? chunks->bits[i] : NULL;
}

static bool code_test(const struct rt_chunks *chunks, uint32_t n)
{
    const seg_u8 *bits = chunk_of(chunks, n);

    return bits && seg_bit_test(bits, n & (SEG_CHUNK_BITS - 1));
}

/* The record with bit n of a space, which is a part of a chunk in the static context. NULL: no
 * room, counted as lost. */
static seg_u8 *find_record(struct rt_code *rc, struct rt_context *context, enum seg_space space,
                           uint32_t n)
{
    seg_u8 *bits;

    if (context->id) {
        bits = rt_context_bits(context, rc->file->id, space, n);
        if (!bits)
            rt_file_lossy(rc->file);
        return bits;
    }
    bits = chunk_of(space == SEG_LINES ? &rc->lines : &rc->arcs, n);
    return bits ? bits + (n & (SEG_CHUNK_BITS - 1)) / SEG_RECORD_BITS * (SEG_RECORD_BITS / 8)
                : NULL;
}

RT_SELDOM static seg_u8 *remember_record(struct rt_code *rc, struct rt_context *context,
                                         enum seg_space space, uint32_t n)
{
    seg_u8 *bits = find_record(rc, context, space, n);

    if (bits)
        rc->recent[space] = (struct rt_recent){context->generation, n >> SEG_RECORD_SHIFT, bits};
    return bits;
}

static bool is_recent(const struct rt_recent *recent, const struct rt_context *context, uint32_t n)
{
    return recent->generation == context->generation && recent->number == n >> SEG_RECORD_SHIFT;
}

/* Where bit n of a space is, and its number there. */
static seg_u8 *bits_of(struct rt_code *rc, struct rt_context *context, enum seg_space space,
                       uint32_t n, uint32_t *bit)
{
    if (!context) {
        *bit = n & (SEG_CHUNK_BITS - 1);
        return chunk_of(space == SEG_LINES ? &rc->lines : &rc->arcs, n);
    }
    *bit = n & (SEG_RECORD_BITS - 1);
    if (RT_FREE_THREADED) /* other threads share rc */
        return find_record(rc, context, space, n);
    return is_recent(&rc->recent[space], context, n) ? rc->recent[space].bits
                                                     : remember_record(rc, context, space, n);
}

static void code_set(struct rt_code *rc, struct rt_context *context, enum seg_space space,
                     uint32_t n)
{
    uint32_t bit;
    seg_u8 *bits = bits_of(rc, context, space, n, &bit);

    if (bits)
        seg_bit_set(bits, bit);
}

void rt_code_line(struct rt_code *rc, struct rt_context *context, int32_t line)
{
    if (line > 0)
        code_set(rc, context, SEG_LINES, (uint32_t)line);
}

bool rt_code_line_at_once(const struct rt_code *rc, const struct rt_context *context, int32_t line)
{
    if (!is_recent(&rc->at_once, context, (uint32_t)line))
        return false;
    seg_bit_set(rc->at_once.bits, (uint32_t)line & (SEG_RECORD_BITS - 1));
    return true;
}

void rt_code_arc(struct rt_code *rc, struct rt_context *context, uint32_t arc)
{
    if (arc != RT_NO_ARC)
        code_set(rc, context, SEG_ARCS, rc->first_arc + arc);
}

bool rt_code_has_arc(struct rt_code *rc, struct rt_context *context, uint32_t arc)
{
    uint32_t bit;
    seg_u8 *bits;

    if (arc == RT_NO_ARC)
        return true;
    bits = bits_of(rc, context, SEG_ARCS, rc->first_arc + arc, &bit);
    return bits && seg_bit_test(bits, bit);
}

void rt_code_enter(struct rt_code *rc, struct rt_context *context)
{
    rt_code_line(rc, context, rc->entry_line);
    rt_code_arc(rc, context, rc->entry_arc);
}

const struct rt_implied *rt_code_implied(const struct rt_code *rc, uint32_t unit)
{
    return rt_at_unit(rc->implied, rc->n_implied, sizeof *rc->implied, unit);
}

void rt_code_unit(struct rt_code *rc, struct rt_context *context, uint32_t unit)
{
    const struct rt_implied *implied = rt_code_implied(rc, unit),
                            *end = rc->implied + rc->n_implied;

    rt_code_line(rc, context, rt_shape_line(rc->runs, rc->n_runs, unit));
    for (; implied && implied < end && implied->unit == unit; implied++)
        rt_code_arc(rc, context, implied->arc);
}

const struct rt_branch *rt_code_branch(const struct rt_code *rc, uint32_t unit)
{
    return rt_at_unit(rc->branches, rc->n_branches, sizeof *rc->branches, unit);
}

/* -- pairs -- */

int rt_file_arc(struct seg_entry *file, int32_t from, int32_t to, uint32_t *bit)
{
    struct {
        struct seg_code_key key;
        struct seg_arc arc;
        int32_t to;
    } content = {{file->id, 1}, {from, SEG_ARC_EXACT, 1}, to};

    return seg_code(rt_process_seg(), file, &content, offsetof(__typeof__(content), to) + sizeof to,
                    bit);
}

bool rt_file_set(struct seg_entry *file, struct rt_context *context, enum seg_space space,
                 uint32_t n)
{
    uint32_t size = context && context->id ? SEG_RECORD_BITS : SEG_CHUNK_BITS;
    seg_u8 *bits = NULL;

    if (context && context->id)
        bits = rt_context_bits(context, file->id, space, n);
    else if (seg_chunk(rt_process_seg(), file, space, n >> SEG_CHUNK_SHIFT, &bits))
        bits = NULL;
    if (bits)
        seg_bit_set(bits, n & (size - 1));
    else
        rt_file_lossy(file);
    return bits;
}

void rt_code_pair(struct rt_code *rc, struct rt_context *context, int32_t from, int32_t to)
{
    uint64_t key = (uint64_t)(uint32_t)from << 32 | (uint32_t)to;
    const int64_t *known = rt_map_get(&rc->pairs, key);
    uint32_t bit;

    if (known) {
        if (context) /* without contexts it has been set already */
            rt_file_set(rc->file, context, SEG_ARCS, (uint32_t)*known);
        return;
    }
    if (rt_file_arc(rc->file, from, to, &bit))
        return;
    rt_map_set(&rc->pairs, key, bit); /* without memory the arc is looked up again */
    rt_file_set(rc->file, context, SEG_ARCS, bit);
}

/* -- making -- */

/* Finds the chunks for the bits from `first` to `last`, or for those in `only`, which rise. 0 or a
 * seg_status. */
static int find_chunks(struct rt_chunks *chunks, struct seg_entry *file, enum seg_space space,
                       uint32_t first, uint32_t last, const int32_t *only, uint32_t n_only)
{
    int status = 0;

    chunks->first = first >> SEG_CHUNK_SHIFT;
    chunks->n = (last >> SEG_CHUNK_SHIFT) - chunks->first + 1;
    chunks->bits = calloc(chunks->n, sizeof *chunks->bits);
    if (!chunks->bits)
        return SEG_ERR_NOMEM;
    if (!only) {
        for (uint32_t i = 0; i < chunks->n && !status; i++)
            status = seg_chunk(rt_process_seg(), file, space, chunks->first + i, &chunks->bits[i]);
        return status;
    }
    for (uint32_t k = 0; k < n_only && !status; k++) {
        uint32_t number = (uint32_t)only[k] >> SEG_CHUNK_SHIFT;
        seg_u8 **slot = &chunks->bits[number - chunks->first];

        if (!*slot)
            status = seg_chunk(rt_process_seg(), file, space, number, slot);
    }
    return status;
}

/* Registers the arcs of a shape with the file and finds their bits. */
static int find_arcs(struct rt_code *rc, const struct rt_shape *shape)
{
    struct seg_entry *file = rc->file;
    struct seg_code_key key = {.file = file->id, .n = shape->n_arcs};
    size_t len = sizeof key + shape->arcs_len;
    uint8_t *content;
    int status;

    if (!shape->n_arcs)
        return 0;
    content = malloc(len);
    if (!content)
        return SEG_ERR_NOMEM;
    memcpy(content, &key, sizeof key);
    memcpy(content + sizeof key, shape->arcs, shape->arcs_len);
    status = seg_code(rt_process_seg(), file, content, len, &rc->first_arc);
    free(content);
    if (status)
        return status;
    return find_chunks(&rc->arcs, file, SEG_ARCS, rc->first_arc, rc->first_arc + shape->n_arcs - 1,
                       NULL, 0);
}

static bool all_set(const struct rt_code *rc, const struct rt_shape *shape)
{
    size_t at = 0;

    for (uint32_t i = 0; i < shape->n_lines; i++)
        if (!code_test(&rc->lines, (uint32_t)shape->lines[i]))
            return false;
    for (uint32_t arc = 0; arc < shape->n_arcs; arc++) {
        struct seg_arc head;

        memcpy(&head, shape->arcs + at, sizeof head);
        at += sizeof head + head.trail * sizeof(int32_t);
        if (head.kind != SEG_ARC_LINES && !code_test(&rc->arcs, rc->first_arc + arc))
            return false;
    }
    return true;
}

static struct rt_bytes bytes_of(PyObject *bytes)
{
    return (struct rt_bytes){(const uint8_t *)PyBytes_AS_STRING(bytes),
                             (size_t)PyBytes_GET_SIZE(bytes)};
}

/* The lines on which the code objects among the constants begin: malloc, or NULL for none. */
static int *nested_lines(PyCodeObject *code, size_t *n)
{
    Py_ssize_t size = PyTuple_GET_SIZE(code->co_consts);
    int *lines = NULL;

    *n = 0;
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *item = PyTuple_GET_ITEM(code->co_consts, i);

        if (!PyCode_Check(item))
            continue;
        if (!lines && !(lines = malloc(2 * (size_t)size * sizeof *lines)))
            return NULL;
        *n += rt_shape_heads(bytes_of(((PyCodeObject *)item)->co_linetable),
                             ((PyCodeObject *)item)->co_firstlineno, lines + *n, 2);
    }
    return lines;
}

int rt_code_read(PyCodeObject *code, const struct rt_tables *tables,
                 const struct rt_code_units *units, bool branches, struct rt_shape *shape)
{
    struct rt_code_bytes in = {.code = tables->code,
                               .lines = tables->lines,
                               .exceptions = tables->exceptions,
                               .first_line = code->co_firstlineno};
    int *nested = NULL;
    int status;

    in.generator = code->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR);
    if (branches && rt_process_branches())
        nested = nested_lines(code, &in.n_nested);
    in.nested = nested;
    status = units ? rt_shape_of(&in, units, branches, shape) : rt_shape_make(&in, branches, shape);
    free(nested);
    return status ? SEG_ERR_NOMEM : 0;
}

static int read_shape(PyCodeObject *code, bool branches, struct rt_shape *shape)
{
    PyObject *bytes = PyCode_GetCode(code);
    struct rt_tables tables;
    int status;

    memset(shape, 0, sizeof *shape);
    if (!bytes) {
        PyErr_Clear();
        return SEG_ERR_NOMEM;
    }
    tables.code = bytes_of(bytes);
    tables.lines = bytes_of(code->co_linetable);
    tables.exceptions = bytes_of(code->co_exceptiontable);
    status = rt_code_read(code, &tables, NULL, branches, shape);
    Py_DECREF(bytes);
    return status;
}

/* Moves a shape into rc, arrays included. */
static void take_shape(struct rt_code *rc, const PyCodeObject *code, struct rt_shape *shape)
{
    rc->units = shape->n_units;
    rc->entry_line = shape->entry_line;
    rc->entry_arc = shape->entry_arc;
    rc->return_arc = shape->return_arc;
    rc->inner_target = shape->inner_target;
    rc->generator = code->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR);
    rc->critical = shape->critical;
    rc->only_instruction = shape->only_instruction;
    rc->runs = shape->runs;
    rc->n_runs = shape->n_runs;
    rc->branches = shape->branches;
    rc->n_branches = shape->n_branches;
    rc->implied = shape->implied;
    rc->n_implied = shape->n_implied;
    shape->runs = NULL;
    shape->branches = NULL;
    shape->implied = NULL;
}

struct rt_code *rt_code_make(struct seg_entry *file, PyCodeObject *code, bool arcs, bool *complete)
{
    struct rt_code *rc = calloc(1, sizeof *rc);
    struct rt_shape shape;
    int status = SEG_ERR_NOMEM;

    *complete = false;
    memset(&shape, 0, sizeof shape);
    if (!rc)
        goto failed;
    rc->file = file;
    rc->epoch = rt_process_epoch();
    if ((status = read_shape(code, arcs, &shape)))
        goto failed;
    if (shape.n_lines)
        status = find_chunks(&rc->lines, file, SEG_LINES, (uint32_t)shape.lines[0],
                             (uint32_t)shape.lines[shape.n_lines - 1], shape.lines, shape.n_lines);
    if (status || (status = find_arcs(rc, &shape)))
        goto failed;
    *complete = all_set(rc, &shape);
    take_shape(rc, code, &shape);
    rt_shape_free(&shape);
    return rc;
failed:
    rt_shape_free(&shape);
    rt_code_free(rc);
    if (status == SEG_ERR_NOMEM) /* other errors have been counted */
        seg_lose(rt_process_seg(), SEG_LOST_TRACER, 1);
    rt_file_lossy(file);
    return NULL;
}

PyCodeObject *rt_code_compile(const char *source)
{
    PyObject *module = Py_CompileString(source, "<shmcov>", Py_file_input), *consts, *found = NULL;

    if (!module)
        return NULL;
    consts = ((PyCodeObject *)module)->co_consts;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(consts) && !found; i++)
        if (PyCode_Check(PyTuple_GET_ITEM(consts, i)))
            found = Py_NewRef(PyTuple_GET_ITEM(consts, i));
    Py_DECREF(module);
    return (PyCodeObject *)found;
}

struct rt_code *rt_code_probe(PyCodeObject *code)
{
    struct rt_code *rc = calloc(1, sizeof *rc);
    struct rt_shape shape;

    if (!rc)
        return NULL;
    if (!read_shape(code, true, &shape))
        take_shape(rc, code, &shape);
    rt_shape_free(&shape);
    rc->entry_arc = rc->return_arc = 0;
    return rc;
}

struct rt_code *rt_code_of_claim(PyObject *calls, uint32_t claim_number)
{
    struct rt_code *rc = calloc(1, sizeof *rc);

    if (!rc) {
        seg_lose(rt_process_seg(), SEG_LOST_TRACER, 1);
        return NULL;
    }
    rc->claim = Py_NewRef(calls);
    rc->claim_number = claim_number;
    rc->epoch = rt_process_epoch();
    rc->entry_arc = rc->return_arc = RT_NO_ARC;
    return rc;
}

void rt_code_free(struct rt_code *rc)
{
    if (!rc || rc->shared)
        return;
    rt_link_leave(&rc->link);
    Py_XDECREF(rc->claim);
    free(rc->lines.bits);
    free(rc->arcs.bits);
    free(rc->runs);
    free(rc->branches);
    free(rc->implied);
    free(rc->pairs.slots);
    free(rc->sites);
    free(rc);
}

struct rt_code *rt_code_unmeasured(bool test)
{
    static _Atomic(struct rt_code *) latest[2];
    /* acquire: pairs with the release below */
    struct rt_code *rc = atomic_load_explicit(&latest[test], memory_order_acquire);

    if (rc && rc->epoch == rt_process_epoch())
        return rc;
    rc = calloc(1, sizeof *rc);
    if (rc) {
        rc->shared = true;
        rc->test = rc->slow = test;
        rc->epoch = rt_process_epoch();
        /* The old one is not freed: code objects refer to it. */
        atomic_store_explicit(&latest[test], rc, memory_order_release);
    }
    return rc;
}
