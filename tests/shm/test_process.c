/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process table, who is alive, and adopting the run of an ancestor.
 */
#include <sched.h>
#include <time.h>

#include "support.h"

Test(process, a_row_says_who_it_is)
{
    struct place place = make_segment(4 * MIB);
    struct seg_process *row, *second;
    struct seg_platform_process self;
    const struct seg_process *copied;
    uint64_t offset = 0, steps = 0;
    struct seg_copy copy;

    cr_assert_eq(seg_process_enter(place.seg, 0x030e0af0, false, &row), SEG_OK);
    cr_assert_eq(seg_process_enter(place.seg, 0x030e0af0, true, &second), SEG_OK);
    cr_assert_eq(seg_platform_process((uint32_t)getpid(), &self), 0);
    cr_assert_eq(row->pid, (uint32_t)getpid());
    cr_assert_eq(row->parent, (uint32_t)getppid());
    cr_assert_eq(row->start, self.start);
    cr_assert_eq(self.parent, (uint32_t)getppid());
    cr_assert_neq(row->start, 0);
    cr_assert_neq(row->ns, 0);
    seg_process_leave(row, SEG_PROCESS_DONE);

    copy = read_copy(place.fd);
    copied = seg_copy_process(&copy, &offset, &steps);
    cr_assert_eq(copied->forked, 1, "newest first");
    cr_assert_eq(seg_load32_relaxed(&copied->state), SEG_PROCESS_ATTACHED);
    copied = seg_copy_process(&copy, &offset, &steps);
    cr_assert_eq(copied->interpreter, 0x030e0af0);
    cr_assert_eq(seg_load32_relaxed(&copied->state), SEG_PROCESS_DONE);
    cr_assert_null(seg_copy_process(&copy, &offset, &steps));
    cr_assert_null(seg_copy_process(&copy, &offset, &steps), "and again");
    seg_copy_free(&copy);
    drop_segment(&place);
}

/* The key of an entry of the copy, by kind and id. */
static const char *key_of(struct seg_copy *copy, enum seg_kind kind, uint32_t id, size_t *len)
{
    struct seg_cursor cursor = {0};
    const struct seg_entry *entry;

    while ((entry = seg_copy_next(copy, kind, &cursor)) != NULL && entry->id != id)
        ;
    cr_assert_not_null(entry);
    *len = entry->key_len;
    return (const char *)seg_entry_key(entry);
}

static uint64_t now_in_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

Test(process, a_row_says_what_it_does)
{
    struct place place = make_segment(4 * MIB);
    struct seg_process *row;
    const struct seg_process *copied;
    uint64_t before = now_in_ns(), begun, since, offset = 0, steps = 0;
    uint32_t context;
    struct seg_copy copy;
    size_t len;

    cr_assert_eq(seg_process_enter(place.seg, 0, false, &row), SEG_OK);
    cr_assert_eq(seg_process_context(row, &since), 0);
    cr_assert_eq(seg_load32_relaxed(&row->name), 0);
    cr_assert_eq(seg_process_name(place.seg, row, "first", 5), SEG_OK);
    cr_assert_eq(seg_process_name(place.seg, row, "gw3", 3), SEG_OK);
    cr_assert_eq(seg_context(place.seg, "t|setup", 7, &context), SEG_OK);
    seg_process_switch(row, context, SEG_SWITCH_TEST);
    seg_process_context(row, &begun);
    usleep(20000);
    cr_assert_eq(seg_context(place.seg, "t|run", 5, &context), SEG_OK);
    seg_process_switch(row, context, SEG_SWITCH_PHASE);

    copy = read_copy(place.fd);
    copied = seg_copy_process(&copy, &offset, &steps);
    cr_assert_eq(seg_process_context(copied, &since), context);
    cr_assert_geq(since + 20000000, before, "the coarse clock and our parts are not that coarse");
    cr_assert_eq(since, begun, "the test goes on");
    cr_assert_eq(seg_load32_relaxed(&copied->tests), 1);
    cr_assert_arr_eq(key_of(&copy, SEG_KIND_CONTEXT, context, &len), "t|run", 5);
    cr_assert_arr_eq(key_of(&copy, SEG_KIND_NAME, seg_load32_relaxed(&copied->name), &len), "gw3",
                     3);
    cr_assert_eq(len, 3);
    seg_copy_free(&copy);

    seg_process_switch(row, (1u << SEG_KEY_CONTEXT_BITS) - 1, SEG_SWITCH_TEST);
    cr_assert_eq(seg_process_context(row, &since), (1u << SEG_KEY_CONTEXT_BITS) - 1);
    cr_assert_gt(since, begun);
    cr_assert_leq(since, now_in_ns());
    seg_process_switch(row, 0, SEG_SWITCH_NONE);
    cr_assert_eq(seg_process_context(row, &since), 0);
    cr_assert_eq(seg_load32_relaxed(&row->tests), 2);
    drop_segment(&place);
}

