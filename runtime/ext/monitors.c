/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps other tools from silencing ours.
 *
 * Once the arrays exist, CPython only sets and clears single bits in them. A bit at a unit where
 * nothing is instrumented has no effect until another tool instruments that; then our callbacks are
 * called as well, which is harmless.
 *
 * On a free-threaded build other threads run the code meanwhile. They write to the arrays under the
 * lock of the code object, which is taken here too; those that only read see a complete array or
 * none.
 */
#define Py_BUILD_CORE 1
#include "monitors_layout.h"

#if RT_MONITORS

#include <string.h>

bool rt_lines_packed;

/* -- arrays -- */

static uint8_t bit_of(long tool)
{
    return (uint8_t)(1u << tool);
}

static uint8_t monitors_active(const PyCodeObject *code, int event)
{
    return code->_co_monitoring->active_monitors.tools[event];
}

/* The interpreter may read the pointer without the lock. */
static void monitors_publish(uint8_t **array, uint8_t *made)
{
    __atomic_store_n(array, made, __ATOMIC_RELEASE);
}

/* CPython frees the arrays with the code object. */
static uint8_t *monitors_filled(const PyCodeObject *code, uint8_t tools)
{
    uint8_t *array = PyMem_Malloc((size_t)Py_SIZE(code));

    if (array)
        memset(array, tools, (size_t)Py_SIZE(code));
    return array;
}

static bool keep_instructions(PyCodeObject *code)
{
    _PyCoMonitoringData *monitoring = code->_co_monitoring;
    uint8_t *made;

    if (monitoring->per_instruction_tools)
        return true; /* CPython has set our bits */
    made = monitors_filled(code, monitors_active(code, PY_MONITORING_EVENT_INSTRUCTION));
    if (made)
        monitors_publish(&monitoring->per_instruction_tools, made);
    return made;
}

static bool keep_lines(PyCodeObject *code, uint8_t bit)
{
    _PyCoMonitoringData *monitoring = code->_co_monitoring;
    uint8_t *made;

    if (monitoring->line_tools) {
        for (Py_ssize_t unit = 0; unit < Py_SIZE(code); unit++)
            monitoring->line_tools[unit] |= bit;
        return true;
    }
    made = monitors_filled(code, monitors_active(code, PY_MONITORING_EVENT_LINE) | bit);
    if (made)
        monitors_publish(&monitoring->line_tools, made);
    return made;
}

bool rt_monitors_keep(PyCodeObject *code, long tool)
{
    bool kept;

    RT_LOCK_CODE(code);
    kept = rt_listens(code, PY_MONITORING_EVENT_INSTRUCTION, tool) && keep_instructions(code) &&
           keep_lines(code, bit_of(tool));
    RT_UNLOCK_CODE();
    return kept;
}

static bool has_instruction(PyCodeObject *code, uint32_t unit)
{
    uint8_t opcode = rt_units_of(code)[unit].op.code;

    if (opcode == INSTRUMENTED_LINE && code->_co_monitoring->lines)
        opcode = *rt_hidden_by_line(code, unit);
    return opcode == INSTRUMENTED_INSTRUCTION;
}

static void monitors_share(PyCodeObject *code)
{
    _PyCoMonitoringData *monitoring = code->_co_monitoring;
    uint8_t tools = monitoring ? monitors_active(code, PY_MONITORING_EVENT_INSTRUCTION) : 0, *made;

    if (!tools || monitoring->per_instruction_tools || !(made = monitors_filled(code, 0)))
        return;
    for (uint32_t unit = 0; unit < (uint32_t)Py_SIZE(code); unit++)
        if (has_instruction(code, unit))
            made[unit] = tools;
    monitors_publish(&monitoring->per_instruction_tools, made);
}

void rt_monitors_share(PyCodeObject *code)
{
    RT_LOCK_CODE(code);
    monitors_share(code);
    RT_UNLOCK_CODE();
}

