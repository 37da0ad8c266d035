/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a segment to one SQLite file in coverage.py's schema.
 *
 * merge_open makes a private copy of a segment and sorts what is in it; merge_write turns it into
 * a data file, and may be called again. The segment itself is never written, mapped or removed
 * here. A copy's content is not trusted: what does not validate is skipped and counted as damaged.
 *
 * Functions return 0 or a negative code: MERGE_ERR_NOMEM where nothing else is said. If they take a
 * struct merge_error, it then says what happened, to which file, and what to do. A handle belongs
 * to one thread at a time.
 */
#ifndef MERGE_MERGE_H
#define MERGE_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader.h"

/* Of coverage.py's data files. */
#define MERGE_SCHEMA_VERSION 7

enum merge_status {
    MERGE_OK = 0,
    MERGE_ERR_NOMEM = -20,
    MERGE_ERR_DATA = -21, /* a data file cannot be read, written or replaced */
};

struct merge_error {
    char text[4608]; /* a path and a sentence */
};

struct merge;

/* Copies the segment behind fd. Returns an enum seg_status; for SEG_ERR_SYSTEM errno is set. */
int merge_open(int fd, struct merge **out);
void merge_close(struct merge *m);

struct seg_copy *merge_copy(struct merge *m);

/* The static context, not terminated; "" if there is none. */
const char *merge_static_context(const struct merge *m, size_t *len);

/* The measured files, in the order of their paths, numbered from 0 to merge_files() - 1. A path is
 * the measured process's name for the file, in its file system's encoding, not terminated. */
size_t merge_files(const struct merge *m);
const char *merge_file(const struct merge *m, size_t file, size_t *len);
bool merge_find_file(const struct merge *m, const char *path, size_t len, size_t *file);

/* The file tracer plug-in that the file belongs to: UTF-8, not terminated. NULL: it is Python. */
const char *merge_tracer(const struct merge *m, size_t file, size_t *len);

/* The name of a dynamic context, not terminated. NULL: there is none with that id. */
const char *merge_context(const struct merge *m, uint32_t id, size_t *len);

/* The number of lines of the file that ran, in any context. */
int merge_lines(const struct merge *m, size_t file, uint64_t *lines);

/* The same lines as bits: bit n % 8 of byte n / 8 is line n. The caller frees *bits, which may be
 * NULL. */
int merge_line_bits(const struct merge *m, size_t file, uint8_t **bits, size_t *len);

/* May an arc of the file depend on which physical lines form one statement? Then it needs a map. */
int merge_wants_multiline(const struct merge *m, size_t file, bool *wanted);

/* Copies the multi-line map of a file: first[l] is the first physical line of the statement that
 * line l < n belongs to. If that is 0 or not below n, the line stands for itself. */
#define MERGE_MAX_MULTILINE (1u << 24)
int merge_set_multiline(struct merge *m, size_t file, const uint32_t *first, size_t n);

struct merge_options {
    const char *target;         /* the data file; links are followed */
    bool append;                /* unite with the target's data, if there is any */
    const char *const *names;   /* by file: its name in the data file, UTF-8; NULL: leave it out */
    const char *const *touch;   /* files that never ran, as named in the data file */
    const char *const *tracers; /* by touch: its plug-in, or NULL; NULL: all are Python's */
    size_t touch_n;
    const char *version; /* of coverage.py, for meta */
    const char *argv;    /* for meta; NULL: none */
    const char *when;    /* for meta; NULL: none */
};

struct merge_counts {
    uint64_t files;     /* files of the segment that were written */
    uint64_t unnamed;   /* files that were left out: no name, or none in UTF-8 */
    uint64_t contexts;  /* contexts of the segment that were written */
    uint64_t line_rows; /* rows of line_bits in the result */
    uint64_t arc_rows;  /* rows of arc in the result */
    uint64_t lines;     /* (file, line) pairs of the segment, whatever the context */
    uint64_t old_files; /* files that the old data file knew */
};

/* Writes the data file. On an error the target is as it was before, unless it is a mount point
 * (docs/merge.md) and the message says so. MERGE_ERR_NOMEM or MERGE_ERR_DATA. */
int merge_write(struct merge *m, const struct merge_options *options, struct merge_counts *counts,
                struct merge_error *error);

/* Checks, before the program runs, that merge_write will be able to write target: the folder can be
 * written to; with append, the old file is a data file of the same kind. */
int merge_check_target(const char *target, bool has_arcs, bool append, struct merge_error *error);

#endif
