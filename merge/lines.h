/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of lines that is filled and emptied many times.
 */
#ifndef MERGE_LINES_H
#define MERGE_LINES_H

#include "layout.h"

struct merge_lines {
    uint8_t *bits;
    size_t cap;
    size_t used; /* bytes; those from here on are zero */
};

/* Adds the lines of record number `number`. False: no memory. */
bool merge_lines_add(struct merge_lines *lines, uint32_t number,
                     const uint8_t bits[SEG_RECORD_BYTES]);
/* Adds those of a bitmap. */
bool merge_lines_unite(struct merge_lines *lines, const uint8_t *bits, size_t len);
void merge_lines_clear(struct merge_lines *lines);
void merge_lines_free(struct merge_lines *lines);

static inline bool merge_lines_has(const struct merge_lines *lines, int64_t line)
{
    return line > 0 && (uint64_t)line / 8 < lines->used && lines->bits[line / 8] >> (line % 8) & 1;
}

static inline void merge_lines_remove(struct merge_lines *lines, int64_t line)
{
    if (merge_lines_has(lines, line))
        lines->bits[line / 8] &= (uint8_t) ~(1u << (line % 8));
}

#endif
