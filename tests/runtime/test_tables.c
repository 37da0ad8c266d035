/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The readers of a code object's tables, on hand-written tables, sound and malformed. Real tables
 * are compared with CPython's reading in test_bytecode.py.
 */
#include "tables.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"

#include <opcode.h>

#define ENTRY(kind, units) (0x80 | (kind) << 3 | ((units)-1))
#define OP(op, arg) (op), (arg)
/* As far as an entry can go, with its sign in the first byte. */
#define FARTHEST(first) (first), 0x7f, 0x7f, 0x7f, 0x7f, 3
#define BYTES(array) ((struct rt_bytes){(array), sizeof(array)})

static void check_line(struct rt_lines *lines, uint32_t want_units, int32_t want_line)
{
    uint32_t units;
    int32_t line;

    cr_assert(rt_lines_next(lines, &units, &line));
    cr_assert_eq(units, want_units);
    cr_assert_eq(line, want_line);
}

static void check_end(struct rt_lines *lines)
{
    uint32_t units;
    int32_t line;

    cr_assert(!rt_lines_next(lines, &units, &line));
}

Test(tables, every_kind_of_entry)
{
    static const uint8_t table[] = {
        ENTRY(PY_CODE_LOCATION_INFO_SHORT0, 1),
        0x12,
        ENTRY(9, 8),
        0x34, /* the last of the short ones */
        ENTRY(PY_CODE_LOCATION_INFO_ONE_LINE0, 2),
        1,
        2,
        ENTRY(PY_CODE_LOCATION_INFO_ONE_LINE1, 3),
        1,
        2,
        ENTRY(PY_CODE_LOCATION_INFO_ONE_LINE2, 4),
        1,
        2,
        ENTRY(PY_CODE_LOCATION_INFO_NONE, 5),
        ENTRY(PY_CODE_LOCATION_INFO_NO_COLUMNS, 6),
        7, /* -3 */
        ENTRY(PY_CODE_LOCATION_INFO_LONG, 7),
        0x40 | 8,
        2,
        1,
        2,
        0x40,
        1, /* +68 */
    };
    struct rt_lines lines = {.table = BYTES(table), .line = 10};

    check_line(&lines, 1, 10);
    check_line(&lines, 8, 10);
    check_line(&lines, 2, 10);
    check_line(&lines, 3, 11);
    check_line(&lines, 4, 13);
    check_line(&lines, 5, 0);
    check_line(&lines, 6, 10);
    check_line(&lines, 7, 78);
    check_end(&lines);
}

Test(tables, a_line_that_is_none)
{
    static const uint8_t table[] = {
        ENTRY(PY_CODE_LOCATION_INFO_NO_COLUMNS, 1), 5,              /* -2 */
        ENTRY(PY_CODE_LOCATION_INFO_NO_COLUMNS, 1), 6,              /* +3 */
        ENTRY(PY_CODE_LOCATION_INFO_NO_COLUMNS, 1), FARTHEST(0x7f), /* down */
        ENTRY(PY_CODE_LOCATION_INFO_NO_COLUMNS, 1), FARTHEST(0x7e), /* up */
        ENTRY(PY_CODE_LOCATION_INFO_NO_COLUMNS, 1), FARTHEST(0x7e),
    };
    struct rt_lines lines = {.table = BYTES(table), .line = 1};

    check_line(&lines, 1, 0);
    check_line(&lines, 1, 2);
    check_line(&lines, 1, 0);
    check_line(&lines, 1, 2);
    check_line(&lines, 1, 0); /* INT32_MAX and more */
    check_end(&lines);
}

Test(tables, a_line_table_that_ends_too_early)
{
    static const uint8_t table[] = {ENTRY(PY_CODE_LOCATION_INFO_LONG, 7), 0x48, 2, 1, 2, 0x40, 1};

    for (size_t len = 0; len < sizeof table; len++) {
        uint8_t *copy = malloc(len + 1); /* so that a sanitizer sees a step beyond */
        struct rt_lines lines = {.table = {copy + 1, len}, .line = 1};

        memcpy(copy + 1, table, len);
        check_end(&lines);
        free(copy);
    }
}

Test(tables, a_number_that_goes_on_for_ever)
{
    uint8_t table[100];
    struct rt_lines lines = {.table = BYTES(table), .line = 1};

    memset(table, 0x7f, sizeof table);
    table[0] = ENTRY(PY_CODE_LOCATION_INFO_NO_COLUMNS, 1);
    table[sizeof table - 1] = 3;
    check_end(&lines);
}

