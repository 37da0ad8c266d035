/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What 3.11 makes of instructions as they run: adaptive and specialised forms, and pairs that are
 * done in one go.
 *
 * Twins are quickened here, never by CPython, because it would form pairs whose second half is a
 * site, and would take the caches of an instruction under a patch for instructions.
 */
#ifndef RT_QUICK_H
#define RT_QUICK_H

#include "compat.h"

#if RT_BREAKPOINTS

#include <stdint.h>

typedef uint16_t rt_word; /* a code unit: opcode in the low byte, argument in the high one */

static inline uint8_t rt_op(rt_word word)
{
    return (uint8_t)word;
}

static inline uint8_t rt_arg(rt_word word)
{
    return (uint8_t)(word >> 8);
}

static inline rt_word rt_word_of(uint8_t op, uint32_t arg)
{
    return (rt_word)(op | (arg & 0xff) << 8);
}

/* The word for the bits of an argument from `shift` on, before an instruction; a NOP where there
 * are none, as the interpreter takes an EXTENDED_ARG of 0 for an error. */
rt_word rt_word_prefix(uint8_t op, uint32_t arg, uint32_t shift);

/* The same word with another opcode. */
static inline rt_word rt_with_op(rt_word word, uint8_t op)
{
    return (rt_word)((word & 0xff00) | op);
}

/* The units of inline cache behind a plain opcode. */
uint32_t rt_op_caches(uint8_t op);

/* The plain opcode of whatever form. */
uint8_t rt_op_plain(uint8_t op);

/* The opcode that does two plain ones, one behind the other; 0: there is none. */
uint8_t rt_op_pair(uint8_t first, uint8_t second);

/* Puts all plain instructions, whose caches are zero, into the forms in which they learn, and pairs
 * together. */
void rt_quicken(rt_word *units, uint32_t n);

#endif
#endif
