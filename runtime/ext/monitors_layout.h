/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access to what monitors.h describes, for monitors.c and sites.c only. They define Py_BUILD_CORE
 * before they include anything, which 3.14 needs for struct _PyCoMonitoringData.
 */
#ifndef RT_MONITORS_LAYOUT_H
#define RT_MONITORS_LAYOUT_H

#include "monitors.h"

#if RT_MONITORS

#include <internal/pycore_instruments.h>
#include <opcode.h>

/* How the opcodes that INSTRUMENTED_LINE hides are kept, as rt_monitors_usable() found out: two
 * bytes a unit, or packed, after one byte that says how many bytes a unit has. Later bug-fix
 * releases of 3.13 have taken the second form from 3.14. */
extern bool rt_lines_packed;

static inline _Py_CODEUNIT *rt_units_of(PyCodeObject *code)
{
    return (_Py_CODEUNIT *)code->co_code_adaptive;
}

/* What the INSTRUMENTED_LINEs of a code object hide, of unit 0 and from unit to unit. */
struct rt_hidden {
    uint8_t *first;
    size_t stride;
};

static inline struct rt_hidden rt_hidden(const PyCodeObject *code)
{
    uint8_t *lines = (uint8_t *)code->_co_monitoring->lines;

    return rt_lines_packed ? (struct rt_hidden){lines + 1, lines[0]} : (struct rt_hidden){lines, 2};
}

/* The opcode that the INSTRUMENTED_LINE at a unit hides. */
static inline uint8_t *rt_hidden_by_line(const PyCodeObject *code, uint32_t unit)
{
    struct rt_hidden hidden = rt_hidden(code);

    return hidden.first + unit * hidden.stride;
}

static inline bool rt_listens(PyCodeObject *code, int event, long tool)
{
    const _PyCoMonitoringData *monitoring = code->_co_monitoring;

    return monitoring && monitoring->active_monitors.tools[event] & 1u << tool;
}

/* An opcode that is neither plain nor specialised. */
static inline bool rt_is_instrumented(uint8_t opcode)
{
    return opcode >= MIN_INSTRUMENTED_OPCODE;
}

/* If this specialised opcode does the work of the next instruction and skips it: its plain form;
 * else 0. */
uint8_t rt_swallower(uint8_t opcode);

/* Removes the INSTRUMENTED_LINE from a unit if only `tool` still listens to it. */
void rt_monitors_uncover(PyCodeObject *code, uint32_t unit, long tool);

#endif

#endif