void rt_monitors_uncover(PyCodeObject *code, uint32_t unit, long tool)
{
    _PyCoMonitoringData *monitoring = code->_co_monitoring;
    uint8_t *opcode = &rt_units_of(code)[unit].op.code, *hidden;

    /* Where each thread has a copy of the code, this is left to CPython, at the next event. */
    if (RT_FREE_THREADED || *opcode != INSTRUMENTED_LINE || !monitoring->line_tools ||
        monitoring->line_tools[unit] & ~bit_of(tool))
        return;
    hidden = rt_hidden_by_line(code, unit);
    *opcode = *hidden;
    if (*hidden == INSTRUMENTED_INSTRUCTION)
        *hidden = monitoring->per_instruction_opcodes[unit];
}

static void monitors_recorded(PyCodeObject *code, long tool, uint32_t unit)
{
    uint8_t *tools = code->_co_monitoring->line_tools;

    if (!tools || !(tools[unit] & bit_of(tool)))
        return;
    tools[unit] &= (uint8_t)~bit_of(tool);
    rt_monitors_uncover(code, unit, tool);
}

void rt_monitors_recorded(PyCodeObject *code, long tool, uint32_t unit)
{
    RT_LOCK_CODE(code);
    monitors_recorded(code, tool, unit);
    RT_UNLOCK_CODE();
}

/* -- pairs -- */

#if RT_PAIRS

/* What CPython joins two instructions to; 0: nothing. */
static uint8_t joined(uint8_t first, uint8_t second)
{
    switch (first << 8 | second) {
    case LOAD_CONST << 8 | LOAD_FAST:
        return LOAD_CONST__LOAD_FAST;
    case LOAD_FAST << 8 | LOAD_CONST:
        return LOAD_FAST__LOAD_CONST;
    case LOAD_FAST << 8 | LOAD_FAST:
        return LOAD_FAST__LOAD_FAST;
    case STORE_FAST << 8 | LOAD_FAST:
        return STORE_FAST__LOAD_FAST;
    case STORE_FAST << 8 | STORE_FAST:
        return STORE_FAST__STORE_FAST;
    default:
        return 0;
    }
}

/* Only the plain code tells whether the unit before is an instruction: it may be a cache. */
static void monitors_join(PyCodeObject *code, long tool, uint32_t unit, const uint8_t *plain)
{
    const _PyCoMonitoringData *monitoring = code->_co_monitoring;
    uint8_t pair = joined(plain[2 * unit - 2], plain[2 * unit]);
    uint8_t *first = &rt_units_of(code)[unit - 1].op.code;

    if (pair && *first == plain[2 * unit - 2] &&
        rt_units_of(code)[unit].op.code == INSTRUMENTED_INSTRUCTION &&
        monitoring->per_instruction_opcodes[unit] == plain[2 * unit] &&
        monitoring->per_instruction_tools[unit] == bit_of(tool))
        *first = pair;
}

void rt_monitors_join(PyCodeObject *code, long tool, uint32_t unit)
{
    PyObject *bytes = unit ? PyCode_GetCode(code) : NULL; /* CPython keeps it */

    if (bytes)
        monitors_join(code, tool, unit, (const uint8_t *)PyBytes_AS_STRING(bytes));
    else
        PyErr_Clear();
    Py_XDECREF(bytes);
}

#endif

/* -- instructions that swallow the next one -- */

/* These are all. Others look at the next instruction as well (those of FOR_ITER and SEND,
 * EXTENDED_ARG, and on 3.12 pairs, which arming takes apart), but they do so
 * specialised or not, and CPython handles them. */
uint8_t rt_swallower(uint8_t opcode)
{
    switch (opcode) {
    case BINARY_OP_INPLACE_ADD_UNICODE: /* a STORE_FAST */
        return BINARY_OP;
    case CALL_LIST_APPEND: /* a POP_TOP */
        return CALL;
    default:
        return 0;
    }
}

