/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The big tables, line_bits and arc: sorted hits in, sorted rows out.
 *
 * Rows go into the new file in the order of its unique indexes, which is three times as fast as any
 * other order. With an old file there are two sorted streams, its rows and ours, and this is the
 * merge step of a merge sort: equal keys are united, everything else is copied. Memory holds the
 * hits and one row, never the old file.
 */
#include <stdlib.h>
#include <string.h>

#include "arcs.h"
#include "grow.h"
#include "kill_point.h"
#include "pass.h"

#define PREFETCH 16 /* hits */

/* -- two sorted streams -- */

static int next_old(struct merge_pass *p)
{
    bool row = false;
    int status;

    p->old_row.valid = false;
    if (!p->old_rows)
        return 0;
    do {
        status = merge_old_step(&p->old, p->old_rows, &row);
    } while (!status && row &&
             (sqlite3_column_type(p->old_rows, 0) == SQLITE_NULL ||
              sqlite3_column_type(p->old_rows, 1) == SQLITE_NULL));
    if (status || !row)
        return status;
    p->old_row = (struct merge_old_row){.valid = true,
                                        .file = sqlite3_column_int64(p->old_rows, 0),
                                        .context = sqlite3_column_int64(p->old_rows, 1)};
    if (p->m->has_arcs) {
        p->old_row.from = sqlite3_column_int64(p->old_rows, 2);
        p->old_row.to = sqlite3_column_int64(p->old_rows, 3);
    }
    return 0;
}

static int compare_rows(const struct merge_old_row *a, const struct merge_old_row *b)
{
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    if (a->context != b->context)
        return a->context < b->context ? -1 : 1;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return (a->to > b->to) - (a->to < b->to);
}

static int put_old(struct merge_pass *p)
{
    const struct merge_old_row *row = &p->old_row;
    int status;

    if (p->m->has_arcs) {
        p->counts->arc_rows++;
        status = merge_db_arc(&p->db, row->file, row->context, row->from, row->to);
    } else {
        const void *bits = sqlite3_column_blob(p->old_rows, 2);

        p->counts->line_rows++;
        status = merge_db_line_bits(&p->db, row->file, row->context, bits ? bits : "",
                                    (size_t)sqlite3_column_bytes(p->old_rows, 2));
    }
    return status ? status : next_old(p);
}

/* Copies the old rows before `row` (NULL: all that are left). *equal: the next one equals `row`. */
static int put_old_before(struct merge_pass *p, const struct merge_old_row *row, bool *equal)
{
    int status = 0;

    *equal = false;
    while (!status && p->old_row.valid) {
        int order = row ? compare_rows(&p->old_row, row) : -1;

        *equal = order == 0;
        if (order >= 0)
            break;
        status = put_old(p);
    }
    return status;
}

static int put_lines(struct merge_pass *p, int64_t file, int64_t context)
{
    struct merge_old_row row = {.file = file, .context = context};
    struct merge_lines *lines = &p->lines;
    bool equal;
    int status;

    while (lines->used && lines->bits[lines->used - 1] == 0)
        lines->used--;
    if (lines->used == 0)
        return 0;
    status = put_old_before(p, &row, &equal);
    if (status)
        return status;
    if (equal && !merge_lines_unite(lines, sqlite3_column_blob(p->old_rows, 2),
                                    (size_t)sqlite3_column_bytes(p->old_rows, 2)))
        return merge_no_memory(p->error);
    p->counts->line_rows++;
    status = merge_db_line_bits(&p->db, file, context, lines->bits, lines->used);
    return status || !equal ? status : next_old(p);
}

/* -- arcs of one (file, context) -- */

static bool push_arc(struct merge_pass *p, int32_t from, int32_t to)
{
    if (!SEG_GROW(p->arcs, p->arcs_cap, p->arcs_n + 1))
        return false;
    p->arcs[p->arcs_n++] = merge_arc_pack(from, to);
    return true;
}

static bool push_taken(struct merge_pass *p, const struct merge_hit *hit)
{
    const struct merge_file *file = &p->m->files[hit->file];

    for (uint32_t byte = 0; byte < SEG_RECORD_BYTES; byte++) {
        for (unsigned bits = hit->bits[byte]; bits; bits &= bits - 1) {
            uint32_t bit =
                merge_hit_number(hit) * SEG_RECORD_BITS + byte * 8 + (uint32_t)__builtin_ctz(bits);
            const struct merge_arc *arc = merge_arcs_find(p->m, file, bit);
            int32_t to = arc ? merge_arc_target(file, arc, &p->lines) : 0;

            if (to && !push_arc(p, arc->from, to))
                return false;
        }
    }
    return true;
}

/* Arcs of the file that have no bit: SEG_ARC_LINES. */
static bool push_pairs(struct merge_pass *p, const struct merge_file *file)
{
    for (size_t i = file->pairs; i < file->pairs + file->pairs_n; i++) {
        const struct merge_arc *arc = &p->m->arcs[i];
        int32_t to = merge_arc_target(file, arc, &p->lines);

        if (to && !push_arc(p, arc->from, to))
            return false;
    }
    return true;
}

