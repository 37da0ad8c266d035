/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disabling and restoring single sites, on what CPython keeps for each code object:
 *
 *   co_code_adaptive[i]    the opcode that runs: plain, specialised or instrumented
 *   lines, line_tools      behind an INSTRUMENTED_LINE: the opcode that it hides, and whose it is
 *   per_instruction_...    the same behind an INSTRUMENTED_INSTRUCTION
 *   tools                  behind another instrumented opcode: whose it is
 *
 * An INSTRUMENTED_LINE may hide an INSTRUMENTED_INSTRUCTION, and that another instrumented opcode.
 * The tools are NULL while no event has two of them; then it is whoever's event it is.
 */
#define Py_BUILD_CORE 1 /* for struct _PyCoMonitoringData of 3.14 */
#include "sites.h"

#if RT_SITES

#include <internal/pycore_instruments.h>
#include <opcode.h>
#include <stdlib.h>

#if RT_JIT
#include <dlfcn.h>
#endif

struct site {
    uint32_t unit;
    int32_t line;   /* LINE: as the event names it */
    uint8_t event;  /* others than LINE and INSTRUCTION: PY_MONITORING_EVENT_... */
    uint8_t opcode; /* the same: the instrumented one; LINE, INSTRUCTION: that of co_code */
    uint8_t hidden; /* LINE, INSTRUCTION: the opcode that restoring replaced, or 0 */
};

struct rt_sites {
    uintptr_t version; /* of the code's instrumentation, when `hidden` was seen */
    uint32_t n, n_units, n_lines;
    uint32_t next_line; /* behind the one told last: mostly the next to be told */
    struct site site[]; /* n_units of INSTRUCTION, by unit; n_lines of LINE, by line; others */
};

static _Py_CODEUNIT *units_of(PyCodeObject *code)
{
    return (_Py_CODEUNIT *)code->co_code_adaptive;
}

/* Where the opcode is that the INSTRUMENTED_LINE at a unit hides. */
static uint8_t *hidden_by_line(PyCodeObject *code, uint32_t unit)
{
#if RT_LINES_PACKED
    _PyCoLineInstrumentationData *lines = code->_co_monitoring->lines;

    return &lines->data[(size_t)unit * lines->bytes_per_entry];
#else
    return &code->_co_monitoring->lines[unit].original_opcode;
#endif
}

/* Where the opcode is that an event other than LINE and INSTRUCTION may have instrumented. */
static uint8_t *event_opcode(PyCodeObject *code, uint32_t unit)
{
    uint8_t *opcode = &units_of(code)[unit].op.code;

    if (*opcode == INSTRUMENTED_LINE)
        opcode = hidden_by_line(code, unit);
    if (*opcode == INSTRUMENTED_INSTRUCTION)
        opcode = &code->_co_monitoring->per_instruction_opcodes[unit];
    return opcode;
}

static bool listens(PyCodeObject *code, int event, long tool)
{
    const _PyCoMonitoringData *monitoring = code->_co_monitoring;

    return monitoring && monitoring->active_monitors.tools[event] & 1u << tool;
}

/* An opcode that is neither plain nor specialised. */
static bool is_instrumented(uint8_t opcode)
{
    return opcode >= MIN_INSTRUMENTED_OPCODE;
}

/* Takes a tool away from a unit of `tools` (which may be NULL). True: nobody is left. */
static bool leave(PyCodeObject *code, int event, uint8_t *tools, uint32_t unit, long tool)
{
    if (!tools)
        return code->_co_monitoring->active_monitors.tools[event] == 1u << tool;
    tools[unit] &= (uint8_t) ~(1u << tool);
    return !tools[unit];
}

/* -- finding -- */

/* The event of an instrumented opcode, or -1: none that the tracer disables and wants again. */
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

/* Takes LINE away from an instruction that has its own event, unless another tool listens too. */
static void uncover(PyCodeObject *code, uint32_t unit, long tool)
{
    _PyCoMonitoringData *monitoring = code->_co_monitoring;
    uint8_t *opcode = &units_of(code)[unit].op.code;

    if (*opcode != INSTRUMENTED_LINE || *hidden_by_line(code, unit) != INSTRUMENTED_INSTRUCTION ||
        !leave(code, PY_MONITORING_EVENT_LINE, monitoring->line_tools, unit, tool))
        return;
    *opcode = INSTRUMENTED_INSTRUCTION;
    *hidden_by_line(code, unit) = monitoring->per_instruction_opcodes[unit];
}

