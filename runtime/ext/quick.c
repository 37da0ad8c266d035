/* SPDX-License-Identifier: Apache-2.0 */
#include "quick.h"

#if RT_BREAKPOINTS

#define Py_BUILD_CORE 1
#define NEED_OPCODE_TABLES 1
#include <internal/pycore_opcode.h>
#include <opcode.h>

/* An adaptive instruction counts down from so many, as CPython quickens code when it has run so
 * often. */
#define RUNS_BEFORE_LEARNING 8

/* The low bits of a counter are for its backoff. */
#define BACKOFF_BITS 4

rt_word rt_word_prefix(uint8_t op, uint32_t arg, uint32_t shift)
{
    return arg >> shift ? rt_word_of(op, arg >> shift) : rt_word_of(NOP, 0);
}

uint32_t rt_op_caches(uint8_t op)
{
    return _PyOpcode_Caches[op];
}

uint8_t rt_op_plain(uint8_t op)
{
    return _PyOpcode_Deopt[op];
}

uint8_t rt_op_pair(uint8_t first, uint8_t second)
{
    switch (second) {
    case LOAD_FAST:
        return first == LOAD_FAST    ? LOAD_FAST__LOAD_FAST
               : first == STORE_FAST ? STORE_FAST__LOAD_FAST
               : first == LOAD_CONST ? LOAD_CONST__LOAD_FAST
                                     : 0;
    case STORE_FAST:
        return first == STORE_FAST ? STORE_FAST__STORE_FAST : 0;
    case LOAD_CONST:
        return first == LOAD_FAST ? LOAD_FAST__LOAD_CONST : 0;
    default:
        return 0;
    }
}

/* The form of a plain opcode in which it learns, or runs without counting; 0: there is none. */
static uint8_t learning(uint8_t op)
{
    switch (op) {
    case BINARY_OP:
        return BINARY_OP_ADAPTIVE;
    case BINARY_SUBSCR:
        return BINARY_SUBSCR_ADAPTIVE;
    case CALL:
        return CALL_ADAPTIVE;
    case COMPARE_OP:
        return COMPARE_OP_ADAPTIVE;
    case LOAD_ATTR:
        return LOAD_ATTR_ADAPTIVE;
    case LOAD_GLOBAL:
        return LOAD_GLOBAL_ADAPTIVE;
    case LOAD_METHOD:
        return LOAD_METHOD_ADAPTIVE;
    case PRECALL:
        return PRECALL_ADAPTIVE;
    case STORE_ATTR:
        return STORE_ATTR_ADAPTIVE;
    case STORE_SUBSCR:
        return STORE_SUBSCR_ADAPTIVE;
    case UNPACK_SEQUENCE:
        return UNPACK_SEQUENCE_ADAPTIVE;
    case EXTENDED_ARG:
        return EXTENDED_ARG_QUICK;
    case JUMP_BACKWARD:
        return JUMP_BACKWARD_QUICK;
    case RESUME:
        return RESUME_QUICK;
    default:
        return 0;
    }
}

void rt_quicken(rt_word *units, uint32_t n)
{
    uint8_t before = 0; /* the plain opcode of the unit before, if that has no cache */

    for (uint32_t i = 0; i < n; i++) {
        uint8_t op = rt_op(units[i]), form = learning(op), pair;
        uint32_t caches = rt_op_caches(op);

        pair = before ? rt_op_pair(before, op) : 0;
        if (pair)
            units[i - 1] = rt_with_op(units[i - 1], pair);
        if (form)
            units[i] = rt_with_op(units[i], form);
        if (caches && i + 1 < n)
            units[i + 1] = RUNS_BEFORE_LEARNING << BACKOFF_BITS;
        before = caches ? 0 : op;
        i += caches;
    }
}

#endif
