/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Torture: processes with threads write into one segment while they are killed at random, fork, and
 * are started again; copies are taken all the time. In the end all that was written is there,
 * nothing else is, and nothing is damaged.
 *
 * Right after a bit is set it is noted in a ledger, plain shared memory that outlives the writers.
 * A bit that is in the ledger but not in the segment was lost. A hash decides which bits may be
 * set, so a bit in the segment that it forbids is wrong.
 *
 *   SEG_TORTURE_SECONDS    how long (20)
 *   SEG_TORTURE_PROCESSES  how many at once (6)
 *   SEG_TORTURE_THREADS    in each (3)
 *   SEG_TORTURE_SEED       of the supervisor's choices (from the clock)
 *   SEG_TORTURE_MIB        size of the segment (512; with 16 it is full soon)
 *   SEG_TORTURE_FOLDER     where the segment lies (/dev/shm or /tmp)
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "reader.h"
#include "segment.h"

#define FILES 64u
#define LINES 12000u /* of a file: some of them beyond the slots that lie in the file's entry */
#define CONTEXTS 200u
#define NUMBERS 16u /* records of a file that contexts use */
#define CODES 64u   /* of a file */
#define PROCESSES_MAX 64

struct ledger {
    seg_u8 lines[FILES][LINES / 8];
    seg_u8 hits[CONTEXTS][FILES][NUMBERS * SEG_RECORD_BITS / 8];
    seg_u32 arcs[FILES][CODES]; /* bit of the arc, plus 1 */
    seg_u32 file_ids[FILES], context_ids[CONTEXTS];
    seg_u64 contradictions; /* somebody got another id or bit for the same thing */
    seg_u64 full, writes, forks;
};

static struct ledger *ledger;
static const char *segment;
static unsigned threads;

static uint64_t hash_of(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t h = (a * 1000003 + b) * 1000003 + c + 0x9e3779b97f4a7c15;

    h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
    return h ^ h >> 31;
}

/* Half of all bits may be set. */
static bool may_set(uint64_t a, uint64_t b, uint64_t c)
{
    return hash_of(a, b, c) & 1;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* -- the writers -- */

/* Notes a number that must be the same for everybody. */
static void note(seg_u32 *word, uint32_t value)
{
    uint32_t before = 0;

    if (!seg_cas32_relaxed(word, &before, value) && before != value)
        seg_add_relaxed(&ledger->contradictions, 1);
}

static struct seg_entry *get_file(seg_t *seg, uint32_t file)
{
    struct seg_entry *entry;
    char name[32];

    snprintf(name, sizeof name, "/project/%u.py", file);
    if (seg_file(seg, name, strlen(name), &entry) != SEG_OK)
        return NULL;
    note(&ledger->file_ids[file], entry->id);
    return entry;
}

static int write_line(seg_t *seg, uint64_t *state)
{
    uint32_t file = (uint32_t)(next_random(state) % FILES);
    uint32_t line = (uint32_t)(next_random(state) % LINES);
    struct seg_entry *entry = get_file(seg, file);
    seg_u8 *bits;

    if (!may_set(1, file, line))
        return 0;
    if (entry == NULL || seg_chunk(seg, entry, SEG_LINES, line >> SEG_CHUNK_SHIFT, &bits) != SEG_OK)
        return -1;
    seg_bit_set(bits, line & (SEG_CHUNK_BITS - 1));
    seg_bit_set(ledger->lines[file], line);
    return 0;
}

static int write_hit(seg_t *seg, uint64_t *state)
{
    uint32_t file = (uint32_t)(next_random(state) % FILES);
    uint32_t context = (uint32_t)(next_random(state) % CONTEXTS);
    uint32_t number = (uint32_t)(next_random(state) % NUMBERS);
    struct seg_entry *entry = get_file(seg, file);
    char name[32];
    uint32_t id;
    seg_u8 *bits;

    snprintf(name, sizeof name, "test_%u", context);
    if (entry == NULL || seg_context(seg, name, strlen(name), &id) != SEG_OK)
        return -1;
    note(&ledger->context_ids[context], id);
    if (seg_record(seg, id, SEG_LINES, entry->id, number, &bits) != SEG_OK)
        return -1;
    for (int i = 0; i < 8; i++) {
        uint32_t bit = (uint32_t)(next_random(state) % SEG_RECORD_BITS);
        uint32_t line = number * SEG_RECORD_BITS + bit;

        if (may_set(2 + context, file, line)) {
            seg_bit_set(bits, bit);
            seg_bit_set(ledger->hits[context][file], line);
        }
    }
    return 0;
}

static int write_arc(seg_t *seg, uint64_t *state)
{
    struct {
        struct seg_code_key key;
        struct seg_arc arc;
        int32_t target;
    } content = {{0, 1}, {0, SEG_ARC_EXACT, 1}, 0};
    uint32_t file = (uint32_t)(next_random(state) % FILES);
    uint32_t code = (uint32_t)(next_random(state) % CODES), first;
    struct seg_entry *entry = get_file(seg, file);
    seg_u8 *bits;

    if (entry == NULL)
        return -1;
    content.key.file = entry->id;
    content.arc.from = (int32_t)code + 1;
    if (seg_code(seg, entry, &content, sizeof content, &first) != SEG_OK ||
        seg_chunk(seg, entry, SEG_ARCS, first >> SEG_CHUNK_SHIFT, &bits) != SEG_OK)
        return -1;
    seg_bit_set(bits, first & (SEG_CHUNK_BITS - 1));
    note(&ledger->arcs[file][code], first + 1);
    return 0;
}

struct writer {
    seg_t *seg;
    uint64_t seed;
};

static void *write_on(void *arg)
{
    struct writer *writer = arg;
    uint64_t state = writer->seed | 1;

    for (uint64_t i = 0;; i++) {
        static int (*const ways[])(seg_t *, uint64_t *) = {write_line, write_hit, write_arc,
                                                           write_line};

        if (ways[i % 4](writer->seg, &state) != 0) {
            seg_add_relaxed(&ledger->full, 1);
            usleep(1000);
        }
        seg_add_relaxed(&ledger->writes, 1);
        /* Records are never given back: without a pause the segment is full in a second. */
        if (i % 16 == 15)
            usleep(500);
    }
    return NULL;
}

/* In a child, which was killed with its parent if that is gone by now. */
static void end_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
}

