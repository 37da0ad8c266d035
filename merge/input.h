/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One input of combine: what its small tables say, and its rows.
 */
#ifndef MERGE_INPUT_H
#define MERGE_INPUT_H

#include "runs.h"

/* Numbers of an input, and what they are in the output. */
struct merge_ids {
    int64_t *id;  /* rising */
    uint32_t *to; /* 0: nothing */
    size_t n, id_cap, to_cap;
};

struct merge_input {
    struct merge_input *next;
    uint32_t number; /* the order in which they were added, from 1 */
    struct merge_old old;
    int fd; /* -1, or what has the lock on it */
    char *path;
    bool arc_rows, line_rows;
    struct merge_ids files, contexts;
    size_t *names; /* by file: where in text */
    size_t names_cap;
    char *text;
    size_t text_n, text_cap;
    bool *traced, *measured; /* by file: belongs to a plug-in, has rows */
    uint64_t rows;
};

/* Opens it, and reads which files it has. MERGE_ERR_INPUT or MERGE_ERR_BUSY if
 * only this one cannot be used. */
int merge_input_open(struct merge_input **out, const char *path, struct merge_error *error);

/* One around a file that is open already, which it then closes. */
int merge_input_of(struct merge_input **out, struct merge_old *old, struct merge_error *error);
void merge_input_free(struct merge_input *input);

/* The place of an id, or input->files.n. */
size_t merge_ids_find(const struct merge_ids *ids, int64_t id);
bool merge_ids_add(struct merge_ids *ids, int64_t id, uint32_t to);

/* A key of the sort: the row of line_bits, or the rows of arc, of a file and a context. */
static inline uint64_t merge_input_key(uint32_t file, uint32_t context)
{
    return (uint64_t)file << 32 | context;
}

static inline uint32_t merge_input_file(uint64_t key)
{
    return (uint32_t)(key >> 32);
}

static inline uint32_t merge_input_context(uint64_t key)
{
    return (uint32_t)key;
}

/* Reads all rows into the buffer. `go_on` is asked now and then. */
int merge_input_read(struct merge_input *input, struct merge_buffer *buffer,
                     bool (*go_on)(void *arg), void *arg, struct merge_error *error);

#endif