#define SWITCHES 200000

static void switch_often(void *arg)
{
    struct seg_process *row = arg;

    for (uint32_t i = 1; i <= SWITCHES; i++)
        seg_process_switch(row, i, SEG_SWITCH_TEST);
}

/* Times never go back, and neither do contexts: one from before with another's time would. */
Test(process, a_reader_sees_context_and_time_of_one_switch)
{
    struct place place = make_segment(4 * MIB);
    struct seg_process *row;
    uint64_t since, last_since = 0;
    uint32_t context = 0, last_context = 0;
    pid_t pid;

    cr_assert_eq(seg_process_enter(place.seg, 0, false, &row), SEG_OK);
    pid = fork();
    if (pid == 0) {
        switch_often(row);
        _exit(0);
    }
    while (context < SWITCHES) {
        context = seg_process_context(row, &since);
        cr_assert_geq(context, last_context);
        cr_assert_geq(since, last_since);
        last_context = context;
        last_since = since;
    }
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    drop_segment(&place);
}

/* The name of a program may look like the end of its own field. */
static void odd_name(void *arg)
{
    char name[] = "a) Z 1 2 (b";
    struct seg_platform_process self;
    FILE *comm = fopen("/proc/self/comm", "we");

    (void)arg;
    CHILD_CHECK(comm != NULL && fputs(name, comm) >= 0 && fclose(comm) == 0);
    CHILD_CHECK(seg_platform_process((uint32_t)getpid(), &self) == 0);
    CHILD_CHECK(self.parent == (uint32_t)getppid());
    CHILD_CHECK(!self.ended);
}

Test(process, odd_names_do_not_confuse)
{
    run_child_well(odd_name, NULL);
}

Test(process, alive_and_ended)
{
    struct seg_platform_process info;
    uint64_t ns = seg_platform_namespace();
    int hold[2];
    pid_t pid;
    char byte;

    cr_assert_eq(pipe(hold), 0);
    pid = fork();
    if (pid == 0) {
        close(hold[1]);
        _exit(read(hold[0], &byte, 1) != 0);
    }
    cr_assert_eq(seg_platform_process((uint32_t)pid, &info), 0);
    cr_assert_eq(seg_life((uint32_t)pid, info.start, ns), SEG_LIFE_ALIVE);
    cr_assert_eq(seg_life((uint32_t)pid, info.start + 1, ns), SEG_LIFE_ENDED, "the pid of another");
    cr_assert_eq(seg_life((uint32_t)pid, info.start, ns + 1), SEG_LIFE_UNKNOWN);
    cr_assert_eq(seg_life((uint32_t)pid, info.start, 0), SEG_LIFE_UNKNOWN);
    close(hold[1]);
    cr_assert_eq(waitid(P_PID, (id_t)pid, &(siginfo_t){.si_pid = 0}, WEXITED | WNOWAIT), 0);
    cr_assert_eq(seg_life((uint32_t)pid, info.start, ns), SEG_LIFE_ENDED, "a zombie");
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    cr_assert_eq(seg_life((uint32_t)pid, info.start, ns), SEG_LIFE_ENDED);
    close(hold[0]);
}