Test(tables, handlers)
{
    /* start, length, target, depth * 2 + lasti */
    static const uint8_t table[] = {0x80 | 2, 3, 20, 0, 0x80 | 0x40 | 1, 6, 4, 0x40 | 2, 1, 3};
    struct rt_bytes bytes = BYTES(table), cut = {table, sizeof table - 1};
    struct rt_handler handler;
    size_t at = 0;

    cr_assert(rt_handler_next(&bytes, &at, &handler));
    cr_assert(handler.start == 2 && handler.end == 5 && handler.target == 20);
    cr_assert(rt_handler_next(&bytes, &at, &handler));
    cr_assert(handler.start == 70 && handler.end == 74 && handler.target == 129);
    cr_assert(!rt_handler_next(&bytes, &at, &handler));
    cr_assert_eq(rt_handler_of(&bytes, 1), RT_NO_UNIT);
    cr_assert_eq(rt_handler_of(&bytes, 2), 20);
    cr_assert_eq(rt_handler_of(&bytes, 4), 20);
    cr_assert_eq(rt_handler_of(&bytes, 5), RT_NO_UNIT);
    cr_assert_eq(rt_handler_of(&bytes, 73), 129);
    cr_assert_eq(rt_handler_of(&cut, 73), RT_NO_UNIT);
}

static struct rt_code_units read_code(const uint8_t *code, size_t len)
{
    struct rt_code_units units;

    cr_assert_eq(rt_units_read(&units, (struct rt_bytes){code, len}, (struct rt_bytes){0}, 1), 0);
    return units;
}

Test(tables, no_code)
{
    struct rt_code_units units = read_code(NULL, 0);

    cr_assert_eq(units.n, 0);
    cr_assert_eq(units.resume, RT_NO_UNIT);
    rt_units_free(&units);
}

Test(tables, units_have_lines)
{
    static const uint8_t code[] = {
        OP(RESUME, 0),       /* 0 */
        OP(NOP, 0),          /* 1 */
        OP(NOP, 0),          /* 2 */
        OP(RETURN_VALUE, 0), /* 3 */
    };
    static const uint8_t table[] = {ENTRY(PY_CODE_LOCATION_INFO_ONE_LINE1, 2), 0, 0,
                                    ENTRY(PY_CODE_LOCATION_INFO_NONE, 1)};
    struct rt_code_units units;

    cr_assert_eq(rt_units_read(&units, BYTES(code), BYTES(table), 4), 0);
    cr_assert_eq(units.n, 4);
    cr_assert_eq(units.resume, 0);
    cr_assert_eq(units.unit[0].line, 5);
    cr_assert_eq(units.unit[1].line, 5);
    cr_assert_eq(units.unit[2].line, 0);
    cr_assert_eq(units.unit[3].line, 0); /* behind the table's end */
    cr_assert_eq(rt_unit_after(&units, 2), 3);
    cr_assert_eq(rt_unit_after(&units, 3), RT_NO_UNIT);
    rt_units_free(&units);
}

#if RT_MONITORING

Test(tables, kinds_of_instructions)
{
    static const uint8_t code[] = {
        OP(NOP, 0),           /* 0 */
        OP(RESUME, 0),        /* 1 */
        OP(FOR_ITER, 2),      /* 2 */
        OP(CACHE, 0),         /* 3 */
        OP(POP_TOP, 0),       /* 4 */
        OP(JUMP_BACKWARD, 4), /* 5 */
        OP(END_FOR, 0),       /* 6 */
        OP(RERAISE, 0),       /* 7 */
    };
    static const enum rt_kind kinds[] = {RT_NOP,   RT_PLAIN, RT_BRANCH,  RT_NOT_A_START,
                                         RT_PLAIN, RT_JUMP,  RT_SKIPPED, RT_RAISE};
    struct rt_code_units units = read_code(code, sizeof code);

    cr_assert_eq(units.n, 8);
    cr_assert_eq(units.resume, 1);
    for (uint32_t i = 0; i < units.n; i++)
        cr_assert_eq(units.unit[i].kind, kinds[i], "unit %u", i);
    cr_assert_eq(units.unit[2].units, 2);
    cr_assert_eq(units.unit[2].target, 6);
    cr_assert_eq(units.unit[5].target, 2);
    cr_assert_eq(rt_unit_landed(&units, 6), 7);
    cr_assert_eq(rt_unit_landed(&units, 5), 5);
    rt_units_free(&units);
}

Test(tables, a_target_with_an_extended_argument)
{
    enum { FAR = 0x102 };
    uint8_t code[2 * (2 + FAR + 1)] = {EXTENDED_ARG, FAR >> 8, JUMP_FORWARD, FAR & 0xff};
    struct rt_code_units units = read_code(code, sizeof code);

    for (size_t i = 4; i < sizeof code; i += 2)
        code[i] = NOP;
    rt_units_free(&units);
    units = read_code(code, sizeof code);
    cr_assert_eq(units.unit[0].kind, RT_PLAIN);
    cr_assert_eq(units.unit[1].target, 2 + FAR);
    code[3]++; /* beyond the end: the next instruction */
    rt_units_free(&units);
    units = read_code(code, sizeof code);
    cr_assert_eq(units.unit[1].target, 2);
    code[2] = JUMP_BACKWARD; /* before the beginning */
    rt_units_free(&units);
    units = read_code(code, sizeof code);
    cr_assert_eq(units.unit[1].target, 2);
    rt_units_free(&units);
}

#endif