/* INSTRUCTION is on: takes it away where it proves nothing, and LINE where the unit's own event
 * tells the line as well (it would be lost when LINE is disabled). True: it proves something. */
static bool prune(PyCodeObject *code, const struct rt_code *rc, uint32_t unit, long tool)
{
    _PyCoMonitoringData *monitoring = code->_co_monitoring;
    uint8_t *opcode = &units_of(code)[unit].op.code;

    if (rt_code_proofs(rc, unit)) {
        uncover(code, unit, tool);
        return true;
    }
    if (*opcode == INSTRUMENTED_LINE)
        opcode = hidden_by_line(code, unit);
    if (*opcode == INSTRUMENTED_INSTRUCTION &&
        leave(code, PY_MONITORING_EVENT_INSTRUCTION, monitoring->per_instruction_tools, unit, tool))
        *opcode = monitoring->per_instruction_opcodes[unit];
    return false;
}

static bool line_site(PyCodeObject *code, const struct rt_code *rc, uint32_t unit, uint8_t plain,
                      struct site *site)
{
    if (units_of(code)[unit].op.code != INSTRUMENTED_LINE)
        return false;
    *site = (struct site){
        .unit = unit, .line = rt_shape_line(rc->runs, rc->n_runs, unit), .opcode = plain};
    return true;
}

/* Whether an event tells something in every context. */
static bool tells(const struct rt_code *rc, uint32_t unit, int event)
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
        return (branch->near_arc != RT_NO_ARC && !(rc->proofs_hold && branch->near_proved)) ||
               (branch->far_arc != RT_NO_ARC && !(rc->proofs_hold && branch->far_proved));
#endif
    }
}

static bool event_site(PyCodeObject *code, const struct rt_code *rc, uint32_t unit, long tool,
                       struct site *site)
{
    uint8_t opcode = *event_opcode(code, unit);
    int event = event_of(opcode, units_of(code)[unit].op.arg);

    if (event < 0 || !listens(code, event, tool) || !tells(rc, unit, event))
        return false;
    *site = (struct site){.unit = unit, .event = (uint8_t)event, .opcode = opcode};
    return true;
}

static int by_line(const void *a, const void *b)
{
    const struct site *first = a, *second = b;

    if (first->line != second->line)
        return first->line < second->line ? -1 : 1;
    return first->unit < second->unit ? -1 : 1;
}

static struct rt_sites *shrink(struct rt_sites *sites)
{
    struct rt_sites *smaller = realloc(sites, sizeof *sites + sites->n * sizeof *sites->site);

    return smaller ? smaller : sites;
}

struct rt_sites *rt_sites_find(PyCodeObject *code, const struct rt_code *rc, long tool)
{
    PyObject *bytes = PyCode_GetCode(code); /* CPython keeps it */
    const uint8_t *plain = bytes ? (const uint8_t *)PyBytes_AS_STRING(bytes) : NULL;
    uint32_t n_units = bytes ? (uint32_t)(PyBytes_GET_SIZE(bytes) / 2) : 0, n = 0;
    bool instructions = listens(code, PY_MONITORING_EVENT_INSTRUCTION, tool);
    /* A unit may have a LINE, an INSTRUCTION and another event. */
    struct rt_sites *sites =
        bytes ? malloc(sizeof *sites + 3 * n_units * sizeof *sites->site) : NULL;

