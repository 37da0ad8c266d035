/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines, branches and arcs of hand-written code, and of random bytes: a malformed table gives a
 * shape with fewer lines, never a crash.
 */
#include "bytecode.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"

#include <opcode.h>

#include "layout.h"

/* An entry of the line table: one unit, `delta` lines (0 to 2) below the one before. */
#define DOWN(delta) 0x80 | (PY_CODE_LOCATION_INFO_ONE_LINE0 + (delta)) << 3, 0, 0

#define OP(op, arg) (op), (arg)
#define BYTES(array) ((struct rt_bytes){(array), sizeof(array)})

Test(bytecode, lines_and_runs)
{
    static const uint8_t code[] = {
        OP(RESUME, 0),       /* 0 */
        OP(NOP, 0),          /* 1 */
        OP(NOP, 0),          /* 2 */
        OP(NOP, 0),          /* 3 */
        OP(RETURN_VALUE, 0), /* 4 */
    };
    static const uint8_t lines[] = {DOWN(0), DOWN(1), DOWN(0), DOWN(2), DOWN(0)};
    struct rt_code_bytes in = {.code = BYTES(code), .lines = BYTES(lines), .first_line = 7};
    struct rt_shape shape;

    cr_assert_eq(rt_shape_make(&in, false, &shape), 0);
    cr_assert_eq(shape.n_units, 5);
    cr_assert_eq(shape.first_unit, 1);
    cr_assert_eq(shape.entry_line, 0); /* a LINE event comes for line 8 */
    cr_assert_eq(shape.n_lines, 2);
    cr_assert(shape.lines[0] == 8 && shape.lines[1] == 10);
    cr_assert_eq(shape.n_runs, 2);
    cr_assert(shape.runs[1].unit == 3 && shape.runs[1].line == 10);
    cr_assert_eq(rt_shape_line(shape.runs, shape.n_runs, 0), 0);
    cr_assert_eq(rt_shape_line(shape.runs, shape.n_runs, 2), 8);
    cr_assert_eq(rt_shape_line(shape.runs, shape.n_runs, 4), 10);
    rt_shape_free(&shape);
}

Test(bytecode, an_entry_on_its_own_line)
{
    static const uint8_t code[] = {
        OP(RESUME, 0),       /* 0 */
        OP(RETURN_VALUE, 0), /* 1 */
    };
    static const uint8_t lines[] = {DOWN(0), DOWN(0)};
    struct rt_code_bytes in = {.code = BYTES(code), .lines = BYTES(lines), .first_line = 7};
    struct rt_shape shape;

    cr_assert_eq(rt_shape_make(&in, RT_MONITORING, &shape), 0);
    cr_assert_eq(shape.entry_line, 7);
    if (RT_MONITORING) {
        cr_assert_eq(shape.n_arcs, 1);
        cr_assert_eq(shape.entry_arc, 0);
        cr_assert_eq(shape.return_arc, RT_NO_ARC);
    }
    rt_shape_free(&shape);
}

Test(bytecode, heads)
{
    static const uint8_t lines[] = {DOWN(0), DOWN(2)};
    int heads[2];

    cr_assert_eq(rt_shape_heads(BYTES(lines), 3, heads, 2), 2);
    cr_assert(heads[0] == 3 && heads[1] == 5);
    cr_assert_eq(rt_shape_heads(BYTES(lines), 3, heads, 1), 1);
    cr_assert_eq(rt_shape_heads((struct rt_bytes){lines, 3}, 3, heads, 2), 1);
    cr_assert_eq(rt_shape_heads(BYTES(lines), 3, heads, 0), 0);
}

