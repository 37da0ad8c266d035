/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Combining as a whole. The caller's thread opens inputs and gives files and contexts their numbers
 * in the output; readers sort rows into buffers; at the end the caller's thread writes them.
 *
 * The lock guards what is shared: the queue, the files, the counts. An input belongs to the
 * caller's thread until it is queued, and then to the reader that takes it.
 */
#include "combine.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "arcs.h"
#include "grow.h"
#include "input.h"
#include "kill_point.h"

#define MEMORY (UINT32_C(24) << 20)
#define MAX_READERS 8
#define READER_STACK (UINT32_C(1) << 20)
#define QUEUED 2       /* inputs that wait, for each reader */
#define ASK_MS 50      /* the caller, whether to go on */
#define ASK_AFTER 4096 /* rows */

/* A file of the output: the first input (0: none) that says that it belongs to a plug-in, and the
 * first and the last that have rows of it and say that it does not. */
struct out_file {
    uint32_t traced, untraced, untraced_last;
};

struct merge_combine {
    struct merge_place place;
    struct merge_db db;
    struct merge_error error; /* db's */
    bool measured;            /* it is known whether there are arcs */
    bool has_arcs;
    struct merge_input *open;
    struct merge_spill spill;
    struct merge_buffer buffers[MAX_READERS];
    pthread_t readers[MAX_READERS];
    unsigned readers_n; /* that run */
    unsigned readers_max;
    size_t memory;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool locks;                       /* both are there */
    struct merge_input *first, *last; /* the queue */
    unsigned queued;
    uint32_t added;
    bool complete; /* no more will be added */
    bool stopped;
    struct out_file *files; /* by number in the output, from 1 */
    size_t files_cap;
    int status; /* of the readers, and of which input */
    uint32_t failed;
    struct merge_error failure;
    struct merge_combine_counts counts;
};

/* -- readers -- */

/* Notes which files of an input have rows without belonging to a plug-in. */
static void note_measured(struct merge_combine *c, const struct merge_input *input)
{
    for (size_t i = 0; i < input->files.n; i++) {
        struct out_file *file = &c->files[input->files.to[i]];

        if (!input->measured[i] || input->traced[i])
            continue;
        if (!file->untraced || file->untraced > input->number)
            file->untraced = input->number;
        if (file->untraced_last < input->number)
            file->untraced_last = input->number;
    }
}

static bool not_stopped(void *arg)
{
    struct merge_combine *c = arg;
    bool stopped;

    pthread_mutex_lock(&c->lock);
    stopped = c->stopped;
    pthread_mutex_unlock(&c->lock);
    return !stopped;
}

/* The next input, or NULL after the last one. Under the lock. */
static struct merge_input *take_input(struct merge_combine *c)
{
    struct merge_input *input;

    while (!c->first && !c->complete)
        pthread_cond_wait(&c->changed, &c->lock);
    input = c->first;
    if (input) {
        c->first = input->next;
        c->queued--;
        pthread_cond_broadcast(&c->changed);
    }
    return input;
}

static void end_input(struct merge_combine *c, const struct merge_input *input, int status,
                      const struct merge_error *error)
{
    if (!status) {
        note_measured(c, input);
    } else if (!c->status || input->number < c->failed) {
        c->status = status;
        c->failed = input->number;
        c->failure = *error;
    }
    c->stopped = c->stopped || status;
    c->counts.inputs++;
    c->counts.rows_read += input->rows;
    pthread_cond_broadcast(&c->changed);
}

struct reader {
    struct merge_combine *c;
    struct merge_buffer *buffer;
};

