/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was delivered, and copies for a process that may not open its segment any more.
 */
#include "ending.h"

TestSuite(delivery, .init = make_root, .fini = drop_root);

static struct seg_delivery read_delivery(int fd)
{
    struct seg_delivery delivery;

    cr_assert_eq(seg_delivery_read(fd, &delivery), SEG_OK);
    return delivery;
}

static uint64_t hits_of(int fd)
{
    struct seg_copy copy = read_copy(fd);
    uint64_t hits = seg_copy_hits(&copy);

    cr_assert_eq(copy.damaged, 0);
    seg_copy_free(&copy);
    return hits;
}

Test(delivery, never_and_nothing_are_two_things)
{
    struct place place = make_live();

    cr_assert_not(read_delivery(place.fd).done);
    cr_assert(seg_delivery_complete(place.fd), "there is nothing to deliver");
    cr_assert_eq(seg_delivery_write(place.fd, 0, 7), SEG_OK);
    cr_assert(read_delivery(place.fd).done);
    cr_assert_eq(read_delivery(place.fd).hits, 0);
    cr_assert_eq(read_delivery(place.fd).to, 7);
    drop_segment(&place);
}

Test(delivery, it_is_complete_until_something_new_runs)
{
    struct place place = make_live();

    hit(place.seg, 1);
    cr_assert_not(seg_delivery_complete(place.fd));
    cr_assert_eq(seg_delivery_write(place.fd, hits_of(place.fd), 7), SEG_OK);
    cr_assert(seg_delivery_complete(place.fd));
    hit(place.seg, 1);
    cr_assert(seg_delivery_complete(place.fd), "the same again");
    hit(place.seg, 2);
    cr_assert_not(seg_delivery_complete(place.fd));
    seg_delivery_put(place.seg, hits_of(place.fd), 8);
    cr_assert(seg_delivery_complete(place.fd));
    cr_assert_eq(read_delivery(place.fd).to, 8);
    drop_segment(&place);
}

Test(delivery, hits_of_all_kinds_count)
{
    struct place place = make_live();
    struct seg_entry *file = intern_file(place.seg, "/a.py");
    uint32_t context;
    seg_u8 *bits;

    cr_assert_eq(hits_of(place.fd), 0, "a file without bits is no hit");
    hit(place.seg, 100000);
    cr_assert_eq(hits_of(place.fd), 1);
    cr_assert_eq(seg_chunk(place.seg, file, SEG_ARCS, 3, &bits), SEG_OK);
    seg_bit_set(bits, 511);
    cr_assert_eq(hits_of(place.fd), 2, "an arc");
    cr_assert_eq(seg_context(place.seg, "c", 1, &context), SEG_OK);
    cr_assert_eq(seg_record(place.seg, context, SEG_LINES, file->id, 0, &bits), SEG_OK);
    seg_bit_set(bits, 1);
    seg_bit_set(bits, 127);
    cr_assert_eq(hits_of(place.fd), 4, "two lines of a context");
    drop_segment(&place);
}

Test(delivery, what_is_no_segment_was_not_delivered)
{
    struct place place = make_live();
    struct seg_delivery delivery;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), only_reading;

    cr_assert_eq(seg_delivery_read(null, &delivery), SEG_ERR_FOREIGN);
    cr_assert_not(seg_delivery_complete(null));
    cr_assert_eq(seg_access_open(place.path, O_RDONLY, &only_reading), SEG_OK);
    cr_assert_eq(seg_delivery_write(only_reading, 1, 1), SEG_ERR_SYSTEM);
    cr_assert_not(read_delivery(place.fd).done);
    close(null);
    close(only_reading);
    drop_segment(&place);
}

/* -- a deliverer that is killed between its two words -- */

static const char *killed_at;
static bool by_descriptor;

static void die_there(const char *name)
{
    if (strcmp(name, killed_at) == 0)
        raise(SIGKILL);
}

static void deliver_and_die(void *arg)
{
    struct place *place = arg;

    seg_kill_hook = die_there;
    if (by_descriptor)
        seg_delivery_write(place->fd, 2, 9);
    else
        seg_delivery_put(place->seg, 2, 9);
}

Test(delivery, one_that_is_killed_halfway_has_somebody_deliver_again)
{
    struct place place = make_live();

    hit(place.seg, 1);
    cr_assert_eq(seg_delivery_write(place.fd, 1, 5), SEG_OK);
    hit(place.seg, 2);
    killed_at = "delivery.named";
    for (int round = 0; round < 2; round++) {
        int status;

        by_descriptor = round == 0;
        status = run_child(deliver_and_die, &place);
        cr_assert(WIFSIGNALED(status), "the point was not passed");
        cr_assert_not(seg_delivery_complete(place.fd));
        cr_assert_eq(read_delivery(place.fd).hits, 1);
        cr_assert_eq(read_delivery(place.fd).to, 9, "the file as it is now is known");
    }
    drop_segment(&place);
}

