/* SPDX-License-Identifier: Apache-2.0 */
#include "twin_plan.h"

#if RT_BREAKPOINTS

#include <opcode.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"

/* What a jump with one EXTENDED_ARG reaches. */
#define FAR_REACH 65535

/* -- sites -- */

static uint8_t op_at(const struct rt_layout *layout, uint32_t unit)
{
    return layout->tables.code.data[2 * (size_t)unit];
}

static uint8_t arg_at(const struct rt_layout *layout, uint32_t unit)
{
    return layout->tables.code.data[2 * (size_t)unit + 1];
}

static bool is_island(const struct rt_layout *layout, uint32_t unit)
{
    return layout->island && layout->island[unit];
}

/* Instructions that neither a patch may replace nor a frame wait behind one of: CPython looks at
 * them from outside of the frame, or they are the second half of what must not be divided. */
static bool untouchable(uint8_t op)
{
    switch (op) {
    case CALL:
    case COPY_FREE_VARS:
    case MAKE_CELL:
    case RESUME:
    case RETURN_GENERATOR:
    case SEND:
        return true;
    default:
        return false;
    }
}

/* While none of these runs, neither does other code: a frame never stands on one. */
static bool quiet(uint8_t op)
{
    switch (op) {
    case COPY:
    case EXTENDED_ARG:
    case JUMP_FORWARD:
    case KW_NAMES:
    case LOAD_ASSERTION_ERROR:
    case LOAD_CLOSURE:
    case LOAD_CONST:
    case LOAD_DEREF:
    case LOAD_FAST:
    case NOP:
    case PUSH_NULL:
    case SWAP:
        return true;
    default:
        return false;
    }
}

/* Marks where an edge leads if the line is another one there. */
static void mark(const struct rt_plan *plan, uint8_t *begins, uint32_t from, uint32_t to)
{
    if (to < plan->units.n && plan->units.unit[from].line != plan->units.unit[to].line)
        begins[to] = 1;
}

/* [unit] whether the unit's line may begin there, rather than go on. malloc, or NULL. Lines begin
 * anew where a jump leads back: the context may be another one by then. */
static uint8_t *find_beginnings(const struct rt_plan *plan, const struct rt_layout *layout,
                                uint32_t first_unit)
{
    const struct rt_code_units *units = &plan->units;
    uint8_t *begins = calloc((size_t)units->n + 1, 1);
    struct rt_handler handler;
    size_t at = 0;

    if (!begins)
        return NULL;
    begins[first_unit] = 1;
    for (uint32_t i = 0; i < units->n; i++) {
        const struct rt_unit *unit = &units->unit[i];

        if (unit->kind == RT_NOT_A_START || is_island(layout, i))
            continue;
        if (unit->kind == RT_BRANCH || unit->kind == RT_JUMP || unit->kind == RT_SEND) {
            mark(plan, begins, i, unit->target);
            if (unit->target <= i && !unit->waits)
                begins[unit->target] = 1;
        }
        if (unit->kind != RT_JUMP && unit->kind != RT_RETURN && unit->kind != RT_RAISE)
            mark(plan, begins, i, rt_unit_after(units, i));
    }
    while (rt_handler_next(&layout->tables.exceptions, &at, &handler))
        if (handler.target < units->n)
            begins[handler.target] = 1;
    return begins;
}

/* A new site, or NULL: no memory, or there are too many. */
static struct rt_site *add_site(struct rt_plan *plan, enum rt_site_kind kind, uint32_t unit)
{
    struct rt_site *site;

    if (plan->n_sites >= RT_NO_SITE || !SEG_GROW(plan->sites, plan->cap_sites, plan->n_sites + 1))
        return NULL;
    site = &plan->sites[plan->n_sites];
    *site = (struct rt_site){.unit = unit,
                             .first_arc = (uint32_t)plan->n_arcs,
                             .before = RT_NO_SITE,
                             .looker = RT_NO_SITE,
                             .own = RT_NO_SITE,
                             .same_line = (uint16_t)plan->n_sites,
                             .kind = (uint8_t)kind};
    if (kind == RT_PAD)
        plan->site_at[unit] = (uint16_t)plan->n_sites;
    plan->n_sites++;
    return site;
}

/* The arcs of a site are added right after it. */
static int add_arc(struct rt_plan *plan, struct rt_site *site, uint32_t arc)
{
    if (arc == RT_NO_ARC)
        return 0;
    if (!SEG_GROW(plan->arcs, plan->cap_arcs, plan->n_arcs + 1))
        return -1;
    plan->arcs[plan->n_arcs++] = arc;
    site->n_arcs++;
    return 0;
}

