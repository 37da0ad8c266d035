/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: it has everything delivered that its owner did not deliver, however that ended; and
 * the program that started it does not notice it.
 */
#include <poll.h>
#include <sys/syscall.h>

#include "ending.h"
#include "keep.h"
#include "refused.h"

/* What an owner, which is a child of the test, reports to it. */
struct run {
    char path[256], mark[128], aside[256];
    struct seg_keeper keeper;
    /* for the owner: */
    const char *program, *when, *how, *kill_at;
    void (*then)(struct run *);
    struct place place;
    int fork_hold[2];
    int pidfd; /* of the keeper, in the test */
};

static struct run *run;

static void make_run(void)
{
    make_root();
    run = shared_memory(sizeof *run);
    snprintf(run->mark, sizeof run->mark, "%s/mark", root);
    run->program = KEEPER;
    run->when = "always";
    run->how = "deliver";
    run->kill_at = "";
}

TestSuite(keep, .init = make_run, .fini = drop_root);

/* -- an owner -- */

static int start_keeper(void)
{
    char root_variable[128], kill_variable[128];
    char *argv[] = {(char *)run->program, run->path, (char *)"0",      root,      (char *)run->when,
                    (char *)DELIVERER,    run->mark, (char *)run->how, run->path, NULL};
    char *envp[] = {root_variable, kill_variable, NULL};

    snprintf(root_variable, sizeof root_variable, "SEG_TEST_ROOT=%s", root);
    snprintf(kill_variable, sizeof kill_variable, "SEG_KILL_AT=%s", run->kill_at);
    return seg_keeper_start(run->program, run->path, argv, envp, &run->keeper);
}

/* Has the keeper come to the place where it waits? */
static bool keeper_waits(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(run->path, O_RDWR | O_CLOEXEC);
    bool waits = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;

    if (fd >= 0)
        close(fd);
    return waits;
}

static void own(void *unused)
{
    (void)unused;
    run->place = make_live();
    hit(run->place.seg, 1);
    strcpy(run->path, run->place.path);
    CHILD_CHECK(seg_leftover_path(run->path, run->aside, sizeof run->aside) == SEG_OK);
    CHILD_CHECK(start_keeper() == 0);
    CHILD_CHECK(run->keeper.start != 0);
    while (!keeper_waits())
        sleep_ms(1);
    run->then(run);
}

/* -- the test -- */

/* Runs an owner to its end; its wait status. */
static int own_until(void (*then)(struct run *))
{
    run->then = then;
    return run_child(own, NULL);
}

static bool keeper_lives(void)
{
    return seg_life(run->keeper.pid, run->keeper.start, seg_platform_namespace()) == SEG_LIFE_ALIVE;
}

static void wait_for_keeper(void)
{
    for (int i = 0; keeper_lives() && i < 30000 / 5; i++)
        sleep_ms(5);
    cr_assert_not(keeper_lives(), "the keeper goes on and on");
}

/* What was delivered: the hits of each time, as digits. */
static const char *marks(void)
{
    static char text[32];
    char line[256], expected[256];
    FILE *file = fopen(run->mark, "re");
    size_t n = 0;

    while (file != NULL && n < sizeof text - 1 && fgets(line, sizeof line, file) != NULL) {
        snprintf(expected, sizeof expected, "%c %s\n", line[0], root);
        cr_assert_str_eq(line, expected, "and runs in the folder of the owner");
        text[n++] = line[0];
    }
    if (file != NULL)
        fclose(file);
    text[n] = '\0';
    return text;
}

/* -- how an owner ends -- */

static void end_by_exit(struct run *r)
{
    (void)r;
    fflush(NULL);
    _exit(3);
}

static void end_by_kill(struct run *r)
{
    (void)r;
    kill(getpid(), SIGKILL);
}

static void *end_thread(void *unused)
{
    (void)unused;
    sleep_ms(50);
    kill(getpid(), SIGTERM);
    return NULL;
}

static void end_by_signal_in_threads(struct run *r)
{
    pthread_t thread;

    (void)r;
    signal(SIGTERM, SIG_DFL);
    pthread_create(&thread, NULL, end_thread, NULL);
    pthread_join(thread, NULL);
    pause();
}