Test(bytecode, items_by_unit)
{
    static const struct rt_run items[] = {{2, 20}, {4, 40}, {4, 41}, {9, 90}};
    const struct rt_run *found;

    for (uint32_t n = 0; n <= 4; n++)
        for (uint32_t unit = 0; unit < 12; unit++) {
            found = rt_at_unit(items, n, sizeof *items, unit);
            if ((unit == 2 && n > 0) || (unit == 4 && n > 1) || (unit == 9 && n > 3))
                cr_assert_eq(found->line, 10 * (int32_t)unit); /* the first of several */
            else
                cr_assert_null(found);
        }
    cr_assert_null(rt_at_unit(NULL, 0, sizeof *items, 0));
}

#if RT_MONITORING

static struct seg_arc arc_at(const struct rt_shape *shape, uint32_t arc, int32_t *trail)
{
    struct seg_arc head;
    size_t at = 0;

    for (;;) {
        memcpy(&head, shape->arcs + at, sizeof head);
        at += sizeof head;
        if (!arc--)
            break;
        at += head.trail * sizeof *trail;
    }
    memcpy(trail, shape->arcs + at, head.trail * sizeof *trail);
    return head;
}

/* 7: def f(x):    8: if x:    9: a    10: b */
Test(bytecode, both_ways_of_a_branch)
{
    static const uint8_t code[] = {
        OP(RESUME, 0),            /* 0 */
        OP(POP_JUMP_IF_FALSE, 1), /* 1 */
        OP(POP_TOP, 0),           /* 2 */
        OP(RETURN_VALUE, 0),      /* 3 */
    };
    static const uint8_t lines[] = {DOWN(0), DOWN(1), DOWN(1), DOWN(1)};
    struct rt_code_bytes in = {.code = BYTES(code), .lines = BYTES(lines), .first_line = 7};
    const struct rt_branch *branch;
    struct rt_shape shape;
    struct seg_arc arc;
    int32_t trail[4];

    cr_assert_eq(rt_shape_make(&in, true, &shape), 0);
    cr_assert_eq(shape.n_branches, 1);
    cr_assert_eq(shape.n_arcs, 2);
    branch = &shape.branches[0];
    cr_assert(branch->unit == 1 && branch->next == 2);
    arc = arc_at(&shape, branch->near_arc, trail);
    cr_assert(arc.from == 8 && arc.kind == SEG_ARC_TRAIL && arc.trail == 3);
    cr_assert(trail[0] == 9 && trail[1] == 10 && trail[2] == -7);
    arc = arc_at(&shape, branch->far_arc, trail);
    cr_assert(arc.from == 8 && arc.trail == 2 && trail[0] == 10 && trail[1] == -7);
    /* Unit 2's only predecessor is the branch; unit 3 has unit 2 as well. */
    cr_assert(branch->near_implied && !branch->far_implied);
    if (!RT_BRANCH_SIDES) {
        cr_assert(shape.critical);
        cr_assert(shape.n_implied == 1 && shape.implied[0].unit == 2);
        cr_assert_eq(shape.implied[0].arc, branch->near_arc);
    }
    rt_shape_free(&shape);
}

Test(bytecode, a_raise_is_followed_to_its_handler)
{
    static const uint8_t code[] = {
        OP(RESUME, 0),            /* 0 */
        OP(POP_JUMP_IF_FALSE, 1), /* 1 */
        OP(RAISE_VARARGS, 0),     /* 2 */
        OP(NOP, 0),               /* 3 */
        OP(RETURN_VALUE, 0),      /* 4 */
    };
    static const uint8_t lines[] = {DOWN(0), DOWN(1), DOWN(0), DOWN(1), DOWN(1)};
    static const uint8_t handlers[] = {0x80 | 2, 1, 4, 0};
    struct rt_code_bytes in = {
        .code = BYTES(code), .lines = BYTES(lines), .exceptions = BYTES(handlers), .first_line = 7};
    struct rt_shape shape;
    struct seg_arc arc;
    int32_t trail[4];

    for (int handled = 1; handled >= 0; handled--) {
        cr_assert_eq(rt_shape_make(&in, true, &shape), 0);
        cr_assert_eq(shape.n_branches, 1);
        arc = arc_at(&shape, shape.branches[0].near_arc, trail);
        cr_assert_eq(trail[0], 8);
        cr_assert_eq(trail[1], handled ? 10 : -7);
        cr_assert_eq(arc.trail, handled ? 3 : 2);
        rt_shape_free(&shape);
        in.exceptions.len = 0;
    }
}

