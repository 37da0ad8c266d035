/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data files are made with SQLite, combined, and read back, with threads and with a buffer that is
 * too small for anything. What coverage.py makes of them is tested with pytest.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "combine.h"
#include "internal.h"
#include "kill_point.h"
#include "query.h"

#include "../support/datafile.h"

static char folder[64], target[128], path[128];
static struct merge_error error;
static struct merge_combine_counts counts;

static void make_folder(void)
{
    strcpy(folder, "/tmp/shmcov-combine-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(target, sizeof target, "%s/.coverage", folder);
}

static void remove_folder(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(combine, .init = make_folder, .fini = remove_folder);

static void run(const char *file, const char *sql)
{
    const char *why = datafile_run(file, sql);

    cr_assert_null(why, "%s", why);
}

/* A data file of that name. */
static const char *input(const char *name, const char *sql)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    run(path, DATAFILE_SCHEMA);
    run(path, sql);
    return path;
}

static struct merge_combine *begin(bool append, size_t memory, unsigned readers)
{
    struct merge_combine_options options = {
        .target = target, .append = append, .version = "7.0", .memory = memory, .readers = readers};
    struct merge_combine *c;

    cr_assert_eq(merge_combine_begin(&options, &c, &error), 0, "%s", error.text);
    return c;
}

/* Adds an input under the names that it has. */
static int add(struct merge_combine *c, const char *file)
{
    const char *names[64];
    int status = merge_combine_open(c, file, &error);

    if (status)
        return status;
    cr_assert_leq(merge_combine_files(c), 64);
    for (size_t i = 0; i < merge_combine_files(c); i++)
        names[i] = merge_combine_file(c, i);
    return merge_combine_add(c, names, &error);
}

static int finish(struct merge_combine *c)
{
    int status = merge_combine_finish(c, NULL, NULL, &counts, &error);

    merge_combine_free(c);
    return status;
}

static const char *query(const char *sql)
{
    return query_file(target, sql);
}

#define LINE_ROWS                                                                      \
    "select path, context, hex(numbits) from line_bits join file on file.id = file_id" \
    " join context on context.id = context_id order by path, context"
#define ARC_ROWS                                                                 \
    "select path, context, fromno, tono from arc join file on file.id = file_id" \
    " join context on context.id = context_id order by path, context, fromno, tono"

Test(combine, lines)
{
    struct merge_combine *c = begin(false, 0, 2);

    cr_assert_eq(add(c, input("a", "insert into meta values ('has_arcs', '0');"
                                   "insert into file values (7, '/x'), (9, '/y');"
                                   "insert into context values (3, ''), (4, 't');"
                                   "insert into line_bits values (9, 4, x'0201'), (7, 3, x'02'),"
                                   " (7, 4, x'0400000000')")),
                 0);
    cr_assert_eq(add(c, input("b", "insert into meta values ('has_arcs', '0');"
                                   "insert into file values (1, '/y'), (2, '/z');"
                                   "insert into context values (1, 't'), (2, 'u');"
                                   "insert into line_bits values (1, 1, x'1000ff'), (2, 2, x''),"
                                   " (1, 2, x'01')")),
                 0);
    cr_assert_eq(finish(c), 0, "%s", error.text);
    cr_expect_str_eq(query(LINE_ROWS), "/x  02;/x t 0400000000;/y t 1201FF;/y u 01;/z u ;");
    cr_expect_str_eq(query("select key, value from meta order by key"), "has_arcs 0;version 7.0;");
    cr_expect_str_eq(query("pragma integrity_check"), "ok;");
    cr_expect_eq(counts.files, 3);
    cr_expect_eq(counts.contexts, 3);
    cr_expect_eq(counts.line_rows, 5);
    cr_expect_eq(counts.inputs, 2);
    cr_expect_eq(counts.rows_read, 6);
}

Test(combine, arcs)
{
    struct merge_combine *c = begin(false, 0, 2);

    cr_assert_eq(add(c, input("a", "insert into meta values ('has_arcs', '1');"
                                   "insert into file values (1, '/x');"
                                   "insert into context values (1, '');"
                                   "insert into arc values (1, 1, 3, 4), (1, 1, -1, 2),"
                                   " (1, 1, 2147483647, -2147483648)")),
                 0);
    cr_assert_eq(add(c, input("b", "insert into meta values ('has_arcs', '1');"
                                   "insert into file values (5, '/w'), (6, '/x');"
                                   "insert into context values (1, '');"
                                   "insert into arc values (6, 1, 3, 4), (6, 1, 2, 3),"
                                   " (5, 1, 1, 1)")),
                 0);
    cr_assert_eq(finish(c), 0, "%s", error.text);
    cr_expect_str_eq(query(ARC_ROWS), "/w  1 1;/x  -1 2;/x  2 3;/x  3 4;"
                                      "/x  2147483647 -2147483648;");
    cr_expect_str_eq(query("select value from meta where key = 'has_arcs'"), "1;");
    cr_expect_eq(counts.arc_rows, 5);
}

/* Two files of one input may have one name. */
Test(combine, one_name)
{
    static const char *const names[] = {"/same", "/same", "/other"};
    struct merge_combine *c = begin(false, 0, 1);

    cr_assert_eq(merge_combine_open(c,
                                    input("a", "insert into file values (1, '/1'), (2, '/2'),"
                                               " (3, '/3'); insert into context values (1, '');"
                                               "insert into line_bits values (1, 1, x'01'),"
                                               " (2, 1, x'0002'), (3, 1, x'04')"),
                                    &error),
                 0);
    cr_assert_eq(merge_combine_add(c, names, &error), 0);
    cr_assert_eq(finish(c), 0, "%s", error.text);
    cr_expect_str_eq(query(LINE_ROWS), "/other  04;/same  0102;");
}

/* More inputs than are queued, and runs of a few rows. */
Test(combine, many_inputs_in_little_memory)
{
    static const char sql[] =
        "insert into file values (1, '/a'), (2, '/b'), (3, '/%d');"
        "insert into context values (1, 'c%d'), (2, '');"
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 3)"
        " insert into line_bits select i, 1, zeroblob(i * 40 + %d) from n;"
        "insert into line_bits values (1, 2, cast(zeroblob(%d) || x'01' as blob));"
        "insert into line_bits values (2, 2, zeroblob(100000))";
    struct merge_combine *c = begin(false, 4096, 3);

    for (int i = 0; i < 40; i++) {
        char name[16], text[1024];

        snprintf(name, sizeof name, "in%d", i);
        snprintf(text, sizeof text, sql, i, i, i, i);
        cr_assert_eq(add(c, input(name, text)), 0, "%s", error.text);
    }
    cr_assert_eq(finish(c), 0, "%s", error.text);
    cr_expect_eq(counts.line_rows, 40 * 3 + 2);
    cr_expect_eq(counts.rows_read, 40 * 5);
    cr_expect_str_eq(query("pragma integrity_check"), "ok;");
    cr_expect_str_eq(query("select length(numbits), hex(numbits) = '" /* lines 0, 8, 16 ... */
                           "01010101010101010101010101010101010101010101010101010101010101010101"
                           "010101010101'"
                           " from line_bits where file_id = 1 and context_id ="
                           " (select id from context where context = '')"),
                     "40 1;");
    cr_expect_str_eq(query("select sum(length(numbits)) from line_bits where file_id = 2"),
                     "103980;");
}

