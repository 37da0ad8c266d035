/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes an rt_shape from what tables.h reads. bytecode.h explains the terms.
 */
#include "bytecode.h"

#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "layout.h"

enum { NOT_REACHED, BY_BRANCH, BY_OTHER };

struct reading {
    const struct rt_code_bytes *in;
    struct rt_code_units code;
    struct rt_shape *out;
    int32_t exit;     /* destination of arcs that leave the code: minus its first line */
    struct reach {    /* of each unit: the edges that lead to it, so far */
        int32_t from; /* BY_BRANCH: the line of the branches */
        uint8_t by;
    } * reach;
    /* arcs by destination, to give equal arcs one number */
    struct known {
        uint32_t dest;
        int32_t from;
        uint32_t arc, next;
        size_t head, len; /* of the arc in out->arcs */
    } * known;
    uint32_t n_known, cap_known;
    uint32_t *known_at; /* [unit] head of the chain, RT_NO_ARC at the end */
    size_t cap_arcs, cap_branches, cap_implied;
};

size_t rt_shape_heads(struct rt_bytes table, int first_line, int *heads, size_t max)
{
    struct rt_lines lines = {.table = table, .line = first_line};
    uint32_t units;
    int32_t line;
    size_t n = 0;

    if (max)
        heads[n++] = first_line;
    while (n < max && rt_lines_next(&lines, &units, &line))
        if (line && line != first_line) {
            heads[n++] = line; /* the def behind its decorators, or else the body: harmless */
            break;
        }
    return n;
}

/* The first unit that has events: the one behind the RESUME at the entry. */
static void find_entry(struct reading *r)
{
    struct rt_shape *out = r->out;
    uint32_t resume = r->code.resume, first;

    if (resume == RT_NO_UNIT || (first = rt_unit_after(&r->code, resume)) == RT_NO_UNIT)
        return;
    out->first_unit = first;
    if (r->code.unit[first].line == r->code.unit[resume].line)
        out->entry_line = r->code.unit[resume].line;
}

/* -- lines -- */

