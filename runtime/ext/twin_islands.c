/* SPDX-License-Identifier: Apache-2.0 */
#include "twin_islands.h"

#if RT_BREAKPOINTS

#include <opcode.h>
#include <stdlib.h>
#include <string.h>

#include "twin_tables.h"

/* An island comes when a site has so few units left to reach its pad. Each instruction takes up to
 * 15, and there may be several that nothing must come between. */
#define HURRY 40
/* The same where a line ends, or where nothing falls through and no jump over it is needed. */
#define HURRY_AT_LINE 70
#define HURRY_AT_END 140
/* So near, an island comes even where it parts instructions that are faster together. */
#define LAST_MOMENT 20

/* Jumps get longer, so islands move, so jumps get longer. */
#define ROUNDS 60

struct instruction {
    uint32_t start, op_unit, next; /* units, in the old layout */
    uint32_t arg, target;          /* target: an instruction, or RT_NO_UNIT */
    uint32_t prefixes;             /* EXTENDED_ARGs */
    uint32_t at;                   /* unit, in the new layout */
    uint32_t island;               /* units of the island behind it */
    uint16_t pads, far_pads;       /* that its sites need */
    uint8_t op;
    bool falls; /* the next instruction may run after it */
    bool nop;   /* one is added behind it */
    bool hop;   /* a jump over the island is added */
};

struct work {
    const struct rt_layout *layout;
    const struct rt_plan *plan;
    uint32_t record;
    struct instruction *instruction;
    uint32_t n, size; /* instructions; units of the new layout */
    uint32_t *of;     /* [old unit] its instruction */
    /* Of the sites that wait for their pads: the units of these, and the last unit at which an
     * island may begin that has them all in reach. */
    uint32_t pads;
    int64_t latest;
};

/* -- reading -- */

static int read_instructions(struct work *work)
{
    const struct rt_code_units *units = &work->plan->units;
    const uint8_t *code = work->layout->tables.code.data;
    uint32_t i = 0;

    work->instruction = calloc((size_t)units->n + 1, sizeof *work->instruction);
    work->of = calloc((size_t)units->n + 1, sizeof *work->of);
    if (!work->instruction || !work->of)
        return -1;
    while (i < units->n) {
        struct instruction *at = &work->instruction[work->n];
        enum rt_kind kind;

        at->start = i;
        while (code[2 * (size_t)i] == EXTENDED_ARG && i + 1 < units->n)
            at->arg = at->arg << 8 | code[2 * (size_t)i++ + 1];
        at->op_unit = i;
        at->op = code[2 * (size_t)i];
        at->arg = at->arg << 8 | code[2 * (size_t)i + 1];
        at->prefixes = at->op_unit - at->start;
        at->next = i + 1 + rt_op_caches(at->op);
        if (at->next > units->n)
            return 1;
        kind = (enum rt_kind)units->unit[i].kind;
        at->falls = kind != RT_JUMP && kind != RT_RETURN && kind != RT_RAISE;
        at->nop = work->plan->joins[i];
        at->target = kind == RT_BRANCH || kind == RT_JUMP || kind == RT_SEND
                         ? units->unit[i].target /* a unit, for now */
                         : RT_NO_UNIT;
        for (uint32_t u = at->start; u < at->next; u++)
            work->of[u] = work->n;
        work->n++;
        i = at->next;
    }
    work->of[units->n] = work->n;
    for (uint32_t k = 0; k < work->n; k++)
        if (work->instruction[k].target != RT_NO_UNIT)
            work->instruction[k].target = work->of[work->instruction[k].target];
    for (uint32_t k = 0; k < work->plan->n_sites; k++) {
        const struct rt_site *site = &work->plan->sites[k];
        struct instruction *at = &work->instruction[work->of[site->unit]];

        at->pads += site->kind == RT_PAD;
        at->far_pads += site->kind == RT_FAR;
    }
    return 0;
}

/* -- where islands lie -- */

