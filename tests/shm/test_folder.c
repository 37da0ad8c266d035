/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which folder a segment goes to, and what must hold for it.
 */
#include <sys/mount.h>

#include "support.h"

static char root[64];

static void make_root(void)
{
    make_folder(root);
}

static void drop_root(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", root);
    if (system(command) != 0)
        fprintf(stderr, "%s is left over\n", root);
}

TestSuite(folder, .init = make_root, .fini = drop_root);

Test(folder, names_hold_the_user)
{
    char name[256], expected[64];

    snprintf(expected, sizeof expected, "/dev/shm/shmcov-%u", (unsigned)geteuid());
    cr_assert_eq(seg_folder_name(0, name, sizeof name), SEG_OK);
    cr_assert_str_eq(name, expected);
    snprintf(expected, sizeof expected, "/tmp/shmcov-%u", (unsigned)geteuid());
    cr_assert_eq(seg_folder_name(1, name, sizeof name), SEG_OK);
    cr_assert_str_eq(name, expected);
    cr_assert_eq(seg_folder_name(2, name, sizeof name), SEG_OK);
    snprintf(expected, sizeof expected, "/dev/shm/shmcov-%u.open", (unsigned)geteuid());
    cr_assert_eq(seg_folder_name(3, name, sizeof name), SEG_OK);
    cr_assert_str_eq(name, expected, "for those that admit other users");
    cr_assert_eq(seg_folder_name(5, name, sizeof name), SEG_OK);
    cr_assert_eq(seg_folder_name(6, name, sizeof name), SEG_ERR_LIMIT);
    cr_assert_eq(seg_folder_name(1000, name, sizeof name), SEG_ERR_LIMIT);
    cr_assert_eq(seg_folder_name(0, name, 10), SEG_ERR_LIMIT, "no room for the name");
}

static void make_under_umask(void *arg)
{
    struct stat st;
    char *path = arg;

    umask(0777);
    CHILD_CHECK(seg_folder_make(path, SEG_FOLDER_PRIVATE) == SEG_OK);
    CHILD_CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700);
}

Test(folder, a_new_one_is_private_whatever_the_umask)
{
    char path[128];

    snprintf(path, sizeof path, "%s/f", root);
    run_child_well(make_under_umask, path);
    cr_assert_eq(seg_folder_make(path, SEG_FOLDER_PRIVATE), SEG_OK, "and an old one will do");
}

Test(folder, what_is_not_private_is_refused)
{
    char path[128], other[128];
    int fd;

    snprintf(path, sizeof path, "%s/f", root);
    snprintf(other, sizeof other, "%s/other", root);
    cr_assert_eq(mkdir(path, 0700), 0);
    chmod(path, 0755);
    cr_assert_eq(seg_folder_make(path, SEG_FOLDER_PRIVATE), SEG_ERR_ACCESS, "others may look");
    chmod(path, 0500);
    cr_assert_eq(seg_folder_make(path, SEG_FOLDER_PRIVATE), SEG_ERR_ACCESS,
                 "not even the owner may write");
    chmod(path, 0700);
    cr_assert_eq(symlink(path, other), 0);
    cr_assert_eq(seg_folder_make(other, SEG_FOLDER_PRIVATE), SEG_ERR_ACCESS, "a link");
    unlink(other);
    fd = open(other, O_CREAT | O_WRONLY, 0700);
    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(seg_folder_make(other, SEG_FOLDER_PRIVATE), SEG_ERR_ACCESS, "a file");
    if (geteuid() == 0) {
        cr_assert_eq(chown(path, 12345, 0), 0);
        cr_assert_eq(seg_folder_make(path, SEG_FOLDER_PRIVATE), SEG_ERR_ACCESS, "somebody else's");
    }
    snprintf(path, sizeof path, "%s/no/such/parent", root);
    cr_assert_eq(seg_folder_make(path, SEG_FOLDER_PRIVATE), SEG_ERR_SYSTEM);
}

/* -- which one is taken -- */

static char first[96], second[96];
static const char *roots[] = {first, second, NULL};

static void make_places(void)
{
    snprintf(first, sizeof first, "%s/first", root);
    snprintf(second, sizeof second, "%s/second", root);
    mkdir(first, 0700);
    mkdir(second, 0700);
    seg_platform_roots = roots;
}

