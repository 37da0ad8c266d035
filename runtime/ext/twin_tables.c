/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The formats are described in CPython's Objects/locations.md and exception_handling_notes.txt.
 */
#include "twin_tables.h"

#if RT_BREAKPOINTS

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"

#define MOST_UNITS 8 /* of an entry of the line table */

static int put(struct rt_buffer *out, unsigned byte)
{
    if (!SEG_GROW(out->data, out->cap, out->n + 1))
        return -1;
    out->data[out->n++] = (uint8_t)byte;
    return 0;
}

/* -- lines -- */

struct location {
    enum { NOWHERE, LINE_ONLY, COLUMNS } what;
    int32_t line, lines;  /* the first, and how many further ones */
    uint32_t column, end; /* + 1, each; 0: none */
};

struct cursor {
    struct rt_bytes table;
    size_t at;
    int32_t line;
};

/* Numbers of the line table begin with their low bits. */
static bool read_number(struct cursor *cursor, uint32_t *value)
{
    unsigned shift = 0;
    uint8_t byte;

    *value = 0;
    do {
        if (cursor->at >= cursor->table.len || shift >= 30)
            return false;
        byte = cursor->table.data[cursor->at++];
        *value |= (uint32_t)(byte & 0x3f) << shift;
        shift += 6;
    } while (byte & 0x40);
    return true;
}

static int put_number(struct rt_buffer *out, uint32_t value)
{
    for (; value > 0x3f; value >>= 6)
        if (put(out, 0x40 | (value & 0x3f)))
            return -1;
    return put(out, value);
}

static uint32_t zigzag(int32_t value)
{
    return value < 0 ? (uint32_t)-value << 1 | 1 : (uint32_t)value << 1;
}

static bool read_byte(struct cursor *cursor, uint8_t *byte)
{
    if (cursor->at >= cursor->table.len)
        return false;
    *byte = cursor->table.data[cursor->at++];
    return true;
}

static bool read_columns(struct cursor *cursor, unsigned kind, struct location *location)
{
    uint8_t first, second;

    location->what = COLUMNS;
    location->lines = 0;
    if (!read_byte(cursor, &first))
        return false;
    if (kind < PY_CODE_LOCATION_INFO_ONE_LINE0) {
        location->column = (kind << 3 | first >> 4) + 1;
        location->end = location->column + (first & 15);
        return true;
    }
    if (!read_byte(cursor, &second))
        return false;
    location->column = first + 1u;
    location->end = second + 1u;
    return true;
}

static bool read_location(struct cursor *cursor, uint32_t *units, struct location *location)
{
    uint8_t head;
    uint32_t delta = 0, lines;
    unsigned kind;

    if (!read_byte(cursor, &head))
        return false;
    *units = (head & 7u) + 1;
    kind = head >> 3 & 15;
    if (kind == PY_CODE_LOCATION_INFO_NONE) {
        location->what = NOWHERE;
        return true;
    }
    if (kind == PY_CODE_LOCATION_INFO_NO_COLUMNS || kind == PY_CODE_LOCATION_INFO_LONG) {
        if (!read_number(cursor, &delta))
            return false;
        cursor->line += delta & 1 ? -(int32_t)(delta >> 1) : (int32_t)(delta >> 1);
    } else if (kind >= PY_CODE_LOCATION_INFO_ONE_LINE0) {
        cursor->line += (int32_t)(kind - PY_CODE_LOCATION_INFO_ONE_LINE0);
    }
    location->line = cursor->line;
    if (kind == PY_CODE_LOCATION_INFO_NO_COLUMNS) {
        location->what = LINE_ONLY;
        return true;
    }
    if (kind != PY_CODE_LOCATION_INFO_LONG)
        return read_columns(cursor, kind, location);
    location->what = COLUMNS;
    if (!read_number(cursor, &lines) || !read_number(cursor, &location->column) ||
        !read_number(cursor, &location->end))
        return false;
    location->lines = (int32_t)lines;
    return true;
}

static int put_head(struct rt_buffer *out, unsigned kind, uint32_t units)
{
    return put(out, 0x80 | kind << 3 | (units - 1));
}

