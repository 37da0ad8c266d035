/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data file as SQLite sees it: coverage.py's schema, the statements that fill it, and the old
 * file that --append reads. Messages are made here, where the cause of a failure is known.
 *
 * The new file is built without a journal and without syncing, because nobody can see it yet; it
 * gets its name only when it is complete.
 */
#include "internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As coverage.py writes it, comments included, so that .schema prints the same for both. */
static const char schema[] =
    "CREATE TABLE coverage_schema (\n"
    "    -- One row, to record the version of the schema in this db.\n"
    "    version integer\n"
    ");\n"
    "\n"
    "CREATE TABLE meta (\n"
    "    -- Key-value pairs, to record metadata about the data\n"
    "    key text,\n"
    "    value text,\n"
    "    unique (key)\n"
    "    -- Possible keys:\n"
    "    --  'has_arcs' boolean      -- Is this data recording branches?\n"
    "    --  'sys_argv' text         -- The coverage command line that recorded the data.\n"
    "    --  'version' text          -- The version of coverage.py that made the file.\n"
    "    --  'when' text             -- Datetime when the file was created.\n"
    "    --  'hash' text             -- Hash of the data.\n"
    ");\n"
    "\n"
    "CREATE TABLE file (\n"
    "    -- A row per file measured.\n"
    "    id integer primary key,\n"
    "    path text,\n"
    "    unique (path)\n"
    ");\n"
    "\n"
    "CREATE TABLE context (\n"
    "    -- A row per context measured.\n"
    "    id integer primary key,\n"
    "    context text,\n"
    "    unique (context)\n"
    ");\n"
    "\n"
    "CREATE TABLE line_bits (\n"
    "    -- If recording lines, a row per context per file executed.\n"
    "    -- All of the line numbers for that file/context are in one numbits.\n"
    "    file_id integer,            -- foreign key to `file`.\n"
    "    context_id integer,         -- foreign key to `context`.\n"
    "    numbits blob,               -- see the numbits functions in coverage.numbits\n"
    "    foreign key (file_id) references file (id),\n"
    "    foreign key (context_id) references context (id),\n"
    "    unique (file_id, context_id)\n"
    ");\n"
    "\n"
    "CREATE TABLE arc (\n"
    "    -- If recording branches, a row per context per from/to line transition executed.\n"
    "    file_id integer,            -- foreign key to `file`.\n"
    "    context_id integer,         -- foreign key to `context`.\n"
    "    fromno integer,             -- line number jumped from.\n"
    "    tono integer,               -- line number jumped to.\n"
    "    foreign key (file_id) references file (id),\n"
    "    foreign key (context_id) references context (id),\n"
    "    unique (file_id, context_id, fromno, tono)\n"
    ");\n"
    "\n"
    "CREATE TABLE tracer (\n"
    "    -- A row per file indicating the tracer used for that file.\n"
    "    file_id integer primary key,\n"
    "    tracer text,\n"
    "    foreign key (file_id) references file (id)\n"
    ");\n";

int merge_fail(struct merge_error *error, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 overlooks the va_start */
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return code;
}

int merge_no_memory(struct merge_error *error)
{
    return merge_fail(error, MERGE_ERR_NOMEM, "Not enough memory to write the data file");
}

