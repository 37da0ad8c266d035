/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hits: chunks of the static context, which all processes share, and records of dynamic contexts,
 * which each claims for itself.
 */
#include "support.h"

#define WORKERS 2

/* -- chunks -- */

static const uint32_t lines[] = {1,    31,   32,   63,   64,    511,   512,    4095,     4096,
                                 8191, 8192, 8193, 9000, 65535, 65536, 100000, 268435455};
static const size_t n_lines = sizeof lines / sizeof *lines;

struct found {
    uint32_t lines[64];
    size_t n;
};

static int collect_lines(void *arg, uint32_t chunk, const uint8_t bits[SEG_CHUNK_BYTES])
{
    struct found *found = arg;

    for (uint32_t i = 0; i < SEG_CHUNK_BITS; i++) {
        if (bits[i / 8] >> (i % 8) & 1)
            found->lines[found->n++] = (chunk << SEG_CHUNK_SHIFT) + i;
    }
    return 0;
}

static void set_line(seg_t *seg, struct seg_entry *file, uint32_t line)
{
    seg_u8 *bits;

    cr_assert_eq(seg_chunk(seg, file, SEG_LINES, line >> SEG_CHUNK_SHIFT, &bits), SEG_OK);
    seg_bit_set(bits, line & (SEG_CHUNK_BITS - 1));
}

Test(hits, lines_come_back_as_they_went_in)
{
    struct place place = make_segment(64 * MIB);
    seg_t *other = attach(place.path);
    struct found found = {.n = 0};
    struct seg_copy copy;

    for (size_t i = 0; i < n_lines; i++) {
        seg_t *seg = i % 2 ? other : place.seg;

        set_line(seg, intern_file(seg, "/a.py"), lines[i]);
    }
    copy = read_copy(place.fd);
    cr_assert_eq(seg_copy_chunks(&copy, find_copy(&copy, SEG_KIND_FILE, "/a.py"), SEG_LINES,
                                 collect_lines, &found),
                 0);
    cr_assert_eq(found.n, n_lines);
    cr_assert_eq(memcmp(found.lines, lines, sizeof lines), 0, "and in rising order");
    found.n = 0;
    seg_copy_chunks(&copy, find_copy(&copy, SEG_KIND_FILE, "/a.py"), SEG_ARCS, collect_lines,
                    &found);
    cr_assert_eq(found.n, 0, "arcs are another space");
    cr_assert_eq(copy.damaged, 0);
    seg_copy_free(&copy);
    seg_discard(other);
    drop_segment(&place);
}

Test(hits, a_chunk_is_found_again)
{
    struct place place = make_segment(64 * MIB);
    struct seg_entry *file = intern_file(place.seg, "/a.py");

    for (size_t i = 0; i < n_lines; i++) {
        uint32_t chunk = lines[i] >> SEG_CHUNK_SHIFT;
        seg_u8 *a, *b, *c;

        cr_assert_eq(seg_chunk(place.seg, file, SEG_LINES, chunk, &a), SEG_OK);
        cr_assert_eq(seg_chunk(place.seg, file, SEG_LINES, chunk, &b), SEG_OK);
        cr_assert_eq(seg_chunk(place.seg, file, SEG_ARCS, chunk, &c), SEG_OK);
        cr_assert_eq(a, b);
        cr_assert_neq(a, c);
        cr_assert_eq((uintptr_t)a % SEG_ALIGN, 0, "a cache line");
    }
    drop_segment(&place);
}

Test(hits, a_line_beyond_the_last_is_an_error)
{
    struct place place = make_segment(4 * MIB);
    struct seg_entry *file = intern_file(place.seg, "/a.py");
    seg_u8 *bits;

    cr_assert_eq(seg_chunk(place.seg, file, SEG_LINES, SEG_DIR_SLOTS, &bits), SEG_ERR_LIMIT);
    cr_assert_eq(seg_chunk(place.seg, file, SEG_LINES, UINT32_MAX, &bits), SEG_ERR_LIMIT);
    cr_assert_eq(lost(place.seg, SEG_LOST_LIMIT), 2);
    drop_segment(&place);
}