static void *read_inputs(void *arg)
{
    struct reader reader = *(struct reader *)arg;
    struct merge_combine *c = reader.c;
    struct merge_input *input;
    struct merge_error error;

    free(arg);
    pthread_mutex_lock(&c->lock);
    while ((input = take_input(c))) {
        int status = MERGE_ERR_STOPPED;

        error.text[0] = 0;
        if (!c->stopped) {
            pthread_mutex_unlock(&c->lock);
            status = merge_input_read(input, reader.buffer, not_stopped, c, &error);
            pthread_mutex_lock(&c->lock);
        }
        end_input(c, input, status, &error);
        pthread_mutex_unlock(&c->lock);
        merge_input_free(input);
        SEG_KILL_POINT("combine.read");
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* One more reader, if there may be one. The first one has to start. */
static int start_reader(struct merge_combine *c)
{
    struct merge_buffer *buffer = &c->buffers[c->readers_n];
    struct reader *reader;
    pthread_attr_t attributes;
    int number;

    if (c->readers_n == c->readers_max)
        return 0;
    reader = malloc(sizeof *reader);
    if (!reader || !merge_buffer_init(buffer, &c->spill, c->memory / c->readers_max)) {
        free(reader);
        merge_buffer_free(buffer);
        return merge_no_memory(&c->error);
    }
    *reader = (struct reader){c, buffer};
    number = pthread_attr_init(&attributes);
    if (!number) {
        pthread_attr_setstacksize(&attributes, READER_STACK);
        number = pthread_create(&c->readers[c->readers_n], &attributes, read_inputs, reader);
        pthread_attr_destroy(&attributes);
    }
    if (!number) {
        c->readers_n++;
        return 0;
    }
    free(reader);
    merge_buffer_free(buffer);
    if (c->readers_n) {
        c->readers_max = c->readers_n;
        return 0;
    }
    return merge_place_fail(&c->place, &c->error, "no thread can be started", number);
}

static void end_readers(struct merge_combine *c, bool stop)
{
    if (!c->locks)
        return;
    pthread_mutex_lock(&c->lock);
    c->complete = true;
    c->stopped = c->stopped || stop;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    while (c->readers_n)
        pthread_join(c->readers[--c->readers_n], NULL);
}

/* -- inputs -- */

static unsigned processors(void)
{
#ifdef __linux__
    cpu_set_t set;
    long n = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
#else
    long n = sysconf(_SC_NPROCESSORS_ONLN);
#endif

    return n < 1 ? 1 : n > MAX_READERS ? MAX_READERS : (unsigned)n;
}

/* The old file, as the first input: its names are right. */
static int add_old(struct merge_combine *c, struct merge_old *old)
{
    const char **names;
    int status = merge_tables_copy_meta(old, &c->db);

    if (!status)
        status = merge_input_of(&c->open, old, &c->error);
    if (status)
        return status;
    if (c->open->old.has_arcs >= 0) {
        c->measured = true;
        c->has_arcs = c->open->old.has_arcs;
    }
    names = malloc((c->open->files.n + 1) * sizeof *names);
    if (!names)
        return merge_no_memory(&c->error);
    for (size_t i = 0; i < c->open->files.n; i++)
        names[i] = merge_combine_file(c, i);
    status = merge_combine_add(c, names, &c->error);
    free(names);
    return status;
}

static int begin(struct merge_combine *c, const struct merge_combine_options *options,
                 struct merge_old *old)
{
    struct merge_error *error = &c->error;
    int status;

    status = merge_place_find(&c->place, options->target, error);
    if (!status && options->append)
        status = merge_place_lock(&c->place, error);
    if (!status && options->append)
        status = merge_old_open(old, &c->place, MERGE_ANY_KIND, error);
    if (!status)
        status = merge_place_create(&c->place, error);
    if (!status)
        status = merge_db_create(&c->db, &c->place, error);
    c->db.combines = true;
    if (!status)
        status = merge_spill_init(&c->spill, &c->place);
    if (!status && old->db)
        status = add_old(c, old);
    if (status || (status = merge_db_meta(&c->db, "version", options->version)) ||
        (status = merge_db_meta(&c->db, "sys_argv", options->argv)))
        return status;
    return merge_db_meta(&c->db, "when", options->when);
}

int merge_combine_begin(const struct merge_combine_options *options, struct merge_combine **out,
                        struct merge_error *error)
{
    struct merge_combine *c = calloc(1, sizeof *c);
    struct merge_old old = {0};
    int status;

    *out = c;
    if (!c)
        return merge_no_memory(error);
    c->place.fd = c->place.locked = -1;
    c->memory = options->memory ? options->memory : MEMORY;
    c->readers_max = options->readers ? options->readers : processors();
    if (c->readers_max > MAX_READERS)
        c->readers_max = MAX_READERS;
    c->locks = !pthread_mutex_init(&c->lock, NULL) && !pthread_cond_init(&c->changed, NULL);
    status = c->locks ? begin(c, options, &old) : merge_no_memory(&c->error);
    merge_old_close(&old);
    if (status) {
        *error = c->error;
        merge_combine_free(c);
        *out = NULL;
    }
    return status;
}

int merge_combine_open(struct merge_combine *c, const char *path, struct merge_error *error)
{
    int status;

    merge_input_free(c->open);
    status = merge_input_open(&c->open, path, error);
    if (status || !c->measured || c->open->old.has_arcs < 0 || c->open->old.has_arcs == c->has_arcs)
        return status;
    return c->has_arcs
               ? merge_fail(error, MERGE_ERR_MIXED,
                            "Can't combine statement coverage data with branch data: data file"
                            " '%s' didn't measure branch coverage, but data file '%s' did",
                            path, c->place.real)
               : merge_fail(error, MERGE_ERR_MIXED,
                            "Can't combine branch coverage data with statement data: data file"
                            " '%s' measured branch coverage, but data file '%s' didn't",
                            path, c->place.real);
}

bool merge_combine_is_open(const struct merge_combine *c)
{
    return c->open != NULL;
}

size_t merge_combine_files(const struct merge_combine *c)
{
    return c->open->files.n;
}

const char *merge_combine_file(const struct merge_combine *c, size_t file)
{
    return c->open->text + c->open->names[file];
}

/* The number of a name in the output; a number more than there may be is an error. */
static int number_of(struct merge_combine *c, struct merge_names *names, const char *text,
                     size_t len, uint32_t *number)
{
    int64_t id = 0;
    int status = merge_db_row(&c->db, names, text, len, &id);

    if (!status && id >= UINT32_MAX)
        status =
            merge_fail(&c->error, MERGE_ERR_DATA,
                       "Couldn't write data file '%s': there are too many names", c->place.real);
    *number = (uint32_t)id;
    return status;
}

static int number_files(struct merge_combine *c, const char *const *names)
{
    struct merge_ids *files = &c->open->files;
    int status = 0;

    for (size_t i = 0; !status && i < files->n; i++) {
        if (names[i])
            status = number_of(c, &c->db.file, names[i], strlen(names[i]), &files->to[i]);
    }
    if (status)
        return status;
    pthread_mutex_lock(&c->lock);
    for (size_t had = c->files_cap, n = (size_t)c->db.file.max + 1; n > had; n = had) {
        if (!SEG_GROW(c->files, c->files_cap, n))
            status = merge_no_memory(&c->error);
        else
            memset(c->files + had, 0, (c->files_cap - had) * sizeof *c->files);
    }
    pthread_mutex_unlock(&c->lock);
    return status;
}

static int number_contexts(struct merge_combine *c)
{
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    int status =
        merge_old_prepare(&c->open->old, "SELECT id, context FROM context ORDER BY id", &stmt);

    while (!status && !(status = merge_old_step(&c->open->old, stmt, &row)) && row) {
        const char *text = (const char *)sqlite3_column_text(stmt, 1);
        uint32_t number;

        if (!text)
            continue;
        status = number_of(c, &c->db.context, text, (size_t)sqlite3_column_bytes(stmt, 1), &number);
        if (!status && !merge_ids_add(&c->open->contexts, sqlite3_column_int64(stmt, 0), number))
            status = merge_no_memory(&c->error);
    }
    sqlite3_finalize(stmt);
    return status;
}

static int add_tracers(struct merge_combine *c, const char *const *names)
{
    struct merge_input *input = c->open;
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    int status = merge_old_prepare(&input->old, "SELECT file_id, tracer FROM tracer", &stmt);

    while (!status && !(status = merge_old_step(&input->old, stmt, &row)) && row) {
        size_t i = merge_ids_find(&input->files, sqlite3_column_int64(stmt, 0));
        const char *text = (const char *)sqlite3_column_text(stmt, 1);
        uint32_t file;

        if (!text || !*text || i == input->files.n || !(file = input->files.to[i]))
            continue;
        input->traced[i] = true;
        if (c->files[file].traced == c->added + 1)
            continue; /* two files of this input become one: the first decides, no other looks */
        status =
            merge_db_tracer(&c->db, file, names[i], text, (size_t)sqlite3_column_bytes(stmt, 1));
        pthread_mutex_lock(&c->lock);
        if (!c->files[file].traced)
            c->files[file].traced = c->added + 1;
        pthread_mutex_unlock(&c->lock);
    }
    sqlite3_finalize(stmt);
    return status;
}

/* Rows decide of what kind the output is. */
static int choose_kind(struct merge_combine *c)
{
    const struct merge_input *input = c->open;

    for (int arcs = 0; arcs < 2; arcs++) {
        if (!(arcs ? input->arc_rows : input->line_rows))
            continue;
        if (c->measured && c->has_arcs != arcs)
            return merge_fail(&c->error, MERGE_ERR_MIXED,
                              "Can't add %s measurements to existing %s data: data file '%s'",
                              arcs ? "branch" : "line", arcs ? "line" : "branch", input->path);
        c->measured = true;
        c->has_arcs = arcs;
    }
    return 0;
}

static int add_open(struct merge_combine *c, const char *const *names)
{
    int status;

    c->open->old.error = &c->error;
    if ((status = number_files(c, names)) || (status = number_contexts(c)) ||
        (status = add_tracers(c, names)) || (status = choose_kind(c)))
        return status;
    return start_reader(c);
}

/* Queues the input that is open, when there is room. An error: that of an earlier one. */
static int queue_open(struct merge_combine *c, struct merge_error *error)
{
    int status;

    pthread_mutex_lock(&c->lock);
    while (c->queued >= QUEUED * c->readers_max && !c->stopped)
        pthread_cond_wait(&c->changed, &c->lock);
    c->open->number = ++c->added;
    if (c->first)
        c->last->next = c->open;
    else
        c->first = c->open;
    c->last = c->open;
    c->db.file.old = 1; /* inputs have the same files, most times: look for a name first */
    c->queued++;
    c->open = NULL;
    status = c->status;
    if (status)
        *error = c->failure;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return status;
}

int merge_combine_add(struct merge_combine *c, const char *const *names, struct merge_error *error)
{
    int status = add_open(c, names);

    if (status) {
        if (error != &c->error)
            *error = c->error;
        return status;
    }
    return queue_open(c, error);
}

/* -- the output -- */

struct writing {
    struct merge_combine *c;
    struct merge_runs runs;
    struct merge_lines lines; /* of the row */
    uint64_t *arcs;
    size_t arcs_n, arcs_cap;
    unsigned parts; /* that the row has been united of */
    uint64_t rows;
    bool (*go_on)(void *arg);
    void *arg;
    struct timespec asked;
};

static bool ask(struct writing *w)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if ((now.tv_sec - w->asked.tv_sec) * 1000 + (now.tv_nsec - w->asked.tv_nsec) / 1000000 < ASK_MS)
        return true;
    w->asked = now;
    return !w->go_on || w->go_on(w->arg);
}

/* Unites a part with the row. */
static bool add_part(struct writing *w, const struct merge_run_row *part)
{
    size_t n = part->len / sizeof *w->arcs;

    w->parts++;
    if (!w->c->has_arcs)
        return merge_lines_unite(&w->lines, part->bytes, part->len);
    if (!SEG_GROW(w->arcs, w->arcs_cap, w->arcs_n + n))
        return false;
    if (n)
        memcpy(w->arcs + w->arcs_n, part->bytes, n * sizeof *w->arcs);
    w->arcs_n += n;
    return true;
}

static int put_arcs(struct writing *w, int64_t file, int64_t context)
{
    struct merge_combine *c = w->c;
    int status = 0;

    if (w->parts > 1)
        merge_arcs_sort(w->arcs, w->arcs_n);
    for (size_t i = 0; !status && i < w->arcs_n; i++) {
        if (i > 0 && w->arcs[i] == w->arcs[i - 1])
            continue;
        c->counts.arc_rows++;
        status = merge_db_arc(&c->db, file, context, merge_arc_from(w->arcs[i]),
                              merge_arc_to(w->arcs[i]));
    }
    w->arcs_n = 0;
    return status;
}

static int put_row(struct writing *w, uint64_t key)
{
    struct merge_combine *c = w->c;
    int64_t file = merge_input_file(key), context = merge_input_context(key);
    int status;

    if (c->has_arcs) {
        status = put_arcs(w, file, context);
    } else {
        c->counts.line_rows++;
        status = merge_db_line_bits(&c->db, file, context, w->lines.bits, w->lines.used);
        merge_lines_clear(&w->lines);
    }
    w->parts = 0;
    c->counts.file = merge_input_file(key);
    SEG_KILL_POINT("combine.row");
    return status;
}

static int put_rows(struct writing *w)
{
    struct merge_error *error = &w->c->error;
    const struct merge_run_row *row;
    int status = 0;

    while (!status && (row = merge_runs_row(&w->runs))) {
        uint64_t key = row->key;

        if (!add_part(w, row))
            return merge_no_memory(error);
        status = merge_runs_next(&w->runs, error);
        if (!status && (!(row = merge_runs_row(&w->runs)) || row->key != key))
            status = put_row(w, key);
        if (!status && ++w->rows % ASK_AFTER == 0 && !ask(w))
            status = MERGE_ERR_STOPPED;
    }
    return status;
}

/* Waits until all inputs have been read. */
static int wait_for_readers(struct merge_combine *c, struct writing *w)
{
    int status = ask(w) ? 0 : MERGE_ERR_STOPPED; /* at once, however little there is to do */

    pthread_mutex_lock(&c->lock);
    c->stopped = c->stopped || status;
    while (c->counts.inputs < c->added) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += ASK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&c->changed, &c->lock, &until);
        pthread_mutex_unlock(&c->lock);
        if (!status && !ask(w))
            status = MERGE_ERR_STOPPED;
        pthread_mutex_lock(&c->lock);
        c->stopped = c->stopped || status;
    }
    pthread_mutex_unlock(&c->lock);
    return status;
}

