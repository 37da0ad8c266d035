/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many data files to one: docs/combine.md.
 *
 * Inputs are opened one after the other. For each, the caller says what its files are called in the
 * output; threads then read its rows, while the caller opens the next one. merge_combine_finish
 * writes the output. Whatever happens before its end, the output is what it was.
 *
 * Errors as in merge.h. A handle belongs to one thread at a time. Inputs are not trusted.
 */
#ifndef MERGE_COMBINE_H
#define MERGE_COMBINE_H

#include "merge.h"

enum merge_combine_status {
    MERGE_ERR_INPUT = -22,   /* this input cannot be used; others can */
    MERGE_ERR_MIXED = -23,   /* line data and branch data */
    MERGE_ERR_STOPPED = -24, /* the caller wanted it */
    MERGE_ERR_BUSY = -25,    /* this input is being written */
};

struct merge_combine;

struct merge_combine_options {
    const char *target;  /* the output; links are followed */
    bool append;         /* it is the first input, if it has any data */
    const char *version; /* of coverage.py, for meta */
    const char *argv;    /* for meta; NULL: none */
    const char *when;    /* for meta; NULL: none */
    size_t memory;       /* bytes for rows until they are written; 0: as is usual */
    unsigned readers;    /* threads; 0: as many as there are processors */
};

struct merge_combine_counts {
    uint64_t files;
    uint64_t contexts;
    uint64_t line_rows;
    uint64_t arc_rows;
    uint64_t inputs;    /* that have been read; less than were added, before the end */
    uint64_t file;      /* the file whose rows are being written, counted from 1 */
    uint64_t rows_read; /* one for each file and context of an input */
};

int merge_combine_begin(const struct merge_combine_options *options, struct merge_combine **out,
                        struct merge_error *error);

/* Opens an input, and reads which files it has. MERGE_ERR_INPUT, MERGE_ERR_BUSY,
 * MERGE_ERR_MIXED, MERGE_ERR_NOMEM. */
int merge_combine_open(struct merge_combine *c, const char *path, struct merge_error *error);

bool merge_combine_is_open(const struct merge_combine *c);

/* The files of the input that is open. A name is UTF-8 and terminated. */
size_t merge_combine_files(const struct merge_combine *c);
const char *merge_combine_file(const struct merge_combine *c, size_t file);

/* Adds the input that is open. `names`: by file, what it is called in the output. */
int merge_combine_add(struct merge_combine *c, const char *const *names, struct merge_error *error);

/* How far it has come. */
void merge_combine_progress(struct merge_combine *c, struct merge_combine_counts *counts);

/* Writes the output. `go_on` is called now and then; false: stop. */
int merge_combine_finish(struct merge_combine *c, bool (*go_on)(void *arg), void *arg,
                         struct merge_combine_counts *counts, struct merge_error *error);
void merge_combine_free(struct merge_combine *c);

#endif