    if (!sites) {
        PyErr_Clear();
        Py_XDECREF(bytes);
        return NULL;
    }
    for (uint32_t unit = 0; unit < n_units; unit++)
        if (plain[2 * unit] != CACHE && instructions && prune(code, rc, unit, tool))
            sites->site[n++] = (struct site){.unit = unit, .opcode = plain[2 * unit]};
    sites->n_units = n;
    for (uint32_t unit = 0; unit < n_units; unit++)
        if (plain[2 * unit] != CACHE)
            n += line_site(code, rc, unit, plain[2 * unit], &sites->site[n]);
    sites->n_lines = n - sites->n_units;
    qsort(sites->site + sites->n_units, sites->n_lines, sizeof *sites->site, by_line);
    for (uint32_t unit = 0; unit < n_units; unit++)
        if (plain[2 * unit] != CACHE)
            n += event_site(code, rc, unit, tool, &sites->site[n]);
    sites->n = n;
    sites->next_line = 0;
    sites->version = code->_co_instrumentation_version;
    Py_DECREF(bytes);
    return shrink(sites);
}

/* -- off and on -- */

/* What replaces the instrumented opcode of a site: what is behind it, or the specialised opcode
 * that restoring the site replaced. The caches of the instruction are as that one left them, for
 * the instrumented opcode has been there ever since: whatever instruments code changes its version.
 */
static uint8_t behind(const struct rt_sites *sites, const PyCodeObject *code,
                      const struct site *site, uint8_t opcode)
{
    bool same = sites->version == code->_co_instrumentation_version && opcode == site->opcode;

    return same && site->hidden ? site->hidden : opcode;
}

static void line_off(const struct rt_sites *sites, PyCodeObject *code, const struct site *site,
                     long tool)
{
    uint8_t *opcode = &units_of(code)[site->unit].op.code, hidden;

    if (*opcode != INSTRUMENTED_LINE)
        return;
    hidden = *hidden_by_line(code, site->unit);
    if (hidden != INSTRUMENTED_INSTRUCTION && /* an event would be lost */
        leave(code, PY_MONITORING_EVENT_LINE, code->_co_monitoring->line_tools, site->unit, tool))
        *opcode = behind(sites, code, site, hidden);
}

bool rt_sites_line_off(struct rt_sites *sites, PyCodeObject *code, long tool, int32_t line)
{
    struct site *lines = sites->site + sites->n_units;
    uint32_t low = 0, high = sites->n_lines, i = sites->next_line;

    if (i < high && lines[i].line == line)
        low = high = i;
    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (lines[middle].line < line)
            low = middle + 1;
        else
            high = middle;
    }
    for (i = low; i < sites->n_lines && lines[i].line == line; i++)
        line_off(sites, code, &lines[i], tool);
    sites->next_line = i;
    return i > low || sites->n_units;
}

static void unit_off(const struct rt_sites *sites, PyCodeObject *code, const struct site *site,
                     long tool)
{
    _PyCoMonitoringData *monitoring = code->_co_monitoring;
    uint8_t *opcode = &units_of(code)[site->unit].op.code, hidden;
    bool covered = *opcode == INSTRUMENTED_LINE;

    if (covered)
        opcode = hidden_by_line(code, site->unit);
    if (*opcode != INSTRUMENTED_INSTRUCTION ||
        !leave(code, PY_MONITORING_EVENT_INSTRUCTION, monitoring->per_instruction_tools, site->unit,
               tool))
        return;
    hidden = monitoring->per_instruction_opcodes[site->unit];
    *opcode = covered ? hidden : behind(sites, code, site, hidden);
}

bool rt_sites_unit_off(struct rt_sites *sites, PyCodeObject *code, long tool, uint32_t unit)
{
    const struct site *site = rt_at_unit(sites->site, sites->n_units, sizeof *site, unit);

    if (site)
        unit_off(sites, code, site, tool);
    return site;
}

/* What the instrumented opcode of a site hides when it replaces this one, which is kept. */
static uint8_t hide(struct site *site, uint8_t opcode)
{
    site->hidden = is_instrumented(opcode) ? 0 : opcode;
    return is_instrumented(opcode) ? opcode : site->opcode;
}

static void line_on(struct rt_sites *sites, PyCodeObject *code, struct site *site, long tool)
{
    uint8_t *tools = code->_co_monitoring->line_tools,
            *opcode = &units_of(code)[site->unit].op.code;

    if (tools)
        tools[site->unit] |= (uint8_t)(1u << tool);
    if (*opcode == INSTRUMENTED_LINE) {
        if (sites->version != code->_co_instrumentation_version)
            site->hidden = 0;
        return;
    }
    *hidden_by_line(code, site->unit) = hide(site, *opcode);
    *opcode = INSTRUMENTED_LINE;
}

