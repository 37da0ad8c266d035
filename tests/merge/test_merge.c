/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments are made through the writer's side, merged, and read back with SQLite, also by processes
 * that are killed at each kill point. Whether coverage.py reads the files is tested with pytest.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"
#include "kill_point.h"
#include "query.h"

#define SEGFILL_STATIC
#include "../support/segfill.c"

static char folder[64], target[128];

static void make_folder(void)
{
    char segments[128];

    strcpy(folder, "/tmp/shmcov-merge-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(target, sizeof target, "%s/.coverage", folder);
    snprintf(segments, sizeof segments, "%s/segments", folder);
    cr_assert_eq(mkdir(segments, 0700), 0);
}

static void remove_folder(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(merge, .init = make_folder, .fini = remove_folder);

/* A mapped segment is never freed. */
static seg_t *made[64];
static size_t made_n;

static seg_t *make_segment(uint32_t flags, int *fd)
{
    char segments[128];
    seg_t *seg;

    snprintf(segments, sizeof segments, "%s/segments", folder);
    seg = segfill_create(segments, flags, NULL, UINT64_C(16) << 20, fd);
    cr_assert_not_null(seg);
    made[made_n++ % (sizeof made / sizeof *made)] = seg;
    return seg;
}

static int write_file(int fd, bool append, struct merge_counts *counts)
{
    struct merge_options options = {.target = target, .append = append, .version = "7.0"};
    struct merge_error error;
    struct merge *merge;
    int status;

    cr_assert_eq(merge_open(fd, &merge), 0);
    status = merge_write(merge, &options, counts, &error);
    merge_close(merge);
    return status;
}

static const char *query(const char *sql)
{
    return query_file(target, sql);
}

#define LINE_ROWS                                                                                 \
    "select path, context, replace(hex(numbits), '000000', '-') from line_bits l join file f on " \
    "f.id = file_id join "                                                                        \
    "context c on c.id = context_id order by 1, 2"
#define ARC_ROWS                                                                        \
    "select path, context, fromno, tono from arc l join file f on f.id = file_id join " \
    "context c on c.id = context_id order by l.rowid"

Test(merge, lines)
{
    static const uint32_t borders[] = {1, 31, 32, 63, 64, 127, 128, 511, 512};
    struct merge_counts counts;
    int fd;
    seg_t *seg = make_segment(0, &fd);

    for (size_t i = 0; i < sizeof borders / sizeof *borders; i++) {
        cr_assert_eq(segfill_line(seg, NULL, "/a", borders[i]), 0);
        cr_assert_eq(segfill_line(seg, "t", "/b", borders[i]), 0);
    }
    cr_assert_eq(segfill_line(seg, "t", "/a", 9), 0);
    cr_assert_eq(segfill_line(seg, "t", "/a", 8), 0);
    cr_assert_eq(write_file(fd, false, &counts), 0);
    cr_expect_str_eq(query(LINE_ROWS), "/a  020000800100008001--8001---------------008001;"
                                       "/a t 0003;"
                                       "/b t 020000800100008001--8001---------------008001;");
    cr_expect_eq(counts.lines, 11 + 9);
    cr_expect_eq(counts.line_rows, 3);
    cr_expect_eq(counts.contexts, 2);
}

Test(merge, rows_too_long_for_a_page)
{
    struct merge_counts counts;
    int fd;
    seg_t *seg = make_segment(0, &fd);

    cr_assert_eq(segfill_line(seg, NULL, "/a", 1), 0);
    cr_assert_eq(segfill_line(seg, NULL, "/b", 65536 * 8 - 1), 0);
    cr_assert_eq(segfill_line(seg, NULL, "/c", 65536 * 8 + 5), 0);
    cr_assert_eq(segfill_line(seg, NULL, "/d", 1), 0);
    cr_assert_eq(write_file(fd, false, &counts), 0);
    cr_expect_str_eq(query("select path, length(numbits), hex(substr(numbits, -1)) from line_bits "
                           "join file on id = file_id order by line_bits.rowid"),
                     "/a 1 02;/b 65536 80;/c 65537 20;/d 1 02;");
}

Test(merge, branches)
{
    static const int32_t code[] = {
        1, SEG_ARC_TRAIL, 2, 1, 3, 1, SEG_ARC_TRAIL, 1, 4, 3, SEG_ARC_TRAIL, 1, -1,
        3, SEG_ARC_LINES, 1, 4};
    struct merge_counts counts;
    int fd;
    seg_t *seg = make_segment(SEG_FLAG_BRANCH, &fd);
    int first;

    cr_assert_eq(segfill_line(seg, NULL, "/a", 1), 0);
    cr_assert_eq(segfill_line(seg, NULL, "/a", 3), 0);
    first = segfill_code(seg, "/a", code, sizeof code / sizeof *code);
    cr_assert_geq(first, 0);
    for (uint32_t bit = 0; bit < 3; bit++)
        cr_assert_eq(segfill_arc(seg, NULL, "/a", (uint32_t)first + bit), 0);
    cr_assert_eq(segfill_line(seg, "t", "/a", 4), 0);
    cr_assert_eq(segfill_line(seg, "t", "/a", 3), 0);
    cr_assert_eq(segfill_line(seg, "t", "/a", 6), 0);
    cr_assert_eq(segfill_arc(seg, "t", "/a", (uint32_t)first + 1), 0);
    cr_assert_eq(write_file(fd, false, &counts), 0);
    cr_expect_str_eq(query(ARC_ROWS), "/a  1 1;/a  1 3;/a  3 -1;/a  3 3;"
                                      "/a t 1 4;/a t 3 4;/a t 6 6;");
    cr_expect_str_eq(query("select count(*) from line_bits"), "0;");
    cr_expect_eq(counts.arc_rows, 7);
}

Test(merge, the_segment_of_a_killed_writer)
{
    struct merge_counts counts;
    int fd;
    seg_t *seg = make_segment(0, &fd);
    pid_t child = fork();

    if (child == 0) {
        segfill_line(seg, NULL, "/a", 5);
        segfill_line(seg, "t", "/a", 6);
        raise(SIGKILL);
    }
    cr_assert_eq(waitpid(child, NULL, 0), child);
    cr_assert_eq(write_file(fd, false, &counts), 0);
    cr_expect_str_eq(query(LINE_ROWS), "/a  20;/a t 40;");
}

static bool is_temporary(const char *name)
{
    size_t len = strlen(name);

    return !strncmp(name, ".shmcov-", 8) && len > 4 && !strcmp(name + len - 4, ".tmp");
}

/* How many temporary files lie beside the target; the name of the last in `path`. */
static int temporary_files(char path[256])
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    int n = 0;

    cr_assert_not_null(dir);
    while ((entry = readdir(dir)))
        if (is_temporary(entry->d_name)) {
            snprintf(path, 256, "%s/%.150s", folder, entry->d_name);
            n++;
        }
    closedir(dir);
    return n;
}

static void check_killed(const char *point, bool append)
{
    struct merge_counts counts;
    int fd, status;
    seg_t *seg = make_segment(0, &fd);
    bool renamed = strcmp(point, "merge.renamed:1") == 0;
    const char *after, *before = "/old  80;";
    char left[256];
    pid_t child;

    /* The old file. */
    cr_assert_eq(segfill_line(seg, NULL, "/old", 7), 0);
    unlink(target);
    cr_assert_eq(write_file(fd, false, &counts), 0);
    close(fd);
    seg = make_segment(0, &fd);
    cr_assert_eq(segfill_line(seg, NULL, "/new", 1), 0);
    cr_assert_eq(segfill_line(seg, "t", "/new", 2), 0);
    after = append ? "/new  02;/new t 04;/old  80;" : "/new  02;/new t 04;";

    child = fork();
    if (child == 0) {
        setenv("SEG_KILL_AT", point, 1);
        write_file(fd, append, &counts);
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%s was not passed", point);
    cr_expect_str_eq(query(LINE_ROWS), renamed ? after : before, "killed at %s", point);
    cr_expect_eq(temporary_files(left), !renamed, "killed at %s", point);

    /* The same again, to the end. */
    cr_assert_eq(write_file(fd, append, &counts), 0);
    cr_expect_str_eq(query(LINE_ROWS), after, "after a merge that was killed at %s", point);
    cr_expect_eq(temporary_files(left), 0, "after a merge that was killed at %s", point);
    close(fd);
}

Test(merge, killed)
{
    static const char *const points[] = {"merge.created:1", "merge.row:1",    "merge.row:2",
                                         "merge.built:1",   "merge.synced:1", "merge.renamed:1"};

    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        check_killed(points[i], false);
        check_killed(points[i], true);
    }
}

static void stop_when_built(const char *name)
{
    if (!strcmp(name, "merge.built"))
        raise(SIGSTOP);
}

Test(merge, the_temporary_file_of_a_merge_that_goes_on)
{
    struct merge_counts counts;
    int fd, status;
    seg_t *seg = make_segment(0, &fd);
    char left[256], same[256];
    pid_t child;

    cr_assert_eq(segfill_line(seg, NULL, "/a", 1), 0);
    child = fork();
    if (child == 0) {
        seg_kill_hook = stop_when_built;
        _exit(write_file(fd, false, &counts) != 0);
    }
    cr_assert_eq(waitpid(child, &status, WUNTRACED), child);
    cr_assert(WIFSTOPPED(status));
    cr_assert_eq(temporary_files(left), 1);
    cr_expect_eq(write_file(fd, false, &counts), 0);
    cr_expect_eq(temporary_files(same), 1);
    cr_expect_str_eq(same, left, "its writer is alive");
    kill(child, SIGCONT);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "and comes to its end");
    cr_expect_eq(temporary_files(left), 0);
    cr_expect_str_eq(query(LINE_ROWS), "/a  02;");
    close(fd);
}

