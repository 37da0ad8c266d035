/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pass: sorted hits in, sorted rows out.
 *
 * Rows go into the new file in the order of its unique indexes, which is three times as fast as any
 * other order. With an old file there are two sorted streams, its rows and ours, and the pass is
 * the merge step of a merge sort: equal keys are united, everything else is copied. Memory holds
 * the hits and one row, never the old file.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"

/* Which rows of `file` or `context` the segment's files or contexts are. */
struct rows {
    int64_t *id;    /* by index in merge.files or .contexts; 0: left out */
    uint32_t *rank; /* by index: position of its id among the sorted ones */
    int64_t *ids;   /* by rank */
    size_t n;
};

/* The row that the old file's cursor stands on. */
struct old_row {
    bool valid;
    int64_t file, context, from, to;
};

struct pass {
    struct merge *m;
    const struct merge_options *options;
    struct merge_counts *counts;
    struct merge_error *error;
    struct merge_place place;
    struct merge_old old;
    struct merge_db db;
    struct merge_names file_names, context_names;
    struct rows files, contexts;
    char **context_texts;   /* by context: made here, to free */
    struct merge_hit *hits; /* the segment's, or own_hits */
    size_t hits_n;
    struct merge_hit *own_hits;
    sqlite3_stmt *old_rows;
    struct old_row old_row;
    struct merge_lines lines; /* of the row */
    struct merge_lines any;   /* of the file, whatever the context */
    uint64_t *arcs;           /* of the row */
    size_t arcs_n, arcs_cap;
    uint8_t *united;
    size_t united_cap;
};

/* -- what the old file holds besides rows -- */

static int copy_meta(struct pass *p)
{
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    /* The hash is one of data that we are about to change. */
    int status =
        merge_old_prepare(&p->old, "SELECT key, value FROM meta WHERE key != 'hash'", &stmt);

    while (!status && !(status = merge_old_step(&p->old, stmt, &row)) && row) {
        const char *key = (const char *)sqlite3_column_text(stmt, 0);

        if (key)
            status = merge_db_meta(&p->db, key, (const char *)sqlite3_column_text(stmt, 1));
    }
    sqlite3_finalize(stmt);
    return status;
}

/* Copies file, context or tracer, all (id, text), and remembers the names. */
static int copy_names(struct pass *p, const char *sql, sqlite3_stmt *insert,
                      struct merge_names *names)
{
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    int status = merge_old_prepare(&p->old, sql, &stmt);

    while (!status && !(status = merge_old_step(&p->old, stmt, &row)) && row) {
        int64_t id = sqlite3_column_int64(stmt, 0);
        const char *text = (const char *)sqlite3_column_text(stmt, 1);
        size_t len = (size_t)sqlite3_column_bytes(stmt, 1);

        if (!text)
            continue;
        if (names) {
            struct merge_name *name = merge_names_get(names, text, len, true);

            if (!name) {
                status = merge_no_memory(p->error);
                break;
            }
            name->id = id;
            names->max = id > names->max ? id : names->max;
        }
        status = merge_db_name(&p->db, insert, id, text, len);
    }
    sqlite3_finalize(stmt);
    return status;
}

static int copy_old(struct pass *p)
{
    int status;

    if (!p->old.db)
        return 0;
    if ((status = copy_meta(p)) ||
        (status =
             copy_names(p, "SELECT id, path FROM file ORDER BY id", p->db.file, &p->file_names)) ||
        (status = copy_names(p, "SELECT id, context FROM context ORDER BY id", p->db.context,
                             &p->context_names)) ||
        (status = copy_names(p, "SELECT file_id, tracer FROM tracer ORDER BY file_id", p->db.tracer,
                             NULL)))
        return status;
    p->counts->old_files = p->file_names.n;
    return merge_old_prepare(&p->old,
                             p->m->has_arcs ? "SELECT file_id, context_id, fromno, tono FROM arc"
                                              " ORDER BY file_id, context_id, fromno, tono"
                                            : "SELECT file_id, context_id, numbits FROM line_bits"
                                              " ORDER BY file_id, context_id",
                             &p->old_rows);
}