#define SHARED_CHUNKS 20000

struct contest {
    const char *path;
    seg_t *seg;
    struct gate gate;
    seg_u64 offsets[WORKERS][SHARED_CHUNKS];
};

/* Everybody asks for the same chunks, and sets one bit in each. */
static void share_chunks(struct contest *contest, seg_t *seg, int number)
{
    struct seg_entry *file;

    if (seg_file(seg, "/a.py", 5, &file) != SEG_OK)
        abort();
    for (uint32_t i = 0; i < SHARED_CHUNKS; i++) {
        seg_u8 *bits;

        pass_gate(&contest->gate, WORKERS);
        if (seg_chunk(seg, file, SEG_LINES, i, &bits) != SEG_OK)
            abort();
        seg_bit_set(bits, (uint32_t)number);
        seg_store_relaxed(&contest->offsets[number][i],
                          seg_entry_offset(seg, (struct seg_entry *)bits));
    }
}

static void share_in_thread(void *arg, int number)
{
    struct contest *contest = arg;

    share_chunks(contest, contest->seg, number);
}

static void share_in_process(void *arg, int number)
{
    struct contest *contest = arg;
    seg_t *seg;

    CHILD_CHECK(seg_attach(contest->path, &seg) == SEG_OK);
    share_chunks(contest, seg, number);
}

static void check_shared(struct contest *contest, struct place *place)
{
    for (uint32_t i = 0; i < SHARED_CHUNKS; i++) {
        const uint8_t *bits =
            seg_ptr(place->seg, seg_load_relaxed(&contest->offsets[0][i]), SEG_CHUNK_BYTES);

        for (int worker = 1; worker < WORKERS; worker++)
            cr_assert_eq(seg_load_relaxed(&contest->offsets[worker][i]),
                         seg_load_relaxed(&contest->offsets[0][i]));
        cr_assert_eq(bits[0], (1 << WORKERS) - 1);
    }
}

Test(hits, threads_share_chunks)
{
    struct place place = make_segment(32 * MIB);
    struct contest *contest = shared_memory(sizeof *contest);

    contest->seg = place.seg;
    run_threads(WORKERS, share_in_thread, contest);
    check_shared(contest, &place);
    drop_segment(&place);
}

Test(hits, processes_share_chunks)
{
    struct place place = make_segment(32 * MIB);
    struct contest *contest = shared_memory(sizeof *contest);

    contest->path = place.path;
    run_children(WORKERS, share_in_process, contest);
    check_shared(contest, &place);
    drop_segment(&place);
}

/* -- records -- */

struct record {
    uint32_t context, file, number;
    enum seg_space space;
    uint32_t bit;
};

static const struct record records[] = {
    {1, 1, 0, SEG_LINES, 0},
    {1, 1, 0, SEG_ARCS, 31},
    {1, 1, (1u << SEG_KEY_CHUNK_BITS) - 1, SEG_LINES, 32},
    {1, (1u << SEG_KEY_FILE_BITS) - 1, 0, SEG_LINES, 63},
    {(1u << SEG_KEY_CONTEXT_BITS) - 1, 1, 0, SEG_LINES, 64},
    {(1u << SEG_KEY_CONTEXT_BITS) - 1, (1u << SEG_KEY_FILE_BITS) - 1,
     (1u << SEG_KEY_CHUNK_BITS) - 1, SEG_ARCS, 127},
    {2, 3, 5, SEG_ARCS, 7},
};
static const size_t n_records = sizeof records / sizeof *records;

struct seen {
    unsigned times[sizeof records / sizeof *records];
    unsigned others;
};

