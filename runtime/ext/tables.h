/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers of what CPython keeps about a code object: its instructions (co_code, that is, without
 * instrumentation or specialisation), its line table and its exception table.
 *
 * The formats are CPython's own (Objects/locations.md, Objects/exception_handling_notes.txt in its
 * source tree), the same from 3.11 to 3.15. A "unit" is one 2-byte code unit; offset = 2 * unit.
 * The readers are safe with any bytes: a malformed table ends where it goes wrong, and a target
 * outside of the code becomes the next instruction.
 */
#ifndef RT_TABLES_H
#define RT_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rt_bytes {
    const uint8_t *data;
    size_t len;
};

#define RT_NO_UNIT UINT32_MAX

struct rt_lines { /* a cursor in a line table */
    struct rt_bytes table;
    size_t at;
    int64_t line; /* of the entry before, or co_firstlineno */
};

/* The next entry: `units` code units of line `line` (0: of none). False: that was the last. */
bool rt_lines_next(struct rt_lines *lines, uint32_t *units, int32_t *line);

struct rt_handler { /* an exception in [start, end) is handled at `target`, all in units */
    uint32_t start, end, target;
};

/* The next handler of an exception table; *at begins at 0. False: that was the last. */
bool rt_handler_next(const struct rt_bytes *table, size_t *at, struct rt_handler *handler);

/* Where an exception at `unit` is handled; RT_NO_UNIT: it leaves the code. */
uint32_t rt_handler_of(const struct rt_bytes *table, uint32_t unit);

enum rt_kind {
    RT_NOT_A_START = 0, /* not the start of an instruction */
    RT_PLAIN,           /* goes on with the next one */
    RT_NOP,             /* a line of its own, such as `pass` or `while True` */
    RT_BRANCH,          /* falls through or jumps */
    RT_JUMP,            /* always jumps */
    RT_SEND,            /* goes on at its target when what it awaits has ended */
    RT_ANEXT,           /* head of an `async for` */
    RT_END_ANEXT,       /* end of an `async for` */
    RT_RETURN,          /* return */
    RT_RAISE,           /* raise or raise again: to a handler or out of the code */
    RT_NOT_TAKEN,       /* the branch before it fell through (3.14 and later) */
    RT_SKIPPED,         /* cannot start a line: END_FOR, END_SEND, … */
};

struct rt_unit {
    uint32_t target; /* of RT_BRANCH, RT_JUMP, RT_SEND */
    int32_t line;    /* 0: none */
    uint8_t kind;    /* enum rt_kind */
    uint8_t units;   /* of the instruction, caches included */
    bool waits;      /* belongs to an await: a jump inside it is no loop of a line */
};

struct rt_code_units {
    struct rt_unit *unit;
    uint32_t n;
    uint32_t resume; /* the RESUME at the entry, or RT_NO_UNIT */
};

/* 0: `units` needs rt_units_free(), or -1: no memory. */
int rt_units_read(struct rt_code_units *units, struct rt_bytes code, struct rt_bytes lines,
                  int first_line);
void rt_units_free(struct rt_code_units *units);

/* The unit of the next instruction; RT_NO_UNIT: there is none. */
static inline uint32_t rt_unit_after(const struct rt_code_units *units, uint32_t unit)
{
    uint32_t next = unit + units->unit[unit].units;

    return next < units->n && units->unit[unit].units ? next : RT_NO_UNIT;
}

/* Where the interpreter goes on after a jump to `unit`: behind END_FOR and the like, which it
 * skips. */
static inline uint32_t rt_unit_landed(const struct rt_code_units *units, uint32_t unit)
{
    while (unit < units->n && units->unit[unit].kind == RT_SKIPPED)
        unit += units->unit[unit].units;
    return unit < units->n ? unit : RT_NO_UNIT;
}

#endif
