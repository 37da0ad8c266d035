/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a trail to an arc.
 *
 * A measured process knows which physical lines an edge leads to, but not which of them form one
 * statement. Coverage.py's multi-line map says that; whoever delivers makes one for the few files
 * where it matters. The destination of an arc is the first line of its trail that belongs to
 * another statement than the branch.
 *
 * A destination counts only if it ran, because with arcs coverage.py takes every positive end of an
 * arc for an executed line.
 */
#include "arcs.h"

#include "internal.h"

#include <stdlib.h>
#include <string.h>

int merge_set_multiline(struct merge *m, size_t number, const uint32_t *first, size_t n)
{
    struct merge_file *file = &m->files[number];
    uint32_t *map, *last;

    if (n > MERGE_MAX_MULTILINE)
        n = MERGE_MAX_MULTILINE;
    map = calloc(2 * n + 1, sizeof *map);
    if (!map)
        return MERGE_ERR_NOMEM;
    last = map + n;
    for (uint32_t line = 1; line < n; line++) {
        map[line] = first[line] && first[line] < n ? first[line] : line;
        last[map[line]] = line;
    }
    free(file->first_line);
    file->first_line = map;
    file->first_line_n = (uint32_t)n;
    return 0;
}

static int32_t statement(const struct merge_file *file, int32_t line)
{
    if (line > 0 && (uint32_t)line < file->first_line_n)
        return (int32_t)file->first_line[line];
    return line;
}

/* The line itself if it ran, else another one of its statement that ran, else 0. */
static int32_t that_ran(const struct merge_file *file, int32_t line, const struct merge_lines *ran)
{
    int32_t first = statement(file, line);

    if (merge_lines_has(ran, line))
        return line;
    if ((uint32_t)first < file->first_line_n) {
        int32_t last = (int32_t)file->first_line[file->first_line_n + (uint32_t)first];

        for (int32_t other = first; other <= last; other++) {
            if (statement(file, other) == first && merge_lines_has(ran, other))
                return other;
        }
    }
    return 0;
}

static int32_t destination(const struct merge_file *file, const struct merge_arc *arc)
{
    int32_t here = statement(file, arc->from);

    if (arc->kind != SEG_ARC_TRAIL)
        return arc->trail[0];
    for (uint16_t i = 0; i < arc->trail_n; i++) {
        if (arc->trail[i] && statement(file, arc->trail[i]) != here)
            return arc->trail[i];
    }
    return 0;
}

void merge_arcs_resolve(struct merge *m, const struct merge_file *file)
{
    for (size_t i = 0; i < file->arcs_n; i++)
        m->arcs[file->arcs + i].to = destination(file, &m->arcs[file->arcs + i]);
    for (size_t i = 0; i < file->pairs_n; i++)
        m->arcs[file->pairs + i].to = destination(file, &m->arcs[file->pairs + i]);
}

struct merge_arc *merge_arcs_find(const struct merge *m, const struct merge_file *file,
                                  uint32_t bit)
{
    struct merge_arc *arcs;
    size_t low = 0, high = file->arcs_n;

    if (high == 0)
        return NULL; /* a damaged segment; m->arcs may be NULL */
    arcs = m->arcs + file->arcs;
    if (bit < high && arcs[bit].bit == bit) /* unless a lost race leaked bits before it */
        return &arcs[bit];
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (arcs[middle].bit < bit)
            low = middle + 1;
        else
            high = middle;
    }
    return low < file->arcs_n && arcs[low].bit == bit ? &arcs[low] : NULL;
}

int32_t merge_arc_target(const struct merge_file *file, const struct merge_arc *arc,
                         const struct merge_lines *ran)
{
    switch (arc->kind) {
    case SEG_ARC_TRAIL:
        return arc->to > 0 ? that_ran(file, arc->to, ran) : arc->to;
    case SEG_ARC_LINES:
        return merge_lines_has(ran, arc->from) && (arc->to < 0 || merge_lines_has(ran, arc->to))
                   ? arc->to
                   : 0;
    default:
        return arc->to;
    }
}

bool merge_arc_wants_multiline(const struct merge_arc *arc, const struct merge_lines *ran)
{
    int32_t candidate = 0;

    if (arc->kind != SEG_ARC_TRAIL)
        return false;
    for (uint16_t i = 0; i < arc->trail_n; i++) {
        int32_t line = arc->trail[i];

        if (line == arc->from || line == 0 || line == candidate)
            continue;
        if (candidate)
            return true;
        candidate = line;
    }
    /* One candidate needs the map only to see whether another line of its statement ran. */
    return candidate > 0 && !merge_lines_has(ran, candidate);
}

/* Adds the lines of a file that ran in any context. */
static int add_lines(const struct merge *m, const struct merge_file *file,
                     struct merge_lines *lines)
{
    for (size_t i = file->hits; i < file->hits + file->hits_n; i++) {
        if (merge_hit_space(&m->hits[i]) == SEG_LINES &&
            !merge_lines_add(lines, merge_hit_number(&m->hits[i]), m->hits[i].bits))
            return MERGE_ERR_NOMEM;
    }
    return 0;
}

int merge_lines(const struct merge *m, size_t file, uint64_t *n)
{
    struct merge_lines lines = {0};
    int status = add_lines(m, &m->files[file], &lines);

    *n = 0;
    for (size_t i = 0; i < lines.used; i++)
        *n += (unsigned)__builtin_popcount(lines.bits[i]);
    free(lines.bits);
    return status;
}

int merge_line_bits(const struct merge *m, size_t file, uint8_t **bits, size_t *len)
{
    struct merge_lines lines = {0};
    int status = add_lines(m, &m->files[file], &lines);

    *bits = lines.bits;
    *len = lines.used;
    return status;
}

int merge_wants_multiline(const struct merge *m, size_t number, bool *wanted)
{
    const struct merge_file *file = &m->files[number];
    struct merge_lines lines = {0};
    int status = add_lines(m, file, &lines);

    *wanted = false;
    for (size_t i = file->hits; !status && i < file->hits + file->hits_n && !*wanted; i++) {
        const struct merge_hit *hit = &m->hits[i];

        if (merge_hit_space(hit) != SEG_ARCS)
            continue;
        for (uint32_t bit = 0; bit < SEG_RECORD_BITS && !*wanted; bit++) {
            const struct merge_arc *arc;

            if (!(hit->bits[bit / 8] >> (bit % 8) & 1))
                continue;
            arc = merge_arcs_find(m, file, merge_hit_number(hit) * SEG_RECORD_BITS + bit);
            *wanted = arc && merge_arc_wants_multiline(arc, &lines);
        }
    }
    free(lines.bits);
    return status;
}

static int compare_packed(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* Insertion sort, as one (file, context) usually has few arcs. */
void merge_arcs_sort(uint64_t *arcs, size_t n)
{
    if (n > 64) {
        qsort(arcs, n, sizeof *arcs, compare_packed);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        uint64_t arc = arcs[i];
        size_t at = i;

        for (; at > 0 && arcs[at - 1] > arc; at--)
            arcs[at] = arcs[at - 1];
        arcs[at] = arc;
    }
}
