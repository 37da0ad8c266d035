/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Left-over segments are set aside, and no others.
 */
#include "ending.h"

TestSuite(leftover, .init = make_root, .fini = drop_root);

/* The segment of an owner that has ended: its path, and whether one was made. */
struct dead {
    char path[256];
};

static void make_and_end(void *arg)
{
    struct dead *dead = arg;
    struct place place = make_live();

    hit(place.seg, 1);
    strcpy(dead->path, place.path);
    free(place.path);
    _exit(0);
}

static struct dead *make_dead(void)
{
    struct dead *dead = shared_memory(sizeof *dead);

    run_child_well(make_and_end, dead);
    cr_assert(exists(dead->path));
    return dead;
}

static void expect_aside(const char *path)
{
    char aside[256];

    cr_assert_eq(seg_leftover_path(path, aside, sizeof aside), SEG_OK);
    cr_assert_not(exists(path));
    cr_assert(exists(aside));
}

Test(leftover, names)
{
    char name[256], expected[256];

    cr_assert_eq(seg_leftover_folder(0, name, sizeof name), SEG_OK);
    cr_assert_str_eq(name, left_over);
    cr_assert_eq(seg_leftover_folder(1, name, sizeof name), SEG_OK);
    snprintf(expected, sizeof expected, "%s.open.left", live);
    cr_assert_str_eq(name, expected, "of those that admitted other users");
    cr_assert_eq(seg_leftover_folder(2, name, sizeof name), SEG_ERR_LIMIT);
    cr_assert_eq(seg_leftover_folder(0, name, strlen(left_over)), SEG_ERR_LIMIT);
    cr_assert_eq(seg_leftover_folder(0, name, strlen(left_over) + 1), SEG_OK);
    snprintf(name, sizeof name, "%.100s/run-1", live);
    snprintf(expected, sizeof expected, "%.100s/run-1", left_over);
    cr_assert_eq(seg_leftover_path(name, name + 128, sizeof name - 128), SEG_OK);
    cr_assert_str_eq(name + 128, expected);
    cr_assert_eq(seg_leftover_path(name, expected, strlen(expected)), SEG_ERR_LIMIT);
    cr_assert_eq(seg_leftover_path("/elsewhere/run-1", name, sizeof name), SEG_ERR_FOREIGN);
    cr_assert_eq(seg_leftover_path("run-1", name, sizeof name), SEG_ERR_FOREIGN);
}