static void unit_on(struct rt_sites *sites, PyCodeObject *code, struct site *site, long tool)
{
    _PyCoMonitoringData *monitoring = code->_co_monitoring;
    uint8_t *tools = monitoring->per_instruction_tools;
    uint8_t *opcode = &units_of(code)[site->unit].op.code;

    if (tools)
        tools[site->unit] |= (uint8_t)(1u << tool);
    uncover(code, site->unit, tool);    /* somebody has restarted all events */
    if (*opcode == INSTRUMENTED_LINE) { /* another tool's, so nothing behind it is specialised */
        site->hidden = 0;
        opcode = hidden_by_line(code, site->unit);
        if (*opcode == INSTRUMENTED_INSTRUCTION)
            return;
    } else if (*opcode == INSTRUMENTED_INSTRUCTION) {
        if (sites->version != code->_co_instrumentation_version)
            site->hidden = 0;
        return;
    }
    monitoring->per_instruction_opcodes[site->unit] = hide(site, *opcode);
    *opcode = INSTRUMENTED_INSTRUCTION;
}

static void event_on(PyCodeObject *code, const struct site *site, long tool)
{
    _PyCoMonitoringData *monitoring = code->_co_monitoring;

    if (!listens(code, site->event, tool))
        return;
    if (monitoring->tools)
        monitoring->tools[site->unit] |= (uint8_t)(1u << tool);
    *event_opcode(code, site->unit) = site->opcode;
}

bool rt_sites_restore(struct rt_sites *sites, PyCodeObject *code, long tool)
{
    uint32_t i = 0;

    if (!listens(code, PY_MONITORING_EVENT_LINE, tool) ||
        (sites->n_units && !listens(code, PY_MONITORING_EVENT_INSTRUCTION, tool)))
        return false;
    for (; i < sites->n_units; i++)
        unit_on(sites, code, &sites->site[i], tool);
    for (; i < sites->n_units + sites->n_lines; i++)
        line_on(sites, code, &sites->site[i], tool);
    for (; i < sites->n; i++)
        event_on(code, &sites->site[i], tool);
    sites->version = code->_co_instrumentation_version;
    return true;
}

/* -- does it hold? -- */

/* Whether the interpreter may turn bytecode into something that looks at it no more. */
static bool has_jit(void)
{
#if RT_JIT
    PyObject *jit = PySys_GetObject("_jit"), *enabled; /* borrowed */
    bool result;

    /* 3.13 does not tell; the function is in builds that have one. */
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

/* Whether the one line of the probe is on or off, and what CPython keeps is as it should be. */
static bool probe_is(PyCodeObject *probe, const struct rt_sites *sites, const uint8_t *plain,
                     bool on)
{
    uint32_t unit = sites->site[0].unit;

    return *hidden_by_line(probe, unit) == plain[2 * unit] &&
           units_of(probe)[unit].op.code == (on ? INSTRUMENTED_LINE : plain[2 * unit]);
}

bool rt_sites_hold(PyCodeObject *probe, long tool)
{
    const struct rt_code nothing = {.entry_arc = RT_NO_ARC, .return_arc = RT_NO_ARC};
    struct rt_sites *sites;
    PyObject *bytes;
    const uint8_t *plain;
    bool holds;

    if (has_jit() || !listens(probe, PY_MONITORING_EVENT_LINE, tool) ||
        !probe->_co_monitoring->lines || !(bytes = PyCode_GetCode(probe))) {
        PyErr_Clear();
        return false;
    }
    plain = (const uint8_t *)PyBytes_AS_STRING(bytes);
    sites = rt_sites_find(probe, &nothing, tool);
    holds = sites && sites->n == 1 && sites->n_lines == 1 && probe_is(probe, sites, plain, true);
    if (holds) {
        rt_sites_line_off(sites, probe, tool, 0);
        holds = (probe->_co_monitoring->line_tools || probe_is(probe, sites, plain, false)) &&
                rt_sites_restore(sites, probe, tool) && probe_is(probe, sites, plain, true);
    }
    free(sites);
    Py_DECREF(bytes);
    return holds;
}

#endif
