/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An external merge sort of rows: buffers in memory, sorted runs of rows in a file that has no
 * name, and all of them in order.
 *
 * A row is what one input knows of one (file, context): a key, by which it is sorted, and bytes.
 * Equal keys come out one after the other.
 */
#ifndef MERGE_RUNS_H
#define MERGE_RUNS_H

#include <pthread.h>

#include "internal.h"

struct merge_run_row {
    uint64_t key;
    const uint8_t *bytes; /* not aligned */
    size_t len;
};

struct merge_range {
    off_t begin, end;
};

/* The file of runs. Buffers may spill into it at once. */
struct merge_spill {
    const struct merge_place *place;
    pthread_mutex_t lock;
    int fd; /* -1: nothing has been spilled */
    off_t end;
    struct merge_range *runs;
    size_t runs_n, runs_cap;
};

/* Belongs to one thread. */
struct merge_buffer {
    struct merge_spill *spill;
    uint8_t *bytes;
    size_t used, cap;
    struct merge_hit *rows; /* `bits` is the row's length, then its bytes */
    size_t rows_n, rows_cap;
};

/* All rows in order. */
struct merge_source;
struct merge_runs {
    struct merge_source *sources;
    size_t sources_n;
    struct merge_source **heap;
    size_t n; /* of the heap: sources that have a row */
};

int merge_spill_init(struct merge_spill *spill, const struct merge_place *place);
void merge_spill_free(struct merge_spill *spill);

bool merge_buffer_init(struct merge_buffer *buffer, struct merge_spill *spill, size_t memory);
int merge_buffer_add(struct merge_buffer *buffer, uint64_t key, const void *bytes, size_t len,
                     struct merge_error *error);
void merge_buffer_free(struct merge_buffer *buffer);

/* From then on neither the spill nor the buffers change. `memory`: for reading from the spill. */
int merge_runs_open(struct merge_runs *runs, const struct merge_spill *spill,
                    struct merge_buffer *buffers, size_t buffers_n, size_t memory,
                    struct merge_error *error);

/* The row that comes next; NULL: there is none. */
const struct merge_run_row *merge_runs_row(const struct merge_runs *runs);
int merge_runs_next(struct merge_runs *runs, struct merge_error *error);
void merge_runs_close(struct merge_runs *runs);

#endif
