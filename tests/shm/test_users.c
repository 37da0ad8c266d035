/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may still write into a segment.
 */
#include <sys/syscall.h>

#include "ending.h"

TestSuite(users, .init = make_root, .fini = drop_root);

static struct seg_users users_of(const struct place *place)
{
    return (struct seg_users){.fd = place->fd, .path = place->path};
}

/* One look: how many there are, and whether `pid` is among them. */
static size_t look(struct seg_users *users, pid_t pid)
{
    size_t found = 0;
    int status = seg_users_look(users);

    cr_assert_eq(status, SEG_OK, "seg_users_look: %s", seg_strstatus(status));
    for (size_t i = 0; i < users->n; i++)
        found += users->user[i].pid == (uint32_t)pid;
    cr_assert_eq(found, pid != 0, "%d among %zu", (int)pid, users->n);
    return users->n;
}

static void enter_own(void *seg)
{
    struct seg_process *row;

    CHILD_CHECK(seg_process_enter(seg, 0, false, &row) == SEG_OK);
}

static void enter_and_unmap(void *seg)
{
    enter_own(seg);
    seg_discard(seg);
}

Test(users, one_with_a_row_and_the_mapping_is_one)
{
    struct place place = make_live();
    struct seg_users users = users_of(&place);
    struct seg_process *own;
    struct held held, gone;

    cr_assert_eq(seg_process_enter(place.seg, 0, false, &own), SEG_OK);
    cr_assert_eq(look(&users, 0), 0, "who asks is none");
    held = hold_child(enter_own, place.seg);
    gone = hold_child(enter_and_unmap, place.seg);
    cr_assert_eq(look(&users, held.pid), 1, "the other has nothing to write into");
    users.mapped = seg_address(place.seg);
    cr_assert_eq(look(&users, held.pid), 1, "found by an address too");
    let_go(&held);
    cr_assert_eq(look(&users, 0), 0);
    let_go(&gone);
    seg_users_free(&users);
    drop_segment(&place);
}

Test(users, an_old_pid_or_another_namespace_is_none)
{
    struct place place = make_live();
    struct seg_users users = users_of(&place);
    struct held held = hold_child(enter_and_unmap, attach(place.path));
    struct seg_process *row =
        (struct seg_process *)((uint8_t *)seg_head(place.seg) +
                               seg_load_acquire(&seg_head(place.seg)->processes));

    cr_assert_eq(row->pid, (uint32_t)held.pid);
    cr_assert_eq(look(&users, held.pid), 1, "it has a copy of the mapping of this process");
    sleep_ms(SEG_YOUNG_MS + 50); /* only by its row */
    users.user[0].start = 0;
    row->start--;
    cr_assert_eq(look(&users, held.pid), 1, "whatever the row says, it has the mapping");
    cr_assert_neq(users.user[0].start, row->start, "but the row is not believed");
    let_go(&held);
    seg_users_free(&users);
    drop_segment(&place);
}

/* The child of a fork before it has a row, and one that never gets one. */
Test(users, a_fork_without_a_row_is_one_at_any_age)
{
    struct place place = make_live();
    struct seg_users users = users_of(&place);
    struct held held = hold_child(NULL, NULL);

    cr_assert_eq(look(&users, held.pid), 1, "young");
    sleep_ms(SEG_YOUNG_MS + 50);
    cr_assert_eq(look(&users, held.pid), 1, "old");
    kill(held.pid, SIGSTOP);
    cr_assert_eq(look(&users, held.pid), 1, "stopped");
    kill(held.pid, SIGCONT);
    let_go(&held);
    cr_assert_eq(look(&users, 0), 0);
    seg_users_free(&users);
    drop_segment(&place);
}

static void become_sleep(char *variable)
{
    char *argv[] = {(char *)"sleep", (char *)"30", NULL}, *envp[] = {variable, NULL};

    enter_child();
    execve("/bin/sleep", argv, envp);
    execve("/usr/bin/sleep", argv, envp);
    _exit(127);
}

static pid_t start_sleep(const char *segment)
{
    char variable[256], name[32] = "";
    pid_t pid;

    snprintf(variable, sizeof variable, "SHMCOV_SEGMENT=%s", segment);
    pid = fork();
    if (pid == 0)
        become_sleep(variable);
    while (strstr(name, "sleep") == NULL) {
        char path[64];
        FILE *comm;

        snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
        comm = fopen(path, "re");
        cr_assert_not_null(comm);
        cr_assert_not_null(fgets(name, sizeof name, comm));
        fclose(comm);
    }
    return pid;
}