/* -- what inputs may say -- */

Test(combine, numbers_that_stand_for_nothing)
{
    struct merge_combine *c = begin(false, 0, 1);

    cr_assert_eq(
        add(c, input("a", "insert into file values (-9223372036854775808, '/low'), (5, '/mid'),"
                          " (9223372036854775807, '/high'), (6, null);"
                          "insert into context values (0, 'zero'), (-1, 'minus'), (9, null);"
                          "insert into line_bits values (-9223372036854775808, 0, x'01'),"
                          " (9223372036854775807, -1, x'02'), (5, 1, x'03'), (5, 9, x'04'),"
                          " (6, 0, x'05'), (null, 0, x'06'), (5, null, x'07'), (4, 0, x'08'),"
                          " ('a', 0, x'09'), (5, 0.5, x'0a')")),
        0);
    cr_assert_eq(finish(c), 0, "%s", error.text);
    cr_expect_str_eq(query(LINE_ROWS), "/high minus 02;/low zero 01;");
    cr_expect_str_eq(query("select path from file order by id"), "/low;/mid;/high;");
}

static void expect_failure(const char *name, const char *sql, const char *what)
{
    struct merge_combine *c = begin(false, 0, 2);
    int status;

    cr_assert_eq(add(c, input("good", "insert into file values (1, '/x')")), 0);
    status = add(c, input(name, sql));
    if (!status)
        status = finish(c);
    else
        merge_combine_free(c);
    cr_expect(status < 0);
    cr_expect(strstr(error.text, what) && strstr(error.text, name), "%s", error.text);
    cr_expect_neq(access(target, F_OK), 0);
    snprintf(path, sizeof path, "%s/good", folder);
    unlink(path);
}