static bool push_lines(struct merge_pass *p)
{
    for (size_t byte = 0; byte < p->lines.used; byte++) {
        for (unsigned bits = p->lines.bits[byte]; bits; bits &= bits - 1) {
            int32_t line = (int32_t)(byte * 8) + __builtin_ctz(bits);

            if (!push_arc(p, line, line))
                return false;
        }
    }
    return true;
}

static int put_arc(struct merge_pass *p, int64_t file, int64_t context, uint64_t packed)
{
    struct merge_old_row row = {.file = file,
                                .context = context,
                                .from = merge_arc_from(packed),
                                .to = merge_arc_to(packed)};
    bool equal;
    int status = put_old_before(p, &row, &equal);

    if (status || equal) /* an equal row is copied when its turn comes */
        return status;
    p->counts->arc_rows++;
    return merge_db_arc(&p->db, file, context, row.from, row.to);
}

/* In a dynamic context a line at which an arc begins or ends needs no row (l, l). For reports a
 * line has run if it has any arc, and (l, l) matters only to lines with one exit, which they do not
 * count; but such rows, in each context, would be most of the file. */
static void drop_lines_of_arcs(struct merge_pass *p)
{
    for (size_t i = 0; i < p->arcs_n; i++) {
        merge_lines_remove(&p->lines, merge_arc_from(p->arcs[i]));
        merge_lines_remove(&p->lines, merge_arc_to(p->arcs[i]));
    }
}

static int put_arcs(struct merge_pass *p, int64_t file, int64_t context,
                    const struct merge_hit *hits, size_t n)
{
    uint32_t last_file = UINT32_MAX;
    uint64_t before = 0;
    int status = 0;
    size_t taken_n;

    p->arcs_n = 0;
    for (size_t i = 0; i < n; i++) {
        if (hits[i].file != last_file && !push_pairs(p, &p->m->files[hits[i].file]))
            return merge_no_memory(p->error);
        last_file = hits[i].file;
        if (merge_hit_space(&hits[i]) == SEG_ARCS && !push_taken(p, &hits[i]))
            return merge_no_memory(p->error);
    }
    merge_arcs_sort(p->arcs, p->arcs_n);
    if (hits[0].context)
        drop_lines_of_arcs(p);
    taken_n = p->arcs_n;
    if (!push_lines(p))
        return merge_no_memory(p->error);
    for (size_t arc = 0, line = taken_n; !status && (arc < taken_n || line < p->arcs_n);) {
        bool take_line = line < p->arcs_n && (arc == taken_n || p->arcs[line] <= p->arcs[arc]);
        uint64_t packed = take_line ? p->arcs[line++] : p->arcs[arc++];

        if (packed != before)
            status = put_arc(p, file, context, packed);
        before = packed;
    }
    return status;
}

/* -- the pass -- */

static void count_lines(struct merge_pass *p)
{
    for (size_t i = 0; i < p->any.used; i++)
        p->counts->lines += (unsigned)__builtin_popcount(p->any.bits[i]);
    merge_lines_clear(&p->any);
}

/* All hits of one (file, context). */
static int put_group(struct merge_pass *p, const struct merge_hit *hits, size_t n)
{
    int64_t file = p->files.id[hits[0].file], context = p->contexts.id[hits[0].context];

    merge_lines_clear(&p->lines);
    for (size_t i = 0; i < n; i++) {
        if (merge_hit_space(&hits[i]) == SEG_LINES &&
            !merge_lines_add(&p->lines, merge_hit_number(&hits[i]), hits[i].bits))
            return merge_no_memory(p->error);
    }
    if (!merge_lines_unite(&p->any, p->lines.bits, p->lines.used))
        return merge_no_memory(p->error);
    return p->m->has_arcs ? put_arcs(p, file, context, hits, n) : put_lines(p, file, context);
}

int merge_rows_put(struct merge_pass *p)
{
    bool equal;
    int status = next_old(p);

    for (size_t i = 0, end; !status && i < p->hits_n; i = end) {
        uint64_t group = p->hits[i].key >> MERGE_KEY_GROUP;
        uint64_t file = group >> SEG_KEY_CONTEXT_BITS;

        for (end = i + 1; end < p->hits_n && p->hits[end].key >> MERGE_KEY_GROUP == group;)
            end++;
        /* Hits that are sorted lie all over the copy. */
        for (size_t next = end; next < end + PREFETCH && next < p->hits_n; next++)
            __builtin_prefetch(p->hits[next].bits);
        status = put_group(p, p->hits + i, end - i);
        if (end == p->hits_n || p->hits[end].key >> MERGE_KEY_GROUP >> SEG_KEY_CONTEXT_BITS != file)
            count_lines(p);
        SEG_KILL_POINT("merge.row");
    }
    return status ? status : put_old_before(p, NULL, &equal);
}

void merge_rows_free(struct merge_pass *p)
{
    free(p->lines.bits);
    free(p->any.bits);
    free(p->arcs);
}
