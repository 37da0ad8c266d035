/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that are killed at each kill point, right after a publication: what they had done is
 * there, nothing is damaged, and all others go on.
 */
#include "support.h"

#define STEPS 60
#define RIVAL 128 /* a rival's line bits are so far from those of the first */

struct witness {
    const char *path;
    seg_u64 done; /* steps whose bits are set */
};

static const char *file_name(uint32_t step, char name[32])
{
    snprintf(name, 32, "/project/%u.py", step / 3);
    return name;
}

/* One step: everything that publishes. The same step of another process finds it done. */
static int run_step(seg_t *seg, struct seg_process *row, uint32_t step, uint32_t second_bit)
{
    struct {
        struct seg_code_key key;
        struct seg_arc arc;
        int32_t trail;
    } code = {{0, 1}, {(int32_t)step + 1, SEG_ARC_EXACT, 1}, 7};
    struct seg_entry *file;
    char name[32];
    uint32_t context, first;
    seg_u8 *bits;

    file_name(step, name);
    if (seg_file(seg, name, strlen(name), &file) != SEG_OK)
        return -1;
    code.key.file = file->id;
    if (seg_code(seg, file, &code, sizeof code, &first) != SEG_OK ||
        seg_chunk(seg, file, SEG_ARCS, first / SEG_CHUNK_BITS, &bits) != SEG_OK)
        return -1;
    seg_bit_set(bits, first % SEG_CHUNK_BITS);
    if (seg_chunk(seg, file, SEG_LINES, step, &bits) != SEG_OK)
        return -1;
    seg_bit_set(bits, step);
    seg_bit_set(bits, second_bit);
    snprintf(name, sizeof name, "context %u", step);
    if (seg_context(seg, name, strlen(name), &context) != SEG_OK ||
        seg_record(seg, context, SEG_LINES, file->id, step, &bits) != SEG_OK)
        return -1;
    seg_bit_set(bits, step);
    if (row != NULL) {
        seg_process_switch(row, context, SEG_SWITCH_TEST);
        snprintf(name, sizeof name, "worker %u", step / 2);
        if (seg_process_name(seg, row, name, strlen(name)) != SEG_OK)
            return -1;
    }
    return SEG_OK;
}

/* 400 KiB of padding between the steps make pages run out now and then. */
static void run_steps(void *arg)
{
    struct witness *witness = arg;
    struct seg_process *row;
    uint64_t off;
    void *piece;
    seg_t *seg;

    CHILD_CHECK(seg_attach(witness->path, &seg) == SEG_OK);
    CHILD_CHECK(seg_process_enter(seg, 0, false, &row) == SEG_OK);
    for (uint32_t step = 0; step < STEPS; step++) {
        CHILD_CHECK(run_step(seg, row, step, step) == SEG_OK);
        CHILD_CHECK(seg_alloc(seg, 100 << 10, &off, &piece) == SEG_OK);
        seg_store_relaxed(&witness->done, step + 1);
    }
}

struct search {
    uint32_t step;
    bool found, found_second;
};

static int search_chunk(void *arg, uint32_t chunk, const uint8_t bits[SEG_CHUNK_BYTES])
{
    struct search *search = arg;

    if (chunk == search->step) {
        search->found = bits[search->step / 8] >> (search->step % 8) & 1;
        search->found_second = bits[(search->step + RIVAL) / 8] >> (search->step % 8) & 1;
    }
    return 0;
}

static int search_record(void *arg, const struct seg_hit *hit)
{
    struct search *search = arg;

    if (hit->number == search->step)
        search->found |= hit->bits[search->step / 8] >> (search->step % 8) & 1;
    return 0;
}

static bool has_id(struct seg_copy *copy, enum seg_kind kind, uint32_t id)
{
    struct seg_cursor cursor = {0};
    const struct seg_entry *entry;

    while ((entry = seg_copy_next(copy, kind, &cursor)) != NULL && entry->id != id)
        ;
    return entry != NULL;
}

/* What rows lead to is there. Returns how far their processes came, all together. */
static uint32_t check_rows(struct seg_copy *copy)
{
    uint64_t offset = 0, steps = 0, since;
    const struct seg_process *row;
    uint32_t tests = 0;

    while ((row = seg_copy_process(copy, &offset, &steps)) != NULL) {
        uint32_t name = seg_load32_relaxed(&row->name);
        uint32_t context = seg_process_context(row, &since);

        cr_assert(name == 0 || has_id(copy, SEG_KIND_NAME, name));
        cr_assert(context == 0 || has_id(copy, SEG_KIND_CONTEXT, context));
        tests += seg_load32_relaxed(&row->tests);
    }
    return tests;
}

