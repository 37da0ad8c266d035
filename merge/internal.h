/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of merge/ share among themselves. Errors as in merge.h.
 *
 *   load.c     the copy, sorted: files, contexts, arcs, hits
 *   lines.c    sets of lines
 *   arcs.c     from a trail to an arc
 *   merge.c    the pass, which pass.h, tables.c and rows.c belong to
 *   sqlfile.c  the data file as SQLite sees it
 *   pages.c    its rows
 *   place.c    the data file as the file system sees it
 *   runs.c     an external merge sort of rows, for combine.c and input.c
 *   text.c     what of a name a data file can hold
 */
#ifndef MERGE_INTERNAL_H
#define MERGE_INTERNAL_H

#include <limits.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "lines.h"
#include "merge.h"
#include "pages.h"

#define MERGE_TMP_PREFIX ".shmcov-"
#define MERGE_TMP_SUFFIX ".tmp"
#define MERGE_BUSY_MS 5000 /* as long as Python's sqlite3 waits */

/* -- load.c -- */

struct merge_arc {
    uint32_t bit;
    int32_t from;
    int32_t to; /* merge_arcs_resolve; 0: nowhere */
    uint16_t kind;
    uint16_t trail_n;
    const int32_t *trail;
};

struct merge_file {
    const struct seg_entry *entry;
    const char *path;
    uint32_t path_len;
    const struct seg_entry *tracer; /* SEG_KIND_TRACER, or NULL: Python */
    uint32_t *first_line; /* multi-line map, or NULL; behind it, for each line, the last line of the
                             statement that begins there: first_line_n entries each */
    uint32_t first_line_n;
    size_t hits, hits_n;   /* range of merge.hits */
    size_t arcs, arcs_n;   /* range of merge.arcs, by bit */
    size_t pairs, pairs_n; /* range of merge.arcs: SEG_ARC_LINES, which have no bit */
};

struct merge_context {
    const char *name;
    uint32_t len;
    uint32_t id;
};

/* 128 bits of one (file, context, space). Sorted by a key of file, context, space and number, each
 * in as many bits as in a record of the segment; file and context are ranks, not ids. */
struct merge_hit {
    uint64_t key;
    const uint8_t *bits;
    uint32_t file;
    uint32_t context;
};

#define MERGE_KEY_GROUP (SEG_KEY_CHUNK_BITS + SEG_KEY_SPACE_BITS) /* below file and context */

struct merge {
    struct seg_copy copy;
    bool has_arcs;
    const char *static_context;
    size_t static_context_len;
    struct merge_file *files; /* by path */
    size_t files_n;
    struct merge_context *contexts; /* [0] is the static one, then by id */
    size_t contexts_n;
    struct merge_arc *arcs; /* by file */
    size_t arcs_n;
    struct merge_hit *hits; /* by key */
    size_t hits_n;
};

static inline uint64_t merge_key(uint32_t file, uint32_t context, enum seg_space space,
                                 uint32_t number)
{
    return (uint64_t)file << (MERGE_KEY_GROUP + SEG_KEY_CONTEXT_BITS) |
           (uint64_t)context << MERGE_KEY_GROUP | (uint64_t)space << SEG_KEY_CHUNK_BITS | number;
}

static inline enum seg_space merge_hit_space(const struct merge_hit *hit)
{
    return (enum seg_space)(hit->key >> SEG_KEY_CHUNK_BITS & 1);
}

static inline uint32_t merge_hit_number(const struct merge_hit *hit)
{
    return (uint32_t)hit->key & ((1u << SEG_KEY_CHUNK_BITS) - 1);
}

/* Sorts by key. False: no memory. */
bool merge_sort_hits(struct merge_hit **hits, size_t n);

/* -- arcs.c -- */

/* Sets `to` of the file's arcs. */
void merge_arcs_resolve(struct merge *m, const struct merge_file *file);

/* The arc of a bit, or NULL. */
struct merge_arc *merge_arcs_find(const struct merge *m, const struct merge_file *file,
                                  uint32_t bit);

/* The destination of a taken arc, given the lines that ran in its context; 0: drop it. */
int32_t merge_arc_target(const struct merge_file *file, const struct merge_arc *arc,
                         const struct merge_lines *ran);

bool merge_arc_wants_multiline(const struct merge_arc *arc, const struct merge_lines *ran);

/* -- sqlfile.c -- */

struct merge_place;