/* -- names -- */

static bool make_rows(struct rows *rows, size_t n)
{
    rows->id = calloc(n + 1, sizeof *rows->id);
    rows->rank = calloc(n + 1, sizeof *rows->rank);
    rows->ids = calloc(n + 1, sizeof *rows->ids);
    return rows->id && rows->rank && rows->ids;
}

static void free_rows(struct rows *rows)
{
    free(rows->id);
    free(rows->rank);
    free(rows->ids);
}

/* The row of a name, inserted if it is new. */
static int row_of(struct pass *p, struct merge_names *names, sqlite3_stmt *insert, const char *text,
                  size_t len, int64_t *id)
{
    struct merge_name *name = merge_names_get(names, text, len, false);

    if (!name)
        return merge_no_memory(p->error);
    if (!name->id) {
        int status = merge_db_name(&p->db, insert, ++names->max, text, len);

        if (status)
            return status;
        name->id = names->max;
    }
    *id = name->id;
    return 0;
}

static int compare_ids(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

/* Ranks of the ids: 32 bits that sort as the ids do, whatever ids the old file had. */
static void rank_rows(struct rows *rows, size_t n)
{
    size_t unique = 0;

    for (size_t i = 0; i < n; i++) {
        if (rows->id[i])
            rows->ids[rows->n++] = rows->id[i];
    }
    qsort(rows->ids, rows->n, sizeof *rows->ids, compare_ids);
    for (size_t i = 0; i < rows->n; i++) {
        if (unique == 0 || rows->ids[unique - 1] != rows->ids[i])
            rows->ids[unique++] = rows->ids[i];
    }
    rows->n = unique;
    for (size_t i = 0; i < n; i++) {
        const int64_t *at =
            rows->id[i] ? bsearch(&rows->id[i], rows->ids, rows->n, sizeof *rows->ids, compare_ids)
                        : NULL;

        rows->rank[i] = at ? (uint32_t)(at - rows->ids) : 0;
    }
}

static int name_files(struct pass *p)
{
    const struct merge *m = p->m;
    int64_t id;
    int status;

    if (!make_rows(&p->files, m->files_n))
        return merge_no_memory(p->error);
    for (size_t i = 0; i < m->files_n; i++) {
        const char *text = p->options->names ? p->options->names[i] : m->files[i].path;
        size_t len = p->options->names ? (text ? strlen(text) : 0) : m->files[i].path_len;

        if (!text || !merge_is_utf8(text, len)) {
            p->counts->unnamed++;
            continue;
        }
        status = row_of(p, &p->file_names, p->db.file, text, len, &p->files.id[i]);
        if (status)
            return status;
    }
    for (size_t i = 0; i < p->options->touch_n; i++) {
        const char *text = p->options->touch[i];

        if (!text || !merge_is_utf8(text, strlen(text)))
            continue;
        status = row_of(p, &p->file_names, p->db.file, text, strlen(text), &id);
        if (status)
            return status;
    }
    rank_rows(&p->files, m->files_n);
    p->counts->files = p->files.n;
    return 0;
}

/* The name as coverage.py joins it: static, dynamic, or static|dynamic. */
static char *context_text(const struct merge *m, const struct merge_context *context, size_t *len)
{
    size_t first = m->static_context_len;
    char *joined = malloc(first + context->len + 2), *text;

    if (!joined)
        return NULL;
    memcpy(joined, m->static_context, first);
    if (first && context->len)
        joined[first++] = '|';
    memcpy(joined + first, context->name, context->len);
    *len = first + context->len;
    if (merge_is_utf8(joined, *len))
        return joined;
    text = merge_make_utf8(joined, len);
    free(joined);
    return text;
}

static int name_contexts(struct pass *p)
{
    const struct merge *m = p->m;

    p->context_texts = calloc(m->contexts_n, sizeof *p->context_texts);
    if (!p->context_texts || !make_rows(&p->contexts, m->contexts_n))
        return merge_no_memory(p->error);
    for (size_t i = 0; i < m->hits_n; i++) /* contexts that hit nothing get no row */
        p->contexts.id[m->hits[i].context] = 1;
    for (size_t i = 0; i < m->contexts_n; i++) {
        size_t len;
        int status;

        if (!p->contexts.id[i])
            continue;
        p->context_texts[i] = context_text(m, &m->contexts[i], &len);
        if (!p->context_texts[i])
            return merge_no_memory(p->error);
        status = row_of(p, &p->context_names, p->db.context, p->context_texts[i], len,
                        &p->contexts.id[i]);
        if (status)
            return status;
    }
    rank_rows(&p->contexts, m->contexts_n);
    p->counts->contexts = p->contexts.n;
    return 0;
}

/* Do the ids rise with the index? Then the hits are sorted by them already. Contexts without a row
 * have no hits. */
static bool rising(const struct rows *rows, size_t n, bool gaps)
{
    int64_t last = 0;

    for (size_t i = 0; i < n; i++) {
        if (rows->id[i] == 0 && gaps)
            continue;
        if (rows->id[i] <= last)
            return false;
        last = rows->id[i];
    }
    return true;
}

/* Hits in the order of the rows they will become, without those of files that have no name. */
static int order_hits(struct pass *p)
{
    const struct merge *m = p->m;

    p->hits = m->hits;
    p->hits_n = m->hits_n;
    if (m->hits_n == 0 ||
        (rising(&p->files, m->files_n, false) && rising(&p->contexts, m->contexts_n, true)))
        return 0;
    p->own_hits = malloc(m->hits_n * sizeof *p->own_hits);
    if (!p->own_hits)
        return merge_no_memory(p->error);
    p->hits_n = 0;
    for (size_t i = 0; i < m->hits_n; i++) {
        struct merge_hit hit = m->hits[i];

        if (!p->files.id[hit.file])
            continue;
        hit.key = merge_key(p->files.rank[hit.file], p->contexts.rank[hit.context],
                            merge_hit_space(&hit), merge_hit_number(&hit));
        p->own_hits[p->hits_n++] = hit;
    }
    if (!merge_sort_hits(&p->own_hits, p->hits_n))
        return merge_no_memory(p->error);
    p->hits = p->own_hits;
    return 0;
}

/* -- rows -- */

static int next_old(struct pass *p)
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
    p->old_row = (struct old_row){.valid = true,
                                  .file = sqlite3_column_int64(p->old_rows, 0),
                                  .context = sqlite3_column_int64(p->old_rows, 1)};
    if (p->m->has_arcs) {
        p->old_row.from = sqlite3_column_int64(p->old_rows, 2);
        p->old_row.to = sqlite3_column_int64(p->old_rows, 3);
    }
    return 0;
}