Test(combine, bad_values)
{
    expect_failure("far",
                   "insert into file values (1, '/x'); insert into context values (1, '');"
                   "insert into arc values (1, 1, 2147483648, 1)",
                   "no number of a line");
    expect_failure("none",
                   "insert into file values (1, '/x'); insert into context values (1, '');"
                   "insert into arc values (1, 1, 5, null)",
                   "no number of a line");
    expect_failure("text",
                   "insert into file values (1, '/x'); insert into context values (1, '');"
                   "insert into line_bits values (1, 1, 'abc')",
                   "has no numbits");
    expect_failure("name", "insert into file values (1, cast(x'2fff' as text))", "not UTF-8");
    expect_failure("old", "update coverage_schema set version = 6", "wrong schema: 6");
    expect_failure("dropped", "drop table arc", "no such table");
}

Test(combine, mixed)
{
    struct merge_combine *c = begin(false, 0, 1);

    cr_assert_eq(add(c, input("a", "insert into meta values ('has_arcs', '1')")), 0);
    /* An input without rows decides nothing. */
    cr_assert_eq(add(c, input("b", "insert into meta values ('has_arcs', '0');"
                                   "insert into file values (1, '/x');"
                                   "insert into context values (1, '');"
                                   "insert into line_bits values (1, 1, x'02')")),
                 0);
    cr_expect_eq(add(c, input("c", "insert into meta values ('has_arcs', '1')")), MERGE_ERR_MIXED);
    cr_expect(strstr(error.text, "/c' measured branch coverage"), "%s", error.text);
    /* It can go on without. */
    cr_assert_eq(finish(c), 0);
    cr_expect_str_eq(query(LINE_ROWS), "/x  02;");
}

Test(combine, tracers)
{
    static const char row[] = "insert into context values (1, '');"
                              "insert into line_bits values (1, 1, x'02');";
    char sql[512];
    struct merge_combine *c = begin(false, 0, 2);

    snprintf(sql, sizeof sql, "insert into file values (1, '/t'); %s", row);
    cr_assert_eq(add(c, input("plain", sql)), 0);
    snprintf(sql, sizeof sql,
             "insert into file values (1, '/t'); insert into tracer values (1, 'p'); %s", row);
    cr_assert_eq(add(c, input("plugin", sql)), 0);
    cr_expect_eq(finish(c), MERGE_ERR_DATA);
    cr_expect_str_eq(error.text, "Conflicting file tracer name for '/t': '' vs 'p'");
    cr_expect_neq(access(target, F_OK), 0);

    c = begin(false, 0, 2);
    cr_assert_eq(add(c, input("touched", "insert into file values (1, '/t')")), 0);
    snprintf(path, sizeof path, "%s/plugin", folder);
    cr_assert_eq(add(c, path), 0);
    cr_assert_eq(finish(c), 0, "%s", error.text);
    cr_expect_str_eq(query("select tracer from tracer"), "p;");
}