static void enter_many(void *arg, int number)
{
    struct seg_process *row;
    seg_t *seg;

    CHILD_CHECK(seg_attach(arg, &seg) == SEG_OK);
    for (int i = 0; i < 200; i++)
        CHILD_CHECK(seg_process_enter(seg, (uint32_t)number, false, &row) == SEG_OK);
}

Test(process, no_row_is_lost)
{
    struct place place = make_segment(4 * MIB);
    struct seg_copy copy;
    uint64_t offset = 0, steps = 0, n = 0;

    run_children(8, enter_many, place.path);
    copy = read_copy(place.fd);
    while (seg_copy_process(&copy, &offset, &steps) != NULL)
        n++;
    cr_assert_eq(n, 8 * 200);
    cr_assert_eq(copy.damaged, 0);
    seg_copy_free(&copy);
    drop_segment(&place);
}

/* -- adoption, in folders of the test's own -- */

static char root[64];
static const char *roots[] = {"/nowhere/at/all", root, NULL};

static struct place make_run(uint32_t flags)
{
    struct place place;
    struct seg_plan plan = {.size = 2 * MIB, .flags = flags};
    int status;

    if (root[0] == '\0')
        make_folder(root);
    seg_platform_roots = roots;
    status = seg_create(&plan, &place.seg, &place.path, &place.fd);
    cr_assert_eq(status, SEG_OK, "seg_create: %s", seg_strstatus(status));
    return place;
}

static void drop_run(struct place *place)
{
    seg_discard(place->seg);
    close(place->fd);
    seg_remove(place->path);
    free(place->path);
    rmdir(root);
}

static struct seg_process *enter(struct place *place)
{
    struct seg_process *row = NULL;

    cr_assert_eq(seg_process_enter(place->seg, 0, false, &row), SEG_OK);
    return row;
}

/* The path of the segment that a descendant finds, so many generations down; "" for none. */
static const char *adopted_by_descendant(int generations)
{
    char *found = shared_memory(256);
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        seg_t *seg;

        if (generations > 1)
            strcpy(found, adopted_by_descendant(generations - 1));
        else if (seg_adopt(&seg) == SEG_OK)
            strcpy(found, seg_path(seg));
        _exit(0);
    }
    waitpid(pid, &status, 0);
    return found;
}

Test(process, descendants_are_adopted)
{
    struct place place = make_run(0);

    cr_assert_str_eq(adopted_by_descendant(1), "", "nobody takes part yet");
    enter(&place);
    cr_assert_str_eq(adopted_by_descendant(1), place.path);
    cr_assert_str_eq(adopted_by_descendant(2), place.path);
    cr_assert_str_eq(adopted_by_descendant(8), place.path);
    cr_assert_str_eq(adopted_by_descendant(9), "", "there is an end");
    drop_run(&place);
}

Test(process, a_program_that_replaced_itself_is_adopted)
{
    struct place place = make_run(0);
    seg_t *seg;

    enter(&place);
    cr_assert_eq(seg_adopt(&seg), SEG_OK);
    cr_assert_str_eq(seg_path(seg), place.path);
    seg_discard(seg);
    drop_run(&place);
}

Test(process, a_recycled_pid_is_not_adopted)
{
    struct place place = make_run(0);
    struct seg_process *row = enter(&place);

    row->start--;
    cr_assert_str_eq(adopted_by_descendant(1), "");
    row->start++;
    row->ns++;
    cr_assert_str_eq(adopted_by_descendant(1), "", "another pid namespace");
    row->ns--;
    cr_assert_str_eq(adopted_by_descendant(1), place.path);
    drop_run(&place);
}

static void enter_and_ask(void *arg)
{
    struct place *inner = arg;
    struct seg_process *row;

    CHILD_CHECK(seg_process_enter(inner->seg, 0, false, &row) == SEG_OK);
    CHILD_CHECK(strcmp(adopted_by_descendant(1), inner->path) == 0);
}