/* -- the data file -- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

Test(delivery, a_data_file_is_known_again_until_it_changes)
{
    struct timespec times[2] = {{1, 1}, {1, 1}};
    char path[128], other[128];
    uint64_t to;

    snprintf(path, sizeof path, "%s/data", root);
    snprintf(other, sizeof other, "%s/other", root);
    cr_assert_eq(seg_delivery_target(path), 0, "it is not there");
    write_file(path, "a");
    to = seg_delivery_target(path);
    cr_assert_neq(to, 0);
    cr_assert_eq(seg_delivery_target(path), to);
    cr_assert_eq(rename(path, other), 0);
    cr_assert_eq(seg_delivery_target(other), to, "its name does not count");
    write_file(path, "a");
    cr_assert_eq(utimensat(AT_FDCWD, other, times, 0), 0);
    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    cr_assert_neq(seg_delivery_target(other), to, "another time");
    to = seg_delivery_target(other);
    cr_assert_neq(seg_delivery_target(path), to, "another file in its place");
    write_file(other, "ab");
    cr_assert_eq(utimensat(AT_FDCWD, other, times, 0), 0);
    cr_assert_neq(seg_delivery_target(other), to, "another size");
}

/* -- spilling -- */

static int spilled(struct place *place)
{
    int fd = memfd_create("spilled", MFD_CLOEXEC), status = seg_spill(place->seg, fd);

    cr_assert_eq(status, SEG_OK, "seg_spill: %s", seg_strstatus(status));
    return fd;
}

Test(delivery, what_is_spilled_reads_like_the_segment)
{
    struct place place = make_live();
    struct seg_copy copy, spilled_copy;
    uint64_t off;
    void *piece;
    int fd;

    hit(place.seg, 1);
    /* Into the second window. */
    for (int i = 0; i < 17; i++)
        cr_assert_eq(seg_alloc(place.seg, 1 * MIB, &off, &piece), SEG_OK);
    hit(place.seg, 100000);
    cr_assert_gt(off, SEG_WINDOW);
    unlink(place.path);
    fd = spilled(&place);
    copy = read_copy(place.fd);
    spilled_copy = read_copy(fd);
    cr_assert_eq(copy.len, spilled_copy.len);
    cr_assert_arr_eq(copy.bytes, spilled_copy.bytes, copy.len);
    cr_assert_eq(copy.file_size, spilled_copy.file_size);
    seg_copy_free(&copy);
    seg_copy_free(&spilled_copy);
    close(fd);
    drop_segment(&place);
}

static struct place *growing;

static void grow(const char *name)
{
    uint64_t off;
    void *piece;

    if (strcmp(name, "spill.table") != 0)
        return;
    seg_kill_hook = NULL;
    for (int i = 0; i < 3; i++)
        cr_assert_eq(seg_alloc(growing->seg, 1 * MIB, &off, &piece), SEG_OK);
    intern_file(growing->seg, "/another.py");
    hit(growing->seg, 100000);
}

Test(delivery, what_comes_meanwhile_is_there_or_not_but_is_no_damage)
{
    struct place place = make_live();
    int fd;

    hit(place.seg, 1);
    growing = &place;
    seg_kill_hook = grow;
    fd = spilled(&place);
    cr_assert_null(seg_kill_hook, "the point was not passed");
    cr_assert_geq(hits_of(fd), 1);
    close(fd);
    drop_segment(&place);
}

static void add_many(void *arg, int number)
{
    struct place *place = arg;
    char name[32];
    struct seg_entry *file;

    for (int i = 0; i < 2000; i++) {
        if (number == 0) {
            if (i % 100 == 0) {
                int fd = memfd_create("spilled", MFD_CLOEXEC);
                struct seg_copy copy;

                CHILD_CHECK(seg_spill(place->seg, fd) == SEG_OK);
                CHILD_CHECK(seg_copy_read(fd, &copy) == SEG_OK);
                walk_copy(&copy);
                CHILD_CHECK(copy.damaged == 0);
                seg_copy_free(&copy);
                close(fd);
            }
            continue;
        }
        snprintf(name, sizeof name, "/%d/%d.py", number, i);
        CHILD_CHECK(seg_file(place->seg, name, strlen(name), &file) == SEG_OK);
    }
}

/* Processes, for ThreadSanitizer calls what the kernel reads a race. */
Test(delivery, others_may_go_on_meanwhile)
{
    struct place place = make_live();

    run_children(3, add_many, &place);
    drop_segment(&place);
}

/* A load there would be a SIGBUS. */
Test(delivery, a_mapping_without_pages_is_an_error)
{
    struct place place = make_live();
    int fd = memfd_create("spilled", MFD_CLOEXEC);
    uint64_t off;
    void *piece;

    hit(place.seg, 1);
    cr_assert_eq(seg_alloc(place.seg, 1 * MIB, &off, &piece), SEG_OK);
    cr_assert_eq(ftruncate(place.fd, (off_t)SEG_ARENA_OFF + 8192), 0);
    cr_assert_eq(seg_spill(place.seg, fd), SEG_ERR_SYSTEM);
    cr_assert_eq(errno, EFAULT);
    close(fd);
    drop_segment(&place);
}
