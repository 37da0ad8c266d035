/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One input of combine. What it says is not trusted: numbers that stand for nothing are passed
 * over, as coverage.py does, and a value of another kind than it must be is an error.
 */
#include "input.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arcs.h"
#include "combine.h"
#include "grow.h"
#include "text.h"

#define ASK_AFTER 4096 /* rows */

/* -- ids -- */

bool merge_ids_add(struct merge_ids *ids, int64_t id, uint32_t to)
{
    if (!SEG_GROW(ids->id, ids->id_cap, ids->n + 1) || !SEG_GROW(ids->to, ids->to_cap, ids->n + 1))
        return false;
    ids->id[ids->n] = id;
    ids->to[ids->n++] = to;
    return true;
}

static void free_ids(struct merge_ids *ids)
{
    free(ids->id);
    free(ids->to);
}

size_t merge_ids_find(const struct merge_ids *ids, int64_t id)
{
    size_t low = 0, high = ids->n;

    if (high == 0 || id < ids->id[0])
        return ids->n;
    if ((uint64_t)id - (uint64_t)ids->id[0] < high) { /* there are no gaps, usually */
        size_t at = (size_t)((uint64_t)id - (uint64_t)ids->id[0]);

        if (ids->id[at] == id)
            return at;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ids->id[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ids->n && ids->id[low] == id ? low : ids->n;
}

/* -- small tables -- */

static int add_file(struct merge_input *input, int64_t id, const char *text, size_t len)
{
    if (!merge_is_utf8(text, len))
        return merge_fail(input->old.error, MERGE_ERR_DATA,
                          "Couldn't use data file '%s': the name of a file is not UTF-8",
                          input->path);
    if (!SEG_GROW(input->names, input->names_cap, input->files.n + 1) ||
        !SEG_GROW(input->text, input->text_cap, input->text_n + len + 1))
        return merge_no_memory(input->old.error);
    input->names[input->files.n] = input->text_n;
    memcpy(input->text + input->text_n, text, len);
    input->text[input->text_n + len] = 0;
    input->text_n += len + 1;
    return merge_ids_add(&input->files, id, 0) ? 0 : merge_no_memory(input->old.error);
}

static int read_files(struct merge_input *input)
{
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    int status = merge_old_prepare(&input->old, "SELECT id, path FROM file ORDER BY id", &stmt);

    while (!status && !(status = merge_old_step(&input->old, stmt, &row)) && row) {
        const char *text = (const char *)sqlite3_column_text(stmt, 1);

        if (text)
            status = add_file(input, sqlite3_column_int64(stmt, 0), text,
                              (size_t)sqlite3_column_bytes(stmt, 1));
    }
    sqlite3_finalize(stmt);
    return status;
}

/* What kinds of rows it has. */
static int read_kinds(struct merge_input *input)
{
    int64_t one;
    int status = merge_old_number(&input->old, "SELECT 1 FROM arc LIMIT 1", &one, &input->arc_rows);

    if (status)
        return status;
    return merge_old_number(&input->old, "SELECT 1 FROM line_bits LIMIT 1", &one,
                            &input->line_rows);
}

static int read_small(struct merge_input *input)
{
    int status = read_files(input);

    if (!status)
        status = read_kinds(input);
    if (status)
        return status;
    input->traced = calloc(input->files.n + 1, sizeof *input->traced);
    input->measured = calloc(input->files.n + 1, sizeof *input->measured);
    return input->traced && input->measured ? 0 : merge_no_memory(input->old.error);
}

int merge_input_of(struct merge_input **out, struct merge_old *old, struct merge_error *error)
{
    struct merge_input *input = calloc(1, sizeof *input);
    int status;

    *out = input;
    if (!input)
        return merge_no_memory(error);
    input->fd = -1;
    input->old = *old;
    *old = (struct merge_old){0};
    input->path = strdup(input->old.path);
    input->old.path = input->path;
    input->old.error = error;
    status = input->path ? read_small(input) : merge_no_memory(error);
    if (status) {
        merge_input_free(input);
        *out = NULL;
    }
    return status;
}

int merge_input_open(struct merge_input **out, const char *path, struct merge_error *error)
{
    struct merge_old old = {0};
    int fd, status = merge_place_read(path, &fd, error);

    *out = NULL;
    if (!status)
        status = merge_old_open_input(&old, path, error);
    if (!status)
        status = merge_input_of(out, &old, error);
    if (status) {
        merge_old_close(&old);
        if (fd >= 0)
            close(fd);
        return status == MERGE_ERR_DATA ? MERGE_ERR_INPUT : status;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): open has set it */
    (*out)->fd = fd;
    return 0;
}

void merge_input_free(struct merge_input *input)
{
    if (!input)
        return;
    merge_old_close(&input->old);
    if (input->fd >= 0)
        close(input->fd); /* after SQLite's own */
    free_ids(&input->files);
    free_ids(&input->contexts);
    free(input->names);
    free(input->text);
    free(input->traced);
    free(input->measured);
    free(input->path);
    free(input);
}

/* -- rows -- */

struct reading {
    struct merge_input *input;
    struct merge_buffer *buffer;
    sqlite3_stmt *stmt;
    size_t file; /* of the row */
    uint64_t key;
    uint64_t *arcs; /* of the key */
    size_t arcs_n, arcs_cap;
    struct merge_error *error;
};

static int bad_row(const struct reading *r, const char *what)
{
    return merge_fail(r->error, MERGE_ERR_DATA, "Couldn't use data file '%s': %s", r->input->path,
                      what);
}

/* The key of a row. False: it is nobody's. */
static bool find_key(struct reading *r, uint64_t *key)
{
    const struct merge_input *input = r->input;
    size_t context;

    if (sqlite3_column_type(r->stmt, 0) != SQLITE_INTEGER ||
        sqlite3_column_type(r->stmt, 1) != SQLITE_INTEGER)
        return false;
    r->file = merge_ids_find(&input->files, sqlite3_column_int64(r->stmt, 0));
    context = merge_ids_find(&input->contexts, sqlite3_column_int64(r->stmt, 1));
    if (r->file == input->files.n || context == input->contexts.n || !input->files.to[r->file] ||
        !input->contexts.to[context])
        return false;
    *key = merge_input_key(input->files.to[r->file], input->contexts.to[context]);
    return true;
}

static int read_line_bits(struct reading *r)
{
    uint64_t key;
    const void *bits;

    if (!find_key(r, &key))
        return 0;
    if (sqlite3_column_type(r->stmt, 2) != SQLITE_BLOB)
        return bad_row(r, "a row of its table line_bits has no numbits");
    bits = sqlite3_column_blob(r->stmt, 2);
    r->input->measured[r->file] = true;
    r->input->rows++;
    return merge_buffer_add(r->buffer, key, bits, (size_t)sqlite3_column_bytes(r->stmt, 2),
                            r->error);
}

static int end_arcs(struct reading *r)
{
    size_t n = r->arcs_n;

    if (n == 0)
        return 0;
    r->arcs_n = 0;
    r->input->rows++;
    return merge_buffer_add(r->buffer, r->key, r->arcs, n * sizeof *r->arcs, r->error);
}

/* False: no line has such a number. */
static bool line_of(sqlite3_stmt *stmt, int column, int32_t *line)
{
    int64_t number = sqlite3_column_int64(stmt, column);

    *line = (int32_t)number;
    return sqlite3_column_type(stmt, column) == SQLITE_INTEGER && *line == number;
}

static int read_arc(struct reading *r)
{
    uint64_t key;
    int32_t from, to;
    int status = 0;

    if (!find_key(r, &key))
        return 0;
    if (!line_of(r->stmt, 2, &from) || !line_of(r->stmt, 3, &to))
        return bad_row(r, "a row of its table arc has what is no number of a line");
    r->input->measured[r->file] = true;
    if (key != r->key || r->arcs_n == UINT32_MAX / sizeof *r->arcs) {
        status = end_arcs(r);
        r->key = key;
    }
    if (!SEG_GROW(r->arcs, r->arcs_cap, r->arcs_n + 1))
        return merge_no_memory(r->error);
    r->arcs[r->arcs_n++] = merge_arc_pack(from, to);
    return status;
}

int merge_input_read(struct merge_input *input, struct merge_buffer *buffer,
                     bool (*go_on)(void *arg), void *arg, struct merge_error *error)
{
    /* The index of arc has all of it, sorted. That of line_bits has not, and would have each row
     * looked up. */
    const char *sql = input->arc_rows ? "SELECT file_id, context_id, fromno, tono FROM arc"
                                        " ORDER BY file_id, context_id, fromno, tono"
                                      : "SELECT file_id, context_id, numbits FROM line_bits";
    struct reading r = {.input = input, .buffer = buffer, .error = error};
    bool row = false;
    int status;

    input->old.error = error;
    status = merge_old_prepare(&input->old, sql, &r.stmt);
    for (uint64_t n = 1; !status && !(status = merge_old_step(&input->old, r.stmt, &row)) && row;
         n++) {
        status = input->arc_rows ? read_arc(&r) : read_line_bits(&r);
        if (!status && n % ASK_AFTER == 0 && !go_on(arg))
            status = MERGE_ERR_STOPPED;
    }
    if (!status)
        status = end_arcs(&r);
    sqlite3_finalize(r.stmt);
    free(r.arcs);
    return status;
}