/* In the shortest form, as CPython's compiler does. *line: of the entry before. */
static int put_location(struct rt_buffer *out, const struct location *location, uint32_t units,
                        int32_t *line)
{
    int32_t delta;
    uint32_t column, end;

    if (location->what == NOWHERE)
        return put_head(out, PY_CODE_LOCATION_INFO_NONE, units);
    delta = location->line - *line;
    *line = location->line;
    if (location->what == LINE_ONLY)
        return put_head(out, PY_CODE_LOCATION_INFO_NO_COLUMNS, units) ||
                       put_number(out, zigzag(delta))
                   ? -1
                   : 0;
    column = location->column - 1;
    end = location->end - 1;
    if (location->column && location->end && !location->lines && end >= column) {
        if (!delta && column < 80 && end - column < 16)
            return put_head(out, column >> 3, units) || put(out, (column & 7) << 4 | (end - column))
                       ? -1
                       : 0;
        if (delta >= 0 && delta < 3 && column < 128 && end < 128)
            return put_head(out, PY_CODE_LOCATION_INFO_ONE_LINE0 + (unsigned)delta, units) ||
                           put(out, column) || put(out, end)
                       ? -1
                       : 0;
    }
    return put_head(out, PY_CODE_LOCATION_INFO_LONG, units) || put_number(out, zigzag(delta)) ||
                   put_number(out, (uint32_t)location->lines) ||
                   put_number(out, location->column) || put_number(out, location->end)
               ? -1
               : 0;
}

static int put_units(struct rt_buffer *out, const struct location *locations,
                     const uint32_t *number, const uint32_t *origin, uint32_t n, int32_t line)
{
    static const struct location nowhere = {.what = NOWHERE};
    uint32_t units;

    for (uint32_t u = 0; u < n; u += units) {
        const struct location *location =
            origin[u] == RT_NO_UNIT ? &nowhere : &locations[number[origin[u]]];

        for (units = 1; u + units < n && units < MOST_UNITS; units++)
            if ((origin[u + units] == RT_NO_UNIT
                     ? &nowhere
                     : &locations[number[origin[u + units]]]) != location)
                break;
        if (put_location(out, location, units, &line))
            return -1;
    }
    return 0;
}

int rt_move_lines(struct rt_buffer *out, struct rt_bytes old, uint32_t n_old, int32_t first_line,
                  const uint32_t *origin, uint32_t n)
{
    struct cursor cursor = {.table = old, .line = first_line};
    struct location *locations = calloc((size_t)n_old + 1, sizeof *locations);
    uint32_t *number = calloc((size_t)n_old + 1, sizeof *number), at = 0, k = 0, units;
    int status = -1;

    if (!locations || !number)
        goto done;
    status = 1;
    while (at < n_old && read_location(&cursor, &units, &locations[k])) {
        for (; units && at < n_old; units--)
            number[at++] = k;
        k++;
    }
    if (at == n_old)
        status = put_units(out, locations, number, origin, n, first_line);
done:
    free(locations);
    free(number);
    return status;
}

/* -- exceptions -- */

/* Numbers of the exception table begin with their high bits; the first of four has bit 7. */
static bool read_field(struct rt_bytes table, size_t *at, uint32_t *value)
{
    uint8_t byte;

    *value = 0;
    do {
        if (*at >= table.len || *value >> 26)
            return false;
        byte = table.data[(*at)++];
        *value = *value << 6 | (byte & 0x3f);
    } while (byte & 0x40);
    return true;
}

static int put_field(struct rt_buffer *out, uint32_t value, unsigned mark)
{
    unsigned shift = 0;

    while (value >> shift > 0x3f)
        shift += 6;
    for (; shift; shift -= 6, mark = 0)
        if (put(out, mark | 0x40 | (value >> shift & 0x3f)))
            return -1;
    return put(out, mark | (value & 0x3f));
}

int rt_move_exceptions(struct rt_buffer *out, struct rt_bytes old, uint32_t n_old,
                       const uint32_t *moved)
{
    enum { START, LENGTH, TARGET, DEPTH, FIELDS };
    uint32_t field[FIELDS];
    size_t at = 0;

    while (at < old.len) {
        for (int i = 0; i < FIELDS; i++)
            if (!read_field(old, &at, &field[i]))
                return 1;
        if (field[START] > n_old || field[LENGTH] > n_old - field[START] || field[TARGET] >= n_old)
            return 1;
        if (put_field(out, moved[field[START]], 0x80) ||
            put_field(out, moved[field[START] + field[LENGTH]] - moved[field[START]], 0) ||
            put_field(out, moved[field[TARGET]], 0) || put_field(out, field[DEPTH], 0))
            return -1;
    }
    return 0;
}

#endif