Test(keep, however_the_owner_ends_its_data_is_delivered)
{
    void (*const ends[])(struct run *) = {end_by_exit, end_by_kill, end_by_signal_in_threads};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        own_until(ends[i]);
        wait_for_keeper();
        cr_assert_str_eq(marks(), "1", "way %zu", i);
        cr_assert_not(exists(run->path), "and nothing is left of the segment");
        cr_assert_not(exists(live));
        unlink(run->mark);
    }
}

/* The program that is built without kill points. */
Test(keep, the_one_that_is_installed_delivers_too)
{
    run->program = REAL_KEEPER;
    own_until(end_by_kill);
    wait_for_keeper();
    cr_assert_str_eq(marks(), "1");
    cr_assert_not(exists(run->path));
}

static void become_another(struct run *r)
{
    char script[512];

    /* A mark by now would be the keeper's. */
    snprintf(script, sizeof script, "sleep 0.3; test ! -e %s", r->mark);
    execl("/bin/sh", "sh", "-c", script, (char *)NULL);
    _exit(127);
}

Test(keep, an_exec_is_no_end)
{
    cr_assert_eq(own_until(become_another), 0);
    wait_for_keeper();
    cr_assert_str_eq(marks(), "1");
}

static void notify_and_ask(struct run *r)
{
    seg_t *seg = r->place.seg;

    seg_refused_notify(r->path);
    seg_refused_ask(r->path, 30000);
    CHILD_CHECK(lost(seg, SEG_LOST_USER) == 1);
    _exit(0);
}

Test(keep, it_counts_who_was_refused_and_still_sees_its_owner_end)
{
    cr_assert_eq(own_until(notify_and_ask), 0);
    wait_for_keeper();
    cr_assert_str_eq(marks(), "1");
}

/* Reported before the keeper has begun, and counted when the owner looks. */
static void notify_a_starting_keeper(void *unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++) {
        run->place = make_live();
        strcpy(run->path, run->place.path);
        CHILD_CHECK(start_keeper() == 0);
        seg_refused_notify(run->path);
        seg_refused_ask(run->path, 30000);
        CHILD_CHECK(lost(run->place.seg, SEG_LOST_USER) == 1);
        seg_keeper_end(&run->keeper);
        seg_remove(run->path);
    }
}

Test(keep, it_hears_from_the_moment_it_was_started)
{
    run_child_well(notify_a_starting_keeper, NULL);
}

static void notify_when_the_owner_has_gone(struct run *r)
{
    struct held child = hold_child(NULL, NULL); /* a user of the segment, so the keeper waits */

    (void)child;
    seg_refused_notify(r->path);
    _exit(0);
}

Test(keep, what_was_reported_before_the_owner_ended_is_counted)
{
    run->how = "fail";
    own_until(notify_when_the_owner_has_gone);
    wait_for_keeper();
    cr_assert(exists(run->aside));
    cr_assert_eq(lost(attach(run->aside), SEG_LOST_USER), 1);
}

static void remove_it(struct run *r)
{
    seg_remove(r->path);
    _exit(0);
}

Test(keep, a_segment_that_is_gone_is_the_owners_business)
{
    own_until(remove_it);
    wait_for_keeper();
    cr_assert_str_eq(marks(), "");
}

static void deliver_and_end(struct run *r)
{
    CHILD_CHECK(seg_delivery_write(r->place.fd, 1, 1) == SEG_OK);
    _exit(0);
}

Test(keep, what_the_owner_delivered_is_not_delivered_again)
{
    own_until(deliver_and_end);
    wait_for_keeper();
    cr_assert_str_eq(marks(), "");
    cr_assert_not(exists(run->path), "but somebody has to remove it");
}

static void stop_the_keeper_and_end(struct run *r)
{
    char path[32], state = '?';

    snprintf(path, sizeof path, "/proc/%u/stat", (unsigned)r->keeper.pid);
    kill((pid_t)r->keeper.pid, SIGSTOP);
    while (state != 'T') {
        FILE *file = fopen(path, "re");

        CHILD_CHECK(file != NULL && fscanf(file, "%*d (%*[^)]) %c", &state) == 1);
        fclose(file);
    }
    deliver_and_end(r);
}

