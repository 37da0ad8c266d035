/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast the merge writes rows, against a bare loop that inserts the same rows into the same
 * schema from arrays in memory: prepared statements, one transaction, journal and syncing off,
 * sorted by the unique index.
 *
 *     bench_merge [FOLDER [ROUNDS]]
 *     bench_merge rows DATA_FILE [FOLDER [ROUNDS]]
 *
 * The second form is the bare loop alone, with the rows of a data file: the median of its seconds
 * of processor time, and by the clock. cases/combine.py compares with it.
 *
 * The merge's time includes copying the segment, sorting, writing, fsync and rename. The bare loop
 * ends with an fsync as well. The segments are synthetic, of the shape of a real project
 * with contexts (1,249 files, 26,184 contexts, 567,073 rows of line_bits), and of a smaller one
 * with branches. Rounds are interleaved; the figures are medians, by the clock and by the time that
 * the process had the processor, which others on the machine disturb less.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "merge.h"

#define SEGFILL_STATIC
#include "../tests/support/segfill.c"

#define FILES 1249
#define MAX_ROUNDS 99

struct shape {
    const char *name;
    bool branch;
    uint32_t contexts;
    uint32_t pairs; /* (file, context) pairs */
};

static const struct shape shapes[] = {
    {"lines with contexts", false, 26184, 567073 - FILES}, /* and the static context */
    {"branches with contexts", true, 1000, 21700},
};

/* A row as SQLite gets it. */
struct row {
    int64_t file, context, from, to;
    size_t bits, len; /* into `blobs` */
};

struct rows {
    bool branch;
    struct row *rows;
    size_t n;
    uint8_t *blobs;
    size_t blobs_n;
    char **files, **contexts;
    size_t files_n, contexts_n;
    char *schema;
};

static void die(const char *what)
{
    fprintf(stderr, "bench_merge: %s\n", what);
    exit(1);
}

struct span {
    double wall, cpu; /* seconds */
};

static double clock_seconds(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static struct span now(void)
{
    return (struct span){clock_seconds(CLOCK_MONOTONIC), clock_seconds(CLOCK_PROCESS_CPUTIME_ID)};
}

static struct span since(struct span start)
{
    struct span end = now();

    return (struct span){end.wall - start.wall, end.cpu - start.cpu};
}

static uint64_t random_state = 1;

static uint32_t roll(uint32_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % n;
}

/* -- the segment -- */

/* Each file is a few hundred lines long, now and then some thousands. */
static uint32_t file_lines(uint32_t file)
{
    return 64 + (file * 2654435761u >> 16) % (file % 20 ? 600 : 6000);
}

static void hit(seg_t *seg, struct seg_entry *file, uint32_t context, enum seg_space space,
                uint32_t from, uint32_t n)
{
    for (uint32_t at = from; at < from + n;) {
        uint32_t number = at >> SEG_RECORD_SHIFT;
        seg_u8 *bits;

        if (seg_record(seg, context, space, file->id, number, &bits))
            die("the segment is full");
        for (; at < from + n && at >> SEG_RECORD_SHIFT == number; at += 1 + roll(3))
            seg_bit_set(bits, at % SEG_RECORD_BITS);
    }
}

static uint32_t declare_arcs(seg_t *seg, const char *path, uint32_t lines)
{
    int32_t words[8];
    uint32_t n = 0;

    for (uint32_t line = 3; line + 2 < lines; line += 5, n += 2) {
        int32_t l = (int32_t)line;

        memcpy(words, (int32_t[]){l, 0, 1, l + 1, l, 0, 1, l + 2}, sizeof words);
        if (segfill_code(seg, path, words, 8) != (int)n)
            die("the arcs are not where they should be");
    }
    return n;
}

static int make_segment(const struct shape *shape)
{
    static struct seg_entry *files[FILES];
    static uint32_t arcs[FILES];
    seg_t *seg;
    int fd;

    seg = segfill_create(NULL, shape->branch ? SEG_FLAG_BRANCH : 0, NULL, UINT64_C(1) << 30, &fd);
    if (!seg)
        die("the segment cannot be made");
    for (uint32_t i = 0; i < FILES; i++) {
        char path[64];
        seg_u8 *bits;

        snprintf(path, sizeof path, "/srv/project/package%u/module%u.py", i % 40, i);
        if (seg_file(seg, path, strlen(path), &files[i]))
            die("the segment is full");
        if (shape->branch)
            arcs[i] = declare_arcs(seg, path, file_lines(i));
        else if (!seg_chunk(seg, files[i], SEG_LINES, 0, &bits))
            seg_bit_set(bits, 1);
    }
    for (uint32_t pair = 0; pair < shape->pairs; pair++) {
        uint32_t context = (uint32_t)((uint64_t)pair * (shape->contexts - 1) / shape->pairs);
        uint32_t file = (pair * 57u) % FILES; /* 57: no file twice in a context */
        uint32_t lines = file_lines(file), from = 1 + roll(lines);
        char name[64];
        uint32_t id;

        snprintf(name, sizeof name, "tests.test_module%u.TestCase.test_%u", context % 300, context);
        if (seg_context(seg, name, strlen(name), &id))
            die("the segment is full");
        hit(seg, files[file], id, SEG_LINES, from, 1 + roll(160));
        if (shape->branch)
            hit(seg, files[file], id, SEG_ARCS, roll(arcs[file]), 1 + roll(20));
    }
    return fd;
}

/* -- the bare loop -- */

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;

    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
    return stmt;
}

