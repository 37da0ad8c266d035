/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader: a copy that is taken while processes write is consistent, and damage costs nothing
 * but what is damaged.
 */
#include "support.h"

#define WORKERS 3
#define FILES 40
#define CONTEXTS 40

/* -- while processes write -- */

struct progress {
    const char *path;
    seg_u64 stop;
    seg_u64 done[WORKERS]; /* steps whose bits are set */
};

/* Step i of a worker: a line, an arc record, a context's line, a new name. */
static int write_step(seg_t *seg, int worker, uint64_t i)
{
    struct seg_code_key key = {0, 0};
    struct seg_entry *file, *package;
    char name[64];
    uint32_t context, first;
    seg_u8 *bits;
    int len = snprintf(name, sizeof name, "/project/%u.py", (unsigned)(i % FILES));

    if (seg_file(seg, name, (size_t)len, &file) != SEG_OK ||
        seg_chunk(seg, file, SEG_LINES, (uint32_t)(i / FILES % 40), &bits) != SEG_OK)
        return -1;
    seg_bit_set(bits, (uint32_t)(i / FILES / 40 * WORKERS + (uint64_t)worker) % SEG_CHUNK_BITS);
    key.file = file->id;
    if (seg_code(seg, file, &key, sizeof key, &first) != SEG_OK)
        return -1;
    len = snprintf(name, sizeof name, "test_%d_%u", worker, (unsigned)(i % CONTEXTS));
    if (seg_context(seg, name, (size_t)len, &context) != SEG_OK ||
        seg_record(seg, context, SEG_LINES, file->id, (uint32_t)i, &bits) != SEG_OK)
        return -1;
    seg_bit_set(bits, 1);
    len = snprintf(name, sizeof name, "package_%d_%u", worker, (unsigned)i);
    return seg_intern(seg, SEG_KIND_PACKAGE, name, (size_t)len, NULL, 0, &package);
}

static void write_on(void *arg, int worker)
{
    struct progress *progress = arg;
    seg_t *seg;

    CHILD_CHECK(seg_attach(progress->path, &seg) == SEG_OK);
    for (uint64_t i = 0; !seg_load_relaxed(&progress->stop); i++) {
        if (write_step(seg, worker, i) != SEG_OK)
            break; /* full: enough is written */
        atomic_store_explicit(&progress->done[worker].v, i + 1, memory_order_release);
        if (i % 50 == 49)
            usleep(2000); /* bursts, so that the segment lasts for the whole test */
    }
}

struct tally {
    uint64_t n[WORKERS];
    struct seg_copy *copy;
    uint32_t worker_of[WORKERS * CONTEXTS + 64]; /* by context id */
};

static int tally_record(void *arg, const struct seg_hit *hit)
{
    struct tally *tally = arg;

    if (hit->context < sizeof tally->worker_of / sizeof *tally->worker_of &&
        tally->worker_of[hit->context] != 0)
        tally->n[tally->worker_of[hit->context] - 1]++;
    return 0;
}

/* The copy holds at least what had been done when it was begun, and nothing of it is damaged. */
static void check_snapshot(struct seg_copy *copy, const uint64_t before[WORKERS])
{
    struct tally tally = {.copy = copy};
    uint64_t packages[WORKERS] = {0};
    struct seg_cursor cursor = {0, 0, 0, 0};
    const struct seg_entry *entry;

    while ((entry = seg_copy_next(copy, SEG_KIND_CONTEXT, &cursor)) != NULL) {
        if (entry->id < sizeof tally.worker_of / sizeof *tally.worker_of)
            tally.worker_of[entry->id] = (uint32_t)(seg_entry_key(entry)[5] - '0') + 1;
    }
    memset(&cursor, 0, sizeof cursor);
    while ((entry = seg_copy_next(copy, SEG_KIND_PACKAGE, &cursor)) != NULL)
        packages[seg_entry_key(entry)[8] - '0']++;
    cr_assert_eq(seg_copy_records(copy, tally_record, &tally), 0);
    walk_copy(copy);
    cr_assert_eq(copy->damaged, 0);
    for (int i = 0; i < WORKERS; i++) {
        cr_assert_geq(packages[i], before[i], "names are missing");
        cr_assert_geq(tally.n[i], before[i], "records are missing");
    }
}

