/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation: pieces do not overlap, are zeroed and backed, and do not cross the borders of
 * windows; without room the result is an error and not a signal.
 */
#include <sys/mount.h>

#include "support.h"

#define WORKERS 4
#define EACH 2000

static void check_backed(const seg_t *seg)
{
    cr_assert_geq(seg_load_relaxed(&seg_head(seg)->backed), seg_load_relaxed(&seg_head(seg)->bump));
}

Test(arena, pieces_are_apart_and_zeroed)
{
    static const uint64_t sizes[] = {1, 63, 64, 65, 100, 4096, 262144, 300000, 48, 64};
    struct place place = make_segment(4 * MIB);
    uint64_t end = SEG_ARENA_OFF;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t off;
        void *piece;

        cr_assert_eq(seg_alloc(place.seg, sizes[i], &off, &piece), SEG_OK);
        cr_assert_eq(off, end);
        end += (sizes[i] + 63) / 64 * 64;
        for (uint64_t b = 0; b < sizes[i]; b++)
            cr_assert_eq(((uint8_t *)piece)[b], 0);
        memset(piece, 0xff, sizes[i]);
        check_backed(place.seg);
    }
    drop_segment(&place);
}

static void check_full(struct place *place)
{
    uint64_t off, room = place->seg->size - SEG_ARENA_OFF, n = 0;
    void *piece;
    int status;

    while ((status = seg_alloc(place->seg, 4000, &off, &piece)) == SEG_OK) {
        memset(piece, 0xff, 4000);
        n++;
    }
    cr_assert_eq(status, SEG_ERR_SPACE);
    cr_assert_eq(n, room / 4032);
    cr_assert_eq(lost(place->seg, SEG_LOST_SPACE), 1);
    cr_assert_eq(seg_alloc(place->seg, 4000, &off, &piece), SEG_ERR_SPACE);
    cr_assert_eq(lost(place->seg, SEG_LOST_SPACE), 2);
    /* What is smaller still finds its place. */
    while ((status = seg_alloc(place->seg, 64, &off, &piece)) == SEG_OK) {
        memset(piece, 0xff, 64);
        n++;
    }
    cr_assert_eq(status, SEG_ERR_SPACE);
    cr_assert_eq(seg_load_relaxed(&seg_head(place->seg)->bump), place->seg->size);
    check_backed(place->seg);
}

Test(arena, full_is_an_error)
{
    struct place place = make_segment(2 * MIB);

    check_full(&place);
    drop_segment(&place);
}

Test(arena, full_is_an_error_where_pages_are_backed_by_fallocate)
{
    struct place place = make_segment(2 * MIB);

    atomic_store(&place.seg->no_populate, true);
    check_full(&place);
    drop_segment(&place);
}

Test(arena, absurd_lengths_are_an_error)
{
    struct place place = make_segment(2 * MIB);
    uint64_t off;
    void *piece;

    cr_assert_eq(seg_alloc(place.seg, UINT64_MAX, &off, &piece), SEG_ERR_SPACE);
    cr_assert_eq(seg_alloc(place.seg, UINT64_MAX - 64, &off, &piece), SEG_ERR_SPACE);
    cr_assert_eq(seg_alloc(place.seg, UINT64_C(1) << 61, &off, &piece), SEG_ERR_SPACE);
    cr_assert_eq(seg_alloc(place.seg, 64, &off, &piece), SEG_OK);
    drop_segment(&place);
}

Test(arena, pieces_do_not_cross_borders)
{
    struct place place = make_segment(80 * MIB);
    uint64_t off, before = 0;
    int crossings = 0;
    void *piece;

    /* A length that no border is a multiple of. */
    while (seg_alloc(place.seg, 100 * 1024 + 64, &off, &piece) == SEG_OK) {
        cr_assert_eq(seg_window_of(off), seg_window_of(off + 100 * 1024 + 63));
        cr_assert_eq(piece, seg_ptr(place.seg, off, 100 * 1024 + 64));
        memset(piece, 1, 100 * 1024 + 64);
        crossings += before != 0 && seg_window_of(off) != seg_window_of(before);
        before = off;
    }
    cr_assert_eq(crossings, 3, "16, 32 and 64 MiB");
    check_backed(place.seg);
    drop_segment(&place);
}

Test(arena, a_piece_larger_than_a_window_goes_to_a_larger_one)
{
    struct place place = make_segment(80 * MIB);
    uint64_t off;
    void *piece;

    cr_assert_eq(seg_alloc(place.seg, 20 * MIB, &off, &piece), SEG_OK);
    cr_assert_eq(off, 32 * MIB);
    memset(piece, 1, 20 * MIB);
    check_backed(place.seg);
    cr_assert_eq(seg_alloc(place.seg, 40 * MIB, &off, &piece), SEG_ERR_SPACE);
    drop_segment(&place);
}

Test(arena, backing_changes_no_byte)
{
    struct place place = make_segment(4 * MIB);
    seg_t *other = attach(place.path);
    uint64_t off;
    void *piece;

    for (int way = 0; way < 2; way++) {
        cr_assert_eq(seg_alloc(place.seg, 300000, &off, &piece), SEG_OK);
        memset(piece, 0xa5, 300000);
        /* `backed` is too low, as for a process that is about to back the same pages. */
        seg_store_relaxed(&seg_head(place.seg)->backed, SEG_ARENA_OFF);
        atomic_store(&other->no_populate, way == 1);
        cr_assert_eq(seg_alloc(other, 64, &off, &piece), SEG_OK);
        check_backed(place.seg);
        for (uint64_t at = off - 300000; at < off; at++)
            cr_assert_eq(*(uint8_t *)seg_ptr(place.seg, at - 32, 1), 0xa5);
    }
    seg_discard(other);
    drop_segment(&place);
}