static int compare_lines(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

static int collect_lines(struct reading *r)
{
    struct rt_shape *out = r->out;
    int32_t last = -1;
    uint32_t n = 0;

    for (uint32_t i = out->first_unit; i < r->code.n; i++)
        if (r->code.unit[i].kind != RT_NOT_A_START && r->code.unit[i].line != last) {
            last = r->code.unit[i].line;
            n++;
        }
    out->runs = malloc((n + 1) * sizeof *out->runs);
    out->lines = malloc((n + 1) * sizeof *out->lines);
    if (!out->runs || !out->lines)
        return -1;
    last = -1;
    for (uint32_t i = out->first_unit; i < r->code.n; i++) {
        if (r->code.unit[i].kind == RT_NOT_A_START || r->code.unit[i].line == last)
            continue;
        last = r->code.unit[i].line;
        out->runs[out->n_runs++] = (struct rt_run){i, last};
        if (last)
            out->lines[out->n_lines++] = last;
    }
    if (out->n_lines) {
        uint32_t kept = 1;

        qsort(out->lines, out->n_lines, sizeof *out->lines, compare_lines);
        for (uint32_t i = 1; i < out->n_lines; i++)
            if (out->lines[i] != out->lines[kept - 1])
                out->lines[kept++] = out->lines[i];
        out->n_lines = kept;
    }
    return 0;
}

/* Does a jump lead into its own line? Then a LINE at its target can never be disabled. */
static bool jumps_inside_a_line(const struct reading *r)
{
    for (uint32_t i = r->out->first_unit; i < r->code.n; i++) {
        const struct rt_unit *unit = &r->code.unit[i];
        uint32_t target;

        if ((unit->kind != RT_BRANCH && unit->kind != RT_JUMP) || unit->waits)
            continue;
        target = rt_unit_landed(&r->code, unit->target);
        if (target < r->code.n && unit->line && r->code.unit[target].line == unit->line)
            return true;
    }
    return false;
}

/* -- arcs -- */

static void reach(struct reading *r, uint32_t unit, bool by_branch, int32_t from)
{
    struct reach *at;

    unit = rt_unit_landed(&r->code, unit);
    if (unit == RT_NO_UNIT)
        return;
    at = &r->reach[unit];
    if (!by_branch || !from || (at->by == BY_BRANCH && at->from != from))
        at->by = BY_OTHER;
    else if (at->by == NOT_REACHED)
        *at = (struct reach){from, BY_BRANCH};
}

static void mark_edges(struct reading *r)
{
    struct rt_handler handler;
    size_t at = 0;

    reach(r, r->out->first_unit, false, 0);
    for (uint32_t i = 0; i < r->code.n; i++) {
        const struct rt_unit *unit = &r->code.unit[i];

        switch (unit->kind) {
        case RT_NOT_A_START:
        case RT_SKIPPED:
        case RT_RETURN:
        case RT_RAISE:
            break;
        case RT_BRANCH:
            reach(r, rt_unit_after(&r->code, i), true, unit->line);
            reach(r, unit->target, true, unit->line);
            break;
        case RT_JUMP:
            reach(r, unit->target, false, 0);
            break;
        case RT_SEND:
            reach(r, unit->target, false, 0);
            reach(r, rt_unit_after(&r->code, i), false, 0);
            break;
        default:
            reach(r, rt_unit_after(&r->code, i), false, 0);
        }
    }
    while (rt_handler_next(&r->in->exceptions, &at, &handler))
        reach(r, handler.target, false, 0);
}

/* Appends words of one arc. */
static int put_words(struct reading *r, const int32_t *words, size_t n)
{
    struct rt_shape *out = r->out;

    if (!SEG_GROW(out->arcs, r->cap_arcs, out->arcs_len + n * 4))
        return -1;
    memcpy(out->arcs + out->arcs_len, words, n * 4);
    out->arcs_len += n * 4;
    return 0;
}

static int put_arc_head(struct reading *r, int32_t from, enum seg_arc_kind kind, size_t *head)
{
    struct seg_arc arc = {.from = from, .kind = (uint16_t)kind, .trail = 0};
    int32_t words[2];

    _Static_assert(sizeof arc == sizeof words, "an arc is two words");
    memcpy(words, &arc, sizeof words);
    *head = r->out->arcs_len;
    return put_words(r, words, 2);
}

static int put_trail_word(struct reading *r, size_t head, int32_t word)
{
    struct seg_arc arc;

    memcpy(&arc, r->out->arcs + head, sizeof arc);
    if (arc.trail == UINT16_MAX)
        return 0;
    arc.trail++;
    memcpy(r->out->arcs + head, &arc, sizeof arc);
    return put_words(r, &word, 1);
}

/* Writes the trail from `unit` on. A raise on the branch's own line is followed to its handler or
 * out of the code: a one-line `if …: raise`, or the skip of a last `if` in a `finally` that an
 * exception leaves, has no other trace. */
static int put_trail(struct reading *r, size_t head, int32_t from, uint32_t unit)
{
    int32_t last = 0;
    bool own_line = true;

    for (uint32_t steps = 0; unit < r->code.n && steps < r->code.n; steps++) {
        const struct rt_unit *at = &r->code.unit[unit];

        if (at->line && at->line != last) {
            last = at->line;
            own_line = own_line && last == from;
            if (put_trail_word(r, head, last))
                return -1;
        }
        switch (at->kind) {
        case RT_BRANCH:
        case RT_ANEXT:
            return 0;
        case RT_RETURN:
            return put_trail_word(r, head, r->exit);
        case RT_RAISE:
            if (!own_line && !RT_JUMPS_ON_FIRST_LINE)
                return 0; /* else the merge finds out whether it is of the branch's statement */
            unit = rt_handler_of(&r->in->exceptions, unit);
            if (unit == RT_NO_UNIT)
                return put_trail_word(r, head, r->exit);
            break;
        case RT_JUMP:
        case RT_SEND:
            unit = at->target;
            break;
        default:
            unit = rt_unit_after(&r->code, unit);
        }
    }
    return 0;
}

/* A new arc is compared with so many of the latest ones. */
#define LATEST_ARCS 16

/* The latest arc that equals the one just written: a `case` tests several things, and each has its
 * own edge to the next case. They share one arc, so that one hit completes them all. */
static const struct known *same_trail(const struct reading *r, size_t head, size_t len)
{
    for (uint32_t k = r->n_known, tries = LATEST_ARCS; k && tries; tries--) {
        const struct known *other = &r->known[--k];

        if (other->len == len && !memcmp(r->out->arcs + other->head, r->out->arcs + head, len))
            return other;
    }
    return NULL;
}

/* The number of the arc from a line to a unit: a known one, or a new one with its trail. */
static int arc_to(struct reading *r, int32_t from, uint32_t dest, uint32_t *arc)
{
    size_t head, len, cap = r->cap_known;
    const struct known *same;
    struct known *known;

    *arc = RT_NO_ARC;
    if (dest >= r->code.n || !from)
        return 0;
    for (uint32_t k = r->known_at[dest]; k != RT_NO_ARC; k = r->known[k].next)
        if (r->known[k].from == from) {
            *arc = r->known[k].arc;
            return 0;
        }
    if (!SEG_GROW(r->known, cap, r->n_known + 1))
        return -1;
    r->cap_known = (uint32_t)cap;
    if (put_arc_head(r, from, SEG_ARC_TRAIL, &head) || put_trail(r, head, from, dest))
        return -1;
    len = r->out->arcs_len - head;
    same = same_trail(r, head, len);
    if (same) {
        *arc = same->arc;
        r->out->arcs_len = head;
        head = same->head;
    } else {
        *arc = r->out->n_arcs++;
    }
    known = &r->known[r->n_known];
    *known = (struct known){dest, from, *arc, r->known_at[dest], head, len};
    r->known_at[dest] = r->n_known++;
    return 0;
}

static int add_implied(struct reading *r, uint32_t unit, uint32_t arc)
{
    struct rt_shape *out = r->out;

    if (!SEG_GROW(out->implied, r->cap_implied, out->n_implied + 1))
        return -1;
    out->implied[out->n_implied++] = (struct rt_implied){unit, arc};
    return 0;
}

static int add_branch(struct reading *r, struct rt_branch branch)
{
    struct rt_shape *out = r->out;

    if (branch.near_arc == RT_NO_ARC && branch.far_arc == RT_NO_ARC)
        return 0;
    if (!SEG_GROW(out->branches, r->cap_branches, out->n_branches + 1))
        return -1;
    out->branches[out->n_branches++] = branch;
    return 0;
}

#if RT_BRANCH_SIDES

/* The source of a branch event is the unit of the branch; but if INSTRUCTION is on too, it is the
 * NOT_TAKEN, END_FOR, POP_ITER or END_ASYNC_FOR that the edge leads to. Those become aliases. */
static int add_aliases(struct reading *r, const struct rt_branch *branch, uint32_t far)
{
    if (branch->next < r->code.n && r->code.unit[branch->next].kind == RT_NOT_TAKEN &&
        add_branch(r, (struct rt_branch){.unit = branch->next,
                                         .next = rt_unit_after(&r->code, branch->next),
                                         .near_arc = branch->near_arc,
                                         .far_arc = RT_NO_ARC}))
        return -1;
    for (; far < r->code.n &&
           (r->code.unit[far].kind == RT_SKIPPED || r->code.unit[far].kind == RT_END_ANEXT);
         far = rt_unit_after(&r->code, far))
        if (add_branch(r, (struct rt_branch){.unit = far,
                                             .next = rt_unit_after(&r->code, far),
                                             .near_arc = RT_NO_ARC,
                                             .far_arc = branch->far_arc}))
            return -1;
    return 0;
}

#else

static int add_aliases(struct reading *r, const struct rt_branch *branch, uint32_t far)
{
    (void)r, (void)branch, (void)far;
    return 0;
}

#endif

/* One edge of a branch: its arc, which its destination implies if it has no other predecessors. */
static int add_edge(struct reading *r, int32_t from, uint32_t dest, uint32_t *arc, bool *implied)
{
    /* Not read where each edge has an event: NOLINTNEXTLINE(clang-analyzer-deadcode.DeadStores) */
    uint32_t before = r->n_known;

    *implied = true; /* as good as, if there is no arc */
    if (arc_to(r, from, dest, arc))
        return -1;
    if (*arc == RT_NO_ARC)
        return 0;
    *implied = r->reach[dest].by == BY_BRANCH;
    if (RT_BRANCH_SIDES)
        return 0; /* each edge has its own event */
    if (!*implied)
        r->out->critical = true;
    else if (r->n_known != before)
        return add_implied(r, dest, *arc);
    return 0;
}

/* `async for`: since 3.14 there is a branch event whose source is END_SEND. Before, the instruction
 * behind END_SEND implies one arc, END_ASYNC_FOR the other. */
static int add_async_for(struct reading *r, uint32_t end)
{
    uint32_t send = RT_NO_UNIT, behind;
    struct rt_handler handler;
    struct rt_branch branch = {0};
    int32_t from = 0;
    size_t at = 0;

    while (rt_handler_next(&r->in->exceptions, &at, &handler)) {
        if (handler.target != end)
            continue;
        for (uint32_t i = handler.start; i < handler.end && i < r->code.n; i++) {
            if (r->code.unit[i].kind == RT_ANEXT)
                from = r->code.unit[i].line;
            if (r->code.unit[i].kind == RT_SEND)
                send = r->code.unit[i].target;
        }
    }
    if (!from || send == RT_NO_UNIT || rt_unit_after(&r->code, end) == RT_NO_UNIT)
        return 0;
    behind = RT_END_SEND ? rt_unit_after(&r->code, send) : send;
    if (behind == RT_NO_UNIT)
        return 0;
    branch.unit = send;
    branch.next = behind;
    if (arc_to(r, from, branch.next, &branch.near_arc) ||
        arc_to(r, from, rt_unit_after(&r->code, end), &branch.far_arc))
        return -1;
#if RT_BRANCH_SIDES
    return add_branch(r, branch) || add_aliases(r, &branch, end) ? -1 : 0;
#else
    r->out->only_instruction = true;
    if (branch.near_arc != RT_NO_ARC && add_implied(r, branch.next, branch.near_arc))
        return -1;
    return branch.far_arc == RT_NO_ARC ? 0 : add_implied(r, end, branch.far_arc);
#endif
}

/* The next line that runs after the unit's own if nothing branches; 0: unknown. */
static int32_t next_line(const struct reading *r, uint32_t unit)
{
    int32_t line = r->code.unit[unit].line;

    for (uint32_t steps = 0; unit < r->code.n && steps < r->code.n; steps++) {
        const struct rt_unit *at = &r->code.unit[unit];

        if (at->line && at->line != line)
            return at->line;
        if (at->kind == RT_RETURN)
            return r->exit;
        unit =
            at->kind == RT_JUMP || at->kind == RT_SEND ? at->target : rt_unit_after(&r->code, unit);
    }
    return 0;
}

static int add_lines_arc(struct reading *r, int32_t from, int32_t to)
{
    size_t head;

    if (!to)
        return 0;
    if (put_arc_head(r, from, SEG_ARC_LINES, &head) || put_trail_word(r, head, to))
        return -1;
    r->out->n_arcs++;
    return 0;
}

/* Does the line have a branch? Then all its arcs are those of the branch. */
static bool has_branch(const struct reading *r, int32_t line)
{
    for (uint32_t k = 0; k < r->n_known; k++)
        if (r->known[k].from == line)
            return true;
    return false;
}

/* Two arcs leave the line of a one-line `def` or `class`: to the next statement, taken if both
 * lines ran (SEG_ARC_LINES), and out of its own body (entry_arc of the nested code). */
static int add_definitions(struct reading *r)
{
    size_t n = r->in->n_nested;
    int32_t *heads = malloc((n + 1) * sizeof *heads), *at;
    uint32_t *last = calloc(n + 1, sizeof *last);
    int status = -1;

    if (!heads || !last)
        goto done;
    if (n) {
        memcpy(heads, r->in->nested, n * sizeof *heads);
        qsort(heads, n, sizeof *heads, compare_lines);
    }
    for (uint32_t i = r->out->first_unit; n && i < r->code.n; i++)
        if (r->code.unit[i].kind != RT_NOT_A_START && r->code.unit[i].line &&
            (at = bsearch(&r->code.unit[i].line, heads, n, sizeof *heads, compare_lines)))
            last[at - heads] = i;
    for (size_t k = 0; k < n; k++)
        if (last[k] && !has_branch(r, heads[k]) &&
            add_lines_arc(r, heads[k], next_line(r, last[k])))
            goto done;
    status = 0;
done:
    free(heads);
    free(last);
    return status;
}

/* `while True:` is no branch in bytecode, but with an `else` coverage.py expects two arcs to leave
 * its line, of which a NOP is all the code. */
static int add_nothings(struct reading *r)
{
    int32_t before = 0;

    for (uint32_t i = r->out->first_unit; i < r->code.n; i++) {
        int32_t line = r->code.unit[i].line;
        uint32_t next = rt_unit_after(&r->code, i);

        if (r->code.unit[i].kind == RT_NOT_A_START)
            continue;
        if (r->code.unit[i].kind == RT_NOP && line && line != before && next < r->code.n &&
            r->code.unit[next].line != line && !has_branch(r, line) &&
            add_lines_arc(r, line, next_line(r, i)))
            return -1;
        before = line;
    }
    return 0;
}

/* If the body of a `def` or `class` begins on the line of its head, an arc leaves that line through
 * the body. */
static int add_entry(struct reading *r)
{
    struct rt_shape *out = r->out;
    size_t head;

    if (out->n_lines == 1 && out->lines[0] != out->entry_line)
        return add_lines_arc(r, out->lines[0], r->exit); /* a head of several lines */
    if (!out->entry_line)
        return 0;
    if (put_arc_head(r, out->entry_line, SEG_ARC_EXACT, &head) || put_trail_word(r, head, r->exit))
        return -1;
    if (!r->in->generator) {
        out->entry_arc = out->n_arcs++;
        return 0;
    }
    out->return_arc = out->n_arcs++; /* a generator leaves the line when its body ends */
    return 0;
}

/* Of what begins with its unit. */
static int compare_units(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static int collect_arcs(struct reading *r)
{
    struct rt_shape *out = r->out;

    r->reach = calloc((size_t)r->code.n + 1, sizeof *r->reach);
    r->known_at = malloc(((size_t)r->code.n + 1) * sizeof *r->known_at);
    if (!r->reach || !r->known_at)
        return -1;
    memset(r->known_at, 0xff, ((size_t)r->code.n + 1) * sizeof *r->known_at);
    mark_edges(r);
    for (uint32_t i = out->first_unit; i < r->code.n; i++) {
        const struct rt_unit *unit = &r->code.unit[i];
        struct rt_branch branch = {.unit = i, .next = rt_unit_after(&r->code, i)};

        if (unit->kind == RT_END_ANEXT && add_async_for(r, i))
            return -1;
        if (unit->kind != RT_BRANCH || !unit->line)
            continue;
        if (add_edge(r, unit->line, rt_unit_landed(&r->code, branch.next), &branch.near_arc,
                     &branch.near_implied) ||
            add_edge(r, unit->line, rt_unit_landed(&r->code, unit->target), &branch.far_arc,
                     &branch.far_implied) ||
            add_branch(r, branch) || add_aliases(r, &branch, unit->target))
            return -1;
    }
    if (add_entry(r) || add_definitions(r) || add_nothings(r))
        return -1;
    if (out->n_implied)
        qsort(out->implied, out->n_implied, sizeof *out->implied, compare_units);
    if (out->n_branches)
        qsort(out->branches, out->n_branches, sizeof *out->branches, compare_units);
    return 0;
}

int rt_shape_of(const struct rt_code_bytes *in, const struct rt_code_units *units, bool branches,
                struct rt_shape *out)
{
    /* 0 is the exit of no code: INT32_MIN has no negative, and no real code begins there. */
    struct reading r = {.in = in,
                        .code = *units,
                        .out = out,
                        .exit = in->first_line > INT32_MIN ? -in->first_line : 0};
    int status = -1;

    memset(out, 0, sizeof *out);
    out->entry_arc = RT_NO_ARC;
    out->return_arc = RT_NO_ARC;
    out->n_units = r.code.n;
    find_entry(&r);
    if (collect_lines(&r))
        goto done;
    out->inner_target = jumps_inside_a_line(&r);
    if (branches && collect_arcs(&r))
        goto done;
    status = 0;
done:
    free(r.reach);
    free(r.known);
    free(r.known_at);
    return status;
}

int rt_shape_make(const struct rt_code_bytes *in, bool branches, struct rt_shape *out)
{
    struct rt_code_units units;
    int status;

    memset(out, 0, sizeof *out);
    if (rt_units_read(&units, in->code, in->lines, in->first_line))
        return -1;
    status = rt_shape_of(in, &units, branches, out);
    rt_units_free(&units);
    return status;
}

void rt_shape_free(struct rt_shape *shape)
{
    free(shape->runs);
    free(shape->lines);
    free(shape->arcs);
    free(shape->branches);
    free(shape->implied);
    memset(shape, 0, sizeof *shape);
}

int32_t rt_shape_line(const struct rt_run *runs, uint32_t n_runs, uint32_t unit)
{
    uint32_t low = 0, high = n_runs;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (runs[middle].unit <= unit)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? runs[low - 1].line : 0;
}
