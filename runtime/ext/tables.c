/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the tables of a code object. The sizes of inline caches need not be known: co_code has them
 * as CACHE instructions.
 */
#include "tables.h"

#include "compat.h"

#include <opcode.h>
#include <stdlib.h>

/* Both tables consist of varints, 6 bits a byte; bit 6 is set if the number goes on. */
#define VARINT_BITS 6
#define VARINT_MASK 0x3f
#define VARINT_MORE 0x40

/* -- lines -- */

/* The first byte of an entry: bit 7 set, 4 bits of kind, 3 bits of units - 1. */
#define ENTRY_KIND(head) ((head) >> 3 & 15)
#define ENTRY_UNITS(head) (((head)&7u) + 1)

static bool read_varint(struct rt_lines *lines, uint32_t *value)
{
    uint32_t result = 0;
    unsigned shift = 0;
    uint8_t byte;

    do {
        if (lines->at >= lines->table.len || shift >= 32)
            return false;
        byte = lines->table.data[lines->at++];
        result |= (uint32_t)(byte & VARINT_MASK) << shift;
        shift += VARINT_BITS;
    } while (byte & VARINT_MORE);
    *value = result;
    return true;
}

static bool read_signed(struct rt_lines *lines, int32_t *value)
{
    uint32_t raw;

    if (!read_varint(lines, &raw))
        return false;
    *value = raw & 1 ? -(int32_t)(raw >> 1) : (int32_t)(raw >> 1);
    return true;
}

bool rt_lines_next(struct rt_lines *lines, uint32_t *units, int32_t *line)
{
    bool has_line = true;
    uint32_t ignored;
    int32_t delta = 0;
    uint8_t head;

    if (lines->at >= lines->table.len)
        return false;
    head = lines->table.data[lines->at++];
    *units = ENTRY_UNITS(head);
    switch (ENTRY_KIND(head)) {
    case PY_CODE_LOCATION_INFO_NONE:
        has_line = false;
        break;
    case PY_CODE_LOCATION_INFO_LONG: /* and the end's line, both columns */
        if (!read_signed(lines, &delta) || !read_varint(lines, &ignored) ||
            !read_varint(lines, &ignored) || !read_varint(lines, &ignored))
            return false;
        break;
    case PY_CODE_LOCATION_INFO_NO_COLUMNS:
        if (!read_signed(lines, &delta))
            return false;
        break;
    case PY_CODE_LOCATION_INFO_ONE_LINE0:
    case PY_CODE_LOCATION_INFO_ONE_LINE1:
    case PY_CODE_LOCATION_INFO_ONE_LINE2: /* and a byte for each column */
        delta = ENTRY_KIND(head) - PY_CODE_LOCATION_INFO_ONE_LINE0;
        lines->at += 2;
        break;
    default: /* PY_CODE_LOCATION_INFO_SHORT0 and up: and a byte for both columns */
        lines->at += 1;
    }
    lines->line += delta;
    *line = has_line && lines->line > 0 && lines->line < INT32_MAX ? (int32_t)lines->line : 0;
    return true;
}

static void read_lines(struct rt_code_units *units, struct rt_bytes table, int first_line)
{
    struct rt_lines lines = {.table = table, .line = first_line};
    uint32_t unit = 0, n;
    int32_t line;

    while (unit < units->n && rt_lines_next(&lines, &n, &line))
        for (; n && unit < units->n; n--, unit++)
            units->unit[unit].line = line;
}

/* -- exceptions -- */

bool rt_handler_next(const struct rt_bytes *table, size_t *at, struct rt_handler *handler)
{
    enum { START, LENGTH, TARGET, DEPTH, FIELDS };
    uint32_t field[FIELDS];

    for (int i = 0; i < FIELDS; i++) {
        uint32_t result = 0;
        uint8_t byte;

        do {
            if (*at >= table->len)
                return false;
            byte = table->data[(*at)++];
            result = result << VARINT_BITS | (byte & VARINT_MASK);
        } while (byte & VARINT_MORE);
        field[i] = result;
    }
    *handler = (struct rt_handler){field[START], field[START] + field[LENGTH], field[TARGET]};
    return true;
}

uint32_t rt_handler_of(const struct rt_bytes *table, uint32_t unit)
{
    struct rt_handler handler;
    size_t at = 0;

    while (rt_handler_next(table, &at, &handler))
        if (handler.start <= unit && unit < handler.end)
            return handler.target;
    return RT_NO_UNIT;
}

