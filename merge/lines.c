/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of lines, eight bytes at a time.
 */
#include "lines.h"

#include <stdlib.h>
#include <string.h>

/* Room for `len` bytes. */
static bool room(struct merge_lines *lines, size_t len)
{
    uint8_t *bigger;

    if (len <= lines->cap)
        return true;
    bigger = realloc(lines->bits, len * 2);
    if (!bigger)
        return false;
    memset(bigger + lines->cap, 0, len * 2 - lines->cap);
    lines->bits = bigger;
    lines->cap = len * 2;
    return true;
}

static void unite(struct merge_lines *lines, size_t at, const uint8_t *bits, size_t len)
{
    size_t i = 0;

    for (; i + 8 <= len; i += 8) {
        uint64_t a, b;

        memcpy(&a, lines->bits + at + i, 8);
        memcpy(&b, bits + i, 8);
        a |= b;
        memcpy(lines->bits + at + i, &a, 8);
    }
    for (; i < len; i++)
        lines->bits[at + i] |= bits[i];
    if (lines->used < at + len)
        lines->used = at + len;
}

bool merge_lines_add(struct merge_lines *lines, uint32_t number,
                     const uint8_t bits[SEG_RECORD_BYTES])
{
    size_t at = (size_t)number * SEG_RECORD_BYTES;

    if (!room(lines, at + SEG_RECORD_BYTES))
        return false;
    unite(lines, at, bits, SEG_RECORD_BYTES);
    lines->bits[0] &= 0xfe; /* there is no line 0 */
    return true;
}

bool merge_lines_unite(struct merge_lines *lines, const uint8_t *bits, size_t len)
{
    if (!room(lines, len))
        return false;
    unite(lines, 0, bits, len);
    return true;
}

void merge_lines_clear(struct merge_lines *lines)
{
    if (lines->used)
        memset(lines->bits, 0, lines->used);
    lines->used = 0;
}

void merge_lines_free(struct merge_lines *lines)
{
    free(lines->bits);
    *lines = (struct merge_lines){0};
}