Test(users, a_young_one_is_believed_by_its_variable)
{
    struct place place = make_live();
    struct seg_users users = users_of(&place);
    pid_t pid = start_sleep("/another/segment"), other = pid;

    cr_assert_eq(look(&users, 0), 0, "of another segment");
    pid = start_sleep(place.path);
    cr_assert_eq(look(&users, pid), 1, "it may not have come to its start-up files");
    sleep_ms(SEG_YOUNG_MS + 50);
    cr_assert_eq(look(&users, 0), 0, "by now it has, if it is a Python at all");
    kill(pid, SIGKILL);
    kill(other, SIGKILL);
    waitpid(pid, NULL, 0);
    waitpid(other, NULL, 0);
    seg_users_free(&users);
    drop_segment(&place);
}

/* A name that another file has by now, one with a line break, and none at all. */
Test(users, the_name_of_the_file_does_not_count)
{
    struct place place = make_live();
    struct seg_users users = users_of(&place);
    struct held held = hold_child(enter_own, place.seg);
    char odd[256];

    snprintf(odd, sizeof odd, "%s/a\n b (deleted)", live);
    cr_assert_eq(rename(place.path, odd), 0);
    cr_assert_eq(look(&users, held.pid), 1);
    unlink(odd);
    cr_assert_eq(look(&users, held.pid), 1);
    let_go(&held);
    seg_users_free(&users);
    drop_segment(&place);
}

Test(users, a_zombie_is_none)
{
    struct place place = make_live();
    struct seg_users users = users_of(&place);
    struct held held = hold_child(enter_own, place.seg);
    siginfo_t info;

    close(held.hold);
    cr_assert_eq(waitid(P_PID, (id_t)held.pid, &info, WEXITED | WNOWAIT), 0);
    cr_assert_eq(look(&users, 0), 0);
    waitpid(held.pid, NULL, 0);
    seg_users_free(&users);
    drop_segment(&place);
}

/* -- processes that end with this one -- */

/* As multiprocessing's resource tracker does, on a pipe to its owner. */
static void wait_for_read(pid_t pid)
{
    for (;;) {
        char path[64], text[32] = "";
        int fd;

        snprintf(path, sizeof path, "/proc/%d/syscall", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        cr_assert_geq(fd, 0);
        cr_assert_geq(read(fd, text, sizeof text - 1), 0);
        close(fd);
        if (strtol(text, NULL, 10) == SYS_read && text[0] != 'r')
            return;
        sleep_ms(1);
    }
}

Test(users, helpers_of_the_one_who_asks_can_be_left_out)
{
    struct place place = make_live();
    struct seg_users users = users_of(&place);
    struct held held = hold_child(enter_own, place.seg);

    wait_for_read(held.pid); /* on the pipe whose other end is here */
    cr_assert_eq(look(&users, held.pid), 1);
    users.helpers_of_me = true;
    cr_assert_eq(look(&users, 0), 0);
    close(dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), held.hold)); /* nobody's helper */
    waitpid(held.pid, NULL, 0);
    seg_users_free(&users);
    drop_segment(&place);
}

struct tracker {
    seg_t *seg;
    int pipe[2];
};

static void read_of_nobody(void *arg)
{
    struct tracker *tracker = arg;
    char byte;

    enter_own(tracker->seg);
    if (fork() == 0) {
        enter_child();
        _exit(read(tracker->pipe[0], &byte, 1) != 0);
    }
}

Test(users, who_reads_from_somebody_else_is_no_helper)
{
    struct place place = make_live();
    struct seg_users users = users_of(&place);
    struct tracker tracker = {.seg = place.seg};
    struct held held;

    users.helpers_of_me = true;
    cr_assert_eq(pipe2(tracker.pipe, O_CLOEXEC), 0);
    held = hold_child(read_of_nobody, &tracker);
    close(tracker.pipe[1]); /* only the first child has it, and the second itself */
    wait_for_read(held.pid);
    cr_assert_eq(seg_users_look(&users), SEG_OK);
    cr_assert_eq(users.n, 1, "the second");
    cr_assert_neq(users.user[0].pid, (uint32_t)held.pid);
    kill((pid_t)users.user[0].pid, SIGKILL);
    let_go(&held);
    seg_users_free(&users);
    drop_segment(&place);
}

/* -- until nobody is left -- */

static bool count_pause(void *arg, unsigned ms)
{
    ++*(int *)arg;
    sleep_ms(ms);
    return false;
}

static bool give_up(void *arg, unsigned ms)
{
    (void)ms;
    return ++*(int *)arg == 3;
}

static void end_soon(void *arg)
{
    enter_own(arg);
    if (fork() == 0) { /* its child is the one that is left */
        sleep_ms(200);
        _exit(0);
    }
    _exit(0);
}

