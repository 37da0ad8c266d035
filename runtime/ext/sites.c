/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disabling and restoring single sites, on what CPython keeps for each code object:
 *
 *   co_code_adaptive[i]    the opcode that runs: plain, specialised or instrumented
 *   lines, line_tools      of an INSTRUMENTED_LINE: the opcode that it hides, and the tools
 *   per_instruction_...    the same of an INSTRUMENTED_INSTRUCTION
 *   tools                  of another instrumented opcode: the tools
 *
 * An INSTRUMENTED_LINE may hide an INSTRUMENTED_INSTRUCTION, and that another instrumented opcode.
 * The arrays of tools are NULL while no event has two; then the tool is the one that listens to it.
 *
 * A specialised instruction may do the work of the next one and skip that. CPython specialises so
 * only if the next one is not instrumented, and does not undo it later; so whoever restores a site
 * makes the instruction before it plain, which it stays as long as the site is on.
 */
#define Py_BUILD_CORE 1
#include "sites.h"

#if RT_SITES

#include <stdlib.h>
#include <string.h>

#include "monitors_layout.h"

#if RT_JIT
#include <dlfcn.h>
#endif

struct site {
    uint32_t unit;
    int32_t line;   /* LINE: as the event names it */
    uint8_t event;  /* neither LINE nor INSTRUCTION: PY_MONITORING_EVENT_... */
    uint8_t opcode; /* the same: the instrumented one; LINE, INSTRUCTION: the plain one */
    uint8_t hidden; /* LINE, INSTRUCTION: the opcode that restoring replaced, if not an event's */
    uint8_t back;   /* units back to an instruction that may swallow this one, or 0 */
    uint8_t ahead;  /* units on to the next instruction */
    uint8_t lone;   /* LINE: `opcode` if nothing else of its line, and no neighbour, is concerned */
    uint16_t at;    /* the same: where in `lines` the hidden opcode is */
};

struct rt_sites {
    uintptr_t version;      /* of the code's instrumentation, when `hidden` was seen */
    struct site *next_line; /* after the one recorded last: mostly the next to be recorded */
    uint32_t n, n_units, n_lines;
    uint8_t tool, bit; /* ours, and its bit among those of an event */
    bool swallowed;    /* LINE: one has a neighbour that may swallow it */
    /* n_units of INSTRUCTION, by unit; n_lines of LINE, by line; one that has NO_LINE; others. */
    struct site site[];
};

#define NO_LINE INT32_MIN

/* The opcode that an event other than LINE and INSTRUCTION may have instrumented. */
static uint8_t *event_opcode(PyCodeObject *code, uint32_t unit)
{
    uint8_t *opcode = &rt_units_of(code)[unit].op.code;

    if (*opcode == INSTRUMENTED_LINE)
        opcode = rt_hidden_by_line(code, unit);
    if (*opcode == INSTRUMENTED_INSTRUCTION)
        opcode = &code->_co_monitoring->per_instruction_opcodes[unit];
    return opcode;
}

/* Removes a tool at a unit of `tools` (which may be NULL). True: no tool is left. */
static bool site_leave(PyCodeObject *code, int event, uint8_t *tools, uint32_t unit, uint8_t bit)
{
    if (!tools)
        return code->_co_monitoring->active_monitors.tools[event] == bit;
    tools[unit] &= (uint8_t)~bit;
    return !tools[unit];
}

static uint8_t bit_of(long tool)
{
    return (uint8_t)(1u << tool);
}

/* -- finding -- */