Test(leftover, setting_aside_moves_and_leaves_no_folder)
{
    struct place place = make_live(), second = make_live();
    struct stat st;

    cr_assert_eq(seg_set_aside(place.path), SEG_OK);
    expect_aside(place.path);
    cr_assert_eq(stat(left_over, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0700);
    cr_assert(exists(second.path));
    cr_assert_eq(seg_set_aside(second.path), SEG_OK);
    cr_assert_not(exists(live), "which each start would look at");
    cr_assert_eq(entries_of(left_over), 2);
    cr_assert_eq(seg_set_aside(second.path), SEG_ERR_SYSTEM, "it is not there any more");
    cr_assert_eq(errno, ENOENT);
    drop_segment(&place);
    drop_segment(&second);
}

Test(leftover, one_elsewhere_stays)
{
    struct place place = make_segment(1 * MIB);

    cr_assert_eq(seg_set_aside(place.path), SEG_ERR_FOREIGN);
    cr_assert(exists(place.path));
    drop_segment(&place);
}

Test(leftover, the_folder_goes_with_the_last)
{
    struct dead *one = make_dead(), *two = make_dead();
    char aside[256];

    seg_sweep();
    cr_assert_eq(entries_of(left_over), 2);
    cr_assert_eq(seg_leftover_path(one->path, aside, sizeof aside), SEG_OK);
    cr_assert_eq(seg_remove(aside), SEG_OK);
    cr_assert(exists(left_over));
    cr_assert_eq(seg_leftover_path(two->path, aside, sizeof aside), SEG_OK);
    cr_assert_eq(seg_remove(aside), SEG_OK);
    cr_assert_not(exists(left_over));
}

Test(leftover, a_folder_that_is_not_private_takes_nothing)
{
    struct place place = make_live();

    cr_assert_eq(mkdir(left_over, 0755), 0);
    chmod(left_over, 0755);
    cr_assert_eq(seg_set_aside(place.path), SEG_ERR_SYSTEM);
    cr_assert(exists(place.path));
    drop_segment(&place);
}

static void *remove_the_folder(void *stop)
{
    while (!atomic_load((atomic_bool *)stop)) {
        rmdir(left_over);
        usleep(10);
    }
    return NULL;
}

/* As runs do that salvage the last segment in it. */
Test(leftover, the_folder_may_go_before_the_segment_comes)
{
    atomic_bool stop = false;
    pthread_t other;

    cr_assert_eq(pthread_create(&other, NULL, remove_the_folder, &stop), 0);
    for (int i = 0; i < 2000; i++) {
        struct place place = make_live();
        char aside[256];

        cr_assert_eq(seg_set_aside(place.path), SEG_OK);
        cr_assert_eq(seg_leftover_path(place.path, aside, sizeof aside), SEG_OK);
        cr_assert_eq(seg_remove(aside), SEG_OK);
        drop_segment(&place);
    }
    atomic_store(&stop, true);
    pthread_join(other, NULL);
}

/* -- the sweep -- */

Test(leftover, the_dead_are_swept_and_the_living_not)
{
    struct dead *dead = make_dead();
    struct place place = make_live(); /* this process owns it */

    seg_sweep();
    expect_aside(dead->path);
    cr_assert(exists(place.path));
    seg_sweep();
    expect_aside(dead->path);
    drop_segment(&place);
}

static void make_and_leave_a_child(void *arg)
{
    struct dead *dead = arg;
    struct place place = make_live();

    strcpy(dead->path, place.path);
    if (fork() == 0) {
        while (exists(root)) /* until the test has ended */
            sleep_ms(10);
        _exit(0);
    }
    _exit(0);
}

Test(leftover, one_with_users_is_not_swept)
{
    struct dead *dead = shared_memory(sizeof *dead);

    run_child_well(make_and_leave_a_child, dead);
    seg_sweep();
    cr_assert(exists(dead->path));
}

Test(leftover, one_with_a_keeper_is_not_swept)
{
    struct dead *dead = make_dead();
    int fd = open(dead->path, O_RDWR | O_CLOEXEC);

    seg_keeper_is_here(fd);
    seg_sweep();
    cr_assert(exists(dead->path));
    close(fd); /* as when it ends, or is killed */
    seg_sweep();
    expect_aside(dead->path);
}

Test(leftover, one_that_is_being_delivered_is_not_swept)
{
    struct dead *dead = make_dead();
    int fd = open(dead->path, O_RDONLY | O_CLOEXEC);

    cr_assert_eq(flock(fd, LOCK_EX), 0);
    seg_sweep();
    cr_assert(exists(dead->path));
    close(fd);
    seg_sweep();
    expect_aside(dead->path);
}

Test(leftover, what_is_no_segment_stays)
{
    struct dead *dead = make_dead();
    char name[256], other[256];
    int fd;

    snprintf(name, sizeof name, "%s/run-broken", live);
    fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(ftruncate(fd, (off_t)(2 * MIB)), 0);
    close(fd);
    snprintf(other, sizeof other, "%s/run-fifo", live);
    cr_assert_eq(mkfifo(other, 0600), 0);
    seg_sweep();
    cr_assert(exists(name));
    cr_assert(exists(other));
    expect_aside(dead->path);
}

/* Somebody else's folder may lead anywhere. */
static void make_of_another_version(const char *path)
{
    uint32_t version = SEG_VERSION + 1;
    int fd = open(path, O_RDWR | O_CLOEXEC);

    cr_assert_eq(pwrite(fd, &version, sizeof version, offsetof(struct seg_header, version)),
                 (ssize_t)sizeof version);
    close(fd);
}

static void make_older(const char *path, time_t seconds)
{
    struct timespec then = {time(NULL) - seconds, 0}, times[2] = {then, then};

    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

Test(leftover, one_of_another_version_is_swept_when_it_is_old_and_nobody_maps_it)
{
    struct dead *dead = make_dead();
    seg_t *seg = attach(dead->path);

    make_of_another_version(dead->path);
    seg_sweep();
    cr_assert(exists(dead->path), "it is young");
    make_older(dead->path, 4000);
    seg_sweep();
    cr_assert(exists(dead->path), "this process has it mapped");
    seg_discard(seg);
    make_older(dead->path, 3000);
    seg_sweep();
    cr_assert(exists(dead->path), "not old enough");
    make_older(dead->path, 4000);
    seg_sweep();
    expect_aside(dead->path);
}

Test(leftover, a_folder_of_another_user_is_not_swept)
{
    struct dead *dead = make_dead();
    char real[128];

    snprintf(real, sizeof real, "%s/real", root);
    cr_assert_eq(rename(live, real), 0);
    cr_assert_eq(symlink(real, live), 0);
    seg_sweep();
    cr_assert(exists(dead->path), "a link");
    unlink(live);
    cr_assert_eq(rename(real, live), 0);
    if (geteuid() == 0) {
        cr_assert_eq(chown(live, 12345, 0), 0);
        seg_sweep();
        cr_assert(exists(dead->path), "another owner");
        cr_assert_eq(chown(live, 0, 0), 0);
    }
    seg_sweep();
    expect_aside(dead->path);
}

/* -- killed on the way -- */

static void sweep_and_die(void *arg)
{
    setenv("SEG_KILL_AT", arg, 1);
    seg_sweep();
}

Test(leftover, a_sweep_that_is_killed_is_taken_up)
{
    static const char *const points[] = {"aside.made", "aside.renamed"};

    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct dead *dead = make_dead();
        int status = run_child(sweep_and_die, (void *)points[i]);

        cr_assert(WIFSIGNALED(status), "%s was not passed", points[i]);
        cr_assert_eq(entries_of(live) + entries_of(left_over), i + 1, "it is in one of them");
        seg_sweep();
        expect_aside(dead->path);
    }
}
