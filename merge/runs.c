/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The external merge sort. Inputs are read in the order in which they lie in their files, which is
 * three times as fast as in that of their indexes; what does not fit into memory goes, sorted, to a
 * file beside the target. Memory and descriptors are the same for any number of inputs.
 */
#include "runs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "grow.h"

#define STAGE_BYTES (UINT32_C(256) << 10)
#define LEAST_BYTES (UINT32_C(16) << 10) /* to read a run with */
#define HEAD_BYTES (sizeof(uint64_t) + sizeof(uint32_t))
#define BYTES_FOR_A_ROW 64 /* of a buffer: what its index is made for */

/* -- the spill -- */

int merge_spill_init(struct merge_spill *spill, const struct merge_place *place)
{
    *spill = (struct merge_spill){.place = place, .fd = -1};
    return pthread_mutex_init(&spill->lock, NULL) ? MERGE_ERR_NOMEM : 0;
}

void merge_spill_free(struct merge_spill *spill)
{
    if (!spill->place)
        return;
    if (spill->fd >= 0)
        close(spill->fd);
    free(spill->runs);
    pthread_mutex_destroy(&spill->lock);
    spill->place = NULL;
}

/* Reserves room for a run. */
static int reserve(struct merge_spill *spill, size_t len, off_t *begin, struct merge_error *error)
{
    int status = 0;

    pthread_mutex_lock(&spill->lock);
    if (spill->fd < 0)
        status = merge_place_scratch(spill->place, &spill->fd, error);
    if (!status && !SEG_GROW(spill->runs, spill->runs_cap, spill->runs_n + 1))
        status = merge_no_memory(error);
    if (!status) {
        *begin = spill->end;
        spill->end += (off_t)len;
        spill->runs[spill->runs_n++] = (struct merge_range){*begin, spill->end};
    }
    pthread_mutex_unlock(&spill->lock);
    return status;
}

static int write_at(struct merge_spill *spill, const uint8_t *bytes, size_t len, off_t at,
                    struct merge_error *error)
{
    while (len) {
        ssize_t n = pwrite(spill->fd, bytes, len, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return merge_place_fail(spill->place, error, "rows cannot be kept in its folder",
                                    n ? errno : ENOSPC);
        bytes += n;
        len -= (size_t)n;
        at += n;
    }
    return 0;
}

/* -- a buffer -- */

bool merge_buffer_init(struct merge_buffer *buffer, struct merge_spill *spill, size_t memory)
{
    *buffer = (struct merge_buffer){.spill = spill, .cap = memory};
    buffer->rows_cap = memory / BYTES_FOR_A_ROW + 1;
    buffer->bytes = malloc(buffer->cap + 1);
    buffer->rows = malloc(buffer->rows_cap * sizeof *buffer->rows);
    return buffer->bytes && buffer->rows;
}

void merge_buffer_free(struct merge_buffer *buffer)
{
    free(buffer->bytes);
    free(buffer->rows);
    *buffer = (struct merge_buffer){0};
}

static struct merge_run_row row_of(const struct merge_hit *hit)
{
    uint32_t len;

    memcpy(&len, hit->bits, sizeof len);
    return (struct merge_run_row){hit->key, hit->bits + sizeof len, len};
}

/* Writes all rows as one run, and empties the buffer. */
static int spill_rows(struct merge_buffer *buffer, struct merge_error *error)
{
    uint8_t *stage = malloc(STAGE_BYTES);
    size_t len = buffer->used + buffer->rows_n * (HEAD_BYTES - sizeof(uint32_t)), staged = 0;
    off_t at = 0;
    int status = 0;

    if (!stage || !merge_sort_hits(&buffer->rows, buffer->rows_n))
        status = merge_no_memory(error);
    else
        status = reserve(buffer->spill, len, &at, error);
    for (size_t i = 0; !status && i < buffer->rows_n; i++) {
        struct merge_run_row row = row_of(&buffer->rows[i]);
        uint32_t bytes = (uint32_t)row.len;

        if (staged + HEAD_BYTES + row.len > STAGE_BYTES) {
            status = write_at(buffer->spill, stage, staged, at, error);
            at += (off_t)staged;
            staged = 0;
        }
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): room was made */
        memcpy(stage + staged, &row.key, sizeof row.key);
        memcpy(stage + staged + sizeof row.key, &bytes, sizeof bytes);
        staged += HEAD_BYTES;
        if (row.len <= STAGE_BYTES - staged) {
            memcpy(stage + staged, row.bytes, row.len);
            staged += row.len;
            continue;
        }
        if (!status)
            status = write_at(buffer->spill, stage, staged, at, error);
        at += (off_t)staged;
        staged = 0;
        if (!status)
            status = write_at(buffer->spill, row.bytes, row.len, at, error);
        at += (off_t)row.len;
    }
    if (!status)
        status = write_at(buffer->spill, stage, staged, at, error);
    free(stage);
    buffer->used = buffer->rows_n = 0;
    return status;
}

int merge_buffer_add(struct merge_buffer *buffer, uint64_t key, const void *bytes, size_t len,
                     struct merge_error *error)
{
    uint32_t short_len = (uint32_t)len;
    size_t need = sizeof short_len + len;
    uint8_t *to;

