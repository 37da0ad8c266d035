/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows: where their borders are, that threads share one mapping, that a mapping stays out of
 * core dumps, and that a limit on the address space is an error.
 */
#include "support.h"

#define SIZE (200 * MIB)
#define WORKERS 8

static int count_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) != -1;
    return n;
}

Test(window, borders_double)
{
    cr_assert_eq(seg_window_of(0), 0);
    cr_assert_eq(seg_window_of(16 * MIB - 1), 0);
    cr_assert_eq(seg_window_of(16 * MIB), 1);
    cr_assert_eq(seg_window_of(32 * MIB - 1), 1);
    cr_assert_eq(seg_window_of(32 * MIB), 2);
    cr_assert_eq(seg_window_of(64 * MIB - 1), 2);
    cr_assert_eq(seg_window_of(64 * MIB), 3);
    for (unsigned i = 0; i < SEG_WINDOWS; i++) {
        cr_assert_eq(seg_window_of(seg_window_start(i)), i);
        cr_assert_eq(seg_window_of(seg_window_end(i) - 1), i);
    }
}

static void check_same_bytes(struct place *place)
{
    static const uint64_t offsets[] = {1 * MIB,   16 * MIB - 64, 16 * MIB, 32 * MIB - 64,
                                       32 * MIB,  64 * MIB - 64, 64 * MIB, 128 * MIB - 64,
                                       128 * MIB, 200 * MIB - 64};
    static const size_t n = sizeof offsets / sizeof *offsets;
    int before = count_descriptors();
    seg_t *other = attach(place->path);

    for (size_t i = 0; i < n; i++) {
        uint64_t *mine = seg_ptr(place->seg, offsets[i], 64), value;

        cr_assert_not_null(mine, "offset %zu", (size_t)offsets[i]);
        *mine = offsets[i] ^ 0x1234;
        cr_assert_eq(pread(place->fd, &value, 8, (off_t)offsets[i]), 8);
        cr_assert_eq(value, offsets[i] ^ 0x1234);
    }
    /* The other handle begins with the last window. */
    for (size_t i = n; i-- > 0;)
        cr_assert_eq(*(uint64_t *)seg_ptr(other, offsets[i], 64), offsets[i] ^ 0x1234);
    cr_assert_eq(count_descriptors(), before, "a descriptor stays open");
    seg_discard(other);
}

Test(window, all_windows_show_the_file)
{
    struct place place = make_segment(SIZE);

    check_same_bytes(&place);
    drop_segment(&place);
}

Test(window, a_system_without_mremap_maps_the_path_again)
{
    struct place place = make_segment(SIZE);

    seg_platform_cannot_extend = true;
    check_same_bytes(&place);
    drop_segment(&place);
}

static void grow_as_another(void *arg)
{
    char name[256];
    seg_t *seg;

    snprintf(name, sizeof name, SEG_SHARED_BY "0:%s", ((struct place *)arg)->path);
    CHILD_CHECK(setgid(54321) == 0 && setuid(54321) == 0);
    CHILD_CHECK(seg_attach(name, &seg) == SEG_OK);
    CHILD_CHECK(seg_ptr(seg, 20 * MIB, 64) != NULL);
}

Test(window, another_user_that_is_admitted_maps_the_path_again)
{
    struct place place;

    if (geteuid() != 0)
        cr_skip_test("only root becomes another user");
    place = make_segment_with(SIZE, SEG_FLAG_OTHERS);
    chmod(place.folder, SEG_FOLDER_OPEN);
    seg_platform_cannot_extend = true;
    run_child_well(grow_as_another, &place);
    drop_segment(&place);
}

Test(window, another_file_of_that_name_is_not_mapped)
{
    struct place place = make_segment(SIZE);
    int fd;

    seg_platform_cannot_extend = true;
    unlink(place.path);
    fd = open(place.path, O_RDWR | O_CREAT | O_EXCL, 0600);
    cr_assert_eq(ftruncate(fd, (off_t)SIZE), 0);
    close(fd);
    cr_assert_null(seg_ptr(place.seg, 20 * MIB, 64));
    cr_assert_eq(lost(place.seg, SEG_LOST_MAP), 1);
    drop_segment(&place);
}

Test(window, what_is_not_in_the_segment_has_no_address)
{
    struct place place = make_segment(20 * MIB);

    cr_assert_not_null(seg_ptr(place.seg, 20 * MIB - 64, 64));
    cr_assert_null(seg_ptr(place.seg, 20 * MIB - 64, 65));
    cr_assert_null(seg_ptr(place.seg, 20 * MIB, 1));
    cr_assert_null(seg_ptr(place.seg, UINT64_MAX - 63, 64));
    cr_assert_null(seg_ptr(place.seg, 64, UINT64_MAX - 63));
    cr_assert_null(seg_ptr(place.seg, 16 * MIB - 64, 128), "a piece in two windows");
    cr_assert_null(seg_piece(place.seg, SEG_ARENA_OFF + 8, 8), "a piece is aligned");
    cr_assert_null(seg_piece(place.seg, 64, 8), "the header is no piece");
    drop_segment(&place);
}