Test(bytecode, a_loop_inside_a_line)
{
    uint8_t code[] = {
        OP(RESUME, 0),        /* 0 */
        OP(NOP, 0),           /* 1 */
        OP(JUMP_BACKWARD, 2), /* 2 */
        OP(RETURN_VALUE, 0),  /* 3 */
    };
    static const uint8_t lines[] = {DOWN(0), DOWN(1), DOWN(0), DOWN(1)};
    struct rt_code_bytes in = {.code = BYTES(code), .lines = BYTES(lines), .first_line = 7};
    struct rt_shape shape;

    cr_assert_eq(rt_shape_make(&in, false, &shape), 0);
    cr_assert(shape.inner_target);
    rt_shape_free(&shape);
    code[4] = JUMP_BACKWARD_NO_INTERRUPT; /* an await: no loop */
    cr_assert_eq(rt_shape_make(&in, false, &shape), 0);
    cr_assert(!shape.inner_target);
    rt_shape_free(&shape);
}

#endif

/* -- malformed -- */

static void check_shape(const struct rt_shape *shape)
{
    for (uint32_t i = 0; i < shape->n_lines; i++)
        cr_assert(shape->lines[i] > (i ? shape->lines[i - 1] : 0));
    for (uint32_t i = 0; i < shape->n_runs; i++)
        cr_assert(shape->runs[i].unit < shape->n_units &&
                  (!i || shape->runs[i].unit > shape->runs[i - 1].unit));
    for (uint32_t i = 0; i < shape->n_branches; i++) {
        const struct rt_branch *branch = &shape->branches[i];

        cr_assert(branch->unit < shape->n_units);
        cr_assert(branch->near_arc == RT_NO_ARC || branch->near_arc < shape->n_arcs);
        cr_assert(branch->far_arc == RT_NO_ARC || branch->far_arc < shape->n_arcs);
    }
    for (uint32_t i = 0; i < shape->n_implied; i++)
        cr_assert(shape->implied[i].unit < shape->n_units && shape->implied[i].arc < shape->n_arcs);
}

static uint8_t *bytes_by_chance(struct rt_bytes *bytes, size_t most)
{
    uint8_t *data;

    bytes->len = (size_t)random() % most;
    bytes->data = data = malloc(bytes->len + 1); /* of its size, for a sanitizer */
    for (size_t i = 0; i < bytes->len; i++)
        data[i] = (uint8_t)(random() % 3 ? random() % 32 : random());
    return data;
}

Test(bytecode, bytes_by_chance_are_no_crash)
{
    static const uint8_t likely[] = {RESUME,       RETURN_VALUE, RAISE_VARARGS, EXTENDED_ARG,
                                     GET_ANEXT,    NOP,          SEND,          FOR_ITER,
                                     JUMP_FORWARD, END_ASYNC_FOR};
    static const int32_t nested[] = {1, 2, 3};

    srandom(1);
    for (int run = 0; run < 20000; run++) {
        struct rt_code_bytes in = {.nested = nested, .n_nested = 3};
        uint8_t *code = bytes_by_chance(&in.code, 80);
        uint8_t *lines = bytes_by_chance(&in.lines, 120);
        uint8_t *exceptions = bytes_by_chance(&in.exceptions, 40);
        struct rt_shape shape;

        for (size_t i = 0; i < in.code.len; i += 2)
            if (random() % 4)
                code[i] = likely[(size_t)random() % sizeof likely];
        in.first_line = (int)(random() % 5) - 1;
        in.generator = random() % 2;
        cr_assert_eq(rt_shape_make(&in, true, &shape), 0);
        check_shape(&shape);
        rt_shape_free(&shape);
        free(code);
        free(lines);
        free(exceptions);
    }
}