void rt_monitors_settle(PyCodeObject *code)
{
    _Py_CODEUNIT *units = rt_units_of(code);
    uint32_t n = (uint32_t)Py_SIZE(code);
    const uint8_t *plain = NULL;

    if (RT_FREE_THREADED)
        return; /* there these instructions are not specialised */
    for (uint32_t unit = 0; unit < n; unit++) {
        uint8_t base = rt_swallower(units[unit].op.code);
        uint32_t next = unit + 1;

        if (!base)
            continue;
        if (!plain) {
            PyObject *bytes = PyCode_GetCode(code); /* CPython keeps it */

            if (!bytes) {
                PyErr_Clear();
                return;
            }
            plain = (const uint8_t *)PyBytes_AS_STRING(bytes);
            Py_DECREF(bytes);
        }
        if (plain[2 * unit] != base)
            continue; /* a cache entry that looks like an opcode */
        while (next < n && plain[2 * next] == CACHE)
            next++;
        if (next < n && rt_is_instrumented(units[next].op.code))
            units[unit].op.code = base;
    }
}

/* -- is it usable? -- */

/* Whether an INSTRUMENTED_LINE may hide this opcode: another tool may listen to INSTRUCTION. */
static bool hides(uint8_t opcode, uint8_t plain)
{
    return opcode == plain || opcode == INSTRUMENTED_INSTRUCTION;
}

/* Finds a unit of the probe where LINE is on, and how hidden opcodes are kept. */
static bool find_line(PyCodeObject *probe, const uint8_t *plain, uint32_t *unit)
{
    const uint8_t *lines = (const uint8_t *)probe->_co_monitoring->lines;
    uint32_t n = (uint32_t)Py_SIZE(probe);
    bool packed, pairs;

    if (!lines)
        return false;
    for (*unit = 1; *unit < n; ++*unit) {
        if (rt_units_of(probe)[*unit].op.code != INSTRUMENTED_LINE)
            continue;
        pairs = hides(lines[2 * *unit], plain[2 * *unit]);
        packed = lines[0] == 2 && hides(lines[1 + 2 * *unit], plain[2 * *unit]);
        rt_lines_packed = packed;
        return pairs != packed;
    }
    return false;
}

/* CPython clears our bits in arrays that we have made: so they are where we expect them, and
 * used. */
static bool try_arrays(PyCodeObject *probe, rt_arm *arm, void *arg, long tool)
{
    const unsigned long line = 1ul << PY_MONITORING_EVENT_LINE,
                        instruction = 1ul << PY_MONITORING_EVENT_INSTRUCTION;
    _PyCoMonitoringData *monitoring;
    uint8_t bit = bit_of(tool), *line_tools;
    const uint8_t *plain;
    PyObject *bytes = PyCode_GetCode(probe); /* CPython keeps it */
    uint32_t unit;

    if (!bytes)
        return false;
    plain = (const uint8_t *)PyBytes_AS_STRING(bytes);
    Py_DECREF(bytes);
    if (arm(arg, probe, line) || !(monitoring = probe->_co_monitoring) ||
        !rt_listens(probe, PY_MONITORING_EVENT_LINE, tool) || !find_line(probe, plain, &unit) ||
        arm(arg, probe, instruction) || !rt_listens(probe, PY_MONITORING_EVENT_INSTRUCTION, tool) ||
        rt_listens(probe, PY_MONITORING_EVENT_LINE, tool) || !has_instruction(probe, unit) ||
        !monitoring->per_instruction_opcodes ||
        monitoring->per_instruction_opcodes[unit] != plain[2 * unit] ||
        !rt_monitors_keep(probe, tool) || !(monitoring->per_instruction_tools[unit] & bit))
        return false;
    line_tools = monitoring->line_tools;
    if (arm(arg, probe, line) || monitoring->per_instruction_tools[unit] & bit ||
        monitoring->line_tools != line_tools || !(line_tools[unit] & bit) ||
        rt_units_of(probe)[unit].op.code != INSTRUMENTED_LINE)
        return false;
    return !arm(arg, probe, 0) && !(line_tools[unit] & bit);
}

bool rt_monitors_usable(rt_arm *arm, void *arg, long tool)
{
    PyCodeObject *probe = PyCode_NewEmpty("<shmcov>", "probe", 1);
    bool usable = probe && try_arrays(probe, arm, arg, tool);

    PyErr_Clear();
    Py_XDECREF(probe);
    return usable;
}

#endif