static void run_process(pid_t parent, uint64_t seed)
{
    struct seg_process *row;
    uint64_t state = seed | 1;
    bool forked = false;
    seg_t *seg;

    end_with(parent);
    if (seg_attach(segment, &seg) != SEG_OK)
        _exit(2);
    if (seg_process_enter(seg, 0, false, &row) != SEG_OK)
        seg_add_relaxed(&ledger->full, 1);
    for (;;) {
        struct writer *writers = calloc(threads, sizeof *writers);
        pthread_t thread;

        for (unsigned i = 1; i < threads; i++) {
            writers[i] = (struct writer){seg, next_random(&state)};
            if (pthread_create(&thread, NULL, write_on, &writers[i]) != 0)
                _exit(3);
        }
        /* Half of the processes fork once, and half of the children do not notice that they are. */
        if (!forked && next_random(&state) % 2 == 0) {
            usleep((useconds_t)(next_random(&state) % 50000));
            seg_add_relaxed(&ledger->forks, 1);
            parent = getpid();
            if (fork() == 0) {
                end_with(parent);
                forked = true;
                state += 12345;
                if (next_random(&state) % 2 == 0)
                    seg_after_fork(seg);
                free(writers);
                continue;
            }
        }
        writers[0] = (struct writer){seg, next_random(&state)};
        write_on(&writers[0]);
    }
}

/* -- what is in the segment -- */

struct check {
    struct seg_copy copy;
    bool must_be_there;                                      /* nobody writes any more */
    uint32_t file_of[FILES * 64], context_of[CONTEXTS * 64]; /* by id; number plus 1 */
    uint32_t file;
    uint64_t wrong, missing;
    uint8_t lines[FILES][LINES / 8];
    uint8_t hits[CONTEXTS][FILES][NUMBERS * SEG_RECORD_BITS / 8];
};

static bool test_bit(const uint8_t *bits, uint32_t n)
{
    return bits[n / 8] >> (n % 8) & 1;
}

static void read_names(struct check *check, enum seg_kind kind, const char *format, uint32_t n,
                       uint32_t *number_of, size_t ids)
{
    struct seg_cursor cursor = {0, 0, 0, 0};
    const struct seg_entry *entry;

    while ((entry = seg_copy_next(&check->copy, kind, &cursor)) != NULL) {
        char name[32] = "";
        unsigned number;

        memcpy(name, seg_entry_key(entry), entry->key_len < 31 ? entry->key_len : 31);
        if (sscanf(name, format, &number) != 1 || number >= n || entry->id >= ids ||
            number_of[entry->id] != 0)
            check->wrong++;
        else
            number_of[entry->id] = number + 1;
    }
}

