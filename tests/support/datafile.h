/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coverage.py's data files, made and looked at with SQLite, for tests and fuzz targets: nothing
 * here asserts or prints.
 */
#ifndef TESTS_SUPPORT_DATAFILE_H
#define TESTS_SUPPORT_DATAFILE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATAFILE_SCHEMA                                                                       \
    "create table coverage_schema (version integer); insert into coverage_schema values (7);" \
    "create table meta (key text, value text, unique (key));"                                 \
    "create table file (id integer primary key, path text, unique (path));"                   \
    "create table context (id integer primary key, context text, unique (context));"          \
    "create table line_bits (file_id integer, context_id integer, numbits blob,"              \
    " unique (file_id, context_id));"                                                         \
    "create table arc (file_id integer, context_id integer, fromno integer, tono integer,"    \
    " unique (file_id, context_id, fromno, tono));"                                           \
    "create table tracer (file_id integer primary key, tracer text);"

/* A new folder, whose name goes into `folder`: in memory if possible, as fsync costs nothing there.
 */
static inline bool datafile_folder(char *folder, size_t size)
{
    snprintf(folder, size, "%s/shmcov-test-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    return mkdtemp(folder) != NULL;
}

/* Runs SQL on a file, which SQLite makes if it is not there. NULL, or why not, until the next call.
 */
static inline const char *datafile_run(const char *path, const char *sql)
{
    static char why[256];
    sqlite3 *db;
    bool ok = sqlite3_open(path, &db) == SQLITE_OK &&
              sqlite3_exec(db, "pragma synchronous = off", NULL, NULL, NULL) == SQLITE_OK &&
              sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;

    snprintf(why, sizeof why, "%s: %s", path, sqlite3_errmsg(db));
    sqlite3_close(db);
    return ok ? NULL : why;
}

static inline bool datafile_sound(const char *path)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3 *db;
    bool ok = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
              sqlite3_prepare_v2(db, "pragma integrity_check", -1, &stmt, NULL) == SQLITE_OK &&
              sqlite3_step(stmt) == SQLITE_ROW &&
              strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0;

    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return ok;
}

#endif