    if (need > buffer->cap - buffer->used || buffer->rows_n == buffer->rows_cap) {
        int status = buffer->rows_n ? spill_rows(buffer, error) : 0;

        if (status)
            return status;
        if (need > buffer->cap) { /* one row for which it is too small */
            uint8_t *bigger = realloc(buffer->bytes, need);

            if (!bigger)
                return merge_no_memory(error);
            buffer->bytes = bigger;
            buffer->cap = need;
        }
    }
    to = buffer->bytes + buffer->used;
    memcpy(to, &short_len, sizeof short_len);
    if (len)
        memcpy(to + sizeof short_len, bytes, len);
    buffer->rows[buffer->rows_n++] = (struct merge_hit){.key = key, .bits = to};
    buffer->used += need;
    return 0;
}

/* -- all in order -- */

/* A run, in a buffer or in the spill. */
struct merge_source {
    struct merge_run_row row;
    const struct merge_buffer *buffer; /* NULL: in the spill */
    size_t next;                       /* row of the buffer */
    const struct merge_spill *spill;
    struct merge_range left; /* what has not been read yet */
    uint8_t *bytes;
    size_t at, filled, cap;
};

/* Has `need` bytes at source->at. */
static int fill(struct merge_source *source, size_t need, struct merge_error *error)
{
    size_t have = source->filled - source->at;

    if (have >= need)
        return 0;
    if (source->at)
        memmove(source->bytes, source->bytes + source->at, have);
    source->at = 0;
    source->filled = have;
    if (need > source->cap) {
        uint8_t *bigger = realloc(source->bytes, need);

        if (!bigger)
            return merge_no_memory(error);
        source->bytes = bigger;
        source->cap = need;
    }
    while (source->filled < source->cap && source->left.begin < source->left.end) {
        size_t want = source->cap - source->filled;
        ssize_t n;

        if ((off_t)want > source->left.end - source->left.begin)
            want = (size_t)(source->left.end - source->left.begin);
        n = pread(source->spill->fd, source->bytes + source->filled, want, source->left.begin);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return merge_place_fail(source->spill->place, error,
                                    "rows that were kept in its folder cannot be read",
                                    n ? errno : EIO);
        source->filled += (size_t)n;
        source->left.begin += n;
    }
    return 0;
}

/* *more: there is a next row. */
static int advance(struct merge_source *source, bool *more, struct merge_error *error)
{
    uint32_t len;
    int status;

    if (source->buffer) {
        *more = source->next < source->buffer->rows_n;
        if (*more)
            source->row = row_of(&source->buffer->rows[source->next++]);
        return 0;
    }
    *more = source->at < source->filled || source->left.begin < source->left.end;
    if (!*more)
        return 0;
    status = fill(source, HEAD_BYTES, error);
    if (status)
        return status;
    memcpy(&source->row.key, source->bytes + source->at, sizeof source->row.key);
    memcpy(&len, source->bytes + source->at + sizeof source->row.key, sizeof len);
    source->at += HEAD_BYTES;
    status = fill(source, len, error);
    if (status)
        return status;
    source->row.bytes = source->bytes + source->at;
    source->row.len = len;
    source->at += len;
    return 0;
}

/* Restores the order of the heap below `at`. */
static void sift(struct merge_runs *runs, size_t at)
{
    struct merge_source *moved = runs->heap[at];

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= runs->n)
            break;
        if (child + 1 < runs->n && runs->heap[child + 1]->row.key < runs->heap[child]->row.key)
            child++;
        if (runs->heap[child]->row.key >= moved->row.key)
            break;
        runs->heap[at] = runs->heap[child];
        at = child;
    }
    runs->heap[at] = moved;
}

int merge_runs_open(struct merge_runs *runs, const struct merge_spill *spill,
                    struct merge_buffer *buffers, size_t buffers_n, size_t memory,
                    struct merge_error *error)
{
    size_t n = spill->runs_n + buffers_n;
    size_t share = spill->runs_n ? memory / spill->runs_n : 0;

    *runs = (struct merge_runs){.sources = calloc(n + 1, sizeof *runs->sources),
                                .heap = calloc(n + 1, sizeof(struct merge_source *))};
    if (!runs->sources || !runs->heap)
        return merge_no_memory(error);
    runs->sources_n = n;
    share = share < LEAST_BYTES ? LEAST_BYTES : share;
    share = share > STAGE_BYTES ? STAGE_BYTES : share;
    for (size_t i = 0; i < n; i++) {
        struct merge_source *source = &runs->sources[i];
        bool more;
        int status;

        if (i < spill->runs_n) {
            source->spill = spill;
            source->left = spill->runs[i];
            source->cap = share;
            source->bytes = malloc(share);
            if (!source->bytes)
                return merge_no_memory(error);
        } else {
            struct merge_buffer *buffer = &buffers[i - spill->runs_n];

            source->buffer = buffer;
            if (!merge_sort_hits(&buffer->rows, buffer->rows_n))
                return merge_no_memory(error);
        }
        status = advance(source, &more, error);
        if (status)
            return status;
        if (more)
            runs->heap[runs->n++] = source;
    }
    for (size_t i = runs->n / 2; i-- > 0;)
        sift(runs, i);
    return 0;
}

const struct merge_run_row *merge_runs_row(const struct merge_runs *runs)
{
    return runs->n ? &runs->heap[0]->row : NULL;
}

int merge_runs_next(struct merge_runs *runs, struct merge_error *error)
{
    bool more;
    int status = advance(runs->heap[0], &more, error);

    if (status)
        return status;
    if (!more)
        runs->heap[0] = runs->heap[--runs->n];
    if (runs->n)
        sift(runs, 0);
    return 0;
}

void merge_runs_close(struct merge_runs *runs)
{
    for (size_t i = 0; i < runs->sources_n; i++)
        free(runs->sources[i].bytes);
    free(runs->sources);
    free(runs->heap);
    *runs = (struct merge_runs){0};
}