/* Who looks ahead at the instruction of a site: a pair's first half, or one that does the work of
 * the next instruction once it is specialised. `last` and `last_but_one` are the instructions
 * before, or RT_NO_UNIT. */
static void find_lookers(const struct rt_plan *plan, const struct rt_layout *layout,
                         struct rt_site *site, uint32_t last, uint32_t last_but_one)
{
    uint8_t op = op_at(layout, site->unit), before;
    uint32_t looker = RT_NO_UNIT;

    if (last == RT_NO_UNIT || rt_unit_after(&plan->units, last) != site->unit)
        return;
    before = op_at(layout, last);
    if (before == COMPARE_OP || (before == BINARY_OP && op == STORE_FAST))
        looker = last;
    if (before == CALL && op == POP_TOP && last_but_one != RT_NO_UNIT &&
        op_at(layout, last_but_one) == PRECALL)
        looker = last_but_one;
    if (looker != RT_NO_UNIT) {
        site->looks = (uint8_t)(site->unit - looker);
        site->looker = plan->site_at[looker];
    }
    if (last + 1 == site->unit) {
        site->before = plan->site_at[last];
        if (site->kind == RT_PAD)
            site->pair = rt_op_pair(before, op);
    }
}

/* What is left of the shape's items from the current unit on. They are sorted by unit. */
struct items {
    const struct rt_implied *implied, *implied_end;
    const struct rt_branch *branch, *branch_end;
};

/* The arcs of the instruction at `unit`: those that it implies, and that of entering or leaving. */
static int add_arcs(struct rt_plan *plan, const struct rt_shape *shape, struct items *items,
                    uint32_t unit, struct rt_site *site)
{
    for (; items->implied < items->implied_end && items->implied->unit == unit; items->implied++)
        if (add_arc(plan, site, items->implied->arc))
            return -1;
    if (unit == shape->first_unit && add_arc(plan, site, shape->entry_arc))
        return -1;
    if (plan->units.unit[unit].kind == RT_RETURN && add_arc(plan, site, shape->return_arc))
        return -1;
    return 0;
}

static bool has_arcs(const struct rt_plan *plan, const struct rt_shape *shape,
                     const struct items *items, uint32_t unit)
{
    return (items->implied < items->implied_end && items->implied->unit == unit) ||
           (unit == shape->first_unit && shape->entry_arc != RT_NO_ARC) ||
           (plan->units.unit[unit].kind == RT_RETURN && shape->return_arc != RT_NO_ARC);
}

static int add_pad(struct rt_plan *plan, const struct rt_layout *layout,
                   const struct rt_shape *shape, struct items *items, uint32_t unit,
                   const uint32_t last[2])
{
    int32_t line = plan->units.unit[unit].line;
    uint8_t op = op_at(layout, unit);
    struct rt_site *site;

    if (untouchable(op)) {
        plan->untouched++;
        return 0;
    }
    site = add_site(plan, RT_PAD, unit);
    if (!site || add_arcs(plan, shape, items, unit, site))
        return -1;
    site->line = line;
    site->shown_line = line ? line : -1;
    site->quiet = quiet(op);
    find_lookers(plan, layout, site, last[0], last[1]);
    return 0;
}

static int add_far(struct rt_plan *plan, const struct rt_layout *layout,
                   const struct rt_branch *branch, const uint32_t last[2])
{
    struct rt_site *site;

    if (branch->near_arc != RT_NO_ARC && !branch->near_implied)
        plan->joins[branch->unit] = plan->joined = true;
    if (branch->far_arc == RT_NO_ARC || branch->far_implied)
        return 0;
    site = add_site(plan, RT_FAR, branch->unit);
    if (!site || add_arc(plan, site, branch->far_arc))
        return -1;
    find_lookers(plan, layout, site, last[0], last[1]);
    site->own = plan->site_at[branch->unit];
    return 0;
}

static int add_sites(struct rt_plan *plan, const struct rt_layout *layout,
                     const struct rt_shape *shape, const uint8_t *begins)
{
    struct items items = {shape->implied, shape->implied + shape->n_implied, shape->branches,
                          shape->branches + shape->n_branches};
    uint32_t last[2] = {RT_NO_UNIT, RT_NO_UNIT};
    bool resumed = false;

    for (uint32_t i = shape->first_unit; i < plan->units.n; i++) {
        const struct rt_unit *unit = &plan->units.unit[i];

        if (unit->kind == RT_NOT_A_START || is_island(layout, i))
            continue;
        if ((((begins[i] || resumed) && unit->line) || has_arcs(plan, shape, &items, i)) &&
            add_pad(plan, layout, shape, &items, i, last))
            return -1;
        while (items.implied < items.implied_end && items.implied->unit <= i)
            items.implied++;
        for (; items.branch < items.branch_end && items.branch->unit <= i; items.branch++)
            if (items.branch->unit == i && add_far(plan, layout, items.branch, last))
                return -1;
        /* The arc from the line of a yield belongs to the context that resumes it. */
        resumed = shape->n_arcs && op_at(layout, i) == RESUME && arg_at(layout, i) & 3;
        last[1] = last[0];
        last[0] = i;
    }
    return 0;
}