static uint32_t check_done(int fd, uint32_t done)
{
    struct seg_copy copy = read_copy(fd);
    uint32_t tests;
    char name[32];

    for (uint32_t step = 0; step < done; step++) {
        struct search search = {.step = step};
        const struct seg_entry *file = find_copy(&copy, SEG_KIND_FILE, file_name(step, name));

        cr_assert_not_null(file, "%s", name);
        seg_copy_chunks(&copy, file, SEG_LINES, search_chunk, &search);
        cr_assert(search.found, "line of step %u", step);
        search.found = false;
        seg_copy_records(&copy, search_record, &search);
        cr_assert(search.found, "record of step %u", step);
        snprintf(name, sizeof name, "context %u", step);
        cr_assert_not_null(find_copy(&copy, SEG_KIND_CONTEXT, name));
    }
    walk_copy(&copy);
    tests = check_rows(&copy);
    cr_assert_eq(copy.damaged, 0);
    seg_copy_free(&copy);
    return tests;
}

/* Kills a process at the n-th passage of a point, looks, and goes on where it left. */
static void kill_at(const char *point, int n)
{
    struct place place = make_segment(32 * MIB);
    struct witness *witness = shared_memory(sizeof *witness);
    char value[64];
    uint32_t done;
    int status;

    witness->path = place.path;
    snprintf(value, sizeof value, "%s:%d", point, n);
    setenv("SEG_KILL_AT", value, 1);
    status = run_child(run_steps, witness);
    unsetenv("SEG_KILL_AT");
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%s was not reached: %x", value,
              status);

    done = (uint32_t)seg_load_relaxed(&witness->done);
    cr_assert_lt(done, STEPS);
    cr_assert_geq(check_done(place.fd, done), done);
    /* Another process does all of it, through what the killed one left. */
    run_child_well(run_steps, witness);
    check_done(place.fd, STEPS);
    drop_segment(&place);
}

static void kill_early_and_late(const char *point)
{
    static const int passages[] = {1, 2, 3, 7, 20};

    for (size_t i = 0; i < sizeof passages / sizeof *passages; i++)
        kill_at(point, passages[i]);
}

Test(kill, after_pages_were_backed)
{
    kill_early_and_late("arena.backed");
}

Test(kill, after_room_was_claimed)
{
    kill_early_and_late("arena.claimed");
}

Test(kill, after_an_entry_was_filled)
{
    kill_early_and_late("table.filled");
}

Test(kill, after_an_entry_was_published)
{
    kill_early_and_late("table.published");
}

Test(kill, after_arcs_were_numbered)
{
    kill_early_and_late("code.numbered");
}

Test(kill, after_a_slot_was_published)
{
    kill_early_and_late("slot.published");
}

Test(kill, after_an_extent_was_filled)
{
    kill_at("extent.filled", 1);
    kill_at("extent.filled", 2);
}

Test(kill, after_an_extent_was_published)
{
    kill_at("extent.published", 1);
    kill_at("extent.published", 2);
}

Test(kill, after_a_record_was_claimed)
{
    kill_early_and_late("record.claimed");
}

Test(kill, before_a_name_is_in_the_row)
{
    kill_early_and_late("process.named");
}

Test(kill, after_a_process_was_published)
{
    kill_at("process.filled", 1);
    kill_at("process.published", 1);
}

/* -- the creator -- */

static void create(void *arg)
{
    struct seg_plan plan = {.folder = arg, .size = MIB};
    char *path;
    seg_t *seg;
    int fd;

    CHILD_CHECK(seg_create(&plan, &seg, &path, &fd) == SEG_OK);
}

/* How many segments with a name that anybody looks for are in the folder; all must be whole. */
static int count_runs(const char *folder)
{
    char command[128], path[256];
    FILE *list;
    int n = 0;

    snprintf(command, sizeof command, "ls %s/" SEG_NAME_PREFIX "* 2>/dev/null", folder);
    list = popen(command, "r");
    while (list != NULL && fgets(path, sizeof path, list) != NULL) {
        path[strcspn(path, "\n")] = '\0';
        seg_discard(attach(path));
        n++;
    }
    if (list != NULL)
        pclose(list);
    return n;
}