static void make_file(char path[256], const char *name)
{
    int fd;

    snprintf(path, 256, "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    cr_assert_geq(fd, 0);
    close(fd);
}

/* -- another SQLite in this process -- */

/* Whether another process gets the lock of a writing SQLite on the data file. */
static bool others_get_the_lock(void)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct flock lock = {
            .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000000, .l_len = 512};
        int fd = open(target, O_RDWR);

        _exit(fd < 0 || fcntl(fd, F_SETLK, &lock) ? 1 : 0);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static unsigned seen_locked, seen_unlocked;

/* What a second SQLite does that opens the data file and closes it. */
static void open_and_close(const char *name)
{
    if (!strcmp(name, "merge.created") || !strcmp(name, "merge.row") ||
        !strcmp(name, "merge.synced") || !strcmp(name, "merge.renamed")) {
        close(open(target, O_RDWR));
        ++*(others_get_the_lock() ? &seen_unlocked : &seen_locked);
    }
}

Test(merge, no_close_of_another_sqlite_drops_the_lock)
{
    struct merge_counts counts;
    int fd;
    seg_t *seg = make_segment(0, &fd);

    cr_assert_eq(segfill_line(seg, NULL, "/a", 1), 0);
    cr_assert_eq(write_file(fd, false, &counts), 0);
    seg_kill_hook = open_and_close;
    cr_assert_eq(write_file(fd, true, &counts), 0);
    seg_kill_hook = NULL;
    cr_expect_eq(seen_unlocked, 0);
    cr_expect(seen_locked >= 4);
    cr_expect(others_get_the_lock());
}

Test(merge, what_is_no_temporary_file_of_ours_stays)
{
    static const char *const names[] = {".shmcov-0123456789abcdef.data", ".shmcov-12.tmp",
                                        ".shmcov-0123456789abcdef.tmp.x", ".shmcov-notes.tmp"};
    char link_path[256], theirs[256], linked[256], other[256], file[256];
    struct merge_counts counts;
    int fd;
    seg_t *seg = make_segment(0, &fd);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        make_file(file, names[i]);
    make_file(other, "other");
    snprintf(link_path, sizeof link_path, "%s/.shmcov-1111111111111111.tmp", folder);
    cr_assert_eq(symlink(other, link_path), 0);
    snprintf(linked, sizeof linked, "%s/.shmcov-2222222222222222.tmp", folder);
    cr_assert_eq(link(other, linked), 0);
    make_file(theirs, ".shmcov-3333333333333333.tmp");
    if (geteuid() == 0)
        cr_assert_eq(chown(theirs, 65534, 65534), 0);
    make_file(file, ".shmcov-4444444444444444.tmp");

    cr_assert_eq(segfill_line(seg, NULL, "/a", 1), 0);
    cr_assert_eq(write_file(fd, false, &counts), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[256];

        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        cr_expect_eq(access(path, F_OK), 0, "%s", path);
    }
    cr_expect_eq(access(other, F_OK), 0);
    cr_expect_eq(access(link_path, F_OK), 0, "a link");
    cr_expect_eq(access(linked, F_OK), 0, "a file that has another name");
    cr_expect_eq(access(theirs, F_OK), geteuid() == 0 ? 0 : -1, "another user's");
    cr_expect_eq(access(file, F_OK), -1, "ours, and dead");
    close(fd);
}

Test(merge, hits_sorted)
{
    enum { N = 5000 };
    struct merge_hit *hits = malloc(N * sizeof *hits);
    uint64_t state = 9;

    for (size_t i = 0; i < N; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        hits[i] = (struct merge_hit){.key = i % 7 ? state >> (state % 50) : 5, .file = (uint32_t)i};
    }
    cr_assert(merge_sort_hits(&hits, N));
    for (size_t i = 1; i < N; i++) {
        cr_assert_leq(hits[i - 1].key, hits[i].key);
        if (hits[i - 1].key == hits[i].key)
            cr_assert_lt(hits[i - 1].file, hits[i].file, "the order of equal keys stays");
    }
    cr_assert(merge_sort_hits(&hits, N));
    cr_assert(merge_sort_hits(&hits, 0));
    free(hits);
}
