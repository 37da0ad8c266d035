/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the segment share: a segment in a folder of its own, and children to run things
 * in. A child reports through its exit status, because an assertion of the test library works only
 * in the process that the library started.
 */
#ifndef TEST_SHM_SUPPORT_H
#define TEST_SHM_SUPPORT_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "arena.h"
#include "hash.h"
#include "headroom.h"
#include "kill_point.h"
#include "reader.h"
#include "segment.h"
#include "window.h"

#define MIB (UINT64_C(1) << 20)

/* A sanitizer needs more memory and addresses than some tests allow. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

struct place {
    char folder[64];
    seg_t *seg;
    char *path;
    int fd;
};

static inline void make_folder(char folder[64])
{
    strcpy(folder, "/dev/shm/shmcov-test-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        strcpy(folder, "/tmp/shmcov-test-XXXXXX");
        cr_assert_not_null(mkdtemp(folder));
    }
}

static inline struct place make_segment_with(uint64_t size, uint32_t flags)
{
    struct place place;
    struct seg_plan plan = {.flags = flags, .size = size};
    int status;

    make_folder(place.folder);
    plan.folder = place.folder;
    status = seg_create(&plan, &place.seg, &place.path, &place.fd);
    cr_assert_eq(status, SEG_OK, "seg_create: %s", seg_strstatus(status));
    return place;
}

static inline struct place make_segment(uint64_t size)
{
    return make_segment_with(size, 0);
}

static inline void drop_segment(struct place *place)
{
    seg_discard(place->seg);
    close(place->fd);
    unlink(place->path);
    rmdir(place->folder);
    free(place->path);
}

static inline seg_t *attach(const char *path)
{
    seg_t *seg = NULL;
    int status = seg_attach(path, &seg);

    cr_assert_eq(status, SEG_OK, "seg_attach: %s", seg_strstatus(status));
    return seg;
}

static inline uint64_t lost(const seg_t *seg, enum seg_lost what)
{
    return seg_load_relaxed(&seg_head(seg)->lost[what]);
}

static inline struct seg_entry *intern_file(seg_t *seg, const char *path)
{
    struct seg_entry *entry = NULL;
    int status = seg_file(seg, path, strlen(path), &entry);

    cr_assert_eq(status, SEG_OK, "seg_file: %s", seg_strstatus(status));
    return entry;
}

/* An assertion in a child, which ends it. */
#define CHILD_CHECK(condition)                                                                 \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            fprintf(stderr, "%s:%d: not so in a child: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1);                                                                          \
        }                                                                                      \
    } while (0)

/* A child that hangs, or whose test has failed, must not block the others. */
static inline void enter_child(void)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    alarm(120);
}

/* Runs fn in a child; its wait status. */
static inline int run_child(void (*fn)(void *), void *arg)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        enter_child();
        fn(arg);
        _exit(0);
    }
    cr_assert_gt(pid, 0);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static inline void run_child_well(void (*fn)(void *), void *arg)
{
    int status = run_child(fn, arg);

    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %x", status);
}

/* Runs fn in n children at once, each with its number. All must end well. */
static inline void run_children(int n, void (*fn)(void *, int), void *arg)
{
    pid_t pids[64];
    int status;

    for (int i = 0; i < n; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            enter_child();
            fn(arg, i);
            _exit(0);
        }
    }
    for (int i = 0; i < n; i++) {
        cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %d ended with %x", i,
                  status);
    }
}

struct thread_job {
    void (*fn)(void *, int);
    void *arg;
    int number;
};

static inline void *thread_main(void *job)
{
    struct thread_job *j = job;

    j->fn(j->arg, j->number);
    return NULL;
}

/* Runs fn in n threads at once, each with its number. */
static inline void run_threads(int n, void (*fn)(void *, int), void *arg)
{
    struct thread_job jobs[64];
    pthread_t threads[64];

    for (int i = 0; i < n; i++) {
        jobs[i] = (struct thread_job){fn, arg, i};
        cr_assert_eq(pthread_create(&threads[i], NULL, thread_main, &jobs[i]), 0);
    }
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
}