static int see_record(void *arg, const struct seg_hit *hit)
{
    struct seen *seen = arg;

    for (size_t i = 0; i < n_records; i++) {
        uint8_t bits[SEG_RECORD_BYTES] = {0};

        bits[records[i].bit / 8] = (uint8_t)(1 << records[i].bit % 8);
        if (hit->context == records[i].context && hit->file == records[i].file &&
            hit->number == records[i].number && hit->space == records[i].space &&
            memcmp(hit->bits, bits, sizeof bits) == 0) {
            seen->times[i]++;
            return 0;
        }
    }
    seen->others++;
    return 0;
}

Test(hits, records_come_back_as_they_went_in)
{
    struct place place = make_segment(4 * MIB);
    struct seen seen = {.others = 0};
    struct seg_copy copy;
    seg_u8 *bits;

    for (size_t i = 0; i < n_records; i++) {
        cr_assert_eq(seg_record(place.seg, records[i].context, records[i].space, records[i].file,
                                records[i].number, &bits),
                     SEG_OK);
        seg_bit_set(bits, records[i].bit);
    }
    /* A record without bits is left out. */
    cr_assert_eq(seg_record(place.seg, 9, SEG_LINES, 9, 9, &bits), SEG_OK);
    copy = read_copy(place.fd);
    cr_assert_eq(seg_copy_records(&copy, see_record, &seen), 0);
    for (size_t i = 0; i < n_records; i++)
        cr_assert_eq(seen.times[i], 1);
    cr_assert_eq(seen.others, 0);
    cr_assert_eq(copy.damaged, 0);
    seg_copy_free(&copy);
    drop_segment(&place);
}

/* A thousand contexts in turn, each with its lines of two files. */
static void go_round(seg_t *seg, uint32_t number)
{
    for (uint32_t context = 1; context <= 1000; context++) {
        for (uint32_t file = 1; file <= 2; file++) {
            seg_u8 *bits;

            cr_assert_eq(seg_record_again(seg, context, SEG_LINES, file, 0, &bits), SEG_OK);
            seg_bit_set(bits, number);
        }
    }
}

static int has_two(void *arg, const struct seg_hit *hit)
{
    if (hit->bits[0] == 3 && hit->number == 0)
        ++*(uint64_t *)arg;
    return 0;
}

Test(hits, contexts_that_come_again_take_no_more_room)
{
    struct place place = make_segment(4 * MIB);
    uint64_t n = 0, end;
    struct seg_copy copy;
    seg_u8 *bits, *child;

    go_round(place.seg, 0);
    end = seg_load_relaxed(&seg_head(place.seg)->bump);
    for (int i = 0; i < 100; i++)
        go_round(place.seg, 1);
    /* All but a few: eight records share a place in what is remembered. */
    cr_assert_leq(seg_load_relaxed(&seg_head(place.seg)->bump), end + 2 * SEG_EXTENT_MAX);
    copy = read_copy(place.fd);
    cr_assert_eq(seg_copy_records(&copy, has_two, &n), 0);
    cr_assert_geq(n, 1990);
    seg_copy_free(&copy);

    /* A child has records of its own. */
    cr_assert_eq(seg_record_again(place.seg, 1, SEG_LINES, 1, 0, &bits), SEG_OK);
    seg_after_fork(place.seg);
    cr_assert_eq(seg_record_again(place.seg, 1, SEG_LINES, 1, 0, &child), SEG_OK);
    cr_assert_neq(bits, child);
    drop_segment(&place);
}