static int check_chunk(void *arg, uint32_t chunk, const uint8_t bits[SEG_CHUNK_BYTES])
{
    struct check *check = arg;

    for (uint32_t i = 0; i < SEG_CHUNK_BITS; i++) {
        uint32_t line = (chunk << SEG_CHUNK_SHIFT) + i;

        if (!test_bit(bits, i))
            continue;
        if (line >= LINES || !may_set(1, check->file, line))
            check->wrong++;
        else
            check->lines[check->file][line / 8] |= (uint8_t)(1 << line % 8);
    }
    return 0;
}

static int check_record(void *arg, const struct seg_hit *hit)
{
    struct check *check = arg;
    uint32_t file = hit->file < FILES * 64 ? check->file_of[hit->file] : 0;
    uint32_t context = hit->context < CONTEXTS * 64 ? check->context_of[hit->context] : 0;

    if (hit->space != SEG_LINES || hit->number >= NUMBERS) {
        check->wrong++;
        return 0;
    }
    if (file == 0 || context == 0) {
        /* The name may be newer than the copied table while others write. */
        check->wrong += check->must_be_there;
        return 0;
    }
    for (uint32_t i = 0; i < SEG_RECORD_BITS; i++) {
        uint32_t line = hit->number * SEG_RECORD_BITS + i;

        if (!test_bit(hit->bits, i))
            continue;
        if (!may_set(2 + context - 1, file - 1, line))
            check->wrong++;
        else
            check->hits[context - 1][file - 1][line / 8] |= (uint8_t)(1 << line % 8);
    }
    return 0;
}

static int check_arc_chunk(void *arg, uint32_t chunk, const uint8_t bits[SEG_CHUNK_BYTES])
{
    struct check *check = arg;

    for (uint32_t code = 0; code < CODES; code++) {
        uint32_t bit = seg_load32_relaxed(&ledger->arcs[check->file][code]);

        if (bit != 0 && (bit - 1) >> SEG_CHUNK_SHIFT == chunk && check->must_be_there &&
            !test_bit(bits, (bit - 1) & (SEG_CHUNK_BITS - 1)))
            check->missing++;
    }
    return 0;
}

static void check_copy(struct check *check)
{
    struct seg_cursor cursor = {0, 0, 0, 0};
    const struct seg_entry *entry;

    read_names(check, SEG_KIND_FILE, "/project/%u.py", FILES, check->file_of, FILES * 64);
    read_names(check, SEG_KIND_CONTEXT, "test_%u", CONTEXTS, check->context_of, CONTEXTS * 64);
    while ((entry = seg_copy_next(&check->copy, SEG_KIND_FILE, &cursor)) != NULL) {
        if (entry->id >= FILES * 64 || check->file_of[entry->id] == 0)
            continue;
        check->file = check->file_of[entry->id] - 1;
        seg_copy_chunks(&check->copy, entry, SEG_LINES, check_chunk, check);
        seg_copy_chunks(&check->copy, entry, SEG_ARCS, check_arc_chunk, check);
    }
    seg_copy_records(&check->copy, check_record, check);
}

/* What was noted before the copy was begun must be in it. */
static void check_ledger(struct check *check, const struct ledger *noted)
{
    const uint8_t *lines = (const uint8_t *)noted->lines, *hits = (const uint8_t *)noted->hits;

    for (size_t i = 0; i < sizeof check->lines; i++)
        check->missing += (lines[i] & ~((const uint8_t *)check->lines)[i]) != 0;
    for (size_t i = 0; i < sizeof check->hits; i++)
        check->missing += (hits[i] & ~((const uint8_t *)check->hits)[i]) != 0;
}