/* The event of an instrumented opcode; -1: none that the tracer disables and re-arms. */
static int event_of(uint8_t opcode, uint8_t arg)
{
    switch (opcode) {
    case INSTRUMENTED_RESUME:
        return arg ? PY_MONITORING_EVENT_PY_RESUME : PY_MONITORING_EVENT_PY_START;
    case INSTRUMENTED_RETURN_VALUE:
#ifdef INSTRUMENTED_RETURN_CONST
    case INSTRUMENTED_RETURN_CONST:
#endif
        return PY_MONITORING_EVENT_PY_RETURN;
#if RT_BRANCH_SIDES
    case INSTRUMENTED_NOT_TAKEN:
    case INSTRUMENTED_FOR_ITER:
        return PY_MONITORING_EVENT_BRANCH_LEFT;
    case INSTRUMENTED_POP_JUMP_IF_FALSE:
    case INSTRUMENTED_POP_JUMP_IF_TRUE:
    case INSTRUMENTED_POP_JUMP_IF_NONE:
    case INSTRUMENTED_POP_JUMP_IF_NOT_NONE:
    case INSTRUMENTED_POP_ITER:
    case INSTRUMENTED_END_ASYNC_FOR:
        return PY_MONITORING_EVENT_BRANCH_RIGHT;
#else
    case INSTRUMENTED_FOR_ITER:
    case INSTRUMENTED_POP_JUMP_IF_FALSE:
    case INSTRUMENTED_POP_JUMP_IF_TRUE:
    case INSTRUMENTED_POP_JUMP_IF_NONE:
    case INSTRUMENTED_POP_JUMP_IF_NOT_NONE:
        return PY_MONITORING_EVENT_BRANCH;
#endif
    default:
        return -1;
    }
}

/* Removes INSTRUCTION, which is on, from a unit that implies no arc. From others it removes LINE,
 * as INSTRUCTION records the line too, unless another tool listens to that. True: an arc is
 * implied. */
static bool site_prune(PyCodeObject *code, const struct rt_code *rc, uint32_t unit, long tool)
{
    _PyCoMonitoringData *monitoring = code->_co_monitoring;
    uint8_t *opcode = &rt_units_of(code)[unit].op.code;

    if (rt_code_implied(rc, unit)) {
        rt_monitors_uncover(code, unit, tool);
        return true;
    }
    if (*opcode == INSTRUMENTED_LINE)
        opcode = rt_hidden_by_line(code, unit);
    if (*opcode == INSTRUMENTED_INSTRUCTION &&
        site_leave(code, PY_MONITORING_EVENT_INSTRUCTION, monitoring->per_instruction_tools, unit,
                   bit_of(tool)))
        *opcode = monitoring->per_instruction_opcodes[unit];
    return false;
}

/* The code without instrumentation or specialisation. */
struct plain {
    const uint8_t *bytes;
    uint32_t n; /* units */
};

static uint8_t plain_at(const struct plain *plain, uint32_t unit)
{
    return plain->bytes[2 * unit];
}

static bool may_swallow(uint8_t first, uint8_t second)
{
    return (first == BINARY_OP && second == STORE_FAST) || (first == CALL && second == POP_TOP);
}

/* A site at `unit`, with the distances to its neighbours. */
static struct site site_at(const struct plain *plain, uint32_t unit)
{
    uint32_t before = unit, site_behind = unit + 1;

    while (before-- && plain_at(plain, before) == CACHE)
        ;
    while (site_behind < plain->n && plain_at(plain, site_behind) == CACHE)
        site_behind++;
    return (struct site){
        .unit = unit,
        .opcode = plain_at(plain, unit),
        .hidden = plain_at(plain, unit),
        .back = unit && may_swallow(plain_at(plain, before), plain_at(plain, unit))
                    ? (uint8_t)(unit - before)
                    : 0,
        .ahead = (uint8_t)(site_behind - unit),
    };
}

static bool line_site(PyCodeObject *code, const struct rt_code *rc, const struct plain *plain,
                      uint32_t unit, struct site *site)
{
    if (rt_units_of(code)[unit].op.code != INSTRUMENTED_LINE)
        return false;
    *site = site_at(plain, unit);
    site->line = rt_shape_line(rc->runs, rc->n_runs, unit);
    return true;
}