struct race {
    seg_t *seg;
    void *address[WORKERS];
};

static void map_last(void *arg, int number)
{
    struct race *race = arg;

    race->address[number] = seg_ptr(race->seg, 190 * MIB, 64);
}

static size_t mapped_bytes(const char *path)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    size_t sum = 0;

    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long from, to;

        if (strstr(line, path) != NULL && sscanf(line, "%lx-%lx", &from, &to) == 2)
            sum += to - from;
    }
    if (maps != NULL)
        fclose(maps);
    return sum;
}

Test(window, threads_share_one_mapping)
{
    struct place place = make_segment(SIZE);

    for (int round = 0; round < 50; round++) {
        struct race race = {.seg = attach(place.path)};
        size_t before = mapped_bytes(place.path);

        run_threads(WORKERS, map_last, &race);
        for (int i = 0; i < WORKERS; i++) {
            cr_assert_not_null(race.address[i]);
            cr_assert_eq(race.address[i], race.address[0]);
        }
        cr_assert_eq(mapped_bytes(place.path) - before, SIZE - 16 * MIB, "a lost mapping stays");
        seg_discard(race.seg);
        cr_assert_eq(mapped_bytes(place.path), 16 * MIB, "a mapping is left over");
    }
    drop_segment(&place);
}

Test(window, core_dumps_leave_it_out)
{
    struct place place = make_segment(SIZE);
    FILE *maps = fopen("/proc/self/smaps", "re");
    char line[512];
    int found = 0, hidden = 0;
    bool ours = false;

    cr_assert_not_null(seg_ptr(place.seg, 190 * MIB, 64));
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        if (strchr(line, '-') != NULL && strstr(line, " rw-s ") != NULL)
            ours = strstr(line, place.path) != NULL;
        if (ours && strncmp(line, "VmFlags:", 8) == 0) {
            found++;
            hidden += strstr(line, " dd") != NULL;
            ours = false;
        }
    }
    if (maps != NULL)
        fclose(maps);
    cr_assert_gt(found, 0);
    cr_assert_eq(found, hidden);
    drop_segment(&place);
}

static void under_a_limit(void *arg)
{
    struct place *place = arg;
    struct rlimit limit = {0, 0};
    FILE *statm = fopen("/proc/self/statm", "re");
    unsigned long pages;
    uint64_t off;
    void *piece;

    CHILD_CHECK(statm != NULL && fscanf(statm, "%lu", &pages) == 1);
    fclose(statm);
    limit.rlim_cur = limit.rlim_max = pages * (unsigned long)sysconf(_SC_PAGESIZE) + 20 * MIB;
    CHILD_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    CHILD_CHECK(seg_alloc(place->seg, 1 * MIB, &off, &piece) == SEG_OK);
    CHILD_CHECK(seg_ptr(place->seg, 20 * MIB, 64) != NULL);
    CHILD_CHECK(seg_ptr(place->seg, 40 * MIB, 64) == NULL);
    CHILD_CHECK(lost(place->seg, SEG_LOST_MAP) == 1);
    seg_store_relaxed(&seg_head(place->seg)->bump, 40 * MIB);
    CHILD_CHECK(seg_alloc(place->seg, 64, &off, &piece) == SEG_ERR_MAP);
}

Test(window, a_limit_on_addresses_is_an_error)
{
#ifdef SANITIZED
    cr_skip_test("a sanitizer maps more than any limit");
#endif
    struct place place = make_segment(SIZE);

    run_child_well(under_a_limit, &place);
    drop_segment(&place);
}

static void use_in_child(void *arg)
{
    struct place *place = arg;

    CHILD_CHECK(*(uint64_t *)seg_ptr(place->seg, 40 * MIB, 8) == 7);
    *(uint64_t *)seg_ptr(place->seg, 100 * MIB, 8) = 8;
}

Test(window, a_child_inherits_and_goes_on)
{
    struct place place = make_segment(SIZE);

    *(uint64_t *)seg_ptr(place.seg, 40 * MIB, 8) = 7;
    run_child_well(use_in_child, &place);
    cr_assert_eq(*(uint64_t *)seg_ptr(place.seg, 100 * MIB, 8), 8);
    drop_segment(&place);
}