/* Links the sites that record the same line and nothing else. The lines rise, but for a few. */
static int link_lines(struct rt_plan *plan, const struct rt_shape *shape)
{
    int32_t low = shape->n_lines ? shape->lines[0] : 0,
            high = shape->n_lines ? shape->lines[shape->n_lines - 1] : 0;
    size_t n = (size_t)(high - low) + 1;
    uint16_t *latest = malloc(n * sizeof *latest);

    if (!latest)
        return -1;
    memset(latest, 0xff, n * sizeof *latest);
    for (uint32_t k = 0; k < plan->n_sites; k++) {
        struct rt_site *site = &plan->sites[k];
        uint16_t *other;

        if (!site->line || site->n_arcs || site->line < low || site->line > high)
            continue;
        other = &latest[site->line - low];
        if (*other != RT_NO_SITE) {
            site->same_line = plan->sites[*other].same_line;
            plan->sites[*other].same_line = (uint16_t)k;
        }
        *other = (uint16_t)k;
    }
    free(latest);
    return 0;
}

/* Code that a program has put together may have anything in it. */
static bool is_strange(const struct rt_plan *plan, const struct rt_layout *layout)
{
    const struct rt_code_units *units = &plan->units;

    if (units->resume == RT_NO_UNIT || rt_unit_after(units, units->resume) == RT_NO_UNIT)
        return true;
    for (uint32_t i = 0; i < units->n; i++) {
        uint8_t op = op_at(layout, i);

        if (units->unit[i].kind == RT_NOT_A_START)
            continue;
        if (op == CACHE || rt_op_plain(op) != op || units->unit[i].units != 1 + rt_op_caches(op))
            return true;
        if (op == EXTENDED_ARG && i + 1 == units->n)
            return true;
    }
    return false;
}

int rt_plan_make(struct rt_plan *plan, const struct rt_layout *layout, const struct rt_shape *shape)
{
    uint8_t *begins;
    size_t n;
    int status = -1;

    n = plan->units.n;
    plan->strange = is_strange(plan, layout);
    if (plan->strange)
        return 0;
    begins = find_beginnings(plan, layout, shape->first_unit);
    plan->site_at = malloc((n + 1) * sizeof *plan->site_at);
    plan->joins = calloc(n + 1, 1);
    if (begins && plan->site_at && plan->joins) {
        memset(plan->site_at, 0xff, (n + 1) * sizeof *plan->site_at);
        status = add_sites(plan, layout, shape, begins) || link_lines(plan, shape) ? -1 : 0;
    }
    free(begins);
    return status;
}

void rt_plan_free(struct rt_plan *plan)
{
    rt_units_free(&plan->units);
    free(plan->sites);
    free(plan->arcs);
    free(plan->site_at);
    free(plan->joins);
    free(plan->words);
    free(plan->pad_site);
    memset(plan, 0, sizeof *plan);
}

/* -- pads -- */

/* EXTENDED_ARGs before an argument. */
static uint32_t prefixes(uint32_t arg)
{
    return arg > 0xffffff ? 3 : arg > 0xffff ? 2 : arg > 0xff ? 1 : 0;
}

uint32_t rt_pad_units(enum rt_site_kind kind, uint32_t record)
{
    return prefixes(record) + (kind == RT_PAD ? 3 : 5);
}

/* Where the next pads go. */
struct dealing {
    uint32_t at, end; /* room that is left; without an end in the tail */
    uint32_t next;    /* unit behind this island */
};

/* Goes on to the first island behind `unit` that has room, or to the tail. */
static void seek(struct dealing *dealing, const struct rt_layout *layout, uint32_t n, uint32_t unit,
                 uint32_t units)
{
    while (dealing->at <= unit || dealing->end - dealing->at < units) {
        uint32_t i = dealing->next > unit ? dealing->next : unit + 1;

        while (i < n && !is_island(layout, i))
            i++;
        dealing->at = i;
        while (i < n && is_island(layout, i))
            i++;
        dealing->end = dealing->at < n ? i : UINT32_MAX;
        dealing->next = i;
    }
}

