/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a code object's bytes into an rt_shape. See bytecode.h for the words.
 *
 * The tables' formats are CPython's own (Objects/locations.md, Objects/exception_handling_notes.txt
 * in its source tree), the same from 3.11 to 3.15. Caches need no table of their sizes: co_code has
 * them as CACHE instructions.
 */
#include "bytecode.h"

#include "compat.h"

#include <opcode.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"

enum kind {
    NOT_A_START = 0, /* not the start of an instruction */
    DO_PLAIN,        /* goes on with the next one */
    DO_NOTHING,      /* NOP: a statement of its own, such as `pass` or `while True` */
    DO_BRANCH,       /* falls through or jumps */
    DO_JUMP,         /* always jumps */
    DO_SEND,         /* SEND: goes on at its target when what it waits for is over */
    DO_ANEXT,        /* head of an `async for` */
    DO_END_ANEXT,    /* end of an `async for` */
    DO_RETURN,       /* return */
    DO_RAISE,        /* raise or raise again: to a handler or out of the code */
    DO_SKIP,         /* cannot start a line: END_FOR, END_SEND, … */
};

struct unit {
    uint32_t target; /* of DO_BRANCH, DO_JUMP, DO_SEND; of DO_END_ANEXT: where its `async for`
                        yields a value */
    int32_t line;    /* 0: none */
    uint8_t kind;
    uint8_t units;   /* of the instruction, caches included */
    uint8_t reached; /* NOT_REACHED and so on, by edges so far */
    uint8_t waits;   /* belongs to an await: a jump inside it is no loop of a line */
    int32_t from;    /* the line of the branches that reach it */
};

enum { NOT_REACHED, BY_BRANCH, BY_OTHER };

struct reading {
    const struct rt_code_bytes *in;
    struct unit *units;
    uint32_t n;
    struct rt_shape *out;
    /* arcs by destination, to give equal arcs one number */
    struct known {
        uint32_t dest;
        int32_t from;
        uint32_t arc, next;
        size_t head, len; /* of the arc in out->arcs */
    } * known;
    uint32_t n_known, cap_known;
    uint32_t *known_at; /* [unit] head of the chain, RT_NO_ARC at the end */
    size_t cap_arcs, cap_branches, cap_proofs;
};

static int grow(void **items, size_t *cap, size_t need, size_t size)
{
    size_t want = *cap ? *cap : 16;
    void *bigger;

    if (need <= *cap)
        return 0;
    while (want < need)
        want *= 2;
    bigger = realloc(*items, want * size);
    if (!bigger)
        return -1;
    *items = bigger;
    *cap = want;
    return 0;
}

/* -- tables -- */

static bool read_varint(const struct rt_bytes *in, size_t *at, uint32_t *value)
{
    uint32_t result = 0;
    unsigned shift = 0;
    uint8_t byte;

    do {
        if (*at >= in->len || shift > 30)
            return false;
        byte = in->data[(*at)++];
        result |= (uint32_t)(byte & 63) << shift;
        shift += 6;
    } while (byte & 64);
    *value = result;
    return true;
}

static bool read_signed(const struct rt_bytes *in, size_t *at, int32_t *value)
{
    uint32_t raw;

    if (!read_varint(in, at, &raw))
        return false;
    *value = raw & 1 ? -(int32_t)(raw >> 1) : (int32_t)(raw >> 1);
    return true;
}

/* Reads one entry of the line table: `units` code units of line *line, or of none (*has_line). */
static bool next_lines(const struct rt_bytes *table, size_t *at, int64_t *line, uint32_t *units,
                       bool *has_line)
{
    uint32_t ignored;
    int32_t delta = 0;
    uint8_t head;

    if (*at >= table->len)
        return false;
    head = table->data[(*at)++];
    *units = (head & 7u) + 1;
    *has_line = true;
    switch (head >> 3 & 15) {
    case 15:
        *has_line = false;
        break;
    case 14:
        if (!read_signed(table, at, &delta) || !read_varint(table, at, &ignored) ||
            !read_varint(table, at, &ignored) || !read_varint(table, at, &ignored))
            return false;
        break;
    case 13:
        if (!read_signed(table, at, &delta))
            return false;
        break;
    case 10:
    case 11:
    case 12:
        delta = (head >> 3 & 15) - 10;
        *at += 2;
        break;
    default:
        *at += 1;
    }
    *line += delta;
    if (*line <= 0 || *line >= INT32_MAX)
        *has_line = false;
    return true;
}

