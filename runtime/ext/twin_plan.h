/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sites of a code object on 3.11, and where their pads lie (docs/breakpoints.md).
 *
 * A *site* is a place that tells us once that it was reached. There are two kinds:
 *
 *   RT_PAD  the first code unit of an instruction. Its patch is a JUMP_FORWARD to a pad.
 *   RT_FAR  a conditional jump whose destination others reach too. Its patch jumps to a pad
 *           when the condition holds, and falls through as ever.
 *
 * A *pad* is a piece of code that nothing but patches leads to. It lies on an island between the
 * instructions, or in the tail behind the last one:
 *
 *   [EXTENDED_ARG] LOAD_CONST record      the twin, which stands behind its constants
 *   POP_JUMP_FORWARD_IF_TRUE 0            asks the record for its truth: the hit
 *   [EXTENDED_ARG EXTENDED_ARG] JUMP      back to the site (RT_PAD), or on (RT_FAR)
 *
 * None of these looks at the eval breaker, so nothing comes between the patch and the way back.
 */
#ifndef RT_TWIN_PLAN_H
#define RT_TWIN_PLAN_H

#include "code.h"
#include "compat.h"
#include "quick.h"

#if RT_BREAKPOINTS

enum rt_site_kind { RT_PAD, RT_FAR };

#define RT_NO_SITE UINT16_MAX

/* So many units a jump of one code unit reaches. */
#define RT_PAD_REACH 255

struct rt_site {
    uint32_t unit;      /* that is patched; RT_FAR: of the jump's opcode */
    int32_t line;       /* that is recorded; 0: none */
    int32_t shown_line; /* RT_PAD: of the unit, as CPython has it; -1: none */
    uint32_t first_arc; /* in the plan's `arcs` */
    uint16_t n_arcs;
    /* Sites of RT_PAD, or RT_NO_SITE: at the unit before, at the instruction that looks ahead at
     * this one, and, of RT_FAR, at its own unit and at its EXTENDED_ARG. */
    uint16_t before, looker, own;
    uint16_t same_line; /* the next in a ring of those that record the line and nothing else */
    uint8_t kind;       /* enum rt_site_kind */
    uint8_t looks;      /* units back to an instruction that may look ahead at this one; 0: none */
    uint8_t pair;       /* opcode that does the instruction before and this one; 0: none */
    uint8_t quiet;      /* no frame can stand on it while other code runs */
    /* Changed as it goes on and off (twin_patch.h): */
    bool on, listed, fused;
    rt_word saved;   /* RT_PAD: what the patch replaced. RT_FAR: the jump */
    rt_word held;    /* what the looker was before; 0: it is not held */
    rt_word patch;   /* of `unit`; 0: no pad is near enough, so it never comes on */
    rt_word patch_1; /* RT_FAR behind an EXTENDED_ARG: of that; 0: there is none */
    rt_word saved_1;
};

/* How a code object is laid out. */
struct rt_layout {
    struct rt_tables tables;
    int32_t first_line;
    const uint8_t *island; /* [units] whether the unit is for pads; NULL: there are no islands */
};

struct rt_plan {
    struct rt_code_units units;
    struct rt_site *sites;
    uint32_t n_sites;
    size_t cap_sites;
    uint32_t *arcs;
    size_t n_arcs, cap_arcs;
    uint16_t *site_at;  /* [unit] the site of RT_PAD there, or RT_NO_SITE */
    uint8_t *joins;     /* [unit] the jump there falls through to where others lead, and that is an
                           arc: a NOP behind it would tell */
    bool joined;        /* there is such a jump */
    uint32_t untouched; /* instructions that ought to be sites and cannot be */
    bool strange;       /* no compiler made this code: then there are no sites */
    /* After rt_plan_place(): */
    rt_word *words; /* with all pads */
    uint32_t n_words;
    uint16_t *pad_site;    /* [unit] the site whose pad asks there, or RT_NO_SITE */
    uint32_t first_pad;    /* unit of the first pad */
    uint32_t out_of_reach; /* sites that found no pad near enough */
};

/* Finds the sites of a code object, whose units have been read into the plan. 0, or -1: no memory,
 * or too many sites. Needs rt_plan_free in both cases. */
int rt_plan_make(struct rt_plan *plan, const struct rt_layout *layout,
                 const struct rt_shape *shape);

/* Deals out the pads, which load constant number `record`. 0, or -1: no memory. */
int rt_plan_place(struct rt_plan *plan, const struct rt_layout *layout, uint32_t record);

/* The units of a pad. */
uint32_t rt_pad_units(enum rt_site_kind kind, uint32_t record);

void rt_plan_free(struct rt_plan *plan);

#endif
#endif