/* Whether an event has something to record in every context. */
static bool site_records(const struct rt_code *rc, uint32_t unit, int event)
{
    const struct rt_branch *branch;

    switch (event) {
    case PY_MONITORING_EVENT_PY_START:
        return rt_code_enters(rc);
    case PY_MONITORING_EVENT_PY_RETURN:
        return rc->return_arc != RT_NO_ARC;
    case PY_MONITORING_EVENT_PY_RESUME:
        return true;
    default:
        branch = rt_code_branch(rc, unit);
        if (!branch)
            return false;
#if RT_BRANCH_SIDES
        return (event == PY_MONITORING_EVENT_BRANCH_LEFT ? branch->near_arc : branch->far_arc) !=
               RT_NO_ARC;
#else
        return (branch->near_arc != RT_NO_ARC && !(rc->instruction_kept && branch->near_implied)) ||
               (branch->far_arc != RT_NO_ARC && !(rc->instruction_kept && branch->far_implied));
#endif
    }
}

static bool event_site(PyCodeObject *code, const struct rt_code *rc, const struct plain *plain,
                       uint32_t unit, long tool, struct site *site)
{
    uint8_t opcode = *event_opcode(code, unit);
    int event = event_of(opcode, rt_units_of(code)[unit].op.arg);

    if (event < 0 || !rt_listens(code, event, tool) || !site_records(rc, unit, event))
        return false;
    *site = site_at(plain, unit);
    site->event = (uint8_t)event;
    site->opcode = opcode;
    return true;
}

static int by_line(const void *a, const void *b)
{
    const struct site *first = a, *second = b;

    if (first->line != second->line)
        return first->line < second->line ? -1 : 1;
    return first->unit < second->unit ? -1 : 1;
}

static struct site *sites_lines(struct rt_sites *sites)
{
    return sites->site + sites->n_units;
}

static struct site *sites_others(struct rt_sites *sites)
{
    return sites_lines(sites) + sites->n_lines + 1;
}

static struct rt_sites *shrink(struct rt_sites *sites)
{
    struct rt_sites *smaller = realloc(sites, sizeof *sites + sites->n * sizeof *sites->site);

    return smaller ? smaller : sites;
}

/* Notes which sites of LINE can be disabled in the short way. */
static void find_lone(PyCodeObject *code, struct site *site)
{
    for (int32_t before = NO_LINE; site->line != NO_LINE; before = site++->line) {
        ptrdiff_t at = rt_hidden_by_line(code, site->unit) - (uint8_t *)code->_co_monitoring->lines;
        bool lone = site->line != before && site->line != site[1].line &&
                    site->opcode != BINARY_OP && site->opcode != CALL && at <= UINT16_MAX;

        site->lone = lone ? site->opcode : INSTRUMENTED_LINE; /* which no site hides */
        site->at = lone ? (uint16_t)at : 0;
    }
}

struct rt_sites *rt_sites_find(PyCodeObject *code, const struct rt_code *rc, long tool)
{
    PyObject *bytes = PyCode_GetCode(code); /* CPython keeps it */
    struct plain plain = {0};
    bool instructions = rt_listens(code, PY_MONITORING_EVENT_INSTRUCTION, tool);
    struct rt_sites *sites = NULL;
    uint32_t n = 0;