static uint64_t ms_until_the_keeper_ends(void)
{
    struct timespec from, to;

    clock_gettime(CLOCK_MONOTONIC, &from);
    kill((pid_t)run->keeper.pid, SIGCONT);
    while (keeper_lives())
        sleep_ms(1);
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (uint64_t)((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000);
}

/* Such a pidfd reports POLLHUP, too. Where poll() reports nothing, the keeper sleeps for 200 ms. */
Test(keep, it_does_not_sleep_on_an_owner_that_was_reaped)
{
    uint64_t least = UINT64_MAX, ms;

    for (int i = 0; i < 10; i++) {
        own_until(stop_the_keeper_and_end);
        ms = ms_until_the_keeper_ends();
        least = ms < least ? ms : least;
    }
    cr_assert_lt(least, 200);
}

static void set_it_aside(struct run *r)
{
    CHILD_CHECK(seg_delivery_write(r->place.fd, 1, 1) == SEG_OK);
    CHILD_CHECK(seg_set_aside(r->path) == SEG_OK);
    _exit(0);
}

Test(keep, one_that_was_set_aside_is_removed_there)
{
    own_until(set_it_aside);
    wait_for_keeper();
    cr_assert_not(exists(run->aside));
}

static void end_the_keeper(struct run *r)
{
    struct seg_keeper other = r->keeper;

    other.start++;
    seg_keeper_end(&other);
    sleep_ms(20);
    CHILD_CHECK(keeper_lives());
    seg_keeper_end(&r->keeper);
    for (int i = 0; keeper_lives() && i < 5000; i++)
        sleep_ms(1);
    CHILD_CHECK(!keeper_lives());
    seg_keeper_end(&r->keeper);
    _exit(0);
}

Test(keep, the_owner_can_end_it)
{
    cr_assert_eq(own_until(end_the_keeper), 0);
    cr_assert(exists(run->path));
    cr_assert_str_eq(marks(), "");
}

/* -- others -- */

/* A child that outlives the owner, until the test lets it go, and hits once more at its end. */
static void leave_a_child(struct run *r)
{
    char byte;

    if (fork() == 0) {
        alarm(60);
        close(r->fork_hold[1]);
        if (read(r->fork_hold[0], &byte, 1) == 1)
            hit(r->place.seg, 2);
        _exit(0);
    }
    end_by_kill(r);
}

static void own_and_leave_a_child(void)
{
    cr_assert_eq(pipe(run->fork_hold), 0);
    own_until(leave_a_child);
}

static void wait_for_marks(const char *expected)
{
    for (int i = 0; strcmp(marks(), expected) != 0 && i < 30000 / 5; i++)
        sleep_ms(5);
    cr_assert_str_eq(marks(), expected);
}

Test(keep, one_that_outlives_the_owner_is_delivered_once_more)
{
    own_and_leave_a_child();
    wait_for_marks("1");
    sleep_ms(50);
    cr_assert(keeper_lives());
    cr_assert(exists(run->path), "what it starts finds the run");
    cr_assert_eq(write(run->fork_hold[1], "", 1), 1);
    wait_for_keeper();
    cr_assert_str_eq(marks(), "12");
    cr_assert_not(exists(run->path));
}

Test(keep, nothing_new_is_not_delivered_again)
{
    own_and_leave_a_child();
    wait_for_marks("1");
    close(run->fork_hold[1]);
    wait_for_keeper();
    cr_assert_str_eq(marks(), "1");
    cr_assert_not(exists(run->path));
}

Test(keep, what_fails_stays_where_its_users_are_until_they_have_ended)
{
    run->how = "fail";
    own_and_leave_a_child();
    wait_for_marks("1");
    sleep_ms(2 * SEG_YOUNG_MS); /* it sleeps, and does not try again and again */
    cr_assert_str_eq(marks(), "1");
    cr_assert(keeper_lives());
    cr_assert(exists(run->path));
    cr_assert_eq(write(run->fork_hold[1], "", 1), 1);
    wait_for_keeper();
    cr_assert_str_eq(marks(), "12");
    cr_assert(exists(run->aside));
    cr_assert_not(exists(live));
}

/* -- deliveries that fail -- */

Test(keep, what_cannot_be_delivered_is_set_aside)
{
    run->how = "fail";
    own_until(end_by_exit);
    wait_for_keeper();
    cr_assert_str_eq(marks(), "1");
    cr_assert(exists(run->aside));
    cr_assert_not(exists(live));
}

Test(keep, a_command_that_only_claims_to_deliver_is_not_asked_for_ever)
{
    run->how = "forget";
    own_until(end_by_exit);
    wait_for_keeper();
    cr_assert_str_eq(marks(), "1111");
    cr_assert(exists(run->aside));
}

Test(keep, a_command_that_removes_the_segment_has_done_all)
{
    run->how = "remove";
    own_until(end_by_exit);
    wait_for_keeper();
    cr_assert_str_eq(marks(), "1");
    cr_assert_not(exists(run->aside));
}

static void deliver_hit_and_end(struct run *r)
{
    CHILD_CHECK(seg_delivery_write(r->place.fd, 1, 1) == SEG_OK);
    hit(r->place.seg, 2);
    _exit(0);
}

Test(keep, again_is_only_where_the_owner_has_delivered_before)
{
    run->when = "again";
    own_until(end_by_exit);
    wait_for_keeper();
    cr_assert_str_eq(marks(), "");
    cr_assert(exists(run->aside), "nobody wants it, and nobody said so");
    own_until(deliver_hit_and_end);
    wait_for_keeper();
    cr_assert_str_eq(marks(), "2");
    cr_assert_not(exists(run->path));
}

/* -- killed on the way -- */

Test(keep, a_deliverer_that_is_killed_leaves_all_to_be_delivered)
{
    struct seg_delivery delivery;
    int fd;

    run->kill_at = "delivery.named";
    own_until(end_by_exit);
    wait_for_keeper();
    fd = open(run->aside, O_RDWR | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_not(seg_delivery_complete(fd));
    cr_assert_eq(seg_delivery_read(fd, &delivery), SEG_OK);
    cr_assert_not(delivery.done);
    cr_assert_eq(delivery.to, seg_delivery_target(run->mark));
    close(fd);
}

Test(keep, a_keeper_that_is_killed_leaves_the_segment_aside)
{
    int fd;

    run->kill_at = "keeper.delivered";
    own_until(end_by_exit);
    wait_for_keeper();
    cr_assert_str_eq(marks(), "1");
    cr_assert_not(exists(run->path), "it was set aside before");
    fd = open(run->aside, O_RDWR | O_CLOEXEC);
    cr_assert(seg_delivery_complete(fd), "and says what is in the data file");
    close(fd);
}

static void kill_the_keeper(struct run *r)
{
    kill((pid_t)r->keeper.pid, SIGKILL);
    end_by_kill(r);
}

Test(keep, without_its_keeper_it_is_left_over)
{
    own_until(kill_the_keeper);
    wait_for_keeper();
    cr_assert_str_eq(marks(), "");
    seg_sweep();
    cr_assert(exists(run->aside));
}

/* -- what the program notices -- */

static volatile sig_atomic_t signals_seen;

static void count_signal(int signo)
{
    (void)signo;
    signals_seen++;
}

static void notice_nothing(struct run *r)
{
    CHILD_CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    CHILD_CHECK(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
    seg_keeper_end(&r->keeper);
    while (keeper_lives())
        sleep_ms(1);
    CHILD_CHECK(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
    CHILD_CHECK(signals_seen == 0);
    _exit(0);
}

static void own_and_listen(void *unused)
{
    struct sigaction action = {.sa_handler = count_signal};
    sigset_t before, after;

    for (int signo = 1; signo < 32; signo++) {
        if (signo != SIGALRM && signo != SIGSEGV && signo != SIGBUS)
            sigaction(signo, &action, NULL);
    }
    sigprocmask(SIG_SETMASK, NULL, &before);
    run->place = make_live();
    strcpy(run->path, run->place.path);
    errno = 12345;
    CHILD_CHECK(start_keeper() == 0);
    CHILD_CHECK(errno == 12345);
    sigprocmask(SIG_SETMASK, NULL, &after);
    for (int signo = 1; signo < 65; signo++)
        CHILD_CHECK(sigismember(&before, signo) == sigismember(&after, signo));
    run->then = notice_nothing;
    notice_nothing(run);
    (void)unused;
}

Test(keep, wait_does_not_see_it_and_no_signal_is_sent)
{
    run_child_well(own_and_listen, NULL);
}

/* "Name:\tvalue" of /proc/PID/status, as a number of that base. */
static unsigned long long status_of(uint32_t pid, const char *name, int base)
{
    unsigned long long value = ~0ull;
    char path[64], line[256];
    FILE *file;

    snprintf(path, sizeof path, "/proc/%u/status", (unsigned)pid);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtoull(line + strlen(name) + 1, NULL, base);
    }
    if (file != NULL)
        fclose(file);
    return value;
}

/* What a descriptor, or the folder, of the keeper is. */
static const char *link_of(const char *name)
{
    static char target[256];
    char path[64];
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%u/%s", (unsigned)run->keeper.pid, name);
    n = readlink(path, target, sizeof target - 1);
    target[n > 0 ? n : 0] = '\0';
    return target;
}

static void look_at_keeper(struct run *r)
{
    uint32_t pid = r->keeper.pid;
    char path[64];

    CHILD_CHECK(strcmp(link_of("fd/0"), "/dev/null") == 0);
    CHILD_CHECK(strcmp(link_of("fd/1"), "/dev/null") == 0);
    CHILD_CHECK(strcmp(link_of("fd/2"), "/dev/null") == 0);
    CHILD_CHECK(strcmp(link_of("fd/3"), "anon_inode:[pidfd]") == 0);
    CHILD_CHECK(strncmp(link_of("fd/4"), "socket:", 7) == 0);
    CHILD_CHECK(strcmp(link_of("fd/5"), r->path) == 0);
    snprintf(path, sizeof path, "/proc/%u/fd", (unsigned)pid);
    CHILD_CHECK(entries_of(path) == 6);
    CHILD_CHECK(strcmp(link_of("cwd"), "/") == 0);
    CHILD_CHECK(getsid((pid_t)pid) == (pid_t)pid);
    CHILD_CHECK(getpgid((pid_t)pid) == (pid_t)pid);
    CHILD_CHECK(status_of(pid, "PPid:", 10) != (unsigned)getpid());
    CHILD_CHECK(status_of(pid, "SigBlk:", 16) == 0);
#ifndef SANITIZED
    CHILD_CHECK(status_of(pid, "SigIgn:", 16) == 0);
    CHILD_CHECK(status_of(pid, "SigCgt:", 16) == 0);
#endif
    seg_keeper_end(&r->keeper);
    _exit(0);
}

static void block_and_ignore(void)
{
    sigset_t some;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    sigemptyset(&some);
    sigaddset(&some, SIGTERM);
    sigaddset(&some, SIGUSR1);
    sigprocmask(SIG_BLOCK, &some, NULL);
}

static void own_with_a_lot_open(void *unused)
{
    block_and_ignore();
    for (int fd = 3; fd < 60; fd++)
        dup2(2, fd);
    own(unused);
}

static void own_without_streams(void *unused)
{
    for (int fd = 0; fd < 10; fd++)
        close(fd);
    own(unused);
}

static void own_with_three_free(void *unused)
{
    close(3); /* the pidfd may be it */
    own(unused);
}

Test(keep, it_holds_nothing_of_its_owner)
{
    run->then = look_at_keeper;
    run_child_well(own_with_a_lot_open, NULL);
    run_child_well(own_without_streams, NULL);
    run_child_well(own_with_three_free, NULL);
}

/* -- callers -- */

static void start_some(void *arg, int number)
{
    (void)number;
    for (int i = 0; i < 5; i++) {
        char *argv[] = {(char *)REAL_KEEPER, arg, (char *)"0", root, (char *)"always",
                        (char *)DELIVERER,   NULL};
        char *envp[] = {NULL};
        struct seg_keeper keeper;
        volatile char *memory = malloc(10000);

        memory[9999] = 1;
        CHILD_CHECK(seg_keeper_start(REAL_KEEPER, arg, argv, envp, &keeper) == 0);
        CHILD_CHECK(keeper.start != 0);
        seg_keeper_end(&keeper);
        free((void *)memory);
    }
}

static void start_in_threads(void *unused)
{
    (void)unused;
    run->place = make_live();
    run_threads(6, start_some, run->place.path);
    CHILD_CHECK(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
    drop_segment(&run->place);
}

Test(keep, threads_may_start_them_at_once)
{
    run_child_well(start_in_threads, NULL);
}

static void *ask_for_the_end(void *thread)
{
    pthread_cancel(*(pthread_t *)thread);
    return NULL;
}

/* With a request to end pending: the first cancellation point takes it, which must be here. */
static void *start_while_cancelled(void *unused)
{
    pthread_t self = pthread_self(), other;

    pthread_create(&other, NULL, ask_for_the_end, &self);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_join(other, NULL);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    start_keeper();
    return unused;
}

static void start_and_cancel(void *unused)
{
    pthread_t thread;
    void *result;

    (void)unused;
    run->place = make_live();
    strcpy(run->path, run->place.path);
    pthread_create(&thread, NULL, start_while_cancelled, NULL);
    CHILD_CHECK(pthread_join(thread, &result) == 0);
    CHILD_CHECK(result == PTHREAD_CANCELED);
}

Test(keep, a_thread_that_is_to_end_may_start_one)
{
    run_child_well(start_and_cancel, NULL);
}

Test(keep, a_program_that_is_not_there_is_an_error)
{
    int before;

    run->program = "/no/such/keeper";
    run->place = make_live();
    before = dup(0);
    close(before);
    cr_assert_eq(start_keeper(), ENOENT);
    cr_assert_eq(run->keeper.start, 0);
    seg_keeper_end(&run->keeper);
    cr_assert_eq(dup(0), before, "no descriptor is left");
    cr_assert_eq(waitpid(-1, NULL, WNOHANG | __WALL), -1);
    drop_segment(&run->place);
}

static void reap_orphans(void *unused)
{
    (void)unused;
    CHILD_CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    CHILD_CHECK(start_keeper() == ENOTSUP);
}

Test(keep, who_would_reap_it_has_none)
{
    run_child_well(reap_orphans, NULL);
}

static void nothing(void *unused)
{
    (void)unused;
}

/* The first child in the new namespace is its PID 1; with that, everything there ends. */
static void start_elsewhere(void *unused)
{
    (void)unused;
    if (unshare(CLONE_NEWPID) != 0)
        _exit(0); /* only root can */
    CHILD_CHECK(start_keeper() == ENOTSUP);
    run_child_well(nothing, NULL); /* it can still start some */
}

Test(keep, a_new_pid_namespace_is_left_alone)
{
    run_child_well(start_elsewhere, NULL);
}

/* -- what it costs -- */

static uint64_t now_ns(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void measure(void *unused)
{
    uint64_t own_time = 0, keepers_time = 0;
    enum { TIMES = 20 };

    (void)unused;
    run->program = REAL_KEEPER;
    run->place = make_live();
    strcpy(run->path, run->place.path);
    for (int i = 0; i < TIMES; i++) {
        uint64_t before = now_ns(CLOCK_PROCESS_CPUTIME_ID);
        unsigned long long ns = 0;
        char path[64];
        FILE *file;

        CHILD_CHECK(start_keeper() == 0);
        own_time += now_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
        while (!keeper_waits())
            sleep_ms(1);
        sleep_ms(1);
        snprintf(path, sizeof path, "/proc/%u/schedstat", (unsigned)run->keeper.pid);
        file = fopen(path, "re");
        if (file != NULL && fscanf(file, "%llu", &ns) == 1)
            keepers_time += ns;
        if (file != NULL)
            fclose(file);
        seg_keeper_end(&run->keeper);
        while (keeper_lives())
            sleep_ms(1);
    }
    fprintf(stderr, "a keeper: %.2f ms of CPU of its owner, %.2f ms of its own\n",
            (double)own_time / TIMES / 1e6, (double)keepers_time / TIMES / 1e6);
}

Test(keep, what_it_costs_is_printed)
{
    run_child_well(measure, NULL);
}