Test(kill, the_creator)
{
    char folder[64], command[128];
    int status;

    make_folder(folder);
    setenv("SEG_KILL_AT", "create.filled", 1);
    status = run_child(create, folder);
    cr_assert(WIFSIGNALED(status));
    cr_assert_eq(count_runs(folder), 0, "it has no name yet");
    setenv("SEG_KILL_AT", "create.published", 1);
    status = run_child(create, folder);
    cr_assert(WIFSIGNALED(status));
    cr_assert_eq(count_runs(folder), 1);
    unsetenv("SEG_KILL_AT");
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

/* -- somebody else does the same in between -- */

static struct {
    const char *point;
    seg_t *other;
    bool inside;
    unsigned times, skip, left;
    bool acted[STEPS];
    uint32_t step;
} rival;

static void be_faster(const char *name)
{
    struct seg_process *row;

    if (rival.inside || strcmp(name, rival.point) != 0 || rival.left == 0)
        return;
    if (rival.skip > 0) {
        rival.skip--;
        return;
    }
    rival.inside = true;
    rival.times++;
    rival.acted[rival.step] = true;
    rival.left--;
    seg_after_fork(rival.other); /* so that each of its records makes an extent */
    cr_assert_eq(run_step(rival.other, NULL, rival.step, rival.step + RIVAL), SEG_OK);
    cr_assert_eq(seg_process_enter(rival.other, 0, false, &row), SEG_OK);
    rival.inside = false;
}

static int count_record(void *arg, const struct seg_hit *hit)
{
    (void)hit;
    ++*(uint64_t *)arg;
    return 0;
}

Test(kill, the_one_who_comes_second_takes_what_is_there)
{
    static const char *const points[] = {"arena.claimed",    "table.filled",    "extent.filled",
                                         "process.filled",   "table.published", "slot.published",
                                         "extent.published", "record.claimed",  "code.numbered"};

    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct place place = make_segment(64 * MIB);
        struct seg_process *row;
        uint64_t records = 0, rows = 0, offset = 0, steps = 0;
        struct seg_copy copy;

        rival.point = points[i];
        rival.other = attach(place.path);
        rival.times = 0;
        memset(rival.acted, 0, sizeof rival.acted);
        seg_kill_hook = be_faster;
        for (rival.step = 0; rival.step < STEPS; rival.step++) {
            /* Once, at another passage in each step: a second time would mend what was broken. */
            rival.skip = rival.step % 7;
            rival.left = 1;
            seg_after_fork(place.seg);
            cr_assert_eq(run_step(place.seg, NULL, rival.step, rival.step), SEG_OK);
            cr_assert_eq(seg_process_enter(place.seg, 0, false, &row), SEG_OK);
        }
        seg_kill_hook = NULL;

        check_done(place.fd, STEPS);
        copy = read_copy(place.fd);
        for (uint32_t step = 0; step < STEPS; step++) {
            struct search search = {.step = step};
            char name[32];

            seg_copy_chunks(&copy, find_copy(&copy, SEG_KIND_FILE, file_name(step, name)),
                            SEG_LINES, search_chunk, &search);
            cr_assert_eq(search.found_second, rival.acted[step], "%s: a line is lost", points[i]);
        }
        cr_assert_eq(count_copy(&copy, SEG_KIND_FILE), STEPS / 3, "%s", points[i]);
        cr_assert_eq(count_copy(&copy, SEG_KIND_CONTEXT), STEPS);
        cr_assert_eq(count_copy(&copy, SEG_KIND_CODE), STEPS);
        seg_copy_records(&copy, count_record, &records);
        cr_assert_eq(records, STEPS + rival.times, "%s: a record is lost", points[i]);
        while (seg_copy_process(&copy, &offset, &steps) != NULL)
            rows++;
        cr_assert_eq(rows, STEPS + rival.times, "%s: a row is lost", points[i]);
        cr_assert_geq(rival.times, STEPS / 7, "%s was not reached", points[i]);
        seg_copy_free(&copy);
        seg_discard(rival.other);
        drop_segment(&place);
    }
}

/* -- stopped for ever in the middle of it, while others work -- */

static void stop_at_point(const char *name)
{
    const char *stop = getenv("SEG_STOP_AT");

    if (stop && strcmp(name, stop) == 0)
        raise(SIGSTOP);
}

static void stop_on_the_way(void *arg, int number)
{
    if (number == 0)
        seg_kill_hook = stop_at_point;
    run_steps(arg);
}

Test(kill, nobody_waits_for_one_that_stands_still)
{
    static const char *const points[] = {
        "arena.backed",   "arena.claimed",  "table.filled",     "table.published",  "code.numbered",
        "slot.published", "record.claimed", "extent.published", "process.published"};

    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct place place = make_segment(64 * MIB);
        struct witness *witness = shared_memory(2 * sizeof *witness);
        int status;
        pid_t pid;

        setenv("SEG_STOP_AT", points[i], 1);
        witness[0].path = witness[1].path = place.path;
        pid = fork();
        if (pid == 0) {
            enter_child();
            stop_on_the_way(&witness[0], 0);
            _exit(1);
        }
        cr_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
        cr_assert(WIFSTOPPED(status), "%s was not reached", points[i]);
        run_child_well(run_steps, &witness[1]);
        check_done(place.fd, STEPS);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        drop_segment(&place);
    }
}
