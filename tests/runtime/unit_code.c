/* SPDX-License-Identifier: Apache-2.0 */
/*
 * code.c: the bits that a code object sets.
 */
#include "unit.h"

#define SOURCE "def f(x):\n    if x:\n        a = 1\n    return x\n"

static PyCodeObject *code;
static struct seg_entry *file;

static struct rt_code *make(bool branches, bool *complete)
{
    if (!code &&
        (!unit_enter() || !(code = rt_code_compile(SOURCE)) || !(file = unit_file("/f.py"))))
        return NULL;
    atomic_store_explicit(&rt_process.branches, branches, memory_order_relaxed);
    return rt_code_make(file, code, RT_MONITORING && rt_process_branches(), complete);
}

UNIT(code_sets_lines)
{
    bool complete;
    struct rt_code *rc = make(false, &complete), *again;

    CHECK(rc && rc->file == file && !complete);
    rt_code_line(rc, NULL, 3);
    CHECK(unit_is_set(file, SEG_LINES, 3) && !unit_is_set(file, SEG_LINES, 2));
    rt_code_line(rc, NULL, 0);    /* no line */
    rt_code_line(rc, NULL, 5000); /* none of this code */
    CHECK(!unit_is_set(file, SEG_LINES, 0) && !unit_is_set(file, SEG_LINES, 5000));
    CHECK(!unit_is_set(file, SEG_LINES, 5000 % SEG_CHUNK_BITS));
    rt_code_line(rc, NULL, 2);
    again = make(false, &complete);
    CHECK(again && !complete);
    rt_code_line(rc, NULL, 4);
    rt_code_free(again);
    again = make(false, &complete);
    CHECK(again && complete);
    rt_code_free(again);
    rt_code_free(rc);
    return NULL;
}

UNIT(code_enters_on_a_line_of_its_own)
{
    bool complete;
    struct rt_code *rc;

    CHECK(make(false, &complete));
    code = rt_code_compile("def f(): return 1\n");
    rc = make(false, &complete);
    CHECK(rc && rc->entry_line == 1 && rt_code_enters(rc));
    rt_code_enter(rc, NULL);
    CHECK(unit_is_set(file, SEG_LINES, 1));
    rt_code_free(rc);
    return NULL;
}

UNIT(code_sets_a_bit_of_a_context)
{
    bool complete;
    struct rt_code *rc = make(false, &complete);
    struct rt_context *context;
    seg_u8 *one, *two;

    CHECK(rc);
    rt_context_enable();
    CHECK(!rt_context_switch(&unit_state, "one", 3));
    context = rt_context_get();
    rt_code_line(rc, context, 3);
    one = rt_context_bits(context, file->id, SEG_LINES, 3);
    CHECK(one && seg_bit_test(one, 3) && !seg_bit_test(one, 2));
    CHECK(!unit_is_set(file, SEG_LINES, 3));
    CHECK(!rt_context_switch(&unit_state, "two", 3));
    rt_code_line(rc, context, 2); /* not where the last one was */
    two = rt_context_bits(context, file->id, SEG_LINES, 2);
    CHECK(two && two != one && seg_bit_test(two, 2) && !seg_bit_test(one, 2));
    rt_code_free(rc);
    return NULL;
}

#if !RT_FREE_THREADED

UNIT(code_sets_at_once_what_is_near_and_in_the_same_context)
{
    bool complete;
    struct rt_code *rc = make(false, &complete);
    struct rt_context *context;
    seg_u8 *one;

    CHECK(rc);
    rt_context_enable();
    CHECK(!rt_context_peek()); /* the thread has to find out */
    CHECK(!rt_context_switch(&unit_state, "one", 3));
    context = rt_context_peek();
    CHECK(context && context == rt_context_get());
    rt_code_line(rc, context, 3);
    CHECK(!rt_code_line_at_once(rc, context, 2));
    rc->at_once = rc->recent[SEG_LINES];
    CHECK(rt_code_line_at_once(rc, context, 2) && !rt_code_line_at_once(rc, context, 5000));
    one = rt_context_bits(context, file->id, SEG_LINES, 2);
    CHECK(one && seg_bit_test(one, 2) && seg_bit_test(one, 3));
    CHECK(!rt_context_everywhere(&unit_state, "two", 3) && !rt_context_peek());
    CHECK(rt_context_get() == context); /* its own */
    CHECK(rt_code_line_at_once(rc, context, 2));
    CHECK(!rt_context_switch(&unit_state, NULL, 0) && !rt_code_line_at_once(rc, context, 2));
    rt_code_line(rc, context, 4); /* of the static context, and in its place */
    rc->at_once = rc->recent[SEG_LINES];
    CHECK(rt_code_line_at_once(rc, context, 3));
    CHECK(unit_is_set(file, SEG_LINES, 3) && unit_is_set(file, SEG_LINES, 4));
    CHECK(!unit_is_set(file, SEG_LINES, 2));
    rt_code_free(rc);
    return NULL;
}