struct contest {
    const char *path;
    seg_t *seg;
    seg_u64 offsets[WORKERS][EACH];
};

static void take(struct contest *contest, seg_t *seg, int number)
{
    for (int i = 0; i < EACH; i++) {
        uint64_t off, len = (uint64_t)(i % 5 + 1) * 40;
        uint8_t *piece;
        void *out;

        if (seg_alloc(seg, len, &off, &out) != SEG_OK)
            abort();
        piece = out;
        for (uint64_t b = 0; b < len; b++) {
            if (piece[b] != 0)
                abort();
        }
        memset(piece, number + 1, len);
        seg_store_relaxed(&contest->offsets[number][i], off);
    }
}

static void take_in_thread(void *arg, int number)
{
    struct contest *contest = arg;

    take(contest, contest->seg, number);
}

static void take_in_process(void *arg, int number)
{
    struct contest *contest = arg;
    seg_t *seg;

    CHILD_CHECK(seg_attach(contest->path, &seg) == SEG_OK);
    take(contest, seg, number);
}

static void check_contest(struct contest *contest, seg_t *seg)
{
    for (int worker = 0; worker < WORKERS; worker++) {
        for (int i = 0; i < EACH; i++) {
            uint64_t off = seg_load_relaxed(&contest->offsets[worker][i]);
            uint64_t len = (uint64_t)(i % 5 + 1) * 40;
            const uint8_t *piece = seg_ptr(seg, off, len);

            cr_assert_neq(off, 0);
            for (uint64_t b = 0; b < len; b++)
                cr_assert_eq(piece[b], worker + 1);
        }
    }
    check_backed(seg);
}

Test(arena, threads_get_pieces_of_their_own)
{
    struct place place = make_segment(8 * MIB);
    struct contest *contest = shared_memory(sizeof *contest);

    contest->seg = place.seg;
    run_threads(WORKERS, take_in_thread, contest);
    check_contest(contest, place.seg);
    drop_segment(&place);
}

Test(arena, processes_get_pieces_of_their_own)
{
    struct place place = make_segment(8 * MIB);
    struct contest *contest = shared_memory(sizeof *contest);

    contest->path = place.path;
    run_children(WORKERS, take_in_process, contest);
    check_contest(contest, place.seg);
    drop_segment(&place);
}

/* Fills a segment that is larger than the file system it lies on. */
static void fill_small_file_system(bool no_populate)
{
    char folder[] = "/tmp/shmcov-test-XXXXXX";
    struct seg_plan plan = {.folder = folder, .size = 64 * MIB};
    uint64_t off = 0, n = 0, given_up;
    char *path;
    void *piece;
    seg_t *seg;
    int fd, status;

    cr_assert_not_null(mkdtemp(folder));
    if (mount("tmpfs", folder, "tmpfs", 0, "size=3m") != 0) {
        rmdir(folder);
        cr_skip_test("only root can mount a file system");
    }
    status = seg_create(&plan, &seg, &path, &fd);
    cr_assert_eq(status, SEG_OK, "%s", seg_strstatus(status));
    atomic_store(&seg->no_populate, no_populate);
    while ((status = seg_alloc(seg, 1000, &off, &piece)) == SEG_OK) {
        memset(piece, 0xff, 1000);
        n++;
    }
    cr_assert_eq(status, SEG_ERR_SPACE);
    cr_assert_geq(n * 1024 + SEG_ARENA_OFF, 3 * MIB - 64 * 1024, "all of it was used");
    check_backed(seg);

    /* Nobody pays for a system call at each further attempt; and later there may be room. */
    given_up = lost(seg, SEG_LOST_SPACE);
    cr_assert_eq(mount("tmpfs", folder, "tmpfs", MS_REMOUNT, "size=6m"), 0);
    n = 0;
    while (seg_alloc(seg, 1000, &off, &piece) == SEG_ERR_SPACE)
        n++;
    cr_assert_gt(n, 0);
    cr_assert_leq(n, SEG_BACK_OFF);
    cr_assert_eq(lost(seg, SEG_LOST_SPACE), given_up + n);

    close(fd);
    seg_discard(seg);
    free(path);
    umount(folder);
    rmdir(folder);
}

Test(arena, a_full_file_system_is_an_error)
{
    fill_small_file_system(false);
}

Test(arena, a_full_file_system_is_an_error_where_pages_are_backed_by_fallocate)
{
    fill_small_file_system(true);
}

Test(arena, a_damaged_word_is_an_error)
{
    static const uint64_t words[] = {0, 64, SEG_ARENA_OFF + 1, UINT64_MAX, UINT64_MAX - 63};
    struct place place = make_segment(2 * MIB);
    uint64_t off;
    void *piece;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        seg_store_relaxed(&seg_head(place.seg)->bump, words[i]);
        cr_assert_eq(seg_alloc(place.seg, 64, &off, &piece), SEG_ERR_DAMAGED);
    }
    drop_segment(&place);
}