/* Formats the message; returns code. */
int merge_fail(struct merge_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int merge_no_memory(struct merge_error *error);

/* `file` or `context`: rows that have a name, which SQLite finds. */
struct merge_names {
    sqlite3_stmt *insert, *find;
    int64_t max;  /* highest id */
    uint64_t old; /* rows of an old file: with any, a name may well be there already */
};

/* The file that is built. */
struct merge_db {
    const struct merge_place *place;
    sqlite3 *db;      /* NULL once the rows have begun */
    const char *path; /* for messages */
    struct merge_error *error;
    bool combines; /* inputs, so that a message need not say where the target comes in */
    sqlite3_stmt *meta, *tracer, *tracer_of;
    struct merge_names file, context;
    struct merge_pages pages;
};

int merge_db_create(struct merge_db *db, const struct merge_place *place,
                    struct merge_error *error);
int merge_db_meta(struct merge_db *db, const char *key, const char *value);
int merge_db_name(struct merge_db *db, sqlite3_stmt *stmt, int64_t id, const char *name,
                  size_t len);
/* The row id of a name, inserted if it is new. */
int merge_db_row(struct merge_db *db, struct merge_names *names, const char *name, size_t len,
                 int64_t *id);
/* Records that a file, called `path`, belongs to a plug-in; an error if it belongs to another. */
int merge_db_tracer(struct merge_db *db, int64_t file, const char *path, const char *name,
                    size_t len);
/* The error that a file belongs to a plug-in, and to none elsewhere; which of the two came first.
 */
int merge_db_untraced(struct merge_db *db, int64_t file, bool none_first);

/* After this only rows of line_bits or arc can be added, in the order of their index. */
int merge_db_begin_rows(struct merge_db *db, bool has_arcs);
int merge_db_line_bits(struct merge_db *db, int64_t file, int64_t context, const void *bits,
                       size_t len);
int merge_db_arc(struct merge_db *db, int64_t file, int64_t context, int64_t from, int64_t to);
int merge_db_finish(struct merge_db *db);
void merge_db_close(struct merge_db *db);

/* A file that is there already: the one that is replaced, or an input of combine. */
struct merge_old {
    sqlite3 *db; /* NULL: there is none, or it holds nothing */
    const char *path;
    const char *advice; /* the end of messages */
    struct merge_error *error;
    int has_arcs; /* -1: not recorded in it */
};

#define MERGE_ANY_KIND (-1)

/* Opens and checks the file of a place that is locked, until after merge_old_close. `has_arcs`:
 * what it has to record, or MERGE_ANY_KIND. */
int merge_old_open(struct merge_old *old, const struct merge_place *place, int has_arcs,
                   struct merge_error *error);
/* Opens and checks an input. As for coverage.py, journals and logs beside it are not its part. */
int merge_old_open_input(struct merge_old *old, const char *path, struct merge_error *error);
/* The first column of the first row; *found says whether there is a row. */
int merge_old_number(struct merge_old *old, const char *sql, int64_t *number, bool *found);
int merge_old_prepare(struct merge_old *old, const char *sql, sqlite3_stmt **stmt);
int merge_old_step(struct merge_old *old, sqlite3_stmt *stmt, bool *row);
void merge_old_close(struct merge_old *old);

/* -- tables.c -- */

/* Copies what the old file says of itself, but for its hash. */
int merge_tables_copy_meta(struct merge_old *old, struct merge_db *db);

/* -- place.c -- */

struct merge_place {
    char real[PATH_MAX]; /* the target without links */
    char dir[PATH_MAX];
    char tmp[PATH_MAX];
    int fd;        /* tmp, or -1 */
    int locked;    /* the old file, or -1 */
    bool writable; /* the old file, where it is locked */
    bool exists;
    struct stat old;
    mode_t mode; /* of the finished file */
};

/* Finds out where target is and whether it can be written. Creates nothing. */
int merge_place_find(struct merge_place *place, const char *target, struct merge_error *error);
int merge_place_create(struct merge_place *place, struct merge_error *error);

/* A file without a name, in the folder of the target. Several threads may do this at once. */
int merge_place_scratch(const struct merge_place *place, int *fd, struct merge_error *error);

/* Waits until nobody else uses the old file, if there is one, and keeps everybody away from it
 * until merge_place_close. */
int merge_place_lock(struct merge_place *place, struct merge_error *error);

/* Replaces the target by the temporary file, under the lock of the old file. */
int merge_place_commit(struct merge_place *place, struct merge_error *error);

/* Removes the temporary file, if it is still there, and unlocks. */
void merge_place_close(struct merge_place *place);

/* Opens a file that is only read, when nobody is writing it, and keeps writers away until it is
 * closed. On an error *fd is what has to be closed, or -1. */
int merge_place_read(const char *path, int *fd, struct merge_error *error);

/* "Couldn't write data file", with what could not be done and errno in words. */
int merge_place_fail(const struct merge_place *place, struct merge_error *error, const char *what,
                     int number);

#endif
