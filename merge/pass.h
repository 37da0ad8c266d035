/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of one pass, shared by three files: merge.c drives it, tables.c fills the tables that
 * give files and contexts their row ids, rows.c fills line_bits and arc.
 */
#ifndef MERGE_PASS_H
#define MERGE_PASS_H

#include "internal.h"
#include "text.h"

/* The row ids of the segment's files or contexts. */
struct merge_rows {
    int64_t *id;    /* by index in merge.files or .contexts; 0: left out */
    uint32_t *rank; /* by index: place of its id among the sorted ones */
    int64_t *ids;   /* by rank */
    size_t n;
};

/* The current row of the cursor over the old file. */
struct merge_old_row {
    bool valid;
    int64_t file, context, from, to;
};

struct merge_pass {
    struct merge *m;
    const struct merge_options *options;
    struct merge_counts *counts;
    struct merge_error *error;
    struct merge_place place;
    struct merge_old old;
    struct merge_db db;
    struct merge_rows files, contexts;
    struct merge_hit *hits; /* the segment's, or own_hits */
    size_t hits_n;
    struct merge_hit *own_hits;
    sqlite3_stmt *old_rows;
    struct merge_old_row old_row;
    struct merge_lines lines; /* of the row */
    struct merge_lines any;   /* of the file, whatever the context */
    uint64_t *arcs;           /* of the row */
    size_t arcs_n, arcs_cap;
};

/* -- tables.c -- */

/* Copies the small tables of the old file, and opens the cursor over the rows of its big one. */
int merge_tables_copy(struct merge_pass *p);

/* Inserts meta, files and contexts of the segment. */
int merge_tables_fill(struct merge_pass *p);

/* Sets p->hits, in the order of the rows that they will become, without files that are left out. */
int merge_tables_order(struct merge_pass *p);
void merge_tables_free(struct merge_pass *p);

/* -- rows.c -- */

int merge_rows_put(struct merge_pass *p);
void merge_rows_free(struct merge_pass *p);

#endif
