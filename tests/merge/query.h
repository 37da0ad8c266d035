/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in a data file, as a test writes it down.
 */
#ifndef TESTS_MERGE_QUERY_H
#define TESTS_MERGE_QUERY_H

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>

/* All rows of a query as one text, until the next call. */
static inline const char *query_file(const char *file, const char *sql)
{
    static char text[8192];
    sqlite3_stmt *stmt;
    sqlite3 *db;
    size_t len = 0;

    text[0] = 0;
    cr_assert_eq(sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(stmt); i++)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? " " : "",
                                    (const char *)sqlite3_column_text(stmt, i));
        len += (size_t)snprintf(text + len, sizeof text - len, ";");
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return text;
}

#endif