/* -- the target -- */

Test(combine, append)
{
    struct merge_combine *c;

    input(".coverage", "insert into meta values ('has_arcs', '0'), ('hash', 'x'), ('when', 'w');"
                       "insert into file values (50, '/x');"
                       "insert into context values (60, 't');"
                       "insert into line_bits values (50, 60, x'02')");
    c = begin(true, 0, 2);
    cr_assert_eq(add(c, input("a", "insert into file values (1, '/x');"
                                   "insert into context values (1, 't');"
                                   "insert into line_bits values (1, 1, x'0401')")),
                 0);
    cr_assert_eq(finish(c), 0, "%s", error.text);
    cr_expect_str_eq(query(LINE_ROWS), "/x t 0601;");
    cr_expect_str_eq(query("select key, value from meta order by key"),
                     "has_arcs 0;version 7.0;when w;");
}

static bool never(void *arg)
{
    ++*(int *)arg;
    return false;
}

Test(combine, stopped)
{
    int asked = 0;
    struct merge_combine *c = begin(false, 0, 2);
    struct dirent *entry;
    DIR *dir;

    cr_assert_eq(add(c, input("a", "insert into file values (1, '/x');"
                                   "with recursive n(i) as (select 1 union all"
                                   " select i + 1 from n where i < 50000)"
                                   " insert into context select i, i from n;"
                                   "insert into line_bits select 1, id, x'02' from context")),
                 0);
    cr_expect_eq(merge_combine_finish(c, never, &asked, &counts, &error), MERGE_ERR_STOPPED);
    cr_expect(asked >= 1);
    merge_combine_free(c);
    dir = opendir(folder);
    while ((entry = readdir(dir)))
        cr_expect(entry->d_name[0] == '.' ? strlen(entry->d_name) < 3 : true, "%s is left",
                  entry->d_name);
    closedir(dir);
}

Test(combine, locked_by_a_writer)
{
    struct merge_combine *c = begin(false, 0, 1);
    sqlite3 *db;
    const char *file = input("a", "insert into file values (1, '/x')");
    pid_t child;
    int status, ready[2];
    char byte;

    cr_assert_eq(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        sqlite3_open(file, &db);
        sqlite3_exec(db, "begin exclusive", NULL, NULL, NULL);
        if (write(ready[1], "", 1) == 1)
            pause();
        _exit(0);
    }
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    cr_expect_eq(add(c, file), MERGE_ERR_BUSY);
    cr_expect(strstr(error.text, "another program is writing it"), "%s", error.text);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    cr_expect_eq(add(c, file), 0, "%s", error.text);
    cr_expect_eq(finish(c), 0);
}

/* Killed anywhere, the target is the old one or the new one. */
Test(combine, killed)
{
    static const char *const points[] = {"merge.created", "combine.read", "combine.row",
                                         "merge.built",   "merge.synced", "merge.renamed"};
    char one[128], two[128];

    snprintf(one, sizeof one, "%s",
             input("a", "insert into file values (1, '/x'); insert into context values (1, '');"
                        "insert into line_bits values (1, 1, x'02')"));
    snprintf(two, sizeof two, "%s",
             input("b", "insert into file values (1, '/y'); insert into context values (1, '');"
                        "insert into line_bits values (1, 1, x'04')"));
    input(".coverage", "insert into file values (1, '/old'); insert into context values (1, '');"
                       "insert into line_bits values (1, 1, x'08')");
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        bool renamed = !strcmp(points[i], "merge.renamed");
        int status;
        pid_t child = fork();

        if (child == 0) {
            struct merge_combine *c;

            setenv("SEG_KILL_AT", points[i], 1);
            c = begin(true, 1, 2); /* each row is spilled */
            add(c, one);
            add(c, two);
            _exit(finish(c) ? 1 : 0);
        }
        waitpid(child, &status, 0);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%s: %x", points[i], status);
        cr_expect_str_eq(query(LINE_ROWS), renamed ? "/old  08;/x  02;/y  04;" : "/old  08;", "%s",
                         points[i]);
    }
}