    if (bytes) {
        plain.bytes = (const uint8_t *)PyBytes_AS_STRING(bytes);
        plain.n = (uint32_t)(PyBytes_GET_SIZE(bytes) / 2);
        /* A unit may have a LINE, an INSTRUCTION and another event. */
        sites = malloc(sizeof *sites + (3 * plain.n + 1) * sizeof *sites->site);
    }
    if (!sites) {
        PyErr_Clear();
        Py_XDECREF(bytes);
        return NULL;
    }
    for (uint32_t unit = 0; unit < plain.n; unit++)
        if (plain_at(&plain, unit) != CACHE && instructions && site_prune(code, rc, unit, tool))
            sites->site[n++] = site_at(&plain, unit);
    sites->n_units = n;
    for (uint32_t unit = 0; unit < plain.n; unit++)
        if (plain_at(&plain, unit) != CACHE)
            n += line_site(code, rc, &plain, unit, &sites->site[n]);
    sites->n_lines = n - sites->n_units;
    qsort(sites_lines(sites), sites->n_lines, sizeof *sites->site, by_line);
    sites->site[n++] = (struct site){.line = NO_LINE};
    find_lone(code, sites_lines(sites));
    for (uint32_t unit = 0; unit < plain.n; unit++)
        if (plain_at(&plain, unit) != CACHE)
            n += event_site(code, rc, &plain, unit, tool, &sites->site[n]);
    sites->n = n;
    Py_DECREF(bytes);
    sites = shrink(sites);
    sites->tool = (uint8_t)tool;
    sites->bit = bit_of(tool);
    sites->next_line = sites_lines(sites);
    sites->version = code->_co_instrumentation_version;
    sites->swallowed = false;
    for (struct site *site = sites->next_line; site->line != NO_LINE; site++)
        sites->swallowed |= site->back != 0;
    return sites;
}

/* -- off and on -- */

/* What replaces the instrumented opcode of a site: the one that it hides, or the specialised opcode
 * that restoring the site replaced. Its inline caches are intact if the instrumented opcode has
 * been there ever since, that is, if the version of the instrumentation is the same. */
static uint8_t site_behind(const struct rt_sites *sites, PyCodeObject *code,
                           const struct site *site, uint8_t opcode)
{
    bool same = sites->version == code->_co_instrumentation_version && opcode == site->opcode;

    if (!same || (rt_swallower(site->hidden) &&
                  rt_is_instrumented(rt_units_of(code)[site->unit + site->ahead].op.code)))
        return opcode;
    return site->hidden;
}

static void site_line_off(const struct rt_sites *sites, PyCodeObject *code, const struct site *site)
{
    uint8_t *opcode = &rt_units_of(code)[site->unit].op.code, hidden;

    if (*opcode != INSTRUMENTED_LINE)
        return;
    hidden = *rt_hidden_by_line(code, site->unit);
    if (hidden != INSTRUMENTED_INSTRUCTION && /* else its event would be lost */
        site_leave(code, PY_MONITORING_EVENT_LINE, code->_co_monitoring->line_tools, site->unit,
                   sites->bit))
        *opcode = site_behind(sites, code, site, hidden);
}