Test(reader, a_copy_may_be_taken_at_any_time)
{
    struct place place = make_segment(64 * MIB);
    struct progress *progress = shared_memory(sizeof *progress);
    pid_t pids[WORKERS];
    time_t end = time(NULL) + 5;
    int status;

    progress->path = place.path;
    for (int i = 0; i < WORKERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            enter_child();
            write_on(progress, i);
            _exit(0);
        }
    }
    while (time(NULL) < end) {
        uint64_t before[WORKERS];
        struct seg_copy copy;

        for (int i = 0; i < WORKERS; i++)
            before[i] = seg_load_acquire(&progress->done[i]);
        copy = read_copy(place.fd);
        check_snapshot(&copy, before);
        seg_copy_free(&copy);
    }
    seg_store_relaxed(&progress->stop, 1);
    for (int i = 0; i < WORKERS; i++) {
        waitpid(pids[i], &status, 0);
        cr_assert_eq(status, 0);
        cr_assert_gt(seg_load_relaxed(&progress->done[i]), 100);
    }
    drop_segment(&place);
}

/* -- damage -- */

/* A segment with a bit of everything; the same each time. */
static void fill(seg_t *seg)
{
    struct seg_process *row;

    for (uint64_t i = 0; i < 3000; i++)
        cr_assert_eq(write_step(seg, (int)(i % WORKERS), i), SEG_OK);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(seg_process_enter(seg, 0, false, &row), SEG_OK);
}

static void check_all_found(struct seg_copy *copy)
{
    uint64_t n = 0;

    walk_copy(copy);
    cr_assert_eq(copy->damaged, 0);
    seg_copy_records(copy, ignore_record, &n);
    cr_assert_eq(count_copy(copy, SEG_KIND_FILE), FILES);
    cr_assert_eq(count_copy(copy, SEG_KIND_CODE), FILES);
    cr_assert_eq(count_copy(copy, SEG_KIND_PACKAGE), 3000);
}

Test(reader, a_file_that_was_cut_off_keeps_its_beginning)
{
    struct place place = make_segment(4 * MIB);
    uint64_t end, before = UINT64_MAX;
    struct seg_copy copy;

    fill(place.seg);
    copy = read_copy(place.fd);
    check_all_found(&copy);
    end = copy.len;
    seg_copy_free(&copy);
    for (uint64_t len = end - 64; len >= SEG_ARENA_OFF; len -= (end - SEG_ARENA_OFF) / 50) {
        uint64_t found;

        seg_discard(place.seg); /* a mapping beyond the end of a file is no place to be */
        cr_assert_eq(ftruncate(place.fd, (off_t)len), 0);
        place.seg = calloc(1, sizeof *place.seg);
        copy = read_copy(place.fd);
        cr_assert_gt(copy.damaged, 0, "%lu bytes", (unsigned long)len);
        found = count_copy(&copy, SEG_KIND_PACKAGE);
        cr_assert_leq(found, before);
        before = found;
        walk_copy(&copy);
        seg_copy_free(&copy);
    }
    cr_assert_eq(ftruncate(place.fd, SEG_ARENA_OFF - 1), 0);
    cr_assert_eq(seg_copy_read(place.fd, &copy), SEG_ERR_DAMAGED);
    cr_assert_eq(ftruncate(place.fd, 4095), 0);
    cr_assert_eq(seg_copy_read(place.fd, &copy), SEG_ERR_FOREIGN);
    cr_assert_eq(ftruncate(place.fd, 0), 0);
    cr_assert_eq(seg_copy_read(place.fd, &copy), SEG_ERR_FOREIGN);
    drop_segment(&place);
}

static int count_hit(void *arg, const struct seg_hit *hit)
{
    (void)hit;
    ++*(uint64_t *)arg;
    return 0;
}

static long resident_kib(void)
{
    struct rusage usage;

    CHILD_CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_maxrss;
}