/* A file cannot be a plug-in's for one input and have rows that are not in another. Within one, two
 * files may become one. */
static int check_tracers(struct merge_combine *c)
{
    int status = 0;

    for (int64_t i = 1; !status && i <= c->db.file.max; i++) {
        const struct out_file *file = &c->files[i];

        if (file->traced && file->untraced &&
            (file->untraced != file->traced || file->untraced_last != file->traced))
            status = merge_db_untraced(&c->db, i, file->untraced < file->traced);
    }
    return status;
}

static int write_rows(struct merge_combine *c, struct writing *w)
{
    int status = check_tracers(c);

    if (!status && c->measured)
        status = merge_db_meta(&c->db, "has_arcs", c->has_arcs ? "1" : "0");
    if (!status)
        status = merge_db_begin_rows(&c->db, c->has_arcs);
    if (!status)
        status =
            merge_runs_open(&w->runs, &c->spill, c->buffers, MAX_READERS, c->memory / 6, &c->error);
    if (!status)
        status = put_rows(w);
    if (!status)
        status = merge_db_finish(&c->db);
    merge_runs_close(&w->runs);
    merge_lines_free(&w->lines);
    free(w->arcs);
    return status;
}

int merge_combine_finish(struct merge_combine *c, bool (*go_on)(void *arg), void *arg,
                         struct merge_combine_counts *counts, struct merge_error *error)
{
    struct writing w = {.c = c, .go_on = go_on, .arg = arg};
    int status = wait_for_readers(c, &w);

