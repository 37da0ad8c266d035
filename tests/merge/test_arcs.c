/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a trail to an arc, without a segment.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* A file of 200 lines, of which these ran. */
static struct merge_lines ran;
static uint8_t bits[32];

static void run_lines(const int *lines, size_t n)
{
    memset(bits, 0, sizeof bits);
    for (size_t i = 0; i < n; i++)
        bits[lines[i] / 8] |= (uint8_t)(1u << (lines[i] % 8));
    ran = (struct merge_lines){.bits = bits, .cap = sizeof bits, .used = sizeof bits};
}

#define RAN(...) run_lines((int[]){__VA_ARGS__}, sizeof((int[]){__VA_ARGS__}) / sizeof(int))

static struct merge_arc arc_of(int from, enum seg_arc_kind kind, const int32_t *trail, size_t n)
{
    return (struct merge_arc){
        .from = from, .kind = (uint16_t)kind, .trail = trail, .trail_n = (uint16_t)n};
}

#define ARC(from, kind, ...) \
    arc_of(from, kind, (int32_t[]){__VA_ARGS__}, sizeof((int32_t[]){__VA_ARGS__}) / 4)

/* Where the arc leads, with a multi-line map or without. */
static int32_t leads_to(struct merge_arc arc, const uint32_t *first, size_t n)
{
    struct merge_file file = {.arcs_n = 1};
    struct merge m = {.files = &file, .files_n = 1, .arcs = &arc, .arcs_n = 1};
    int32_t to;

    if (first)
        cr_assert_eq(merge_set_multiline(&m, 0, first, n), 0);
    merge_arcs_resolve(&m, &file);
    to = merge_arc_target(&file, &arc, &ran);
    free(file.first_line);
    return to;
}

static const uint32_t first[] = {0, 1, 1, 1, 4, 5, 5, 0};

#define PLAIN(arc) leads_to(arc, NULL, 0)
#define MAPPED(arc) leads_to(arc, first, sizeof first / sizeof *first)

Test(arcs, trail_without_a_map)
{
    RAN(1, 2, 5);
    cr_expect_eq(PLAIN(ARC(1, SEG_ARC_TRAIL, 2)), 2);
    cr_expect_eq(PLAIN(ARC(1, SEG_ARC_TRAIL, 1, 5, 2)), 5);
    cr_expect_eq(PLAIN(ARC(1, SEG_ARC_TRAIL, 1)), 0);
    cr_expect_eq(PLAIN(ARC(1, SEG_ARC_TRAIL, 3, 5)), 0, "the destination is 3, and never ran");
    cr_expect_eq(PLAIN(ARC(1, SEG_ARC_TRAIL, -9)), -9);
    cr_expect_eq(PLAIN(ARC(1, SEG_ARC_TRAIL, 0, 5)), 5);
}

Test(arcs, trail_with_a_map)
{
    RAN(1, 2, 6);
    cr_expect_eq(MAPPED(ARC(1, SEG_ARC_TRAIL, 2, 3, 6)), 6);
    cr_expect_eq(MAPPED(ARC(3, SEG_ARC_TRAIL, 2, 5)), 6, "5 did not run, another line of it did");
    cr_expect_eq(MAPPED(ARC(3, SEG_ARC_TRAIL, 1, 2)), 0);
    cr_expect_eq(MAPPED(ARC(3, SEG_ARC_TRAIL, 1, 4)), 0);
    cr_expect_eq(MAPPED(ARC(3, SEG_ARC_TRAIL, 1, -1)), -1);
    cr_expect_eq(MAPPED(ARC(100, SEG_ARC_TRAIL, 101, 2)), 0, "beyond the map");
}

Test(arcs, other_kinds)
{
    RAN(1, 2);
    cr_expect_eq(PLAIN(ARC(1, SEG_ARC_EXACT, 77)), 77);
    cr_expect_eq(PLAIN(ARC(-1, SEG_ARC_EXACT, 1)), 1);
    cr_expect_eq(PLAIN(ARC(1, SEG_ARC_LINES, 2)), 2);
    cr_expect_eq(PLAIN(ARC(1, SEG_ARC_LINES, 3)), 0);
    cr_expect_eq(PLAIN(ARC(3, SEG_ARC_LINES, 1)), 0);
    cr_expect_eq(PLAIN(ARC(1, SEG_ARC_LINES, -1)), -1);
}

Test(arcs, map_from_anywhere)
{
    /* What a map says about itself need not make sense. */
    static const uint32_t strange[] = {9, 4000000000u, 3, 2, 4, 1};

    RAN(1, 2, 3, 4, 5);
    for (int from = 1; from < 8; from++) {
        for (int to = 1; to < 8; to++)
            leads_to(ARC(from, SEG_ARC_TRAIL, to), strange, sizeof strange / sizeof *strange);
        leads_to(ARC(from, SEG_ARC_TRAIL, INT32_MAX, INT32_MIN), strange, 6);
    }
    cr_expect_eq(leads_to(ARC(1, SEG_ARC_TRAIL, 2), first, 0), 2);
    cr_expect_eq(leads_to(ARC(1, SEG_ARC_TRAIL, 2), first, 1), 2);
}

Test(arcs, find_by_bit)
{
    enum { N = 300 };
    struct merge_arc arcs[N];
    struct merge_file file = {.arcs = 0, .arcs_n = N};
    struct merge m = {.arcs = arcs, .arcs_n = N};

    for (uint32_t i = 0; i < N; i++)
        arcs[i] = (struct merge_arc){.bit = i < 100 ? i : i * 3};
    for (uint32_t i = 0; i < N; i++)
        cr_assert_eq(merge_arcs_find(&m, &file, arcs[i].bit), &arcs[i], "bit %u", arcs[i].bit);
    cr_expect_null(merge_arcs_find(&m, &file, 100));
    cr_expect_null(merge_arcs_find(&m, &file, 301));
    cr_expect_null(merge_arcs_find(&m, &file, UINT32_MAX));
    file.arcs_n = 0;
    cr_expect_null(merge_arcs_find(&m, &file, 0));
}