/* Gives each unit its line. */
static void read_lines(struct reading *r)
{
    int64_t line = r->in->first_line;
    uint32_t unit = 0, units;
    bool has_line;
    size_t at = 0;

    while (unit < r->n && next_lines(&r->in->lines, &at, &line, &units, &has_line))
        for (; units && unit < r->n; units--, unit++)
            r->units[unit].line = has_line ? (int32_t)line : 0;
}

size_t rt_shape_heads(struct rt_bytes lines, int first_line, int *heads, size_t max)
{
    int64_t line = first_line;
    uint32_t units;
    bool has_line;
    size_t at = 0, n = 0;

    if (max)
        heads[n++] = first_line;
    while (n < max && next_lines(&lines, &at, &line, &units, &has_line))
        if (has_line && line != first_line) {
            heads[n++] = (int)line; /* the def behind its decorators, or the body: no harm */
            break;
        }
    return n;
}

/* Calls for each entry of the exception table: [start, end) is handled at `target`, all in units.
 */
static bool next_handler(const struct rt_bytes *table, size_t *at, uint32_t *start, uint32_t *end,
                         uint32_t *target)
{
    uint32_t value[4];

    for (int i = 0; i < 4; i++) {
        uint32_t result = 0;
        uint8_t byte;

        do {
            if (*at >= table->len)
                return false;
            byte = table->data[(*at)++];
            result = result << 6 | (byte & 63);
        } while (byte & 64);
        value[i] = result;
    }
    *start = value[0];
    *end = value[0] + value[1];
    *target = value[2];
    return true;
}

static uint32_t handler_of(const struct reading *r, uint32_t unit)
{
    uint32_t start, end, target;
    size_t at = 0;

    while (next_handler(&r->in->exceptions, &at, &start, &end, &target))
        if (start <= unit && unit < end && target < r->n)
            return target;
    return UINT32_MAX;
}

/* -- instructions -- */

#if RT_MONITORING

static enum kind kind_of(uint8_t op, bool *back)
{
    *back = false;
    switch (op) {
    case POP_JUMP_IF_TRUE:
    case POP_JUMP_IF_FALSE:
    case POP_JUMP_IF_NONE:
    case POP_JUMP_IF_NOT_NONE:
    case FOR_ITER:
        return DO_BRANCH;
    case JUMP_BACKWARD:
    case JUMP_BACKWARD_NO_INTERRUPT:
        *back = true;
        return DO_JUMP;
    case JUMP_FORWARD:
        return DO_JUMP;
    case SEND:
        return DO_SEND;
    case GET_ANEXT:
        return DO_ANEXT;
    case END_ASYNC_FOR:
        return DO_END_ANEXT;
    case RETURN_VALUE:
#ifdef RETURN_CONST
    case RETURN_CONST:
#endif
        return DO_RETURN;
    case RAISE_VARARGS:
    case RERAISE:
        return DO_RAISE;
    case NOP:
        return DO_NOTHING;
#ifdef END_FOR
    case END_FOR:
    case END_SEND:
        return DO_SKIP;
#endif
#ifdef POP_ITER
    case POP_ITER:
        return DO_SKIP;
#endif
    default:
        return DO_PLAIN;
    }
}

static void read_instructions(struct reading *r)
{
    const uint8_t *code = r->in->code.data;
    uint32_t oparg = 0;
    bool back;

    for (uint32_t i = 0; i < r->n;) {
        struct unit *unit = &r->units[i];
        uint8_t op = code[2 * i];
        uint32_t units = 1, after;

        oparg = oparg << 8 | code[2 * i + 1];
        if (op == EXTENDED_ARG) {
            unit->kind = DO_PLAIN;
            unit->units = 1;
            i++;
            continue;
        }
        while (i + units < r->n && code[2 * (i + units)] == CACHE && units < 255)
            units++;
        after = i + units;
        unit->kind = (uint8_t)kind_of(op, &back);
#if RT_END_FOR_POPS
        if (op == POP_TOP && i && code[2 * (i - 1)] == END_FOR)
            unit->kind = DO_SKIP;
#endif
        unit->units = (uint8_t)units;
        if (unit->kind == DO_BRANCH || unit->kind == DO_JUMP || unit->kind == DO_SEND) {
            uint64_t target = back ? (uint64_t)after - oparg : (uint64_t)after + oparg;

            unit->target = target < r->n ? (uint32_t)target : after < r->n ? after : i;
            unit->waits = op == SEND || op == JUMP_BACKWARD_NO_INTERRUPT;
        }
        oparg = 0;
        i = after;
    }
}