/* The error in words, with the system's reason where SQLite only says "disk I/O error". */
static void reason(sqlite3 *db, int code, char *text, size_t size)
{
    int base = code & 0xff;
    int number = db ? sqlite3_system_errno(db) : 0;

    if (base == SQLITE_FULL)
        snprintf(text, size, "%s; make room there", strerror(number ? number : ENOSPC));
    else if ((base == SQLITE_IOERR || base == SQLITE_CANTOPEN) && number)
        snprintf(text, size, "%s (%s)", strerror(number), sqlite3_errstr(code));
    else
        snprintf(text, size, "%s", db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
}

/* -- the file that is built -- */

static int db_fail(struct merge_db *db, int code)
{
    char why[512];

    if (code == SQLITE_NOMEM)
        return merge_no_memory(db->error);
    reason(db->db, code, why, sizeof why);
    return merge_fail(db->error, MERGE_ERR_DATA, "Couldn't write data file '%s': %s", db->path,
                      why);
}

static int db_prepare(struct merge_db *db, const char *sql, sqlite3_stmt **stmt)
{
    int code = sqlite3_prepare_v3(db->db, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);

    return code == SQLITE_OK ? 0 : db_fail(db, code);
}

static int db_exec(struct merge_db *db, const char *sql)
{
    int code = sqlite3_exec(db->db, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? 0 : db_fail(db, code);
}

/* Inserts the row that is bound. */
static int db_insert(struct merge_db *db, sqlite3_stmt *stmt)
{
    int code = sqlite3_step(stmt);

    if (code != SQLITE_DONE)
        return db_fail(db, code);
    sqlite3_reset(stmt);
    return 0;
}

int merge_db_create(struct merge_db *db, const struct merge_place *place, struct merge_error *error)
{
    int code, status;
    char version[64];

    *db = (struct merge_db){.place = place, .path = place->real, .error = error};
    code = sqlite3_open_v2(place->tmp, &db->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK)
        return db_fail(db, code);
    sqlite3_extended_result_codes(db->db, 1);
    snprintf(version, sizeof version, "INSERT INTO coverage_schema (version) VALUES (%d)",
             MERGE_SCHEMA_VERSION);
    if ((status = db_exec(db, "PRAGMA journal_mode = OFF")) ||
        (status = db_exec(db, "PRAGMA synchronous = OFF")) ||
        (status = db_exec(db, "PRAGMA auto_vacuum = NONE")) ||
        (status = db_exec(db, "PRAGMA locking_mode = EXCLUSIVE")) ||
        (status = db_exec(db, "BEGIN")) || (status = db_exec(db, schema)) ||
        (status = db_exec(db, version)) ||
        (status =
             db_prepare(db, "INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)", &db->meta)) ||
        (status = db_prepare(db, "INSERT OR IGNORE INTO file (id, path) VALUES (?, ?)",
                             &db->file.insert)) ||
        (status = db_prepare(db, "SELECT id FROM file WHERE path = ?", &db->file.find)) ||
        (status = db_prepare(db, "INSERT OR IGNORE INTO context (id, context) VALUES (?, ?)",
                             &db->context.insert)) ||
        (status = db_prepare(db, "SELECT id FROM context WHERE context = ?", &db->context.find)) ||
        (status =
             db_prepare(db, "INSERT INTO tracer (file_id, tracer) VALUES (?, ?)", &db->tracer)) ||
        (status = db_prepare(db, "SELECT tracer FROM tracer WHERE file_id = ?", &db->tracer_of)))
        return status;
    return 0;
}

int merge_db_meta(struct merge_db *db, const char *key, const char *value)
{
    if (!value)
        return 0;
    sqlite3_bind_text(db->meta, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_text(db->meta, 2, value, -1, SQLITE_STATIC);
    return db_insert(db, db->meta);
}

int merge_db_name(struct merge_db *db, sqlite3_stmt *stmt, int64_t id, const char *name, size_t len)
{
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_text(stmt, 2, name, (int)len, SQLITE_STATIC);
    return db_insert(db, stmt);
}

/* The row of a name, if it has one. */
static int db_find(struct merge_db *db, struct merge_names *names, const char *name, size_t len,
                   int64_t *id, bool *found)
{
    int code;

    sqlite3_bind_text(names->find, 1, name, (int)len, SQLITE_STATIC);
    code = sqlite3_step(names->find);
    *found = code == SQLITE_ROW;
    *id = sqlite3_column_int64(names->find, 0);
    sqlite3_reset(names->find);
    return *found || code == SQLITE_DONE ? 0 : db_fail(db, code);
}

int merge_db_row(struct merge_db *db, struct merge_names *names, const char *name, size_t len,
                 int64_t *id)
{
    bool found = false;
    int status = names->old ? db_find(db, names, name, len, id, &found) : 0;

    if (status || found)
        return status;
    status = merge_db_name(db, names->insert, names->max + 1, name, len);
    if (status)
        return status;
    if (sqlite3_changes(db->db)) {
        *id = ++names->max;
        return 0;
    }
    return db_find(db, names, name, len, id, &found);
}

static int conflict(const struct merge_db *db, const char *path, const char *known,
                    size_t known_len, const char *name, size_t len)
{
    if (db->combines)
        return merge_fail(db->error, MERGE_ERR_DATA,
                          "Conflicting file tracer name for '%s': '%.*s' vs '%.*s'", path,
                          (int)known_len, known, (int)len, name);
    return merge_fail(db->error, MERGE_ERR_DATA,
                      "Conflicting file tracer name for '%s': '%.*s' in data file '%s' vs '%.*s';"
                      " erase it, or run without --append",
                      path, (int)known_len, known, db->path, (int)len, name);
}

int merge_db_tracer(struct merge_db *db, int64_t file, const char *path, const char *name,
                    size_t len)
{
    const char *known;
    int status = 0, code;
    bool new;

    sqlite3_bind_int64(db->tracer_of, 1, file);
    code = sqlite3_step(db->tracer_of);
    new = code == SQLITE_DONE;
    if (!new &&code != SQLITE_ROW)
        return db_fail(db, code);
    known = new ? NULL : (const char *)sqlite3_column_text(db->tracer_of, 0);
    if (!new && (!known || strlen(known) != len || memcmp(known, name, len) != 0))
        status = conflict(db, path, known ? known : "", strlen(known ? known : ""), name, len);
    sqlite3_reset(db->tracer_of);
    return status || !new ? status : merge_db_name(db, db->tracer, file, name, len);
}

/* The only column of the row of `stmt` that has this number; malloc. NULL: no memory, or no row. */
static char *text_of(sqlite3_stmt *stmt, int64_t number)
{
    char *text = NULL;

    sqlite3_bind_int64(stmt, 1, number);
    if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_text(stmt, 0))
        text = strdup((const char *)sqlite3_column_text(stmt, 0));
    sqlite3_reset(stmt);
    return text;
}

int merge_db_untraced(struct merge_db *db, int64_t file, bool none_first)
{
    sqlite3_stmt *path_of = NULL;
    int status = db_prepare(db, "SELECT path FROM file WHERE id = ?", &path_of);
    char *path = status ? NULL : text_of(path_of, file);
    char *tracer = status ? NULL : text_of(db->tracer_of, file);

    if (path && tracer)
        status = conflict(db, path, none_first ? "" : tracer, none_first ? 0 : strlen(tracer),
                          none_first ? tracer : "", none_first ? strlen(tracer) : 0);
    else if (!status)
        status = merge_no_memory(db->error);
    free(path);
    free(tracer);
    return status;
}

/* With all of its statements. */
static void close_file(sqlite3 *db)
{
    sqlite3_stmt *stmt;

    while (db && (stmt = sqlite3_next_stmt(db, NULL)))
        sqlite3_finalize(stmt);
    sqlite3_close(db);
}

/* The page at which a table or an index of the new file begins. */
static int root_of(struct merge_db *db, const char *name, uint32_t *page)
{
    sqlite3_stmt *stmt = NULL;
    int status = db_prepare(db, "SELECT rootpage FROM sqlite_master WHERE name = ?", &stmt);
    int code;

    if (status)
        return status;
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    code = sqlite3_step(stmt);
    *page = (uint32_t)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return code == SQLITE_ROW ? 0 : db_fail(db, code == SQLITE_DONE ? SQLITE_INTERNAL : code);
}

int merge_db_begin_rows(struct merge_db *db, bool has_arcs)
{
    uint32_t table = 0, index = 0;
    int status;

    if ((status = root_of(db, has_arcs ? "arc" : "line_bits", &table)) ||
        (status = root_of(db, has_arcs ? "sqlite_autoindex_arc_1" : "sqlite_autoindex_line_bits_1",
                          &index)) ||
        (status = db_exec(db, "COMMIT")))
        return status;
    close_file(db->db);
    db->db = NULL;
    return merge_pages_begin(&db->pages, db->place, table, index, has_arcs ? 4 : 2, db->error);
}

int merge_db_line_bits(struct merge_db *db, int64_t file, int64_t context, const void *bits,
                       size_t len)
{
    int64_t numbers[] = {file, context};

    return merge_pages_add(&db->pages, numbers, len ? bits : "", len);
}

int merge_db_arc(struct merge_db *db, int64_t file, int64_t context, int64_t from, int64_t to)
{
    int64_t numbers[] = {file, context, from, to};

    return merge_pages_add(&db->pages, numbers, NULL, 0);
}

int merge_db_finish(struct merge_db *db)
{
    return merge_pages_finish(&db->pages);
}

void merge_db_close(struct merge_db *db)
{
    close_file(db->db);
    merge_pages_free(&db->pages);
    *db = (struct merge_db){0};
}

/* -- a file that is there already -- */

static int old_fail(struct merge_old *old, int code)
{
    char why[512];

    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return merge_no_memory(old->error);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return merge_fail(old->error, MERGE_ERR_DATA,
                          "Couldn't use data file '%s': it isn't a coverage data file (%s); remove"
                          " it, or %s",
                          old->path, sqlite3_errmsg(old->db), old->advice);
    default:
        reason(old->db, code, why, sizeof why);
        return merge_fail(old->error, MERGE_ERR_DATA, "Couldn't use data file '%s': %s", old->path,
                          why);
    }
}

int merge_old_prepare(struct merge_old *old, const char *sql, sqlite3_stmt **stmt)
{
    int code = sqlite3_prepare_v2(old->db, sql, -1, stmt, NULL);

    return code == SQLITE_OK ? 0 : old_fail(old, code);
}

int merge_old_step(struct merge_old *old, sqlite3_stmt *stmt, bool *row)
{
    int code = sqlite3_step(stmt);

    *row = code == SQLITE_ROW;
    return *row || code == SQLITE_DONE ? 0 : old_fail(old, code);
}

int merge_old_number(struct merge_old *old, const char *sql, int64_t *number, bool *found)
{
    sqlite3_stmt *stmt = NULL;
    int status = merge_old_prepare(old, sql, &stmt);

    if (!status)
        status = merge_old_step(old, stmt, found);
    if (!status && *found)
        *number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return status;
}

/* Without locks of SQLite's own: place.c has the file locked already. */
static int old_connect(struct merge_old *old, bool writable)
{
    int code = sqlite3_open_v2(old->path, &old->db,
                               (writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) |
                                   SQLITE_OPEN_NOMUTEX,
                               "unix-none");

    if (code == SQLITE_OK)
        sqlite3_extended_result_codes(old->db, 1);
    return code;
}

/* A hot journal can name another file, which SQLite would delete at the rollback. It is refused, as
 * by coverage.py; neither coverage.py nor we leave a data file with one. */
static int old_has_hot_journal(struct merge_old *old)
{
    int code = old_connect(old, false);

    if (code == SQLITE_OK)
        code = sqlite3_exec(old->db, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL);
    merge_old_close(old);
    if (code != SQLITE_READONLY_ROLLBACK)
        return 0;
    return merge_fail(old->error, MERGE_ERR_DATA,
                      "Couldn't use data file '%s': it has a journal to roll back; remove both, or"
                      " run without --append",
                      old->path);
}

/* A write-ahead log would be taken for the new file's, or be put into it where the target is
 * written in place: its content goes into the old file now. Nobody shares the memory that SQLite
 * keeps beside such a log, hence the mode. */
static int old_take_log(struct merge_old *old)
{
    int code = sqlite3_exec(old->db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_exec(old->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : old_fail(old, code);
}

static int old_check(struct merge_old *old, int has_arcs)
{
    int64_t number = 0;
    bool found = false;
    int status;

    status = merge_old_number(old,
                              "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND"
                              " name = 'coverage_schema'",
                              &number, &found);
    if (status)
        return status;
    if (number == 0) {
        status = merge_old_number(old, "SELECT count(*) FROM sqlite_master", &number, &found);
        if (status)
            return status;
        if (number)
            return merge_fail(old->error, MERGE_ERR_DATA,
                              "Couldn't use data file '%s': it is a database, but not one of"
                              " coverage data; name another data file",
                              old->path);
        merge_old_close(old); /* an empty file is no data */
        return 0;
    }
    status = merge_old_number(old, "SELECT version FROM coverage_schema", &number, &found);
    if (status)
        return status;
    if (!found || number != MERGE_SCHEMA_VERSION)
        return merge_fail(old->error, MERGE_ERR_DATA,
                          "Couldn't use data file '%s': wrong schema: %lld instead of %d; erase it,"
                          " or %s",
                          old->path, found ? (long long)number : 0LL, MERGE_SCHEMA_VERSION,
                          old->advice);
    status =
        merge_old_number(old, "SELECT value FROM meta WHERE key = 'has_arcs'", &number, &found);
    if (status)
        return status;
    if (!found)
        return 0;
    old->has_arcs = number != 0;
    if (has_arcs != MERGE_ANY_KIND && old->has_arcs != has_arcs)
        return merge_fail(old->error, MERGE_ERR_DATA,
                          "Can't add %s measurements to existing %s data in '%s'; erase it, run"
                          " without --append, or run %s --branch",
                          has_arcs ? "branch" : "line", has_arcs ? "line" : "branch", old->path,
                          has_arcs ? "without" : "with");
    return 0;
}

int merge_old_open(struct merge_old *old, const struct merge_place *place, int has_arcs,
                   struct merge_error *error)
{
    int code, status;

    *old = (struct merge_old){
        .path = place->real, .advice = "run without --append", .error = error, .has_arcs = -1};
    if (place->locked < 0)
        return place->exists ? merge_fail(error, MERGE_ERR_DATA,
                                          "Couldn't use data file '%s': it cannot be read; make it"
                                          " readable, or run without --append",
                                          old->path)
                             : 0;
    status = old_has_hot_journal(old);
    if (status)
        return status;
    code = old_connect(old, place->writable);
    status = code == SQLITE_OK ? old_take_log(old) : old_fail(old, code);
    if (!status)
        status = old_check(old, has_arcs);
    if (status)
        merge_old_close(old);
    return status;
}

/* A URI that opens the file as it is: SQLite then does nothing with files beside it. */
static char *input_uri(const char *path)
{
    static const char plain[] = "/-._~";
    char *uri = malloc(strlen(path) * 3 + 32), *to = uri;

    if (!uri)
        return NULL;
    to += sprintf(to, "file:%s", *path == '/' ? "//" : ""); /* or //x would be a host */
    for (; *path; path++) {
        unsigned char c = (unsigned char)*path;

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            strchr(plain, c))
            *to++ = (char)c;
        else
            to += sprintf(to, "%%%02X", c);
    }
    strcpy(to, "?immutable=1");
    return uri;
}

int merge_old_open_input(struct merge_old *old, const char *path, struct merge_error *error)
{
    char *uri = input_uri(path);
    int code, status;

    *old = (struct merge_old){
        .path = path, .advice = "combine the others", .error = error, .has_arcs = -1};
    if (!uri)
        return merge_no_memory(error);
    code = sqlite3_open_v2(uri, &old->db,
                           SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    free(uri);
    if (code == SQLITE_OK)
        sqlite3_extended_result_codes(old->db, 1);
    status = code == SQLITE_OK ? old_check(old, MERGE_ANY_KIND) : old_fail(old, code);
    if (!status && !old->db)
        status = merge_fail(error, MERGE_ERR_DATA,
                            "Couldn't use data file '%s': it isn't a coverage data file", path);
    if (status)
        merge_old_close(old);
    return status;
}

void merge_old_close(struct merge_old *old)
{
    close_file(old->db);
    old->db = NULL;
}