/* Where a segment is made, and its size. */
static int create(uint32_t flags, uint64_t *size, const char **place)
{
    struct seg_plan plan = {.flags = flags};
    char *path;
    seg_t *seg;
    int fd, status = seg_create(&plan, &seg, &path, &fd);

    if (status != SEG_OK)
        return status;
    *size = seg->size;
    *place = strncmp(path, first, strlen(first)) == 0 ? "first" : "second";
    seg_discard(seg);
    close(fd);
    seg_remove(path);
    free(path);
    return SEG_OK;
}

static void need_mount(const char *where, const char *options)
{
    if (mount("tmpfs", where, "tmpfs", 0, options) != 0)
        cr_skip_test("only root can mount a file system");
}

Test(folder, the_first_with_room_is_taken)
{
    const char *place;
    uint64_t size;

    make_places();
    cr_assert_eq(create(0, &size, &place), SEG_OK);
    cr_assert_str_eq(place, "first");
    cr_assert_eq(rmdir(first), 0, "seg_remove leaves no folder");
    cr_assert_eq(create(0, &size, &place), SEG_OK);
    cr_assert_str_eq(place, "second", "where the first does not exist");
}

Test(folder, sixty_four_megabytes_do_without_contexts)
{
    const char *place;
    uint64_t size;

    make_places();
    need_mount(first, "size=64m");
    cr_assert_eq(create(0, &size, &place), SEG_OK);
    cr_assert_str_eq(place, "first");
    cr_assert_eq(size, 32 * MIB, "half of what is free is the program's");
    cr_assert_eq(create(SEG_FLAG_CONTEXTS, &size, &place), SEG_OK);
    cr_assert_str_eq(place, "second");
    cr_assert_eq(create(SEG_FLAG_TEST_FUNCTION, &size, &place), SEG_OK);
    cr_assert_str_eq(place, "second");
    umount(first);
}

Test(folder, a_little_room_is_better_than_none)
{
    const char *place;
    uint64_t size;

    make_places();
    need_mount(first, "size=1m");
    need_mount(second, "size=16m");
    cr_assert_eq(create(0, &size, &place), SEG_OK);
    cr_assert_str_eq(place, "second");
    cr_assert_eq(size, 8 * MIB);
    umount(second);
    need_mount(second, "size=1m");
    cr_assert_eq(create(0, &size, &place), SEG_ERR_SPACE);
    umount(first);
    umount(second);
}

Test(folder, one_that_cannot_be_written_is_passed_over)
{
    const char *place;
    uint64_t size;

    make_places();
    need_mount(first, "size=64m,ro");
    cr_assert_eq(create(0, &size, &place), SEG_OK);
    cr_assert_str_eq(place, "second");
    umount(first);
}

static void under_a_file_size_limit(void *arg)
{
    struct rlimit limit = {.rlim_cur = 40 * MIB, .rlim_max = 40 * MIB};
    struct seg_plan plan = {.folder = arg, .size = 41 * MIB};
    const char *place;
    uint64_t size;
    char *path;
    seg_t *seg;
    int fd;

    CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHILD_CHECK(create(0, &size, &place) == SEG_OK);
    CHILD_CHECK(size == 40 * MIB);
    /* Not SIGXFSZ. */
    CHILD_CHECK(seg_create(&plan, &seg, &path, &fd) == SEG_ERR_SPACE);
    limit.rlim_cur = 1 * MIB;
    CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHILD_CHECK(create(0, &size, &place) == SEG_ERR_SPACE);
}

Test(folder, a_limit_on_file_sizes_is_kept)
{
    make_places();
    run_child_well(under_a_file_size_limit, first);
}

static void write_into(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY | O_CLOEXEC);

    CHILD_CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

/* In a group that may use 16 MiB: fills 40 MiB of a segment. */
static void in_a_small_group(void *arg)
{
    const char *group = arg;
    struct seg_plan plan = {.flags = 0};
    char name[256], pid[16];
    uint64_t off;
    void *piece;
    char *path;
    seg_t *seg;
    int fd;

    snprintf(name, sizeof name, "%s/cgroup.procs", group);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    write_into(name, pid);
    CHILD_CHECK(seg_headroom("/proc", "/sys/fs/cgroup") <= 16 * MIB);
    CHILD_CHECK(seg_create(&plan, &seg, &path, &fd) == SEG_OK);
    CHILD_CHECK(strncmp(path, "/tmp/", 5) == 0 || strncmp(path, "/var/tmp/", 9) == 0);
    for (int i = 0; i < 40; i++) {
        if (seg_alloc(seg, 1 * MIB - 64, &off, &piece) == SEG_OK)
            memset(piece, 1, 1 * MIB - 64);
    }
    CHILD_CHECK(seg_load_relaxed(&seg_head(seg)->bump) > 39 * MIB);
    seg_remove(path);
}

