/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading what monitors.h describes: only for monitors.c and sites.c, which define Py_BUILD_CORE
 * before they include anything, for struct _PyCoMonitoringData of 3.14.
 */
#ifndef RT_MONITORS_LAYOUT_H
#define RT_MONITORS_LAYOUT_H

#include "monitors.h"

#if RT_MONITORS

#include <internal/pycore_instruments.h>
#include <opcode.h>

/* How the opcodes that INSTRUMENTED_LINE hides are kept, found out by rt_monitors_usable(): with
 * two bytes for each unit, or packed, with a byte before them all that says how many for each.
 * Later bug-fix releases of 3.13 have taken the second from 3.14. */
extern bool rt_lines_packed;

static inline _Py_CODEUNIT *rt_units_of(PyCodeObject *code)
{
    return (_Py_CODEUNIT *)code->co_code_adaptive;
}

/* Where the opcode is that the INSTRUMENTED_LINE at a unit hides. */
static inline uint8_t *rt_hidden_by_line(PyCodeObject *code, uint32_t unit)
{
    uint8_t *lines = (uint8_t *)code->_co_monitoring->lines;

    return rt_lines_packed ? lines + 1 + (size_t)unit * lines[0] : lines + (size_t)unit * 2;
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

/* The plain form of an instruction that, specialised so, does what the next one should do and skips
 * it; 0: it is none of those. */
uint8_t rt_swallower(uint8_t opcode);

/* Takes the INSTRUMENTED_LINE from a unit where only `tool` still listens to it. */
void rt_monitors_uncover(PyCodeObject *code, uint32_t unit, long tool);

#endif

#endif