/* Where n workers wait for each other again and again, so that what follows happens at once. They
 * spin, because a wake-up takes longer than what is tested. Lies in shared memory. */
struct gate {
    seg_u64 arrived;
};

static inline void pass_gate(struct gate *gate, uint64_t n)
{
    uint64_t all = (seg_add_relaxed(&gate->arrived, 1) / n + 1) * n;

    for (unsigned spins = 1; seg_load_acquire(&gate->arrived) < all; spins++) {
        if (spins % 256 == 0)
            sched_yield();
    }
}

/* Memory that children share with the test. */
static inline void *shared_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    cr_assert_neq(memory, MAP_FAILED);
    return memory;
}

static inline struct seg_copy read_copy(int fd)
{
    struct seg_copy copy;
    int status = seg_copy_read(fd, &copy);

    cr_assert_eq(status, SEG_OK, "seg_copy_read: %s", seg_strstatus(status));
    return copy;
}

static inline const struct seg_entry *find_copy(struct seg_copy *copy, enum seg_kind kind,
                                                const char *key)
{
    struct seg_cursor cursor = {0, 0, 0, 0};
    const struct seg_entry *entry;

    while ((entry = seg_copy_next(copy, kind, &cursor)) != NULL) {
        if (entry->key_len == strlen(key) && memcmp(seg_entry_key(entry), key, strlen(key)) == 0)
            return entry;
    }
    return NULL;
}

static inline uint64_t count_copy(struct seg_copy *copy, enum seg_kind kind)
{
    struct seg_cursor cursor = {0, 0, 0, 0};
    uint64_t n = 0;

    while (seg_copy_next(copy, kind, &cursor) != NULL)
        n++;
    return n;
}

static inline int ignore_chunk(void *arg, uint32_t chunk, const uint8_t bits[SEG_CHUNK_BYTES])
{
    (void)chunk;
    *(uint64_t *)arg += bits[0];
    return 0;
}

static inline int ignore_record(void *arg, const struct seg_hit *hit)
{
    *(uint64_t *)arg += hit->bits[0] + hit->file;
    return 0;
}

static inline int ignore_arc(void *arg, uint32_t bit, const struct seg_arc *arc,
                             const int32_t *trail)
{
    uint64_t sum = bit + (uint64_t)arc->from;

    for (unsigned i = 0; i < arc->trail; i++)
        sum += (uint64_t)trail[i];
    *(uint64_t *)arg += sum;
    return 0;
}

/* Walks over all that a copy holds. */
static inline uint64_t walk_copy(struct seg_copy *copy)
{
    const struct seg_entry *entry;
    uint64_t sum = 0, offset = 0, steps = 0;
    struct seg_rules rules = seg_copy_rules(copy);
    const struct seg_rule *rule;
    const struct seg_process *row;

    while ((rule = seg_rule_next(&rules)) != NULL) {
        for (size_t i = 0; i < rule->len; i++)
            sum += (uint8_t)seg_rule_text(rule)[i];
    }
    for (int kind = 1; kind < SEG_KINDS; kind++) {
        struct seg_cursor cursor = {0, 0, 0, 0};

        while ((entry = seg_copy_next(copy, (enum seg_kind)kind, &cursor)) != NULL) {
            for (uint32_t i = 0; i < entry->key_len; i++)
                sum += seg_entry_key(entry)[i];
            if (kind == SEG_KIND_CODE)
                seg_copy_arcs(copy, entry, ignore_arc, &sum);
            if (kind == SEG_KIND_FILE) {
                seg_copy_chunks(copy, entry, SEG_LINES, ignore_chunk, &sum);
                seg_copy_chunks(copy, entry, SEG_ARCS, ignore_chunk, &sum);
            }
        }
    }
    seg_copy_records(copy, ignore_record, &sum);
    while ((row = seg_copy_process(copy, &offset, &steps)) != NULL)
        sum += row->pid;
    return sum;
}

#endif