    end_readers(c, status);
    if (c->status && c->status != MERGE_ERR_STOPPED) {
        *error = c->failure;
        return c->status;
    }
    if (!status)
        status = write_rows(c, &w);
    c->counts.files = (uint64_t)c->db.file.max;
    c->counts.contexts = (uint64_t)c->db.context.max;
    merge_db_close(&c->db);
    SEG_KILL_POINT("merge.built");
    if (!status)
        status = merge_place_commit(&c->place, &c->error);
    *counts = c->counts;
    *error = c->error;
    return status;
}

void merge_combine_progress(struct merge_combine *c, struct merge_combine_counts *counts)
{
    pthread_mutex_lock(&c->lock);
    *counts = c->counts;
    pthread_mutex_unlock(&c->lock);
    counts->files = (uint64_t)c->db.file.max;
    counts->contexts = (uint64_t)c->db.context.max;
}

void merge_combine_free(struct merge_combine *c)
{
    if (!c)
        return;
    end_readers(c, true);
    while (c->first) {
        struct merge_input *next = c->first->next;

        merge_input_free(c->first);
        c->first = next;
    }
    merge_input_free(c->open);
    merge_db_close(&c->db);
    for (unsigned i = 0; i < MAX_READERS; i++)
        merge_buffer_free(&c->buffers[i]);
    merge_spill_free(&c->spill);
    merge_place_close(&c->place);
    if (c->locks) {
        pthread_cond_destroy(&c->changed);
        pthread_mutex_destroy(&c->lock);
    }
    free(c->files);
    free(c);
}