static int check_now(int fd, bool at_end)
{
    struct check *check = calloc(1, sizeof *check);
    struct ledger *noted = malloc(sizeof *noted);
    int status, bad = 1;

    if (check == NULL || noted == NULL)
        goto out;
    memcpy(noted, ledger, sizeof *noted);
    atomic_thread_fence(memory_order_seq_cst);
    check->must_be_there = at_end;
    status = seg_copy_read(fd, &check->copy);
    if (status != SEG_OK) {
        printf("the copy failed: %s\n", seg_strstatus(status));
        goto out;
    }
    check_copy(check);
    check_ledger(check, noted);
    bad = check->wrong != 0 || check->missing != 0 || check->copy.damaged != 0;
    if (bad)
        printf("wrong %llu, missing %llu, damaged %llu\n", (unsigned long long)check->wrong,
               (unsigned long long)check->missing, (unsigned long long)check->copy.damaged);
    seg_copy_free(&check->copy);
out:
    free(noted);
    free(check);
    return bad;
}

/* -- the supervisor -- */

static double number_from(const char *name, double otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : atof(text);
}

static pid_t start(uint64_t seed)
{
    pid_t parent = getpid(), pid = fork();

    if (pid == 0)
        run_process(parent, seed);
    return pid;
}

static int torture(int fd, unsigned processes, double seconds, uint64_t seed)
{
    pid_t pids[PROCESSES_MAX];
    struct timespec begin, now;
    uint64_t state = seed | 1;
    unsigned long kills = 0, copies = 0;
    int bad = 0, status;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (unsigned i = 0; i < processes; i++)
        pids[i] = start(next_random(&state));
    do {
        unsigned victim = (unsigned)(next_random(&state) % processes);

        usleep((useconds_t)(next_random(&state) % 30000));
        kill(pids[victim], SIGKILL);
        if (waitpid(pids[victim], &status, 0) != pids[victim] || !WIFSIGNALED(status) ||
            WTERMSIG(status) != SIGKILL) {
            printf("a process ended by itself: %x\n", (unsigned)status);
            bad = 1;
        }
        pids[victim] = start(next_random(&state));
        kills++;
        if (kills % 8 == 0) {
            bad |= check_now(fd, false);
            copies++;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (!bad && (double)(now.tv_sec - begin.tv_sec) < seconds);

    for (unsigned i = 0; i < processes; i++)
        kill(pids[i], SIGKILL);
    for (unsigned i = 0; i < processes; i++)
        waitpid(pids[i], NULL, 0);
    usleep(200000); /* their children die with them */
    bad |= check_now(fd, true);
    if (seg_load_relaxed(&ledger->contradictions) != 0) {
        printf("%llu names or arcs were given two numbers\n",
               (unsigned long long)seg_load_relaxed(&ledger->contradictions));
        bad = 1;
    }
    printf("%llu writes, %lu kills, %llu forks, %lu copies, %llu writes without room: %s\n",
           (unsigned long long)seg_load_relaxed(&ledger->writes), kills,
           (unsigned long long)seg_load_relaxed(&ledger->forks), copies,
           (unsigned long long)seg_load_relaxed(&ledger->full), bad ? "BAD" : "well");
    return bad;
}

int main(void)
{
    struct seg_plan plan = {.folder = getenv("SEG_TORTURE_FOLDER")};
    unsigned processes = (unsigned)number_from("SEG_TORTURE_PROCESSES", 6);
    double seconds = number_from("SEG_TORTURE_SECONDS", 20);
    uint64_t seed = (uint64_t)number_from("SEG_TORTURE_SEED", (double)time(NULL));
    char *path;
    static seg_t *seg; /* never freed (segment.h), so it stays in sight of leak checkers */
    int fd, status;

    threads = (unsigned)number_from("SEG_TORTURE_THREADS", 3);
    if (processes < 1 || processes > PROCESSES_MAX || threads < 1) {
        fprintf(stderr, "1 to %d processes of at least one thread\n", PROCESSES_MAX);
        return 2;
    }
    plan.size = (uint64_t)number_from("SEG_TORTURE_MIB", 512) << 20;
    if (plan.folder == NULL)
        plan.folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ledger == MAP_FAILED) {
        perror("mmap");
        return 2;
    }
    status = seg_create(&plan, &seg, &path, &fd);
    if (status != SEG_OK) {
        fprintf(stderr, "%s: %s\n", plan.folder, seg_strstatus(status));
        return 2;
    }
    segment = path;
    printf("seed %llu, %u processes of %u threads, %g s\n", (unsigned long long)seed, processes,
           threads, seconds);
    fflush(stdout);
    status = torture(fd, processes, seconds, seed);
    unlink(path);
    return status;
}