Test(hits, what_a_key_cannot_hold_is_an_error)
{
    struct place place = make_segment(4 * MIB);
    seg_u8 *bits;

    cr_assert_eq(seg_record(place.seg, 0, SEG_LINES, 1, 0, &bits), SEG_ERR_LIMIT);
    cr_assert_eq(seg_record(place.seg, 1, SEG_LINES, 0, 0, &bits), SEG_ERR_LIMIT);
    cr_assert_eq(seg_record(place.seg, 1u << SEG_KEY_CONTEXT_BITS, SEG_LINES, 1, 0, &bits),
                 SEG_ERR_LIMIT);
    cr_assert_eq(seg_record(place.seg, 1, SEG_LINES, 1u << SEG_KEY_FILE_BITS, 0, &bits),
                 SEG_ERR_LIMIT);
    cr_assert_eq(seg_record(place.seg, 1, SEG_LINES, 1, 1u << SEG_KEY_CHUNK_BITS, &bits),
                 SEG_ERR_LIMIT);
    cr_assert_eq(lost(place.seg, SEG_LOST_LIMIT), 5);
    drop_segment(&place);
}

static int count_record(void *arg, const struct seg_hit *hit)
{
    (void)hit;
    ++*(uint64_t *)arg;
    return 0;
}

/* Takes n records; where there is a gate, so that others take theirs at the same time. */
static void take_together(seg_t *seg, uint32_t context, uint32_t n, struct gate *gate)
{
    for (uint32_t i = 0; i < n; i++) {
        seg_u8 *bits;

        if (gate != NULL && i % 8 == 0)
            pass_gate(gate, WORKERS);
        if (seg_record(seg, context, SEG_LINES, 1, i, &bits) != SEG_OK ||
            seg_load_relaxed((seg_u64 *)bits) != 0)
            abort();
        /* Whoever else had the record would set the same bit. */
        if (!seg_bit_set(bits, i % SEG_RECORD_BITS))
            abort();
    }
}

static void take_records(seg_t *seg, uint32_t context, uint32_t n)
{
    take_together(seg, context, n, NULL);
}

/* -- who fills which extent -- */

static uint64_t count_extents(seg_t *seg)
{
    uint64_t n = 0;

    for (uint64_t off = seg_load_acquire(&seg_head(seg)->extents); off != 0; n++)
        off = ((struct seg_extent *)seg_ptr(seg, off, sizeof(struct seg_extent)))->next;
    return n;
}

Test(hits, extents_double)
{
    struct place place = make_segment(4 * MIB);
    uint64_t before = seg_load_relaxed(&seg_head(place.seg)->bump);

    take_records(place.seg, 1, 1);
    cr_assert_eq(seg_load_relaxed(&seg_head(place.seg)->bump) - before, 256);
    take_records(place.seg, 1, 9);
    cr_assert_eq(seg_load_relaxed(&seg_head(place.seg)->bump) - before, 256, "ten fit");
    take_records(place.seg, 1, 1);
    cr_assert_eq(seg_load_relaxed(&seg_head(place.seg)->bump) - before, 256 + 512);
    take_records(place.seg, 1, 5000);
    cr_assert_eq(count_extents(place.seg), 7 + 6, "256 B to 16 KiB, and six more of 16 KiB");
    drop_segment(&place);
}

Test(hits, a_record_costs_little_more_than_itself)
{
    struct place place = make_segment(64 * MIB);
    uint64_t before = seg_load_relaxed(&seg_head(place.seg)->bump), after;

    take_records(place.seg, 1, 1000000);
    after = seg_load_relaxed(&seg_head(place.seg)->bump);
    cr_assert_leq(after - before, 1000000 * sizeof(struct seg_record) * 101 / 100);
    drop_segment(&place);
}

#define EACH 20000

static void records_in_thread(void *arg, int number)
{
    struct contest *contest = arg;

    take_together(contest->seg, (uint32_t)number + 1, EACH, &contest->gate);
}

static void records_in_process(void *arg, int number)
{
    struct contest *contest = arg;
    seg_t *seg;

    CHILD_CHECK(seg_attach(contest->path, &seg) == SEG_OK);
    for (uint32_t i = 0; i < EACH; i += 8) {
        seg_after_fork(seg); /* a new extent each time */
        take_together(seg, (uint32_t)number + 1, 8, &contest->gate);
    }
}