/* -- instructions -- */

static enum rt_kind kind_of(uint8_t op, bool *back)
{
    *back = false;
    switch (op) {
#if RT_JUMPS_HAVE_DIRECTIONS
    case POP_JUMP_BACKWARD_IF_TRUE:
    case POP_JUMP_BACKWARD_IF_FALSE:
    case POP_JUMP_BACKWARD_IF_NONE:
    case POP_JUMP_BACKWARD_IF_NOT_NONE:
        *back = true;
        return RT_BRANCH;
    case POP_JUMP_FORWARD_IF_TRUE:
    case POP_JUMP_FORWARD_IF_FALSE:
    case POP_JUMP_FORWARD_IF_NONE:
    case POP_JUMP_FORWARD_IF_NOT_NONE:
    case JUMP_IF_TRUE_OR_POP:
    case JUMP_IF_FALSE_OR_POP:
#else
    case POP_JUMP_IF_TRUE:
    case POP_JUMP_IF_FALSE:
    case POP_JUMP_IF_NONE:
    case POP_JUMP_IF_NOT_NONE:
#endif
    case FOR_ITER:
        return RT_BRANCH;
    case JUMP_BACKWARD:
    case JUMP_BACKWARD_NO_INTERRUPT:
        *back = true;
        return RT_JUMP;
    case JUMP_FORWARD:
        return RT_JUMP;
    case SEND:
        return RT_SEND;
    case GET_ANEXT:
        return RT_ANEXT;
    case END_ASYNC_FOR:
        return RT_END_ANEXT;
    case RETURN_VALUE:
#ifdef RETURN_CONST
    case RETURN_CONST:
#endif
        return RT_RETURN;
    case RAISE_VARARGS:
    case RERAISE:
        return RT_RAISE;
    case NOP:
        return RT_NOP;
#ifdef END_FOR
    case END_FOR:
    case END_SEND:
#ifdef POP_ITER
    case POP_ITER:
#endif
        return RT_SKIPPED;
#endif
#ifdef NOT_TAKEN
    case NOT_TAKEN:
        return RT_NOT_TAKEN;
#endif
    default:
        return RT_PLAIN;
    }
}

/* Where a jump leads; a target outside of the code is the next instruction. */
static uint32_t target_of(uint32_t n, uint32_t unit, uint32_t after, uint32_t oparg, bool back)
{
    uint64_t target = back ? (uint64_t)after - oparg : (uint64_t)after + oparg;

    return target < n ? (uint32_t)target : after < n ? after : unit;
}

static void read_instructions(struct rt_code_units *units, const uint8_t *code)
{
    uint32_t oparg = 0, n, after;
    bool back;

    for (uint32_t i = 0; i < units->n; i = after) {
        struct rt_unit *unit = &units->unit[i];
        uint8_t op = code[2 * i];

        oparg = oparg << 8 | code[2 * i + 1];
        for (n = 1; i + n < units->n && code[2 * (i + n)] == CACHE && n < UINT8_MAX; n++)
            ;
        if (op == EXTENDED_ARG)
            n = 1;
        after = i + n;
        unit->kind = (uint8_t)kind_of(op, &back);
        unit->units = (uint8_t)n;
        if (op == EXTENDED_ARG)
            continue;
#if RT_END_FOR_POPS
        if (op == POP_TOP && i && code[2 * (i - 1)] == END_FOR)
            unit->kind = RT_SKIPPED;
#endif
        if (unit->kind == RT_BRANCH || unit->kind == RT_JUMP || unit->kind == RT_SEND)
            unit->target = target_of(units->n, i, after, oparg, back);
        unit->waits = op == SEND || op == JUMP_BACKWARD_NO_INTERRUPT;
        oparg = 0;
    }
}

int rt_units_read(struct rt_code_units *units, struct rt_bytes code, struct rt_bytes lines,
                  int first_line)
{
    units->n = (uint32_t)(code.len / 2);
    units->unit = calloc((size_t)units->n + 1, sizeof *units->unit);
    if (!units->unit)
        return -1;
    read_lines(units, lines, first_line);
    read_instructions(units, code.data);
    units->resume = 0;
    while (units->resume < units->n && code.data[2 * (size_t)units->resume] != RESUME)
        units->resume++;
    if (units->resume == units->n)
        units->resume = RT_NO_UNIT;
    return 0;
}

void rt_units_free(struct rt_code_units *units)
{
    free(units->unit);
}
