/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pass as a whole: find the target, lock the old file, build the new one beside it, replace it.
 */
#include "kill_point.h"
#include "pass.h"

static int build(struct merge_pass *p)
{
    int status;

    if ((status = merge_db_create(&p->db, &p->place, p->error)) ||
        (status = merge_tables_copy(p)) || (status = merge_tables_fill(p)) ||
        (status = merge_tables_order(p)))
        return status;
    for (size_t i = 0; i < p->m->files_n; i++)
        merge_arcs_resolve(p->m, &p->m->files[i]);
    status = merge_db_begin_rows(&p->db, p->m->has_arcs);
    if (!status)
        status = merge_rows_put(p);
    return status ? status : merge_db_finish(&p->db);
}

static void free_pass(struct merge_pass *p)
{
    merge_db_close(&p->db);
    merge_old_close(&p->old); /* before the place, whose descriptor keeps the lock */
    merge_place_close(&p->place);
    merge_tables_free(p);
    merge_rows_free(p);
}

int merge_write(struct merge *m, const struct merge_options *options, struct merge_counts *counts,
                struct merge_error *error)
{
    struct merge_pass pass = {.m = m, .options = options, .counts = counts, .error = error};
    int status;

    *counts = (struct merge_counts){0};
    error->text[0] = 0;
    status = merge_place_find(&pass.place, options->target, error);
    if (!status && options->append)
        status = merge_place_lock(&pass.place, error);
    if (!status && options->append)
        status = merge_old_open(&pass.old, &pass.place, m->has_arcs, error);
    if (!status)
        status = merge_place_create(&pass.place, error);
    if (!status)
        status = build(&pass);
    merge_db_close(&pass.db);
    SEG_KILL_POINT("merge.built");
    if (!status)
        status = merge_place_commit(&pass.place, error);
    free_pass(&pass);
    return status;
}

int merge_check_target(const char *target, bool has_arcs, bool append, struct merge_error *error)
{
    struct merge_place place;
    struct merge_old old;
    int status;

    error->text[0] = 0;
    status = merge_place_find(&place, target, error);
    if (!status && append)
        status = merge_place_lock(&place, error);
    if (!status && append) {
        status = merge_old_open(&old, &place, has_arcs, error);
        merge_old_close(&old);
    }
    merge_place_close(&place);
    return status;
}