/* In a child, whose peak nothing else has raised. */
static void read_forged(void *arg)
{
    const struct place *place = arg;
    struct seg_copy copy;
    long before = resident_kib(), most = 64 * 1024;

#ifdef SANITIZED
    most *= 100; /* it keeps a shadow of what was only looked at */
#endif
    CHILD_CHECK(seg_copy_read(place->fd, &copy) == SEG_OK);
    CHILD_CHECK(count_copy(&copy, SEG_KIND_FILE) == FILES);
    CHILD_CHECK(copy.damaged == 1);
    CHILD_CHECK(resident_kib() - before < most);
    seg_copy_free(&copy);
}

/* A segment is sparse: what its header claims to have allocated may be far more than there is. */
Test(reader, a_forged_bump_takes_no_memory)
{
    struct place place = make_segment(38 * 1024 * MIB);

    fill(place.seg);
    seg_store_relaxed(&seg_head(place.seg)->bump, 38 * 1024 * MIB);
    run_child_well(read_forged, &place);
    drop_segment(&place);
}

/* A copy of a segment may have holes where the segment had pages of zeros, and one on a file system
 * that compresses has fewer blocks than bytes. */
Test(reader, a_copy_with_holes_is_whole)
{
    struct place place = make_segment(8 * MIB);
    struct seg_copy before, after;
    uint64_t off, n_before = 0, n_after = 0;
    static const char zeros[64]; /* a piece is never smaller */
    char path[96];
    void *piece;
    int fd;

    cr_assert_eq(seg_alloc(place.seg, MIB, &off, &piece), SEG_OK); /* zeros in the middle */
    fill(place.seg);
    before = read_copy(place.fd);
    snprintf(path, sizeof path, "%s/sparse", place.folder);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    unlink(path);
    for (uint64_t at = 0; at < before.len; at += sizeof zeros)
        if (memcmp(before.bytes + at, zeros, sizeof zeros) != 0)
            cr_assert_eq(pwrite(fd, before.bytes + at, sizeof zeros, (off_t)at), sizeof zeros);
    cr_assert_eq(ftruncate(fd, (off_t)before.file_size), 0);
    after = read_copy(fd);
    cr_assert_lt(after.allocated, before.len);
    cr_assert_eq(after.damaged, 0);
    cr_assert_eq(after.len, before.len);
    cr_assert_eq(memcmp(after.bytes, before.bytes, before.len), 0);
    seg_copy_records(&before, count_hit, &n_before);
    seg_copy_records(&after, count_hit, &n_after);
    cr_assert_gt(n_before, 0);
    cr_assert_eq(n_after, n_before);
    seg_copy_free(&before);
    seg_copy_free(&after);
    close(fd);
    drop_segment(&place);
}

Test(reader, a_damaged_chain_costs_itself_alone)
{
    struct place place = make_segment(4 * MIB);
    struct seg_entry *entry;
    struct seg_copy copy;

    fill(place.seg);
    entry = seg_find(place.seg, SEG_KIND_FILE, "/project/7.py", 13);
    cr_assert_not_null(entry);

    entry->next = seg_entry_offset(place.seg, entry);
    copy = read_copy(place.fd);
    walk_copy(&copy);
    cr_assert_gt(copy.damaged, 0, "a circle");
    copy.damaged = 0;
    cr_assert_geq(count_copy(&copy, SEG_KIND_FILE), FILES - 1);
    cr_assert_eq(copy.damaged, 1);
    seg_copy_free(&copy);

    entry->next = place.seg->size;
    copy = read_copy(place.fd);
    cr_assert_geq(count_copy(&copy, SEG_KIND_FILE), FILES - 1);
    cr_assert_eq(copy.damaged, 1, "out of the segment");
    seg_copy_free(&copy);

    entry->next = 0;
    ((uint8_t *)seg_entry_key(entry))[3] ^= 1;
    copy = read_copy(place.fd);
    cr_assert_null(find_copy(&copy, SEG_KIND_FILE, "/project/7.py"));
    cr_assert_eq(copy.damaged, 1, "a key that is not what was hashed");
    seg_copy_free(&copy);
    ((uint8_t *)seg_entry_key(entry))[3] ^= 1;

    entry->key_len = UINT32_MAX;
    copy = read_copy(place.fd);
    cr_assert_geq(count_copy(&copy, SEG_KIND_FILE), FILES - 1);
    cr_assert_eq(copy.damaged, 1, "a key longer than the segment");
    seg_copy_free(&copy);
    drop_segment(&place);
}