#endif

UNIT(code_pairs_have_bits_of_their_own)
{
    bool complete;
    struct rt_code *rc = make(false, &complete);
    uint32_t bit[100], again;

    CHECK(rc);
    for (int32_t from = 1; from <= 100; from++)
        rt_code_pair(rc, NULL, from, -1);
    for (int32_t from = 1; from <= 100; from++) {
        CHECK(!rt_file_arc(file, from, -1, &bit[from - 1]));
        CHECK(unit_is_set(file, SEG_ARCS, bit[from - 1]));
    }
    for (int i = 1; i < 100; i++)
        CHECK(bit[i] != bit[i - 1]);
    rt_code_pair(rc, NULL, 1, -1);
    CHECK(!rt_file_arc(file, 200, 1, &again) && !unit_is_set(file, SEG_ARCS, again));
    rt_code_free(rc);
    return NULL;
}

UNIT(code_that_is_not_measured_is_one_for_all)
{
    struct rt_code *test = rt_code_unmeasured(true), *rest = rt_code_unmeasured(false);

    CHECK(test && rest && test != rest && test->test && !rest->test && !test->file);
    rt_code_free(test); /* does nothing; free() would write there */
    CHECK(!test->file && !test->claim);
    CHECK(rt_code_unmeasured(true) == test && rt_code_unmeasured(false) == rest);
    unit_next_epoch();
    CHECK(rt_code_unmeasured(true) != test);
    return NULL;
}

#if RT_MONITORING

UNIT(code_sets_arcs)
{
    bool complete;
    struct rt_code *rc = make(true, &complete), *again;
    const struct rt_branch *branch;

    CHECK(rc && rc->n_branches && !complete);
    branch = &rc->branches[0];
    CHECK(rt_code_branch(rc, branch->unit) == branch && !rt_code_branch(rc, branch->unit - 1));
    rt_code_arc(rc, NULL, branch->near_arc);
    CHECK(rt_code_has_arc(rc, NULL, branch->near_arc));
    CHECK(!rt_code_has_arc(rc, NULL, branch->far_arc));
    CHECK(rt_code_has_arc(rc, NULL, RT_NO_ARC)); /* nothing to set */
    rt_code_arc(rc, NULL, RT_NO_ARC);
    for (int32_t line = 2; line <= 4; line++)
        rt_code_line(rc, NULL, line);
    again = make(true, &complete);
    CHECK(again && !complete && again->first_arc == rc->first_arc);
    rt_code_arc(rc, NULL, branch->far_arc);
    rt_code_free(again);
    again = make(true, &complete);
    CHECK(again && complete);
    rt_code_free(again);
    rt_code_free(rc);
    return NULL;
}

#if !RT_BRANCH_SIDES

UNIT(code_unit_sets_its_line_and_what_it_implies)
{
    bool complete;
    struct rt_code *rc = make(true, &complete);
    const struct rt_implied *implied;

    CHECK(rc && rc->n_implied);
    implied = &rc->implied[0];
    CHECK(rt_code_implied(rc, implied->unit) == implied);
    rt_code_unit(rc, NULL, implied->unit - 1);
    CHECK(!rt_code_has_arc(rc, NULL, implied->arc));
    rt_code_unit(rc, NULL, implied->unit);
    CHECK(rt_code_has_arc(rc, NULL, implied->arc));
    CHECK(
        unit_is_set(file, SEG_LINES, (uint32_t)rt_shape_line(rc->runs, rc->n_runs, implied->unit)));
    rt_code_free(rc);
    return NULL;
}

#endif
#endif