Test(folder, a_small_memory_limit_kills_nobody)
{
    char group[] = "/sys/fs/cgroup/memory/shmcov-test-XXXXXX", name[256];
    char group2[] = "/sys/fs/cgroup/shmcov-test-XXXXXX";
    char *at = mkdtemp(group) != NULL ? group : mkdtemp(group2) != NULL ? group2 : NULL;
    int fd, status, disk;

#ifdef SANITIZED
    at = NULL; /* a sanitizer by itself needs more */
#endif
    disk = open("/tmp", O_RDONLY | O_DIRECTORY);
    if (at == NULL || seg_platform_in_memory(disk))
        cr_skip_test("no control group can be made, or there is no disk");
    close(disk);
    snprintf(name, sizeof name, "%s/%s", at, at == group ? "memory.limit_in_bytes" : "memory.max");
    fd = open(name, O_WRONLY);
    if (fd < 0 || write(fd, "16777216", 8) != 8) {
        rmdir(at);
        cr_skip_test("the memory of a control group cannot be limited");
    }
    close(fd);
    status = run_child(in_a_small_group, at);
    rmdir(at);
    cr_assert_eq(status, 0, "the child ended with %x", status);
}

Test(folder, remove_takes_the_folder_along_when_it_is_empty)
{
    struct seg_plan plan = {.size = MIB};
    char folder[256];
    char *path[2];
    seg_t *seg[2];
    int fd[2];

    make_places();
    cr_assert_eq(seg_folder_name(0, folder, sizeof folder), SEG_OK);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(seg_create(&plan, &seg[i], &path[i], &fd[i]), SEG_OK);
    cr_assert_eq(seg_remove(path[0]), SEG_OK);
    cr_assert_eq(access(path[0], F_OK), -1);
    cr_assert_eq(access(path[1], F_OK), 0);
    cr_assert_eq(seg_remove(path[1]), SEG_OK);
    cr_assert_eq(access(folder, F_OK), -1);
    cr_assert_eq(seg_remove(path[1]), SEG_ERR_SYSTEM);
    for (int i = 0; i < 2; i++) {
        seg_discard(seg[i]);
        close(fd[i]);
        free(path[i]);
    }
}

/* Counts what it is called with. */
static void count(void *arg, const char *path)
{
    cr_assert_not_null(strstr(path, "/" SEG_NAME_PREFIX));
    ++*(unsigned *)arg;
}

static unsigned n_segments(enum seg_which which)
{
    unsigned n = 0;

    seg_folder_each(which, count, &n);
    return n;
}

Test(folder, each_segment_is_found)
{
    struct seg_plan plan = {.size = MIB};
    char folder[256], name[300];
    struct place place;

    make_places();
    cr_assert_eq(n_segments(SEG_LIVE), 0);
    cr_assert_eq(seg_create(&plan, &place.seg, &place.path, &place.fd), SEG_OK);
    cr_assert_eq(n_segments(SEG_LIVE), 1);
    cr_assert_eq(n_segments(SEG_SAFE), 1);
    cr_assert_eq(n_segments(SEG_LEFT), 0);

    cr_assert_eq(seg_folder_name(0, folder, sizeof folder), SEG_OK);
    snprintf(name, sizeof name, "%s/new-1", folder);
    close(open(name, O_CREAT | O_WRONLY, 0600));
    cr_assert_eq(n_segments(SEG_LIVE), 1, "one that is not finished");
    unlink(name);
    chmod(folder, 0750);
    cr_assert_eq(n_segments(SEG_LIVE), 1);
    cr_assert_eq(n_segments(SEG_SAFE), 0, "others can look into the folder");
    chmod(folder, 0700);

    cr_assert_eq(seg_leftover_folder(0, folder, sizeof folder), SEG_OK);
    cr_assert_eq(seg_folder_make(folder, SEG_FOLDER_PRIVATE), SEG_OK);
    snprintf(name, sizeof name, "%s%s", folder, strrchr(place.path, '/'));
    cr_assert_eq(rename(place.path, name), 0);
    cr_assert_eq(n_segments(SEG_LIVE), 0);
    cr_assert_eq(n_segments(SEG_LEFT), 1);
    cr_assert_eq(seg_remove(name), SEG_OK);
    cr_assert_eq(access(folder, F_OK), -1);
    seg_discard(place.seg);
    close(place.fd);
    free(place.path);
}