Test(reader, a_chain_that_joins_another_is_damaged)
{
    struct place place = make_segment(4 * MIB);
    struct seg_entry *a = intern_file(place.seg, "/a"), *b = intern_file(place.seg, "/b");
    struct seg_copy copy;

    cr_assert_neq(seg_bucket(a->hash), seg_bucket(b->hash));
    a->next = seg_entry_offset(place.seg, b);
    copy = read_copy(place.fd);
    cr_assert_eq(count_copy(&copy, SEG_KIND_FILE), 2, "each once");
    cr_assert_eq(copy.damaged, 1);
    seg_copy_free(&copy);
    drop_segment(&place);
}

Test(reader, damaged_lists_end)
{
    struct place place = make_segment(4 * MIB);
    struct seg_header *head = seg_head(place.seg);
    uint64_t offset = 0, steps = 0, n = 0, all = 0, newest;
    struct seg_extent *extent;
    struct seg_process *row;
    struct seg_copy copy;

    fill(place.seg);
    copy = read_copy(place.fd);
    seg_copy_records(&copy, count_hit, &all);
    seg_copy_free(&copy);

    newest = seg_load_relaxed(&head->extents);
    extent = seg_ptr(place.seg, newest, sizeof *extent);
    extent->next = newest;
    copy = read_copy(place.fd);
    seg_copy_records(&copy, count_hit, &n);
    cr_assert_eq(copy.damaged, 1, "extents in a circle");
    cr_assert_gt(n, 0);
    seg_copy_free(&copy);

    extent->n = UINT32_MAX;
    copy = read_copy(place.fd);
    seg_copy_records(&copy, count_hit, &n);
    cr_assert_eq(copy.damaged, 1, "an extent larger than any");
    seg_copy_free(&copy);

    row = seg_ptr(place.seg, seg_load_relaxed(&head->processes), sizeof *row);
    row->next = seg_load_relaxed(&head->processes);
    copy = read_copy(place.fd);
    while (seg_copy_process(&copy, &offset, &steps) != NULL)
        ;
    cr_assert_eq(copy.damaged, 1, "rows in a circle");
    seg_copy_free(&copy);
    drop_segment(&place);
}

Test(reader, a_slot_that_leads_nowhere_is_damaged_and_one_ahead_is_not)
{
    struct place place = make_segment(4 * MIB);
    struct seg_entry *file = intern_file(place.seg, "/a.py");
    struct seg_file *value = seg_entry_value(file);
    struct seg_copy copy;
    uint64_t sum = 0;

    seg_store_relaxed(&value->hits[SEG_LINES].slot[0], place.seg->size - 64);
    seg_store_relaxed(&value->hits[SEG_LINES].more[3], place.seg->size - 64);
    copy = read_copy(place.fd);
    seg_copy_chunks(&copy, find_copy(&copy, SEG_KIND_FILE, "/a.py"), SEG_LINES, ignore_chunk, &sum);
    cr_assert_eq(copy.damaged, 0, "not there yet");
    seg_copy_free(&copy);

    seg_store_relaxed(&value->hits[SEG_LINES].slot[0], place.seg->size);
    seg_store_relaxed(&value->hits[SEG_LINES].slot[1], SEG_ARENA_OFF + 4);
    seg_store_relaxed(&value->hits[SEG_LINES].more[3], 64);
    copy = read_copy(place.fd);
    seg_copy_chunks(&copy, find_copy(&copy, SEG_KIND_FILE, "/a.py"), SEG_LINES, ignore_chunk, &sum);
    cr_assert_eq(copy.damaged, 3);
    seg_copy_free(&copy);
    drop_segment(&place);
}

