/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorted rows written as pages of SQLite's file format (sqlite.org/fileformat2.html), which is the
 * same for all versions of SQLite 3. SQLite takes five times as long for each row: it descends two
 * trees to the place that is always the last one, and looks for equal rows.
 *
 * SQLite makes the file, with all that is small, and closes it; then the rows of one table and of
 * its one unique index are added here, and it is a complete file again.
 */
#ifndef MERGE_PAGES_H
#define MERGE_PAGES_H

#include "merge.h"

#define MERGE_COLUMNS 4 /* at most, of the index; all are numbers */
#define MERGE_LEVELS 16 /* of a tree; each holds over a hundred of the level below */

struct merge_place;

struct merge_level {
    uint8_t *page;
    unsigned cells;
    unsigned start; /* of the cells, which grow down */
    unsigned last;  /* length of the last cell */
};

struct merge_tree {
    bool index;
    uint32_t root;
    int64_t rowid; /* of the last row */
    struct merge_level levels[MERGE_LEVELS];
    unsigned levels_n;
};

struct merge_pages {
    const struct merge_place *place;
    struct merge_error *error;
    uint32_t size;   /* of a page */
    uint32_t usable; /* of it */
    uint32_t next;   /* page */
    uint8_t *waiting;
    uint32_t first; /* that waits */
    unsigned waiting_n;
    uint8_t *cell; /* room for one */
    struct merge_tree table, index;
    unsigned columns; /* of the index */
    int64_t last[MERGE_COLUMNS];
};

/* Where SQLite has put the table and its index: their empty roots. */
int merge_pages_begin(struct merge_pages *pages, const struct merge_place *place, uint32_t table,
                      uint32_t index, unsigned columns, struct merge_error *error);

/* Adds a row: the numbers of the index, then, unless bits is NULL, a blob. Equal rows, and such as
 * are out of order, are an error. */
int merge_pages_add(struct merge_pages *pages, const int64_t *numbers, const void *bits,
                    size_t len);

/* Writes what is left, and the number of pages. */
int merge_pages_finish(struct merge_pages *pages);
void merge_pages_free(struct merge_pages *pages);

#endif
