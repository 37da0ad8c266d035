/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What SQLite makes of the pages that are written for it.
 */
#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

static char folder[64], target[128];
static struct merge_place place;
static struct merge_db db;
static struct merge_error error;
static uint8_t bits[1 << 20];

static void make_folder(void)
{
    strcpy(folder, "/tmp/shmcov-pages-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(target, sizeof target, "%s/.coverage", folder);
    for (size_t i = 0; i < sizeof bits; i++)
        bits[i] = (uint8_t)(i * 7 + i / 251);
}

static void remove_folder(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(pages, .init = make_folder, .fini = remove_folder);

static void begin(bool has_arcs)
{
    cr_assert_eq(merge_place_find(&place, target, &error), 0);
    cr_assert_eq(merge_place_create(&place, &error), 0);
    cr_assert_eq(merge_db_create(&db, &place, &error), 0, "%s", error.text);
    cr_assert_eq(merge_db_begin_rows(&db, has_arcs), 0, "%s", error.text);
}

static sqlite3 *end(void)
{
    sqlite3 *file;

    cr_assert_eq(merge_db_finish(&db), 0, "%s", error.text);
    merge_db_close(&db);
    cr_assert_eq(merge_place_commit(&place, &error), 0, "%s", error.text);
    merge_place_close(&place);
    cr_assert_eq(sqlite3_open(target, &file), SQLITE_OK);
    return file;
}

/* The first column of the first row. */
static const char *query(sqlite3 *file, const char *sql)
{
    static char text[256];
    sqlite3_stmt *stmt;

    cr_assert_eq(sqlite3_prepare_v2(file, sql, -1, &stmt, NULL), SQLITE_OK, "%s",
                 sqlite3_errmsg(file));
    cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW);
    snprintf(text, sizeof text, "%s", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return text;
}

/* Are these rows, of so many bytes, what SQLite reads, and is it content? */
static void check_rows(sqlite3 *file, const size_t *lens, size_t n)
{
    sqlite3_stmt *stmt;

    cr_expect_str_eq(query(file, "PRAGMA integrity_check"), "ok");
    cr_assert_eq(sqlite3_prepare_v2(file,
                                    "SELECT file_id, context_id, numbits FROM line_bits"
                                    " ORDER BY file_id, context_id",
                                    -1, &stmt, NULL),
                 SQLITE_OK);
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW, "row %zu", i);
        cr_assert_eq(sqlite3_column_int64(stmt, 0), (int64_t)(i / 10) + 1);
        cr_assert_eq(sqlite3_column_int64(stmt, 1), (int64_t)(i % 10));
        cr_assert_eq(sqlite3_column_type(stmt, 2), SQLITE_BLOB);
        cr_assert_eq((size_t)sqlite3_column_bytes(stmt, 2), lens[i]);
        cr_assert(lens[i] == 0 || !memcmp(sqlite3_column_blob(stmt, 2), bits + i % 99, lens[i]));
    }
    cr_expect_eq(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
}

static void put_rows(const size_t *lens, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(merge_db_line_bits(&db, (int64_t)(i / 10) + 1, (int64_t)(i % 10),
                                        bits + i % 99, lens[i]),
                     0, "%s", error.text);
}

Test(pages, none)
{
    sqlite3 *file;

    begin(false);
    file = end();
    check_rows(file, NULL, 0);
    sqlite3_close(file);
}

/* So many rows that a page more or less begins with each of them. */
Test(pages, one_more_each_time)
{
    size_t lens[420];

    for (size_t i = 0; i < 420; i++)
        lens[i] = i % 23;
    for (size_t n = 0; n <= 420; n += n < 300 ? 13 : 1) {
        sqlite3 *file;

        begin(false);
        put_rows(lens, n);
        file = end();
        check_rows(file, lens, n);
        sqlite3_close(file);
    }
}

/* About the lengths at which a row leaves its page, and fills one more. */
Test(pages, long_rows)
{
    size_t lens[1200];
    size_t n = 0;
    sqlite3 *file;

    for (size_t around = 4060; around < 20000; around += 4092) {
        for (size_t len = around - 60; len < around + 60; len++)
            lens[n++] = len;
    }
    for (size_t len = 480; len < 500; len++)
        lens[n++] = len + 4096;
    lens[n++] = 1000000;
    lens[n++] = 1;
    begin(false);
    put_rows(lens, n);
    file = end();
    check_rows(file, lens, n);
    sqlite3_close(file);
}

/* Three levels, and numbers of all lengths. */
Test(pages, many_arcs)
{
    static const int64_t froms[] = {INT32_MIN, -70000,  -300,    -129,     -128, -1,
                                    0,         1,       2,       127,      128,  32767,
                                    32768,     8388607, 8388608, INT32_MAX};
    size_t n = 0;
    char wanted[64];
    sqlite3 *file;

    begin(true);
    for (int64_t i = 1; i <= 25000; i++) {
        for (size_t k = 0; k < sizeof froms / sizeof *froms; k++, n++)
            cr_assert_eq(merge_db_arc(&db, i / 100 * 1000000007, i % 100, froms[k], -froms[k]), 0);
    }
    file = end();
    snprintf(wanted, sizeof wanted, "%zu", n);
    cr_expect_str_eq(query(file, "PRAGMA integrity_check"), "ok");
    cr_expect_str_eq(query(file, "SELECT count(*) FROM arc WHERE fromno = -tono"), wanted);
    cr_expect_str_eq(query(file, "SELECT count(*) FROM arc WHERE file_id = 77000000539 AND"
                                 " context_id = 7 AND fromno = 8388608"),
                     "1");
    /* It can be written to. */
    cr_expect_eq(sqlite3_exec(file,
                              "INSERT INTO arc VALUES (5, 5, 5, 5); DELETE FROM arc WHERE"
                              " context_id % 2; INSERT INTO arc VALUES (500000003500, 1, 1, 1)",
                              NULL, NULL, NULL),
                 SQLITE_OK);
    cr_expect_str_eq(query(file, "PRAGMA integrity_check"), "ok");
    cr_expect_eq(sqlite3_exec(file, "INSERT INTO arc VALUES (0, 2, 1, -1)", NULL, NULL, NULL),
                 SQLITE_CONSTRAINT);
    sqlite3_close(file);
}

/* The page on which SQLite's locks are is left out. */
Test(pages, around_the_locks)
{
    size_t lens[40];
    sqlite3 *file;

    for (size_t i = 0; i < 40; i++)
        lens[i] = i % 4 == 1 ? 9000 : 3000;
    begin(false);
    db.pages.next = 0x40000000 / db.pages.size - 20;
    put_rows(lens, 40);
    cr_expect(db.pages.next > 0x40000000 / db.pages.size + 2);
    file = end();
    for (size_t i = 0; i < 40; i++) {
        char sql[128], wanted[32];

        snprintf(sql, sizeof sql,
                 "SELECT length(numbits) || hex(substr(numbits, -1)) FROM line_bits WHERE"
                 " file_id = %zu AND context_id = %zu",
                 i / 10 + 1, i % 10);
        snprintf(wanted, sizeof wanted, "%zu%02X", lens[i], bits[i % 99 + lens[i] - 1]);
        cr_expect_str_eq(query(file, sql), wanted);
    }
    sqlite3_close(file);
}

Test(pages, rows_in_another_order)
{
    begin(true);
    cr_assert_eq(merge_db_arc(&db, 1, 2, 3, 4), 0);
    cr_expect_eq(merge_db_arc(&db, 1, 2, 3, 4), MERGE_ERR_DATA);
    cr_expect_eq(merge_db_arc(&db, 1, 2, 3, 3), MERGE_ERR_DATA);
    cr_expect_eq(merge_db_arc(&db, 1, 2, 3, 5), 0);
    merge_db_close(&db);
    merge_place_close(&place);
}