static void check_records(struct place *place)
{
    struct seg_copy copy = read_copy(place->fd);
    uint64_t n = 0;

    seg_copy_records(&copy, count_record, &n);
    cr_assert_eq(n, WORKERS * EACH);
    cr_assert_eq(copy.damaged, 0);
    seg_copy_free(&copy);
}

Test(hits, threads_get_records_of_their_own)
{
    struct place place = make_segment(32 * MIB);
    struct contest *contest = shared_memory(sizeof *contest);

    contest->seg = place.seg;
    run_threads(WORKERS, records_in_thread, contest);
    check_records(&place);
    drop_segment(&place);
}

Test(hits, processes_get_records_of_their_own)
{
    struct place place = make_segment(32 * MIB);
    struct contest *contest = shared_memory(sizeof *contest);

    contest->path = place.path;
    run_children(WORKERS, records_in_process, contest);
    check_records(&place);
    drop_segment(&place);
}

/* The children inherit the extent that this process fills, and do not call seg_after_fork. */
Test(hits, forks_that_went_unnoticed_get_records_of_their_own)
{
    struct place place = make_segment(32 * MIB);
    struct contest *contest = shared_memory(sizeof *contest);

    contest->seg = place.seg;
    run_children(WORKERS, records_in_thread, contest);
    check_records(&place);
    drop_segment(&place);
}

static void fork_noticed(void *arg)
{
    struct contest *contest = arg;

    seg_after_fork(contest->seg);
    take_records(contest->seg, 2, 1);
}

Test(hits, the_child_of_a_fork_takes_an_extent_of_its_own)
{
    struct place place = make_segment(8 * MIB);
    struct contest contest = {.seg = place.seg};
    uint64_t before, bump;

    take_records(place.seg, 1, 3000);
    before = count_extents(place.seg);
    bump = seg_load_relaxed(&seg_head(place.seg)->bump);
    run_child_well(fork_noticed, &contest);
    cr_assert_eq(count_extents(place.seg), before + 1);
    cr_assert_eq(seg_load_relaxed(&seg_head(place.seg)->bump), bump + 256, "and begins small");
    drop_segment(&place);
}

Test(hits, a_full_segment_takes_small_extents_to_the_last)
{
    struct place place = make_segment(512 * 1024);
    uint32_t n = 0;
    seg_u8 *bits;
    int status;

    while ((status = seg_record(place.seg, 1, SEG_LINES, 1, n, &bits)) == SEG_OK) {
        cr_assert_eq(lost(place.seg, SEG_LOST_SPACE), 0, "a smaller extent is no loss");
        n++;
    }
    cr_assert_eq(status, SEG_ERR_SPACE);
    cr_assert_eq(lost(place.seg, SEG_LOST_SPACE), 1);
    cr_assert_geq(seg_load_relaxed(&seg_head(place.seg)->bump), place.seg->size - 256);
    drop_segment(&place);
}

Test(hits, a_damaged_slot_is_an_error)
{
    struct place place = make_segment(4 * MIB);
    struct seg_entry *file = intern_file(place.seg, "/a.py");
    struct seg_file *value = seg_entry_value(file);
    seg_u8 *bits;

    seg_store_relaxed(&value->hits[SEG_LINES].slot[0], UINT64_MAX - 63);
    cr_assert_eq(seg_chunk(place.seg, file, SEG_LINES, 0, &bits), SEG_ERR_DAMAGED);
    seg_store_relaxed(&value->hits[SEG_LINES].slot[1], 64);
    cr_assert_eq(seg_chunk(place.seg, file, SEG_LINES, 1, &bits), SEG_ERR_DAMAGED);
    seg_store_relaxed(&value->hits[SEG_LINES].more[0], SEG_ARENA_OFF + 1);
    cr_assert_eq(seg_chunk(place.seg, file, SEG_LINES, 8, &bits), SEG_ERR_DAMAGED);
    drop_segment(&place);
}
