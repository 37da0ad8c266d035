/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the segment's operations cost, in nanoseconds: the hot path (a bit that is set already, a
 * bit that is not), finding and making entries, chunks and records, attaching, and what the first
 * ones cost when two processes do them on the same bytes. Prints one line for each.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "segment.h"

#define BITS SEG_CHUNK_BITS
#define ROUNDS 5 /* the best one counts: others use the machine too */
#define KEYS 20000u

static seg_t *seg;
static char *path;
static seg_u8 *chunk;
static struct seg_entry *file;
static char (*keys)[48];

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void must(int status)
{
    if (status != SEG_OK) {
        fprintf(stderr, "%s\n", seg_strstatus(status));
        exit(1);
    }
}

/* -- operations: each does n of them -- */

static void set_set_bits(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        seg_bit_set(chunk, i % BITS);
}

static void or_set_bits(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        atomic_fetch_or_explicit(&chunk[i % BITS / 8].v, (uint8_t)(1u << (i % 8)),
                                 memory_order_relaxed);
}

static void set_clear_bits(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (i % BITS == 0)
            memset((void *)chunk, 0, SEG_CHUNK_BYTES);
        seg_bit_set(chunk, i % BITS);
    }
}

static void find_entries(unsigned n)
{
    struct seg_entry *entry;

    for (unsigned i = 0; i < n; i++)
        must(seg_file(seg, keys[i % KEYS], strlen(keys[i % KEYS]), &entry));
}

static void make_entries(unsigned n)
{
    char key[48];
    uint32_t id;

    for (unsigned i = 0; i < n; i++) {
        int len = snprintf(key, sizeof key, "tests/test_module.py::test_%u", i);

        must(seg_context(seg, key, (size_t)len, &id));
    }
}

static void find_chunks(unsigned n)
{
    seg_u8 *bits;

    for (unsigned i = 0; i < n; i++)
        must(seg_chunk(seg, file, SEG_LINES, i % 8, &bits));
}

static void find_far_chunks(unsigned n)
{
    seg_u8 *bits;

    for (unsigned i = 0; i < n; i++)
        must(seg_chunk(seg, file, SEG_LINES, 8 + i % 64, &bits));
}

static void claim_records(unsigned n)
{
    seg_u8 *bits;

    for (unsigned i = 0; i < n; i++)
        must(seg_record(seg, 1, SEG_LINES, 1, i & 0xffff, &bits));
}

static void attach(unsigned n)
{
    seg_t *other;

    for (unsigned i = 0; i < n; i++)
        must(seg_attach(path, &other));
}

static void enter(unsigned n)
{
    struct seg_process *row;

    for (unsigned i = 0; i < n; i++)
        must(seg_process_enter(seg, 0, false, &row));
}

static void adopt_nothing(unsigned n)
{
    seg_t *other;

    for (unsigned i = 0; i < n; i++) {
        if (seg_adopt(&other) == SEG_OK)
            exit(1);
    }
}

/* A segment of its own, in place of the one before. */
static void renew(void)
{
    struct seg_plan plan = {.size = UINT64_C(1) << 30};
    int fd;

    plan.folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    if (path != NULL)
        unlink(path);
    free(path);
    must(seg_create(&plan, &seg, &path, &fd));
    close(fd);
    must(seg_file(seg, "/project/package/module.py", 26, &file));
    must(seg_chunk(seg, file, SEG_LINES, 0, &chunk));
}

static double best_of(void (*fn)(unsigned), unsigned n)
{
    double best = 1e30;

    for (int round = 0; round < ROUNDS; round++) {
        double begin, took;

        if (fn == make_entries)
            renew();
        begin = now_ns();
        fn(n);
        took = (now_ns() - begin) / n;
        best = took < best ? took : best;
    }
    return best;
}

/* The same while another process does it too. */
static double best_beside_another(void (*fn)(unsigned), unsigned n)
{
    double took;
    pid_t pid = fork();

    if (pid == 0) {
        seg_after_fork(seg);
        for (;;)
            fn(n);
    }
    usleep(20000);
    took = best_of(fn, n);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return took;
}

static void show(const char *what, void (*fn)(unsigned), unsigned n)
{
    printf("%-52s %9.1f\n", what, best_of(fn, n));
    fflush(stdout);
}

static void show_contended(const char *what, void (*fn)(unsigned), unsigned n)
{
    printf("%-52s %9.1f\n", what, best_beside_another(fn, n));
    fflush(stdout);
}

int main(void)
{
    printf("%-52s %9s\n", "operation", "ns");
    /* Before our segment exists: seg_adopt looks at all segments of this user. */
    show("adopt: no run of an ancestor", adopt_nothing, 1000);

    keys = calloc(KEYS, sizeof *keys);
    for (unsigned i = 0; i < KEYS; i++)
        snprintf(keys[i], sizeof keys[i], "/project/package/module_%u.py", i);
    renew();
    find_entries(KEYS);
    find_far_chunks(64);
    set_set_bits(BITS);
    show("bit that is set: look first", set_set_bits, 10000000);
    show("bit that is set: always OR", or_set_bits, 10000000);
    show_contended("bit that is set: look first, two processes", set_set_bits, 10000000);
    show_contended("bit that is set: always OR, two processes", or_set_bits, 10000000);
    show("bit that is clear", set_clear_bits, 10000000);
    show("entry that is there, of 20,000", find_entries, 200000);
    show("chunk in the file's entry", find_chunks, 2000000);
    show("chunk in a directory", find_far_chunks, 2000000);
    show("record", claim_records, 1000000);
    show_contended("record, two processes", claim_records, 500000);
    show("process row", enter, 2000);
    show("attach", attach, 1000);
    show("entry that is new, of 26,000", make_entries, 26000);
    unlink(path);
    free(path);
    free(keys);
    return 0;
}
