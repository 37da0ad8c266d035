/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small tables: meta, file, context and tracer. Rows of the old file keep their ids; new ones
 * come after them. Then the hits are sorted by those ids.
 */
#include <stdlib.h>
#include <string.h>

#include "pass.h"

/* -- the small tables of the old file -- */

int merge_tables_copy_meta(struct merge_old *old, struct merge_db *db)
{
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    /* The old hash will not match the new data. */
    int status = merge_old_prepare(old, "SELECT key, value FROM meta WHERE key != 'hash'", &stmt);

    while (!status && !(status = merge_old_step(old, stmt, &row)) && row) {
        const char *key = (const char *)sqlite3_column_text(stmt, 0);

        if (key)
            status = merge_db_meta(db, key, (const char *)sqlite3_column_text(stmt, 1));
    }
    sqlite3_finalize(stmt);
    return status;
}

/* Copies file, context or tracer, all (id, text). */
static int copy_names(struct merge_pass *p, const char *sql, struct merge_names *names)
{
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    int status = merge_old_prepare(&p->old, sql, &stmt);

    while (!status && !(status = merge_old_step(&p->old, stmt, &row)) && row) {
        int64_t id = sqlite3_column_int64(stmt, 0);
        const char *text = (const char *)sqlite3_column_text(stmt, 1);

        if (!text)
            continue;
        names->max = id > names->max ? id : names->max;
        names->old++;
        status =
            merge_db_name(&p->db, names->insert, id, text, (size_t)sqlite3_column_bytes(stmt, 1));
        if (!status && (!id || !sqlite3_changes(p->db.db)))
            status = merge_fail(p->error, MERGE_ERR_DATA,
                                "Couldn't use data file '%s': its row of '%s' has no number, or is"
                                " there twice; erase it, or run without --append",
                                p->old.path, text);
    }
    sqlite3_finalize(stmt);
    return status;
}

int merge_tables_copy(struct merge_pass *p)
{
    struct merge_names tracers = {.insert = p->db.tracer};
    int status;

    if (!p->old.db)
        return 0;
    if ((status = merge_tables_copy_meta(&p->old, &p->db)) ||
        (status = copy_names(p, "SELECT id, path FROM file ORDER BY id", &p->db.file)) ||
        (status = copy_names(p, "SELECT id, context FROM context ORDER BY id", &p->db.context)) ||
        (status = copy_names(p, "SELECT file_id, tracer FROM tracer ORDER BY file_id", &tracers)))
        return status;
    p->counts->old_files = p->db.file.old;
    return merge_old_prepare(&p->old,
                             p->m->has_arcs ? "SELECT file_id, context_id, fromno, tono FROM arc"
                                              " ORDER BY file_id, context_id, fromno, tono"
                                            : "SELECT file_id, context_id, numbits FROM line_bits"
                                              " ORDER BY file_id, context_id",
                             &p->old_rows);
}

/* -- names -- */

static bool make_rows(struct merge_rows *rows, size_t n)
{
    rows->id = calloc(n + 1, sizeof *rows->id);
    rows->rank = calloc(n + 1, sizeof *rows->rank);
    rows->ids = calloc(n + 1, sizeof *rows->ids);
    return rows->id && rows->rank && rows->ids;
}

static void free_rows(struct merge_rows *rows)
{
    free(rows->id);
    free(rows->rank);
    free(rows->ids);
}

static int compare_ids(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

/* Ranks sort as the ids do, but fit into a key, whatever ids the old file has. */
static void rank_rows(struct merge_rows *rows, size_t n)
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

static int name_files(struct merge_pass *p)
{
    const struct merge *m = p->m;
    const char *tracer;
    int64_t id = 0;
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
        status = merge_db_row(&p->db, &p->db.file, text, len, &p->files.id[i]);
        tracer = merge_tracer(m, i, &len);
        if (!status && tracer)
            status = merge_db_tracer(&p->db, p->files.id[i], text, tracer, len);
        if (status)
            return status;
    }
    for (size_t i = 0; i < p->options->touch_n; i++) {
        const char *text = p->options->touch[i];

        if (!text || !merge_is_utf8(text, strlen(text)))
            continue;
        status = merge_db_row(&p->db, &p->db.file, text, strlen(text), &id);
        tracer = p->options->tracers ? p->options->tracers[i] : NULL;
        if (!status && tracer)
            status = merge_db_tracer(&p->db, id, text, tracer, strlen(tracer));
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
    text = merge_make_utf8(joined, len);
    free(joined);
    return text;
}

static int name_contexts(struct merge_pass *p)
{
    const struct merge *m = p->m;

    if (!make_rows(&p->contexts, m->contexts_n))
        return merge_no_memory(p->error);
    for (size_t i = 0; i < m->hits_n; i++) /* contexts that hit nothing get no row */
        p->contexts.id[m->hits[i].context] = 1;
    for (size_t i = 0; i < m->contexts_n; i++) {
        size_t len;
        char *text;
        int status;

        if (!p->contexts.id[i])
            continue;
        text = context_text(m, &m->contexts[i], &len);
        if (!text)
            return merge_no_memory(p->error);
        status = merge_db_row(&p->db, &p->db.context, text, len, &p->contexts.id[i]);
        free(text);
        if (status)
            return status;
    }
    rank_rows(&p->contexts, m->contexts_n);
    p->counts->contexts = p->contexts.n;
    return 0;
}

/* Do the ids rise with the index? Then the hits are in their order already. `gaps`: an index
 * without a row has no hits. */
static bool rising(const struct merge_rows *rows, size_t n, bool gaps)
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

int merge_tables_order(struct merge_pass *p)
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

int merge_tables_fill(struct merge_pass *p)
{
    int status;

    if ((status = merge_db_meta(&p->db, "version", p->options->version)) ||
        (status = merge_db_meta(&p->db, "sys_argv", p->options->argv)) ||
        (status = merge_db_meta(&p->db, "when", p->options->when)) ||
        (status = merge_db_meta(&p->db, "has_arcs", p->m->has_arcs ? "1" : "0")) ||
        (status = name_files(p)))
        return status;
    return name_contexts(p);
}

void merge_tables_free(struct merge_pass *p)
{
    free_rows(&p->files);
    free_rows(&p->contexts);
    free(p->own_hits);
}