/* The patch of a site whose pad begins at `pad`. False: that is too far. */
static bool find_patch(const struct rt_plan *plan, const struct rt_layout *layout,
                       struct rt_site *site, uint32_t pad, uint32_t record)
{
    uint32_t away = pad - (site->unit + 1);
    uint8_t op = op_at(layout, site->unit);
    bool wide = site->kind == RT_FAR && site->unit &&
                op_at(layout, site->unit - 1) == EXTENDED_ARG &&
                plan->units.unit[site->unit - 1].kind != RT_NOT_A_START;

    if (site->kind == RT_PAD) {
        site->patch = rt_word_of(JUMP_FORWARD, away);
        return away + 1 + rt_pad_units(RT_PAD, record) <= RT_PAD_REACH;
    }
    switch (op) {
    case POP_JUMP_BACKWARD_IF_FALSE:
        op = POP_JUMP_FORWARD_IF_FALSE;
        break;
    case POP_JUMP_BACKWARD_IF_TRUE:
        op = POP_JUMP_FORWARD_IF_TRUE;
        break;
    case POP_JUMP_BACKWARD_IF_NONE:
        op = POP_JUMP_FORWARD_IF_NONE;
        break;
    case POP_JUMP_BACKWARD_IF_NOT_NONE:
        op = POP_JUMP_FORWARD_IF_NOT_NONE;
        break;
    default:
        break;
    }
    site->patch = rt_word_of(op, away);
    site->saved = rt_word_of(op_at(layout, site->unit), arg_at(layout, site->unit));
    if (!wide)
        return away <= RT_PAD_REACH;
    site->before = plan->site_at[site->unit - 1];
    site->patch_1 = rt_word_prefix(EXTENDED_ARG_QUICK, away, 8);
    site->saved_1 = rt_word_of(EXTENDED_ARG_QUICK, arg_at(layout, site->unit - 1));
    return away <= FAR_REACH && (site->unit < 2 || op_at(layout, site->unit - 2) != EXTENDED_ARG ||
                                 plan->units.unit[site->unit - 2].kind == RT_NOT_A_START);
}

static void put_pad(struct rt_plan *plan, const struct rt_site *site, uint32_t at, uint32_t record)
{
    uint32_t end = at + rt_pad_units((enum rt_site_kind)site->kind, record), away;
    bool back = true;

    for (uint32_t n = prefixes(record); n; n--)
        plan->words[at++] = rt_word_of(EXTENDED_ARG, record >> 8 * n);
    plan->words[at++] = rt_word_of(LOAD_CONST, record);
    plan->pad_site[at] = (uint16_t)(site - plan->sites);
    plan->words[at++] = rt_word_of(POP_JUMP_FORWARD_IF_TRUE, 0);
    if (site->kind == RT_PAD) {
        away = end - site->unit;
    } else {
        uint32_t target = plan->units.unit[site->unit].target;

        back = target < end;
        away = back ? end - target : target - end;
        plan->words[at++] = rt_word_prefix(EXTENDED_ARG, away, 16);
        plan->words[at++] = rt_word_prefix(EXTENDED_ARG, away, 8);
    }
    plan->words[at] = rt_word_of(back ? JUMP_BACKWARD_NO_INTERRUPT : JUMP_FORWARD, away);
}

int rt_plan_place(struct rt_plan *plan, const struct rt_layout *layout, uint32_t record)
{
    uint32_t n = plan->units.n, most = n;
    struct dealing dealing = {0};

    for (uint32_t k = 0; k < plan->n_sites; k++)
        most += rt_pad_units((enum rt_site_kind)plan->sites[k].kind, record);
    plan->words = malloc(((size_t)most + 1) * sizeof *plan->words);
    plan->pad_site = malloc(((size_t)most + 1) * sizeof *plan->pad_site);
    if (!plan->words || !plan->pad_site)
        return -1;
    memcpy(plan->words, layout->tables.code.data, (size_t)n * sizeof *plan->words);
    memset(plan->pad_site, 0xff, ((size_t)most + 1) * sizeof *plan->pad_site);
    plan->n_words = n;
    plan->first_pad = n;
    plan->out_of_reach = 0;
    for (uint32_t k = 0; k < plan->n_sites; k++) {
        struct rt_site *site = &plan->sites[k];
        uint32_t units = rt_pad_units((enum rt_site_kind)site->kind, record);

        seek(&dealing, layout, n, site->unit, units);
        if (!find_patch(plan, layout, site, dealing.at, record)) {
            site->patch = 0;
            plan->out_of_reach++;
            continue;
        }
        put_pad(plan, site, dealing.at, record);
        if (dealing.at < plan->first_pad)
            plan->first_pad = dealing.at;
        dealing.at += units;
        if (dealing.at > plan->n_words)
            plan->n_words = dealing.at;
    }
    return 0;
}

#endif