static int compare_rows(const struct old_row *a, const struct old_row *b)
{
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    if (a->context != b->context)
        return a->context < b->context ? -1 : 1;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return (a->to > b->to) - (a->to < b->to);
}

static int put_old(struct pass *p)
{
    const struct old_row *row = &p->old_row;
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

/* Copies the old rows before `row`, or all that are left. *equal: the next one is `row` itself. */
static int put_old_before(struct pass *p, const struct old_row *row, bool *equal)
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

static int put_lines(struct pass *p, int64_t file, int64_t context)
{
    struct old_row row = {.file = file, .context = context};
    const uint8_t *bits = p->lines.bits;
    size_t len = p->lines.used;
    bool equal;
    int status;

    while (len && bits[len - 1] == 0)
        len--;
    if (len == 0)
        return 0;
    status = put_old_before(p, &row, &equal);
    if (status)
        return status;
    if (equal) {
        const uint8_t *old = sqlite3_column_blob(p->old_rows, 2);
        size_t old_len = (size_t)sqlite3_column_bytes(p->old_rows, 2);
        size_t both = old_len > len ? old_len : len;

        if (both > p->united_cap) {
            free(p->united);
            p->united = malloc(both * 2);
            p->united_cap = p->united ? both * 2 : 0;
            if (!p->united)
                return merge_no_memory(p->error);
        }
        memset(p->united, 0, both);
        memcpy(p->united, bits, len);
        for (size_t i = 0; i < old_len; i++)
            p->united[i] |= old[i];
        bits = p->united;
        len = both;
        status = merge_db_line_bits(&p->db, file, context, bits, len);
        if (!status)
            status = next_old(p);
    } else {
        status = merge_db_line_bits(&p->db, file, context, bits, len);
    }
    p->counts->line_rows++;
    return status;
}

/* -- arcs of one row group -- */

/* Pairs as numbers that sort as SQLite sorts the columns. */
static uint64_t pack(int32_t from, int32_t to)
{
    return (uint64_t)((uint32_t)from ^ 0x80000000u) << 32 | ((uint32_t)to ^ 0x80000000u);
}

static bool push_arc(struct pass *p, int32_t from, int32_t to)
{
    if (p->arcs_n == p->arcs_cap) {
        size_t cap = p->arcs_cap ? p->arcs_cap * 2 : 1024;
        uint64_t *bigger = realloc(p->arcs, cap * sizeof *bigger);

        if (!bigger)
            return false;
        p->arcs = bigger;
        p->arcs_cap = cap;
    }
    p->arcs[p->arcs_n++] = pack(from, to);
    return true;
}

static bool push_taken(struct pass *p, const struct merge_hit *hit)
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

/* Arcs of a file that have no bit. */
static bool push_pairs(struct pass *p, const struct merge_file *file)
{
    for (size_t i = file->pairs; i < file->pairs + file->pairs_n; i++) {
        const struct merge_arc *arc = &p->m->arcs[i];
        int32_t to = merge_arc_target(file, arc, &p->lines);

        if (to && !push_arc(p, arc->from, to))
            return false;
    }
    return true;
}

static bool push_lines(struct pass *p)
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

static int compare_packed(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

/* A row group has few branches. */
static void sort_arcs(uint64_t *arcs, size_t n)
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

static int put_arc(struct pass *p, int64_t file, int64_t context, uint64_t packed)
{
    struct old_row row = {.file = file,
                          .context = context,
                          .from = (int32_t)((uint32_t)(packed >> 32) ^ 0x80000000u),
                          .to = (int32_t)((uint32_t)packed ^ 0x80000000u)};
    bool equal;
    int status = put_old_before(p, &row, &equal);

    if (status || equal) /* an equal row is copied when its turn comes */
        return status;
    p->counts->arc_rows++;
    return merge_db_arc(&p->db, file, context, row.from, row.to);
}

static int put_arcs(struct pass *p, int64_t file, int64_t context, const struct merge_hit *hits,
                    size_t n)
{
    uint32_t last_file = UINT32_MAX;
    uint64_t before = 0;
    int status = 0;
    size_t lines_n;

    p->arcs_n = 0;
    if (!push_lines(p))
        return merge_no_memory(p->error);
    lines_n = p->arcs_n;
    for (size_t i = 0; i < n; i++) {
        if (hits[i].file != last_file && !push_pairs(p, &p->m->files[hits[i].file]))
            return merge_no_memory(p->error);
        last_file = hits[i].file;
        if (merge_hit_space(&hits[i]) == SEG_ARCS && !push_taken(p, &hits[i]))
            return merge_no_memory(p->error);
    }
    sort_arcs(p->arcs + lines_n, p->arcs_n - lines_n);
    for (size_t line = 0, arc = lines_n; !status && (line < lines_n || arc < p->arcs_n);) {
        bool take_line = line < lines_n && (arc == p->arcs_n || p->arcs[line] <= p->arcs[arc]);
        uint64_t packed = take_line ? p->arcs[line++] : p->arcs[arc++];

        if (packed != before)
            status = put_arc(p, file, context, packed);
        before = packed;
    }
    return status;
}

/* -- the pass -- */

static void count_lines(struct pass *p)
{
    for (size_t i = 0; i < p->any.used; i++)
        p->counts->lines += (unsigned)__builtin_popcount(p->any.bits[i]);
    merge_lines_clear(&p->any);
}

/* All hits of one (file, context). */
static int put_group(struct pass *p, const struct merge_hit *hits, size_t n)
{
    int64_t file = p->files.id[hits[0].file], context = p->contexts.id[hits[0].context];

    merge_lines_clear(&p->lines);
    for (size_t i = 0; i < n; i++) {
        if (merge_hit_space(&hits[i]) == SEG_LINES &&
            (!merge_lines_add(&p->lines, &hits[i]) || !merge_lines_add(&p->any, &hits[i])))
            return merge_no_memory(p->error);
    }
    return p->m->has_arcs ? put_arcs(p, file, context, hits, n) : put_lines(p, file, context);
}

static int put_rows(struct pass *p)
{
    bool equal;
    int status = next_old(p);

    for (size_t i = 0, end; !status && i < p->hits_n; i = end) {
        uint64_t group = p->hits[i].key >> MERGE_KEY_GROUP;
        uint64_t file = group >> SEG_KEY_CONTEXT_BITS;

        for (end = i + 1; end < p->hits_n && p->hits[end].key >> MERGE_KEY_GROUP == group;)
            end++;
        status = put_group(p, p->hits + i, end - i);
        if (end == p->hits_n || p->hits[end].key >> MERGE_KEY_GROUP >> SEG_KEY_CONTEXT_BITS != file)
            count_lines(p);
    }
    return status ? status : put_old_before(p, NULL, &equal);
}

static int build(struct pass *p)
{
    int status;

    if ((status = merge_db_create(&p->db, p->place.tmp, p->place.real, p->error)) ||
        (status = copy_old(p)) ||
        (status = merge_db_meta(&p->db, "version", p->options->version)) ||
        (status = merge_db_meta(&p->db, "sys_argv", p->options->argv)) ||
        (status = merge_db_meta(&p->db, "when", p->options->when)) ||
        (status = merge_db_meta(&p->db, "has_arcs", p->m->has_arcs ? "1" : "0")) ||
        (status = name_files(p)) || (status = name_contexts(p)) || (status = order_hits(p)))
        return status;
    if (p->m->has_arcs) {
        for (size_t i = 0; i < p->m->files_n; i++)
            merge_arcs_resolve(p->m, &p->m->files[i]);
    }
    status = put_rows(p);
    return status ? status : merge_db_finish(&p->db);
}

static void free_pass(struct pass *p)
{
    sqlite3_finalize(p->old_rows);
    merge_db_close(&p->db);
    merge_old_close(&p->old); /* before the place: see copy_into_place */
    merge_place_close(&p->place);
    for (size_t i = 0; p->context_texts && i < p->m->contexts_n; i++)
        free(p->context_texts[i]);
    free(p->context_texts);
    merge_names_free(&p->file_names);
    merge_names_free(&p->context_names);
    free_rows(&p->files);
    free_rows(&p->contexts);
    free(p->own_hits);
    free(p->lines.bits);
    free(p->any.bits);
    free(p->arcs);
    free(p->united);
}

int merge_write(struct merge *m, const struct merge_options *options, struct merge_counts *counts,
                struct merge_error *error)
{
    struct pass pass = {.m = m, .options = options, .counts = counts, .error = error};
    struct stat old;
    bool held;
    int status;

    *counts = (struct merge_counts){0};
    error->text[0] = 0;
    status = merge_place_find(&pass.place, options->target, error);
    if (!status && options->append)
        status = merge_old_open(&pass.old, options->append, m->has_arcs, true, error);
    held = pass.old.db && stat(options->append, &old) == 0 && old.st_ino == pass.place.old.st_ino &&
           old.st_dev == pass.place.old.st_dev;
    if (!status)
        status = merge_place_create(&pass.place, error);
    if (!status)
        status = build(&pass);
    merge_db_close(&pass.db);
    sqlite3_finalize(pass.old_rows);
    pass.old_rows = NULL;
    if (!status)
        status = merge_place_commit(&pass.place, held, error);
    free_pass(&pass);
    return status;
}

int merge_check_target(const char *target, bool has_arcs, bool append, struct merge_error *error)
{
    struct merge_place place;
    struct merge_old old;
    int status;

    error->text[0] = 0;
    status = merge_place_find(&place, target, error);
    if (!status && append) {
        status = merge_old_open(&old, place.real, has_arcs, false, error);
        merge_old_close(&old);
    }
    return status;
}