/* -- for other users -- */

static struct seg_plan shared_plan = {.size = MIB, .flags = SEG_FLAG_OTHERS};

static unsigned mode_of(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void make_shared_under_umask(void *arg)
{
    struct place *place = arg;

    umask(0777);
    CHILD_CHECK(seg_create(&shared_plan, &place->seg, &place->path, &place->fd) == SEG_OK);
    CHILD_CHECK(mode_of(place->path) == SEG_MODE_SHARED);
    *strrchr(place->path, '/') = '\0';
    CHILD_CHECK(mode_of(place->path) == 0711);
    CHILD_CHECK(strcmp(strrchr(place->path, '.'), ".open") == 0);
}

Test(folder, a_shared_segment_lies_where_others_pass_and_cannot_look)
{
    struct seg_plan plan = {.size = MIB};
    struct place place;
    char folder[256];

    make_places();
    run_child_well(make_shared_under_umask, &place);
    cr_assert_eq(seg_create(&plan, &place.seg, &place.path, &place.fd), SEG_OK);
    cr_assert_eq(mode_of(place.path), 0600, "no other segment is");
    cr_assert_eq(seg_folder_name(0, folder, sizeof folder), SEG_OK);
    cr_assert_eq(mode_of(folder), 0700);
    seg_discard(place.seg);
    close(place.fd);
    seg_remove(place.path);
    free(place.path);
}

Test(folder, the_open_one_goes_with_its_last_segment)
{
    struct place place;
    char folder[256];

    make_places();
    cr_assert_eq(seg_create(&shared_plan, &place.seg, &place.path, &place.fd), SEG_OK);
    cr_assert_eq(seg_folder_name(2, folder, sizeof folder), SEG_OK);
    cr_assert_eq(access(folder, F_OK), 0);
    cr_assert_eq(seg_remove(place.path), SEG_OK);
    cr_assert_eq(access(folder, F_OK), -1);
    seg_discard(place.seg);
    close(place.fd);
    free(place.path);
}

Test(folder, an_open_one_that_others_can_look_into_is_not_looked_into)
{
    char folder[256];

    make_places();
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(seg_folder_name(i, folder, sizeof folder), SEG_OK);
        cr_assert_eq(seg_folder_make(folder, 0711), SEG_OK);
        cr_assert_eq(seg_folder_is_ours(i, folder), i >= 2, "folder %u", i);
        chmod(folder, 0700);
        cr_assert(seg_folder_is_ours(i, folder));
        chmod(folder, 0715);
        cr_assert_not(seg_folder_is_ours(i, folder));
        chmod(folder, 0713);
        cr_assert_not(seg_folder_is_ours(i, folder));
    }
}

static int times_made;

static void remove_what_was_made(const char *name)
{
    char folder[256];

    if (strcmp(name, "folder.made") == 0 && times_made++ < 3) {
        seg_folder_name(0, folder, sizeof folder);
        rmdir(folder);
    }
}

Test(folder, one_that_goes_away_is_made_again)
{
    const char *place;
    uint64_t size;

    make_places();
    seg_kill_hook = remove_what_was_made;
    cr_assert_eq(create(0, &size, &place), SEG_OK);
    cr_assert_str_eq(place, "first");
    cr_assert_eq(times_made, 4);
}

static void come_and_go(void *arg, int number)
{
    const char *place;
    uint64_t size;

    (void)arg;
    (void)number;
    for (int i = 0; i < 100; i++)
        CHILD_CHECK(create(0, &size, &place) == SEG_OK);
}

Test(folder, runs_that_end_do_not_disturb_runs_that_begin)
{
    make_places();
    run_children(4, come_and_go, NULL);
}
