/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a segment to one SQLite file in coverage.py's schema.
 *
 * merge_open makes a private copy of a segment and sorts what is in it; merge_write turns it into
 * a data file, and may be called again. The segment itself is never written, mapped or removed
 * here. A copy's content is not trusted: what does not validate is skipped and counted as damaged.
 *
 * Functions return 0 or a negative code. Where they take a struct merge_error, it then says what
 * happened, to which file, and what to do about it. A handle belongs to one thread at a time.
 */
#ifndef MERGE_MERGE_H
#define MERGE_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader.h"

enum merge_status {
    MERGE_OK = 0,
    MERGE_ERR_NOMEM = -20,
    MERGE_ERR_DATA = -21, /* a data file cannot be read, written or replaced */
};

struct merge_error {
    char text[4608]; /* a path and a sentence */
};

struct merge;

/* Copies the segment behind fd. Returns an enum seg_status; errno where that is SEG_ERR_SYSTEM. */
int merge_open(int fd, struct merge **out);
void merge_close(struct merge *m);

struct seg_copy *merge_copy(struct merge *m);

/* The static context, not terminated; "" if there is none. */
const char *merge_static_context(const struct merge *m, size_t *len);

/* The measured files, in the order of their paths: numbers from 0 to merge_files() - 1. A path is
 * what the measured process called the file, in the encoding of its file system, not terminated. */
size_t merge_files(const struct merge *m);
const char *merge_file(const struct merge *m, size_t file, size_t *len);
bool merge_find_file(const struct merge *m, const char *path, size_t len, size_t *file);

/* The file tracer plug-in whose file this is: UTF-8, not terminated. NULL: it is Python. */
const char *merge_tracer(const struct merge *m, size_t file, size_t *len);

/* Lines of the file that ran in any context. */
int merge_lines(const struct merge *m, size_t file, uint64_t *lines);

/* May an arc of the file depend on which physical lines form one statement? */
int merge_wants_multiline(const struct merge *m, size_t file, bool *wanted);

/* first[l] is the first physical line of the statement that line l belongs to; 0 or a line from n
 * on: the line stands for itself. Copied. */
#define MERGE_MAX_MULTILINE (1u << 24)
int merge_set_multiline(struct merge *m, size_t file, const uint32_t *first, size_t n);

struct merge_options {
    const char *target; /* the data file; links are followed */
    bool append;        /* unite with what the target is now; if it does not exist, that is empty */
    const char *const *names;   /* by file: its name in the data file, UTF-8; NULL: leave it out */
    const char *const *touch;   /* files that never ran, as named in the data file */
    const char *const *tracers; /* by touch: whose file it is, or NULL; NULL: all are Python's */
    size_t touch_n;
    const char *version; /* of coverage.py, for meta */
    const char *argv;    /* for meta; NULL: none */
    const char *when;    /* for meta; NULL: none */
};

struct merge_counts {
    uint64_t files;     /* files of the segment that were written */
    uint64_t unnamed;   /* files that were left out, because UTF-8 cannot say their name */
    uint64_t contexts;  /* contexts of the segment that were written */
    uint64_t line_rows; /* rows of line_bits in the result */
    uint64_t arc_rows;  /* rows of arc in the result */
    uint64_t lines;     /* (file, line) pairs of the segment, whatever the context */
    uint64_t old_files; /* files that the old data file knew */
};

/* Writes the data file. On an error the target is what it was before, but for the one case that
 * docs/merge.md names, a target that is a mount point, and then the message says so. */
int merge_write(struct merge *m, const struct merge_options *options, struct merge_counts *counts,
                struct merge_error *error);

/* Will merge_write be able to write target? Says so before the program runs: the folder can be
 * written to; with append, the old file is a data file of the same kind. */
int merge_check_target(const char *target, bool has_arcs, bool append, struct merge_error *error);

#endif