/* Nothing may come behind these: CPython looks at the unit before or behind, or skips it. */
static bool is_tied(uint8_t op)
{
    switch (op) {
    case ASYNC_GEN_WRAP:
    case COPY_FREE_VARS:
    case GET_ANEXT:
    case GET_AWAITABLE:
    case GET_YIELD_FROM_ITER:
    case KW_NAMES:
    case MAKE_CELL:
    case PRECALL:
    case RESUME:
    case RETURN_GENERATOR:
    case SEND:
    case YIELD_VALUE:
        return true;
    default:
        return false;
    }
}

/* These and the next one may be done in one go. */
static bool is_better_together(uint8_t op)
{
    switch (op) {
    case BINARY_OP:
    case CALL:
    case COMPARE_OP:
    case LOAD_CONST:
    case LOAD_FAST:
    case STORE_FAST:
        return true;
    default:
        return false;
    }
}

static void wait_for_none(struct work *work)
{
    work->pads = 0;
    work->latest = INT64_MAX;
}

static void wait_for_pad(struct work *work, enum rt_site_kind kind, uint32_t unit)
{
    uint32_t units = rt_pad_units(kind, work->record);
    int64_t latest = (int64_t)unit + RT_PAD_REACH - (kind == RT_PAD ? units : 0) - work->pads;

    if (latest < work->latest)
        work->latest = latest;
    work->pads += units;
}

/* Does an island come behind instruction k, at `unit`? */
static bool island_here(const struct work *work, uint32_t k, uint32_t unit)
{
    const struct instruction *at = &work->instruction[k];
    const struct rt_unit *units = work->plan->units.unit;
    uint32_t first = work->plan->units.resume;
    bool hop = at->falls || at->nop;
    int64_t left;

    if (k + 1 >= work->n || !work->pads || is_tied(at->op) || at->start <= first)
        return false;
    if (units[at->op_unit].kind == RT_BRANCH && !at->nop)
        return false; /* the jump over it would hide that only branches lead to what comes next */
    left = work->latest - unit - hop;
    if (is_better_together(at->op) && !at->nop)
        return left < LAST_MOMENT;
    if (left < HURRY)
        return true;
    if (!hop)
        return left < HURRY_AT_END && work->plan->units.n - at->next > HURRY;
    return left < HURRY_AT_LINE &&
           units[work->instruction[k + 1].start].line != units[at->start].line;
}

static void place_all(struct work *work)
{
    uint32_t unit = 0;

    wait_for_none(work);
    for (uint32_t k = 0; k < work->n; k++) {
        struct instruction *at = &work->instruction[k];

        at->at = unit;
        for (uint32_t pad = 0; pad < at->pads; pad++)
            wait_for_pad(work, RT_PAD, unit);
        for (uint32_t pad = 0; pad < at->far_pads; pad++)
            wait_for_pad(work, RT_FAR, unit + at->prefixes);
        unit += at->prefixes + 1 + rt_op_caches(at->op);
        if (at->nop)
            wait_for_pad(work, RT_PAD, unit++);
        at->island = 0;
        at->hop = false;
        if (!island_here(work, k, unit))
            continue;
        at->hop = at->falls || at->nop;
        unit += at->hop;
        at->island = work->pads;
        unit += at->island;
        wait_for_none(work);
    }
    work->size = unit;
}

static uint32_t distance(const struct work *work, const struct instruction *at)
{
    uint32_t from = at->at + at->prefixes + 1 + rt_op_caches(at->op);
    uint32_t to = at->target < work->n ? work->instruction[at->target].at : work->size;

    return to > from ? to - from : from - to;
}

/* Makes jumps as long as they have to be. True: one has changed. */
static bool lengthen(struct work *work)
{
    bool changed = false;

    for (uint32_t k = 0; k < work->n; k++) {
        struct instruction *at = &work->instruction[k];
        uint32_t away, prefixes;

        if (at->target == RT_NO_UNIT)
            continue;
        away = distance(work, at);
        prefixes = away > 0xffffff ? 3 : away > 0xffff ? 2 : away > 0xff ? 1 : 0;
        if (prefixes > at->prefixes) {
            at->prefixes = prefixes;
            changed = true;
        }
    }
    return changed;
}