static char **read_names(sqlite3 *db, const char *sql, size_t *n)
{
    sqlite3_stmt *stmt = prepare(db, sql);
    char **names = NULL;

    for (*n = 0; sqlite3_step(stmt) == SQLITE_ROW; ++*n) {
        names = realloc(names, (*n + 1) * sizeof *names);
        names[*n] = strdup((const char *)sqlite3_column_text(stmt, 0));
    }
    sqlite3_finalize(stmt);
    return names;
}

/* The rows that a merge wrote. */
static struct rows read_rows(const char *path, bool branch)
{
    struct rows rows = {.branch = branch};
    size_t cap = 0, blobs_cap = 0;
    sqlite3_stmt *stmt;
    sqlite3 *db;

    if (sqlite3_open(path, &db) != SQLITE_OK)
        die(sqlite3_errmsg(db));
    rows.files = read_names(db, "select path from file order by id", &rows.files_n);
    rows.contexts = read_names(db, "select context from context order by id", &rows.contexts_n);
    stmt = prepare(db, "select group_concat(sql, ';') from sqlite_master where type = 'table'");
    sqlite3_step(stmt);
    rows.schema = strdup((const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    stmt =
        prepare(db, branch ? "select file_id, context_id, fromno, tono from arc order by rowid"
                           : "select file_id, context_id, numbits from line_bits order by rowid");
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        struct row row = {sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1), 0, 0, 0, 0};

        if (branch) {
            row.from = sqlite3_column_int64(stmt, 2);
            row.to = sqlite3_column_int64(stmt, 3);
        } else {
            row.len = (size_t)sqlite3_column_bytes(stmt, 2);
            row.bits = rows.blobs_n;
            while (rows.blobs_n + row.len > blobs_cap) {
                blobs_cap = blobs_cap ? blobs_cap * 2 : 1 << 20;
                rows.blobs = realloc(rows.blobs, blobs_cap);
            }
            if (rows.blobs != NULL && row.len > 0)
                memcpy(rows.blobs + row.bits, sqlite3_column_blob(stmt, 2), row.len);
            rows.blobs_n += row.len;
        }
        if (rows.n == cap) {
            cap = cap ? cap * 2 : 1 << 16;
            rows.rows = realloc(rows.rows, cap * sizeof *rows.rows);
        }
        rows.rows[rows.n++] = row;
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return rows;
}

static void insert_names(sqlite3 *db, const char *sql, char **names, size_t n)
{
    sqlite3_stmt *stmt = prepare(db, sql);

    for (size_t i = 0; i < n; i++) {
        sqlite3_bind_int64(stmt, 1, (int64_t)i + 1);
        sqlite3_bind_text(stmt, 2, names[i], -1, SQLITE_STATIC);
        sqlite3_step(stmt);
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
}

static struct span bare(const char *path, const struct rows *rows)
{
    struct span start = now();
    sqlite3_stmt *stmt;
    sqlite3 *db;
    int fd;

    unlink(path);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
    sqlite3_exec(db, "pragma journal_mode = off", NULL, NULL, NULL);
    sqlite3_exec(db, "pragma synchronous = off", NULL, NULL, NULL);
    sqlite3_exec(db, "begin", NULL, NULL, NULL);
    sqlite3_exec(db, rows->schema, NULL, NULL, NULL);
    insert_names(db, "insert into file (id, path) values (?, ?)", rows->files, rows->files_n);
    insert_names(db, "insert into context (id, context) values (?, ?)", rows->contexts,
                 rows->contexts_n);
    stmt = prepare(
        db, rows->branch ? "insert into arc (file_id, context_id, fromno, tono) values (?, ?, ?, ?)"
                         : "insert into line_bits (file_id, context_id, numbits) values (?, ?, ?)");
    for (size_t i = 0; i < rows->n; i++) {
        const struct row *row = &rows->rows[i];

        sqlite3_bind_int64(stmt, 1, row->file);
        sqlite3_bind_int64(stmt, 2, row->context);
        if (rows->branch) {
            sqlite3_bind_int64(stmt, 3, row->from);
            sqlite3_bind_int64(stmt, 4, row->to);
        } else {
            sqlite3_bind_blob(stmt, 3, rows->blobs + row->bits, (int)row->len, SQLITE_STATIC);
        }
        if (sqlite3_step(stmt) != SQLITE_DONE)
            die(sqlite3_errmsg(db));
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    sqlite3_exec(db, "commit", NULL, NULL, NULL);
    sqlite3_close(db);
    fd = open(path, O_RDWR | O_CLOEXEC);
    fsync(fd);
    close(fd);
    return since(start);
}

/* -- rounds -- */

static struct span merged(int fd, const char *path, struct merge_counts *counts)
{
    struct merge_options options = {.target = path, .version = "7.0"};
    static struct merge_error error;
    struct span start = now();
    struct merge *merge;

    unlink(path);
    if (merge_open(fd, &merge))
        die("the segment cannot be read");
    if (merge_write(merge, &options, counts, &error))
        die(error.text);
    merge_close(merge);
    return since(start);
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

static double median(double *times, int n)
{
    qsort(times, (size_t)n, sizeof *times, compare);
    return n % 2 ? times[n / 2] : (times[n / 2 - 1] + times[n / 2]) / 2;
}

static void print_rates(const char *name, size_t rows, double merge, double loop)
{
    printf("  %-5s  merge %.3f M rows/s, bare loop %.3f M rows/s, ratio %.2f\n", name,
           (double)rows / merge / 1e6, (double)rows / loop / 1e6, loop / merge);
}

static void run(const struct shape *shape, const char *folder, int rounds)
{
    double merge_wall[MAX_ROUNDS], merge_cpu[MAX_ROUNDS];
    double bare_wall[MAX_ROUNDS], bare_cpu[MAX_ROUNDS];
    char ours[4096], theirs[4096];
    struct merge_counts counts;
    struct rows rows;
    int fd = make_segment(shape);

    snprintf(ours, sizeof ours, "%s/bench-merge.db", folder);
    snprintf(theirs, sizeof theirs, "%s/bench-bare.db", folder);
    merged(fd, ours, &counts);
    rows = read_rows(ours, shape->branch);
    if (rows.n != counts.line_rows + counts.arc_rows)
        die("the rows that were read are not those that were written");
    for (int i = 0; i < rounds; i++) {
        struct span merge = merged(fd, ours, &counts);
        struct span loop = bare(theirs, &rows);

        merge_wall[i] = merge.wall;
        merge_cpu[i] = merge.cpu;
        bare_wall[i] = loop.wall;
        bare_cpu[i] = loop.cpu;
    }
    printf("%s: %" PRIu64 " files, %" PRIu64 " contexts, %zu rows\n", shape->name, counts.files,
           counts.contexts, rows.n);
    print_rates("clock", rows.n, median(merge_wall, rounds), median(bare_wall, rounds));
    print_rates("cpu", rows.n, median(merge_cpu, rounds), median(bare_cpu, rounds));
    unlink(ours);
    unlink(theirs);
    close(fd);
}

static bool has_arcs(const char *path)
{
    sqlite3_stmt *stmt;
    sqlite3 *db;
    bool arcs;

    if (sqlite3_open(path, &db) != SQLITE_OK)
        die(sqlite3_errmsg(db));
    stmt = prepare(db, "select 1 from meta where key = 'has_arcs' and value = '1'");
    arcs = sqlite3_step(stmt) == SQLITE_ROW;
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return arcs;
}

static void run_bare(const char *data_file, const char *folder, int rounds)
{
    double wall[MAX_ROUNDS], cpu[MAX_ROUNDS];
    struct rows rows = read_rows(data_file, has_arcs(data_file));
    char path[4096];

    snprintf(path, sizeof path, "%s/bench-bare.db", folder);
    for (int i = 0; i < rounds; i++) {
        struct span loop = bare(path, &rows);

        wall[i] = loop.wall;
        cpu[i] = loop.cpu;
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it ends here */
    printf("%zu rows: cpu %.6f s, clock %.6f s\n", rows.n, median(cpu, rounds),
           median(wall, rounds));
    unlink(path);
}

int main(int argc, char **argv)
{
    const char *data_file = argc > 2 && strcmp(argv[1], "rows") == 0 ? argv[2] : NULL;
    int first = data_file != NULL ? 3 : 1;
    const char *folder = argc > first ? argv[first] : ".";
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a loop without rows */
    int rounds = argc > first + 1 ? atoi(argv[first + 1]) : 5;

    if (rounds < 1 || rounds > MAX_ROUNDS)
        die("1 to 99 rounds");
    if (data_file != NULL) {
        run_bare(data_file, folder, rounds);
        return 0;
    }
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        run(&shapes[i], folder, rounds);
    return 0;
}