/* The first site of a line, or one of another line. */
RT_SELDOM static struct site *find_line(struct rt_sites *sites, int32_t line)
{
    struct site *low = sites_lines(sites), *high = low + sites->n_lines;

    while (low < high) {
        struct site *middle = low + (high - low) / 2;

        if (middle->line < line)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool rt_sites_line_off(struct rt_sites *sites, PyCodeObject *code, int32_t line)
{
    struct site *site = sites->next_line;

    if (site->line != line)
        site = find_line(sites, line);
    if (site->line != line)
        return sites->n_units;
    do
        site_line_off(sites, code, site++);
    while (site->line == line);
    sites->next_line = site;
    return true;
}

bool rt_sites_next_line_off(struct rt_sites *sites, PyCodeObject *code, int32_t line)
{
    struct site *site = sites->next_line;
    const _PyCoMonitoringData *monitoring = code->_co_monitoring;
    uint8_t *opcode = &rt_units_of(code)[site->unit].op.code, *tools = monitoring->line_tools;

    if (site->line != line || sites->version != code->_co_instrumentation_version ||
        *opcode != INSTRUMENTED_LINE ||
        ((const uint8_t *)monitoring->lines)[site->at] != site->lone)
        return false;
    if (tools) {
        if (tools[site->unit] != sites->bit)
            return false;
        tools[site->unit] = 0;
    }
    *opcode = site->hidden;
    sites->next_line = site + 1;
    return true;
}

static void site_unit_off(const struct rt_sites *sites, PyCodeObject *code, const struct site *site)
{
    _PyCoMonitoringData *monitoring = code->_co_monitoring;
    uint8_t *opcode = &rt_units_of(code)[site->unit].op.code, hidden;
    bool covered;

    rt_monitors_recorded(code, sites->tool, site->unit);
    covered = *opcode == INSTRUMENTED_LINE;
    if (covered)
        opcode = rt_hidden_by_line(code, site->unit);
    if (*opcode != INSTRUMENTED_INSTRUCTION ||
        !site_leave(code, PY_MONITORING_EVENT_INSTRUCTION, monitoring->per_instruction_tools,
                    site->unit, sites->bit))
        return;
    hidden = monitoring->per_instruction_opcodes[site->unit];
    *opcode = covered ? hidden : site_behind(sites, code, site, hidden);
}

bool rt_sites_unit_off(struct rt_sites *sites, PyCodeObject *code, uint32_t unit)
{
    const struct site *site = rt_at_unit(sites->site, sites->n_units, sizeof *site, unit);

    if (site)
        site_unit_off(sites, code, site);
    return site;
}

/* What the instrumented opcode of a site hides when it replaces `opcode`, which is noted. */
static uint8_t site_hide(struct site *site, uint8_t opcode)
{
    site->hidden = rt_is_instrumented(opcode) ? site->opcode : opcode;
    return rt_is_instrumented(opcode) ? opcode : site->opcode;
}

/* Makes the instruction before a site plain if it would swallow the site, which comes back. */
static void site_spare(_Py_CODEUNIT *units, const struct site *site)
{
    uint8_t *before = &units[site->unit - site->back].op.code;
    uint8_t plain = site->back ? rt_swallower(*before) : 0;

    if (plain)
        *before = plain;
}

static void site_line_on(PyCodeObject *code, const struct rt_hidden *hidden, struct site *site,
                         bool same)
{
    uint8_t *opcode = &rt_units_of(code)[site->unit].op.code, now = *opcode;

    if (now != INSTRUMENTED_LINE) {
        hidden->first[site->unit * hidden->stride] = site_hide(site, now);
        *opcode = INSTRUMENTED_LINE;
    } else if (!same) {
        site->hidden = site->opcode;
    }
}

/* What the loops need is loaded once: the compiler cannot know that no opcode is written over it.
 */
static void lines_on(struct rt_sites *sites, PyCodeObject *code)
{
    const struct rt_hidden hidden = rt_hidden(code);
    struct site *lines = sites_lines(sites);
    _Py_CODEUNIT *units = rt_units_of(code);
    uint8_t *tools = code->_co_monitoring->line_tools, bit = sites->bit;
    bool same = sites->version == code->_co_instrumentation_version;

    if (tools)
        for (struct site *site = lines; site->line != NO_LINE; site++)
            tools[site->unit] |= bit;
    if (sites->swallowed)
        for (struct site *site = lines; site->line != NO_LINE; site++)
            site_spare(units, site);
    for (struct site *site = lines; site->line != NO_LINE; site++) {
        uint8_t *opcode = &units[site->unit].op.code, now = *opcode;

        if (rt_is_instrumented(now)) {
            site_line_on(code, &hidden, site, same);
            continue;
        }
        site->hidden = now;
        hidden.first[site->unit * hidden.stride] = site->opcode;
        *opcode = INSTRUMENTED_LINE;
    }
}

static void site_unit_on(struct rt_sites *sites, PyCodeObject *code, struct site *site)
{
    _PyCoMonitoringData *monitoring = code->_co_monitoring;
    uint8_t *tools = monitoring->per_instruction_tools;
    uint8_t *opcode = &rt_units_of(code)[site->unit].op.code;

    if (tools)
        tools[site->unit] |= sites->bit;
    if (monitoring->line_tools) /* as rt_monitors_keep() does */
        monitoring->line_tools[site->unit] |= sites->bit;
    site_spare(rt_units_of(code), site);
    rt_monitors_uncover(code, site->unit, sites->tool); /* after restart_events() by another tool */
    if (*opcode == INSTRUMENTED_LINE) { /* another tool's: what it hides is not specialised */
        site->hidden = site->opcode;
        opcode = rt_hidden_by_line(code, site->unit);
        if (*opcode == INSTRUMENTED_INSTRUCTION)
            return;
    } else if (*opcode == INSTRUMENTED_INSTRUCTION) {
        if (sites->version != code->_co_instrumentation_version)
            site->hidden = site->opcode;
        return;
    }
    monitoring->per_instruction_opcodes[site->unit] = site_hide(site, *opcode);
    *opcode = INSTRUMENTED_INSTRUCTION;
}

static void site_event_on(PyCodeObject *code, const struct site *site, uint8_t bit)
{
    _PyCoMonitoringData *monitoring = code->_co_monitoring;

    if (!(monitoring->active_monitors.tools[site->event] & bit))
        return;
    site_spare(rt_units_of(code), site);
    if (monitoring->tools)
        monitoring->tools[site->unit] |= bit;
    *event_opcode(code, site->unit) = site->opcode;
}

bool rt_sites_restore(struct rt_sites *sites, PyCodeObject *code)
{
    if (!rt_listens(code, PY_MONITORING_EVENT_LINE, sites->tool) ||
        (sites->n_units && !rt_listens(code, PY_MONITORING_EVENT_INSTRUCTION, sites->tool)))
        return false;
    for (uint32_t i = 0; i < sites->n_units; i++)
        site_unit_on(sites, code, &sites->site[i]);
    lines_on(sites, code);
    for (struct site *site = sites_others(sites); site < sites->site + sites->n; site++)
        site_event_on(code, site, sites->bit);
    sites->next_line = sites_lines(sites);
    sites->version = code->_co_instrumentation_version;
    return true;
}

/* -- is it usable? -- */

/* Whether the interpreter may compile bytecode into code that ignores later changes to it. */
static bool has_jit(void)
{
#if RT_JIT
    PyObject *jit = PySys_GetObject("_jit"), *enabled; /* borrowed */
    bool result;

    /* 3.13 has no attribute for it; the function is in builds that have a JIT. */
    if (!jit)
        return dlsym(RTLD_DEFAULT, "_PyOptimizer_NewUOpOptimizer");
    enabled = PyObject_CallMethod(jit, "is_enabled", NULL);
    result = enabled != Py_False;
    Py_XDECREF(enabled);
    PyErr_Clear();
    return result;
#else
    return false;
#endif
}

/* Code with every kind of site. */
static const char PROBE[] = "def f(x):\n"
                            "    for y in x:\n"
                            "        if y:\n"
                            "            yield y\n"
                            "    return x\n";

/* The place of a site's instrumented opcode, and that opcode. */
static uint8_t *place_of(PyCodeObject *code, struct rt_sites *sites, const struct site *site,
                         uint8_t *instrumented)
{
    uint8_t *opcode = &rt_units_of(code)[site->unit].op.code;

    if (site >= sites_others(sites)) {
        *instrumented = site->opcode;
        return event_opcode(code, site->unit);
    }
    if (site >= sites_lines(sites)) {
        *instrumented = INSTRUMENTED_LINE;
        return opcode;
    }
    *instrumented = INSTRUMENTED_INSTRUCTION;
    return *opcode == INSTRUMENTED_LINE ? rt_hidden_by_line(code, site->unit) : opcode;
}

/* Whether all sites of the probe are on, or off. */
static bool all_are(PyCodeObject *probe, struct rt_sites *sites, bool on)
{
    uint8_t instrumented;

    for (struct site *site = sites->site; site < sites->site + sites->n; site++)
        if (site->line != NO_LINE &&
            (*place_of(probe, sites, site, &instrumented) == instrumented) != on)
            return false;
    return true;
}

/* Whether there is a site of each event that is armed on the probe. */
static bool has_all(struct rt_sites *sites, bool instructions, unsigned long events)
{
    for (struct site *site = sites_others(sites); site < sites->site + sites->n; site++)
        events &= ~(1ul << site->event);
    return sites->n_lines && !sites->n_units == !instructions && !events;
}

/* Turns everything off, as the tracer and CPython do. */
static void all_off(PyCodeObject *probe, struct rt_sites *sites, const uint8_t *plain)
{
    struct site *site = sites->site;

    for (; site < sites_lines(sites); site++)
        rt_sites_unit_off(sites, probe, site->unit);
    for (; site->line != NO_LINE; site++)
        rt_sites_line_off(sites, probe, site->line);
    for (site = sites_others(sites); site < sites->site + sites->n; site++)
        if (site_leave(probe, site->event, probe->_co_monitoring->tools, site->unit, sites->bit))
            *event_opcode(probe, site->unit) = plain[2 * site->unit];
}

/* Whether nothing in the code is instrumented but its RESUME. */
static bool is_plain(PyCodeObject *code, const uint8_t *plain)
{
    for (uint32_t unit = 0; unit < (uint32_t)Py_SIZE(code); unit++) {
        uint8_t opcode = rt_units_of(code)[unit].op.code;

        if (plain[2 * unit] != CACHE && rt_is_instrumented(opcode) && opcode != INSTRUMENTED_RESUME)
            return false;
    }
    return true;
}

/* Whether another tool listens to something in the probe. */
static bool crowded(PyCodeObject *probe, long tool)
{
    const _PyCoMonitoringData *monitoring = probe->_co_monitoring;

    for (size_t event = 0; event < sizeof monitoring->active_monitors.tools; event++)
        if (monitoring->active_monitors.tools[event] & ~(1u << tool))
            return true;
    return false;
}

/* Sites go off and on, and CPython removes what was written as its own. If another tool listens to
 * the probe, less can be checked. */
static bool try_sites(PyCodeObject *probe, const struct rt_code *rc, const uint8_t *plain,
                      rt_arm *arm, void *arg, long tool)
{
    const unsigned long local =
        1ul << PY_MONITORING_EVENT_PY_START | 1ul << PY_MONITORING_EVENT_PY_RESUME |
        1ul << PY_MONITORING_EVENT_PY_RETURN |
#if RT_BRANCH_SIDES
        1ul << PY_MONITORING_EVENT_BRANCH_LEFT | 1ul << PY_MONITORING_EVENT_BRANCH_RIGHT;
#else
        1ul << PY_MONITORING_EVENT_BRANCH;
#endif
    const unsigned long line = 1ul << PY_MONITORING_EVENT_LINE;
    const unsigned long instruction = rc->n_implied ? 1ul << PY_MONITORING_EVENT_INSTRUCTION : 0;
    struct rt_sites *sites = NULL;
    bool sole_tool, usable = false;

    if (arm(arg, probe, local | line | instruction) ||
        (instruction && !rt_monitors_keep(probe, tool)) ||
        !(sites = rt_sites_find(probe, rc, tool)))
        return false;
    sole_tool = !crowded(probe, tool);
    if (has_all(sites, instruction, local) && all_are(probe, sites, true)) {
        all_off(probe, sites, plain);
        usable = (!sole_tool || all_are(probe, sites, false)) && rt_sites_restore(sites, probe) &&
                 all_are(probe, sites, true);
    }
    free(sites);
    return !arm(arg, probe, 0) && usable &&
           (!sole_tool || crowded(probe, tool) || is_plain(probe, plain));
}

bool rt_sites_usable(rt_arm *arm, void *arg, long tool)
{
    PyCodeObject *probe = has_jit() ? NULL : rt_code_compile(PROBE);
    struct rt_code *rc = probe ? rt_code_probe(probe) : NULL;
    PyObject *bytes = rc ? PyCode_GetCode(probe) : NULL;
    bool usable =
        bytes && try_sites(probe, rc, (const uint8_t *)PyBytes_AS_STRING(bytes), arm, arg, tool);

    PyErr_Clear();
    rt_code_free(rc);
    Py_XDECREF(bytes);
    Py_XDECREF(probe);
    return usable;
}

#endif