/* The creator stands in no row, and neither does what it started. */
Test(process, descendants_of_who_started_a_command_are_adopted)
{
    struct place place = make_run(SEG_FLAG_COMMAND), inner = make_run(0);
    struct seg_header *head = seg_head(place.seg);

    cr_assert_str_eq(adopted_by_descendant(1), place.path);
    cr_assert_str_eq(adopted_by_descendant(8), place.path);
    cr_assert_str_eq(adopted_by_descendant(9), "", "there is an end");
    head->supervisor_start--;
    cr_assert_str_eq(adopted_by_descendant(1), "", "a recycled pid");
    head->supervisor_start++;
    head->supervisor_ns++;
    cr_assert_str_eq(adopted_by_descendant(1), "", "another pid namespace");
    head->supervisor_ns--;
    run_child_well(enter_and_ask, &inner);
    drop_run(&inner);
    drop_run(&place);
}

Test(process, adoption_can_be_turned_off)
{
    struct place place = make_run(SEG_FLAG_NO_ADOPT);

    enter(&place);
    cr_assert_str_eq(adopted_by_descendant(1), "");
    drop_run(&place);
}

Test(process, the_nearest_ancestor_decides)
{
    struct place outer = make_run(0), inner = make_run(0);

    enter(&outer);
    run_child_well(enter_and_ask, &inner);
    cr_assert_str_eq(adopted_by_descendant(1), outer.path);
    drop_run(&inner);
    drop_run(&outer);
}

static void copy_row(struct place *place, pid_t pid)
{
    struct seg_platform_process info;
    struct seg_process *row;

    CHILD_CHECK(seg_platform_process((uint32_t)pid, &info) == 0);
    CHILD_CHECK(seg_process_enter(place->seg, 0, false, &row) == SEG_OK);
    row->pid = (uint32_t)pid;
    row->start = info.start;
}

static void enter_and_let_ask(void *arg)
{
    struct place *places = arg;
    struct seg_platform_process parent;

    CHILD_CHECK(seg_platform_process((uint32_t)getppid(), &parent) == 0);
    copy_row(&places[0], getpid());
    copy_row(&places[0], (pid_t)parent.parent);
    copy_row(&places[1], getppid());
    CHILD_CHECK(strcmp(adopted_by_descendant(1), places[0].path) == 0);
}

static void middle_child(void *arg)
{
    struct place *places = arg;

    run_child_well(enter_and_let_ask, places);
}

/* One run knows the parent and, newer, its grandparent; the other the one between them. Which of
 * them is looked at first is up to the file system, so they are made in both orders. */
Test(process, the_nearest_ancestor_decides_within_a_run)
{
    struct place places[2];

    for (int round = 0; round < 8; round++) {
        places[round % 2] = make_run(0);
        places[1 - round % 2] = make_run(0);
        run_child_well(middle_child, places);
        drop_run(&places[1]);
        drop_run(&places[0]);
        root[0] = '\0';
    }
}

Test(process, what_lies_beside_does_no_harm)
{
    struct place place = make_run(0);
    char name[256];
    int fd;

    enter(&place);
    snprintf(name, sizeof name, "%s/shmcov-%u/run-broken", root, (unsigned)geteuid());
    fd = open(name, O_RDWR | O_CREAT, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(ftruncate(fd, (off_t)(2 * MIB)), 0);
    close(fd);
    cr_assert_str_eq(adopted_by_descendant(1), place.path);
    unlink(name);
    cr_assert_eq(mkfifo(name, 0600), 0);
    cr_assert_str_eq(adopted_by_descendant(1), place.path);
    unlink(name);

    snprintf(name, sizeof name, "%s/shmcov-%u", root, (unsigned)geteuid());
    chmod(name, 0750);
    cr_assert_str_eq(adopted_by_descendant(1), "", "others may enter the folder");
    chmod(name, 0700);
    drop_run(&place);
}

Test(process, a_list_that_goes_in_a_circle_ends)
{
    struct place place = make_run(0);
    struct seg_process *row = enter(&place);

    row->pid = 0;
    row->next = seg_load_acquire(&seg_head(place.seg)->processes);
    cr_assert_str_eq(adopted_by_descendant(1), "");
    drop_run(&place);
}