#else

/* PyEval_SetTrace tells lines and arcs as they happen; the instructions do not matter. */
static void read_instructions(struct reading *r)
{
    for (uint32_t i = 0; i < r->n; i++) {
        r->units[i].kind = DO_PLAIN;
        r->units[i].units = 1;
    }
}

#endif

static uint32_t after(const struct reading *r, uint32_t unit)
{
    uint32_t next = unit + r->units[unit].units;

    return next < r->n && r->units[unit].units ? next : UINT32_MAX;
}

/* Where the interpreter goes on when it is sent to `unit`: behind END_FOR and the like, which the
 * end of a loop skips. */
static uint32_t place(const struct reading *r, uint32_t unit)
{
    while (unit < r->n && r->units[unit].kind == DO_SKIP)
        unit += r->units[unit].units;
    return unit < r->n ? unit : UINT32_MAX;
}

/* The first unit that the interpreter traces: behind the RESUME of the function's entry. */
static void find_entry(struct reading *r)
{
    struct rt_shape *out = r->out;
    uint32_t resume = 0;

    while (resume < r->n && r->in->code.data[2 * resume] != RESUME)
        resume++;
    if (resume >= r->n || after(r, resume) == UINT32_MAX)
        return;
    out->first_unit = after(r, resume);
    if (r->units[out->first_unit].line == r->units[resume].line)
        out->entry_line = r->units[resume].line;
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

    for (uint32_t i = out->first_unit; i < r->n; i++)
        if (r->units[i].kind != NOT_A_START && r->units[i].line != last) {
            last = r->units[i].line;
            n++;
        }
    out->runs = malloc((n + 1) * sizeof *out->runs);
    out->lines = malloc((n + 1) * sizeof *out->lines);
    if (!out->runs || !out->lines)
        return -1;
    last = -1;
    for (uint32_t i = out->first_unit; i < r->n; i++) {
        if (r->units[i].kind == NOT_A_START || r->units[i].line == last)
            continue;
        last = r->units[i].line;
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

/* Does a jump stay inside its line? The dispatcher of LINE then looks at its target for ever. */
static bool jumps_inside_a_line(const struct reading *r)
{
    for (uint32_t i = r->out->first_unit; i < r->n; i++) {
        const struct unit *unit = &r->units[i];
        uint32_t target;

        if ((unit->kind != DO_BRANCH && unit->kind != DO_JUMP) || unit->waits)
            continue;
        target = place(r, unit->target);
        if (target < r->n && unit->line && r->units[target].line == unit->line)
            return true;
    }
    return false;
}

/* -- arcs -- */

static void reach(struct reading *r, uint32_t unit, bool by_branch, int32_t from)
{
    struct unit *at;

    unit = place(r, unit);
    if (unit >= r->n)
        return;
    at = &r->units[unit];
    if (!by_branch || !from || (at->reached == BY_BRANCH && at->from != from))
        at->reached = BY_OTHER;
    else if (at->reached == NOT_REACHED) {
        at->reached = BY_BRANCH;
        at->from = from;
    }
}

static void mark_edges(struct reading *r)
{
    uint32_t start, end, target;
    size_t at = 0;

    reach(r, r->out->first_unit, false, 0);
    for (uint32_t i = 0; i < r->n; i++) {
        const struct unit *unit = &r->units[i];

        switch (unit->kind) {
        case NOT_A_START:
        case DO_SKIP:
        case DO_RETURN:
        case DO_RAISE:
            break;
        case DO_BRANCH:
            reach(r, after(r, i), true, unit->line);
            reach(r, unit->target, true, unit->line);
            break;
        case DO_JUMP:
            reach(r, unit->target, false, 0);
            break;
        case DO_SEND:
            reach(r, unit->target, false, 0);
            reach(r, after(r, i), false, 0);
            break;
        default:
            reach(r, after(r, i), false, 0);
        }
    }
    while (next_handler(&r->in->exceptions, &at, &start, &end, &target))
        reach(r, target, false, 0);
}

/* Appends bytes of one arc; the trail is filled by the caller afterwards. */
static int put_words(struct reading *r, const int32_t *words, size_t n)
{
    struct rt_shape *out = r->out;

    if (grow((void **)&out->arcs, &r->cap_arcs, out->arcs_len + n * 4, 1))
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

/* Writes the trail from `unit` on. A raise right on the branch's own line is followed to its
 * handler or out of the code: a one-line `if …: raise`, or the skip of a last `if` in a
 * `finally` that an exception leaves, has no other trace. */
static int put_trail(struct reading *r, size_t head, int32_t from, uint32_t unit)
{
    int32_t last = 0;
    bool own_line = true;

    for (uint32_t steps = 0; unit < r->n && steps < r->n; steps++) {
        const struct unit *at = &r->units[unit];

        if (at->line && at->line != last) {
            last = at->line;
            own_line = own_line && last == from;
            if (put_trail_word(r, head, last))
                return -1;
        }
        switch (at->kind) {
        case DO_BRANCH:
        case DO_ANEXT:
            return 0;
        case DO_RETURN:
            return put_trail_word(r, head, -r->in->first_line);
        case DO_RAISE:
            if (!own_line)
                return 0;
            unit = handler_of(r, unit);
            if (unit == UINT32_MAX)
                return put_trail_word(r, head, -r->in->first_line);
            break;
        case DO_JUMP:
        case DO_SEND:
            unit = at->target;
            break;
        default:
            unit = after(r, unit);
        }
    }
    return 0;
}

/* An arc of the last branches that is the same as the one just written: a `case` tests several
 * things, and each has its own way to the next case. One arc for all, so that all are told at once.
 */
static const struct known *same_trail(const struct reading *r, size_t head, size_t len)
{
    for (uint32_t k = r->n_known, tries = 16; k && tries; tries--) {
        const struct known *other = &r->known[--k];

        if (other->len == len && !memcmp(r->out->arcs + other->head, r->out->arcs + head, len))
            return other;
    }
    return NULL;
}

/* The number of the arc from a line to a place: an old one, or a new one with its trail. */
static int arc_to(struct reading *r, int32_t from, uint32_t dest, uint32_t *arc)
{
    size_t head, len, cap = r->cap_known;
    const struct known *same;
    struct known *known;

    *arc = RT_NO_ARC;
    if (dest >= r->n || !from)
        return 0;
    for (uint32_t k = r->known_at[dest]; k != RT_NO_ARC; k = r->known[k].next)
        if (r->known[k].from == from) {
            *arc = r->known[k].arc;
            return 0;
        }
    if (grow((void **)&r->known, &cap, r->n_known + 1, sizeof *r->known))
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

static int add_proof(struct reading *r, uint32_t unit, uint32_t arc)
{
    struct rt_shape *out = r->out;

    if (grow((void **)&out->proofs, &r->cap_proofs, out->n_proofs + 1, sizeof *out->proofs))
        return -1;
    out->proofs[out->n_proofs++] = (struct rt_proof){unit, arc};
    return 0;
}

static int add_branch(struct reading *r, struct rt_branch branch)
{
    struct rt_shape *out = r->out;

    if (branch.near_arc == RT_NO_ARC && branch.far_arc == RT_NO_ARC)
        return 0;
    if (grow((void **)&out->branches, &r->cap_branches, out->n_branches + 1, sizeof *out->branches))
        return -1;
    out->branches[out->n_branches++] = branch;
    return 0;
}

#if RT_BRANCH_SIDES

/* A way is told with the unit of the branch as its source; but if INSTRUCTION is on too, with that
 * of the NOT_TAKEN, END_FOR, POP_ITER or END_ASYNC_FOR that tells it. Those stand for the branch as
 * well. */
static int add_tellers(struct reading *r, const struct rt_branch *branch, uint32_t far)
{
    const uint8_t *code = r->in->code.data;

    if (branch->next < r->n && code[2 * branch->next] == NOT_TAKEN &&
        add_branch(r, (struct rt_branch){.unit = branch->next,
                                         .next = after(r, branch->next),
                                         .near_arc = branch->near_arc,
                                         .far_arc = RT_NO_ARC}))
        return -1;
    for (; far < r->n && (r->units[far].kind == DO_SKIP || r->units[far].kind == DO_END_ANEXT);
         far = after(r, far))
        if (add_branch(r, (struct rt_branch){.unit = far,
                                             .next = after(r, far),
                                             .near_arc = RT_NO_ARC,
                                             .far_arc = branch->far_arc}))
            return -1;
    return 0;
}

#else

static int add_tellers(struct reading *r, const struct rt_branch *branch, uint32_t far)
{
    (void)r, (void)branch, (void)far;
    return 0;
}

#endif

/* One way of a branch: its arc, and the proof of it if the place is reached by nothing else. */
static int add_way(struct reading *r, int32_t from, uint32_t dest, uint32_t *arc, bool *proved)
{
    uint32_t before = r->n_known;

    *proved = true; /* as good as proved, if there is nothing to tell */
    if (arc_to(r, from, dest, arc))
        return -1;
    if (*arc == RT_NO_ARC)
        return 0;
    *proved = r->units[dest].reached == BY_BRANCH;
    if (RT_BRANCH_SIDES)
        return 0; /* each way has its own event */
    if (!*proved)
        r->out->unproved = true;
    else if (r->n_known != before)
        return add_proof(r, dest, *arc);
    return 0;
}

/* `async for`: 3.14 has a branch event whose source is END_SEND; before there is none, and what
 * tells is that the instruction behind END_SEND, or END_ASYNC_FOR, ran. */
static int add_async_for(struct reading *r, uint32_t end)
{
    uint32_t start, stop, target, send = UINT32_MAX;
    struct rt_branch branch = {0};
    int32_t from = 0;
    size_t at = 0;

    while (next_handler(&r->in->exceptions, &at, &start, &stop, &target)) {
        if (target != end)
            continue;
        for (uint32_t i = start; i < stop && i < r->n; i++) {
            if (r->units[i].kind == DO_ANEXT)
                from = r->units[i].line;
            if (r->units[i].kind == DO_SEND)
                send = r->units[i].target;
        }
    }
    if (!from || send == UINT32_MAX || after(r, end) == UINT32_MAX || after(r, send) == UINT32_MAX)
        return 0;
    branch.unit = send;
    branch.next = after(r, send);
    if (arc_to(r, from, branch.next, &branch.near_arc) ||
        arc_to(r, from, after(r, end), &branch.far_arc))
        return -1;
#if RT_BRANCH_SIDES
    return add_branch(r, branch) || add_tellers(r, &branch, end) ? -1 : 0;
#else
    r->out->only_instruction = true;
    if (branch.near_arc != RT_NO_ARC && add_proof(r, branch.next, branch.near_arc))
        return -1;
    return branch.far_arc == RT_NO_ARC ? 0 : add_proof(r, end, branch.far_arc);
#endif
}

/* The line after the unit's own that runs next when nothing branches; 0: unknown. */
static int32_t next_line(const struct reading *r, uint32_t unit)
{
    int32_t line = r->units[unit].line;

    for (uint32_t steps = 0; unit < r->n && steps < r->n; steps++) {
        const struct unit *at = &r->units[unit];

        if (at->line && at->line != line)
            return at->line;
        if (at->kind == DO_RETURN)
            return -r->in->first_line;
        unit = at->kind == DO_JUMP || at->kind == DO_SEND ? at->target : after(r, unit);
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

/* Where a line has branches they tell its ways. */
static bool has_branch(const struct reading *r, int32_t line)
{
    for (uint32_t k = 0; k < r->n_known; k++)
        if (r->known[k].from == line)
            return true;
    return false;
}

/* A `def` or `class` that fills one line has two ways out of that line: to the next statement,
 * which no event tells but the lines themselves, and out of its own body (entry_arc of the nested
 * code). */
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
    for (uint32_t i = r->out->first_unit; n && i < r->n; i++)
        if (r->units[i].kind != NOT_A_START && r->units[i].line &&
            (at = bsearch(&r->units[i].line, heads, n, sizeof *heads, compare_lines)))
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

/* `while True:` is no branch to the interpreter, but a line with two ways out to coverage.py if it
 * has an `else`. Its NOP is all that its line has. */
static int add_nothings(struct reading *r)
{
    int32_t before = 0;

    for (uint32_t i = r->out->first_unit; i < r->n; i++) {
        int32_t line = r->units[i].line;
        uint32_t next = after(r, i);

        if (r->units[i].kind == NOT_A_START)
            continue;
        if (r->units[i].kind == DO_NOTHING && line && line != before && next < r->n &&
            r->units[next].line != line && !has_branch(r, line) &&
            add_lines_arc(r, line, next_line(r, i)))
            return -1;
        before = line;
    }
    return 0;
}

/* The body of a `def` or `class` that begins on the line of its head has a way out of that line,
 * which the definition's next statement shares. */
static int add_entry(struct reading *r)
{
    struct rt_shape *out = r->out;
    size_t head;

    if (out->n_lines == 1 && out->lines[0] != out->entry_line)
        return add_lines_arc(r, out->lines[0], -r->in->first_line); /* a head of several lines */
    if (!out->entry_line)
        return 0;
    if (put_arc_head(r, out->entry_line, SEG_ARC_EXACT, &head) ||
        put_trail_word(r, head, -r->in->first_line))
        return -1;
    if (!r->in->generator) {
        out->entry_arc = out->n_arcs++;
        return 0;
    }
    out->return_arc = out->n_arcs++; /* it is left only when its end is reached */
    return 0;
}

static int compare_proofs(const void *a, const void *b)
{
    const struct rt_proof *x = a, *y = b;

    return (x->unit > y->unit) - (x->unit < y->unit);
}

static int compare_branches(const void *a, const void *b)
{
    const struct rt_branch *x = a, *y = b;

    return (x->unit > y->unit) - (x->unit < y->unit);
}

static int collect_arcs(struct reading *r)
{
    struct rt_shape *out = r->out;

    r->known_at = malloc((r->n + 1) * sizeof *r->known_at);
    if (!r->known_at)
        return -1;
    memset(r->known_at, 0xff, (r->n + 1) * sizeof *r->known_at);
    mark_edges(r);
    for (uint32_t i = out->first_unit; i < r->n; i++) {
        const struct unit *unit = &r->units[i];
        struct rt_branch branch = {.unit = i, .next = after(r, i)};

        if (unit->kind == DO_END_ANEXT && add_async_for(r, i))
            return -1;
        if (unit->kind != DO_BRANCH || !unit->line)
            continue;
        if (add_way(r, unit->line, place(r, branch.next), &branch.near_arc, &branch.near_proved) ||
            add_way(r, unit->line, place(r, unit->target), &branch.far_arc, &branch.far_proved) ||
            add_branch(r, branch) || add_tellers(r, &branch, unit->target))
            return -1;
    }
    if (add_entry(r) || add_definitions(r) || add_nothings(r))
        return -1;
    if (out->n_proofs)
        qsort(out->proofs, out->n_proofs, sizeof *out->proofs, compare_proofs);
    if (out->n_branches)
        qsort(out->branches, out->n_branches, sizeof *out->branches, compare_branches);
    return 0;
}

int rt_shape_make(const struct rt_code_bytes *in, bool branches, struct rt_shape *out)
{
    struct reading r = {.in = in, .out = out};
    int status = -1;

    memset(out, 0, sizeof *out);
    out->entry_arc = RT_NO_ARC;
    out->return_arc = RT_NO_ARC;
    r.n = (uint32_t)(in->code.len / 2);
    out->n_units = r.n;
    r.units = calloc(r.n + 1, sizeof *r.units);
    if (!r.units)
        goto done;
    read_lines(&r);
    read_instructions(&r);
    find_entry(&r);
    if (collect_lines(&r))
        goto done;
    out->inner_target = jumps_inside_a_line(&r);
    if (RT_MONITORING && branches && collect_arcs(&r))
        goto done;
    status = 0;
done:
    free(r.units);
    free(r.known);
    free(r.known_at);
    return status;
}

void rt_shape_free(struct rt_shape *shape)
{
    free(shape->runs);
    free(shape->lines);
    free(shape->arcs);
    free(shape->branches);
    free(shape->proofs);
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