/* -- writing -- */

static void put_unit(struct rt_relaid *out, uint32_t *origin, uint32_t from, uint8_t op,
                     uint32_t arg)
{
    origin[out->n] = from;
    out->island[out->n] = from == RT_NO_UNIT;
    out->code[out->n++] = rt_word_of(op, arg);
}

static void put_instruction(const struct work *work, struct rt_relaid *out, uint32_t *origin,
                            const struct instruction *at)
{
    uint32_t arg = at->target == RT_NO_UNIT ? at->arg : distance(work, at);

    for (uint32_t n = at->prefixes; n; n--)
        put_unit(out, origin, at->start, EXTENDED_ARG, arg >> 8 * n);
    put_unit(out, origin, at->start, at->op, arg);
    for (uint32_t n = rt_op_caches(at->op); n; n--)
        put_unit(out, origin, at->start, CACHE, 0);
    if (at->nop)
        put_unit(out, origin, at->start, NOP, 0);
    if (at->hop)
        put_unit(out, origin, at->start, JUMP_FORWARD, at->island);
    for (uint32_t n = at->island; n; n--)
        put_unit(out, origin, RT_NO_UNIT, RERAISE, 0); /* nothing leads there */
}

/* A jump over an island is one unit long, and what an await sends to is found by one unit. */
static bool fits(const struct work *work)
{
    for (uint32_t k = 0; k < work->n; k++) {
        const struct instruction *at = &work->instruction[k];

        if (at->hop && at->island > RT_PAD_REACH)
            return false;
        if (at->op == SEND && at->prefixes)
            return false;
    }
    return true;
}

static int write_all(const struct work *work, struct rt_relaid *out)
{
    size_t n = work->size;
    uint32_t n_old = work->plan->units.n;
    uint32_t *origin = malloc((n + 1) * sizeof *origin);
    uint32_t *moved = malloc(((size_t)n_old + 1) * sizeof *moved);
    struct rt_buffer lines = {0}, exceptions = {0};
    int status = -1;

    out->code = malloc((n + 1) * sizeof *out->code);
    out->island = malloc(n + 1);
    if (!origin || !moved || !out->code || !out->island)
        goto done;
    for (uint32_t k = 0; k < work->n; k++)
        put_instruction(work, out, origin, &work->instruction[k]);
    for (uint32_t u = 0; u <= n_old; u++)
        moved[u] = work->of[u] < work->n ? work->instruction[work->of[u]].at : work->size;
    status = rt_move_lines(&lines, work->layout->tables.lines, n_old, work->layout->first_line,
                           origin, out->n);
    if (!status)
        status = rt_move_exceptions(&exceptions, work->layout->tables.exceptions, n_old, moved);
done:
    free(origin);
    free(moved);
    out->lines = lines.data;
    out->n_lines = lines.n;
    out->exceptions = exceptions.data;
    out->n_exceptions = exceptions.n;
    return status;
}

int rt_islands_make(struct rt_relaid *out, const struct rt_layout *layout,
                    const struct rt_plan *plan, uint32_t record)
{
    struct work work = {.layout = layout, .plan = plan, .record = record};
    int status, rounds = 0;

    memset(out, 0, sizeof *out);
    status = read_instructions(&work);
    if (status)
        goto done;
    do
        place_all(&work);
    while (lengthen(&work) && ++rounds < ROUNDS);
    status = rounds < ROUNDS && fits(&work) ? write_all(&work, out) : 1;
done:
    free(work.instruction);
    free(work.of);
    return status;
}

void rt_relaid_free(struct rt_relaid *relaid)
{
    free(relaid->code);
    free(relaid->island);
    free(relaid->lines);
    free(relaid->exceptions);
    memset(relaid, 0, sizeof *relaid);
}

#endif