struct arcs {
    struct seg_code_key key;
    struct seg_arc first;
    int32_t trail[2];
    struct seg_arc second;
    int32_t target;
};

struct arcs_seen {
    unsigned n;
    uint32_t bits[4];
    int32_t last[4];
};

static int see_arc(void *arg, uint32_t bit, const struct seg_arc *arc, const int32_t *trail)
{
    struct arcs_seen *seen = arg;

    seen->bits[seen->n] = bit;
    seen->last[seen->n++] = arc->trail == 0 ? 0 : trail[arc->trail - 1];
    return 0;
}

Test(reader, arcs_come_back_as_they_went_in)
{
    struct place place = make_segment(4 * MIB);
    struct seg_entry *file = intern_file(place.seg, "/a.py"), *code;
    struct arcs arcs = {{file->id, 2}, {5, SEG_ARC_TRAIL, 2}, {6, -1}, {5, SEG_ARC_EXACT, 1}, -1};
    struct arcs_seen seen = {.n = 0};
    struct seg_copy copy;
    uint32_t first;

    arcs.key.n = 1;
    cr_assert_eq(seg_code(place.seg, file, &arcs, sizeof arcs - 12, &first), SEG_OK);
    arcs.key.n = 2;
    cr_assert_eq(seg_code(place.seg, file, &arcs, sizeof arcs, &first), SEG_OK);
    cr_assert_eq(first, 1);
    code = seg_find(place.seg, SEG_KIND_CODE, &arcs, sizeof arcs);

    copy = read_copy(place.fd);
    seg_copy_arcs(&copy, (struct seg_entry *)(copy.bytes + seg_entry_offset(place.seg, code)),
                  see_arc, &seen);
    cr_assert_eq(seen.n, 2);
    cr_assert_eq(seen.bits[0], 1);
    cr_assert_eq(seen.bits[1], 2);
    cr_assert_eq(seen.last[0], -1);
    cr_assert_eq(seen.last[1], -1);
    cr_assert_eq(count_copy(&copy, SEG_KIND_CODE), 2);
    seg_copy_free(&copy);

    /* More arcs than the key holds, and a trail longer than the rest of it. */
    for (int way = 0; way < 2; way++) {
        struct arcs *key = (struct arcs *)(uintptr_t)seg_entry_key(code);

        seen.n = 0;
        if (way == 0)
            key->key.n = UINT32_MAX;
        else
            key->second.trail = 2;
        copy = read_copy(place.fd);
        seg_copy_arcs(&copy, (struct seg_entry *)(copy.bytes + seg_entry_offset(place.seg, code)),
                      see_arc, &seen);
        cr_assert_eq(seen.n, way == 0 ? 2 : 1);
        cr_assert_eq(copy.damaged, 1);
        seg_copy_free(&copy);
        key->key.n = 2;
    }
    drop_segment(&place);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Words of all kinds in all places: nothing crashes and every walk ends. */
Test(reader, random_damage_does_no_harm)
{
    struct place place = make_segment(4 * MIB);
    uint64_t state = UINT64_C(88172645463325252), bump;
    uint8_t *saved;

    fill(place.seg);
    bump = seg_load_relaxed(&seg_head(place.seg)->bump);
    saved = malloc(bump);
    memcpy(saved, seg_head(place.seg), bump);
    for (int round = 0; round < 300; round++) {
        struct seg_copy copy;

        for (int i = 0; i < 200; i++) {
            uint64_t at = next_random(&state) % bump & ~UINT64_C(7);
            uint64_t value = next_random(&state);

            if (value % 4 == 0)
                value = next_random(&state) % bump & ~UINT64_C(63);
            else if (value % 4 == 1)
                value = next_random(&state) % 64;
            /* What identifies the segment has tests of its own. */
            if (at >= offsetof(struct seg_header, processes) && at + 8 <= bump)
                memcpy((uint8_t *)seg_head(place.seg) + at, &value, 8);
        }
        copy = read_copy(place.fd);
        walk_copy(&copy);
        seg_copy_free(&copy);
        memcpy(seg_head(place.seg), saved, bump);
    }
    free(saved);
    drop_segment(&place);
}