Test(users, settling_waits_for_the_last)
{
    struct place place = make_live();
    struct seg_users users = users_of(&place);
    int pauses = 0;

    cr_assert_eq(seg_users_settle(&users, 60000, count_pause, &pauses), SEG_OK);
    cr_assert_eq(pauses, 0, "nobody is there");
    run_child_well(end_soon, place.seg);
    cr_assert_eq(seg_users_settle(&users, 60000, count_pause, &pauses), SEG_OK);
    cr_assert_eq(users.n, 0);
    cr_assert_gt(pauses, 1);
    seg_users_free(&users);
    drop_segment(&place);
}

Test(users, settling_ends_with_its_time_or_when_told_to)
{
    struct place place = make_live();
    struct seg_users users = users_of(&place);
    struct held held = hold_child(enter_own, place.seg);
    int pauses = 0;

    cr_assert_eq(seg_users_settle(&users, 0, count_pause, &pauses), SEG_OK);
    cr_assert_eq(users.n, 1);
    cr_assert_eq(pauses, 0);
    cr_assert_eq(seg_users_settle(&users, 60000, give_up, &pauses), SEG_OK);
    cr_assert_eq(pauses, 3);
    cr_assert_eq(users.n, 1);
    cr_assert_eq(seg_users_settle(&users, 50, count_pause, &pauses), SEG_OK);
    cr_assert_eq(users.n, 1);
    let_go(&held);
    seg_users_free(&users);
    drop_segment(&place);
}

/* What happens after the first look. */
static struct place *changing;
static struct held newcomer;
static int looks;

static void bring_a_newcomer(const char *name)
{
    if (strcmp(name, "users.looked") == 0 && ++looks == 1)
        newcomer = hold_child(enter_own, changing->seg);
}

static void enter_and_end(void *seg)
{
    seg_kill_hook = NULL;
    enter_own(seg);
}

static void come_and_go(const char *name)
{
    if (strcmp(name, "users.looked") == 0 && ++looks == 1)
        run_child_well(enter_and_end, changing->seg);
}

Test(users, one_look_that_finds_nobody_is_not_enough)
{
    struct place place = make_live();
    struct seg_users users = users_of(&place);

    changing = &place;
    seg_kill_hook = bring_a_newcomer;
    cr_assert_eq(seg_users_settle(&users, 0, seg_users_sleep, NULL), SEG_OK);
    seg_kill_hook = NULL;
    cr_assert_eq(users.n, 1);
    cr_assert_eq(users.user[0].pid, (uint32_t)newcomer.pid);
    let_go(&newcomer);
    seg_users_free(&users);
    drop_segment(&place);
}

/* It may have left a child that the second look has passed. */
Test(users, one_that_came_and_went_between_two_looks_has_them_begin_again)
{
    struct place place = make_live();
    struct seg_users users = users_of(&place);

    changing = &place;
    seg_kill_hook = come_and_go;
    cr_assert_eq(seg_users_settle(&users, 0, seg_users_sleep, NULL), SEG_OK);
    seg_kill_hook = NULL;
    cr_assert_eq(users.n, 0);
    cr_assert_eq(looks, 3);
    seg_users_free(&users);
    drop_segment(&place);
}

Test(users, many_are_all_found)
{
    enum { MANY = 40 };
    struct place place = make_live();
    struct seg_users users = users_of(&place);
    struct held held[MANY];

    for (int i = 0; i < MANY; i++)
        held[i] = hold_child(enter_own, place.seg);
    cr_assert_eq(look(&users, held[0].pid), MANY);
    for (int i = 0; i < MANY; i++)
        let_go(&held[i]);
    cr_assert_eq(look(&users, 0), 0);
    seg_users_free(&users);
    drop_segment(&place);
}

/* -- damage -- */

Test(users, a_damaged_table_ends_the_walk)
{
    struct place place = make_live();
    struct seg_users users = users_of(&place);
    struct held held = hold_child(enter_own, place.seg);
    uint64_t newest = seg_load_acquire(&seg_head(place.seg)->processes);
    struct seg_process *row = (struct seg_process *)((uint8_t *)seg_head(place.seg) + newest);

    row->next = newest;
    cr_assert_eq(look(&users, held.pid), 1, "a circle");
    row->next = newest + 1;
    cr_assert_eq(look(&users, held.pid), 1, "an odd place");
    row->next = UINT64_MAX - 63;
    cr_assert_eq(look(&users, held.pid), 1, "no place");
    seg_head(place.seg)->magic++;
    cr_assert_eq(seg_users_look(&users), SEG_ERR_FOREIGN);
    let_go(&held);
    seg_users_free(&users);
    drop_segment(&place);
}
