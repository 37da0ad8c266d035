/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creating and attaching: what is refused, and that what was written arrives.
 */
#include "support.h"

Test(segment, what_the_creator_wrote_arrives)
{
    struct {
        struct seg_rule rule;
        char text[8];
    } rules[2] = {{{SEG_RULE_OMIT, 6}, "*/test"}, {{SEG_RULE_CONTEXT, 3}, "ctx"}};
    char folder[64];
    struct seg_plan plan = {.flags = SEG_FLAG_BRANCH | SEG_FLAG_CONTEXTS,
                            .rules = rules,
                            .rules_len = sizeof rules,
                            .size = 4 * MIB};
    const struct seg_header *head;
    struct seg_copy copy;
    struct stat st;
    char *path;
    seg_t *seg, *other;
    int fd;

    make_folder(folder);
    plan.folder = folder;
    cr_assert_eq(seg_create(&plan, &seg, &path, &fd), SEG_OK);
    cr_assert_str_eq(seg_path(seg), path);
    cr_assert_eq(fstat(fd, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0600);
    cr_assert_eq(st.st_size, (off_t)(4 * MIB));
    cr_assert_leq(st.st_blocks * 512, (blkcnt_t)MIB, "sparse");
    cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);

    other = attach(path);
    cr_assert_eq(seg_flags(other), SEG_FLAG_BRANCH | SEG_FLAG_CONTEXTS);
    cr_assert_eq(memcmp(seg_rules(other).next, rules, sizeof rules), 0);
    cr_assert_eq(seg_rules(other).left, sizeof rules);
    cr_assert_str_eq(seg_path(other), path);

    copy = read_copy(fd);
    head = seg_copy_header(&copy);
    cr_assert_eq(memcmp(seg_copy_rules(&copy).next, rules, sizeof rules), 0);
    cr_assert_eq(seg_copy_rules(&copy).left, sizeof rules);
    cr_assert_eq(head->uid, (uint32_t)geteuid());
    cr_assert_eq(head->supervisor_pid, (uint32_t)getpid());
    cr_assert_eq(seg_life(head->supervisor_pid, head->supervisor_start, head->supervisor_ns),
                 SEG_LIFE_ALIVE);
    seg_copy_free(&copy);

    unlink(path);
    copy = read_copy(fd); /* whatever happens to the name */
    seg_copy_free(&copy);
    seg_discard(other);
    seg_discard(seg);
    close(fd);
    rmdir(folder);
    free(path);
}

Test(segment, a_large_plan_fits)
{
    size_t len = 20 * MIB;
    uint8_t *rules = calloc(1, len);
    char folder[64];
    struct seg_plan plan = {.rules = rules, .rules_len = len, .size = 64 * MIB};
    char *path;
    seg_t *seg, *other;
    int fd;

    make_folder(folder);
    plan.folder = folder;
    rules[len - 1] = 7;
    cr_assert_eq(seg_create(&plan, &seg, &path, &fd), SEG_OK);
    other = attach(path);
    cr_assert_eq(((const uint8_t *)seg_rules(other).next)[len - 1], 7);
    cr_assert_eq(seg_rules(other).left, len);
    seg_discard(seg);
    seg_discard(other);
    close(fd);
    unlink(path);
    free(path);

    plan.size = 8 * MIB;
    cr_assert_eq(seg_create(&plan, &seg, &path, &fd), SEG_ERR_SPACE);
    cr_assert_eq(rmdir(folder), 0, "what failed leaves no file");
    free(rules);
}

static void create_under_umask(void *arg)
{
    struct seg_plan plan = {.folder = arg, .size = MIB};
    struct stat st;
    char *path;
    seg_t *seg, *other;
    int fd;

    umask(0777);
    CHILD_CHECK(seg_create(&plan, &seg, &path, &fd) == SEG_OK);
    CHILD_CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
    CHILD_CHECK(seg_attach(path, &other) == SEG_OK);
    unlink(path);
}

Test(segment, the_umask_does_not_matter)
{
    char folder[64];

    make_folder(folder);
    run_child_well(create_under_umask, folder);
    rmdir(folder);
}

Test(segment, no_folder_is_an_error)
{
    struct seg_plan plan = {.folder = "/no/such/folder", .size = MIB};
    char *path;
    seg_t *seg;
    int fd;

    cr_assert_eq(seg_create(&plan, &seg, &path, &fd), SEG_ERR_SYSTEM);
    cr_assert_eq(errno, ENOENT);
    plan.folder = "/proc";
    cr_assert_eq(seg_create(&plan, &seg, &path, &fd), SEG_ERR_SYSTEM);
}

Test(segment, a_folder_that_is_wanted_is_made)
{
    char outer[64], inner[64];
    struct seg_plan plan = {.folder = inner, .size = MIB};
    struct place place;
    struct stat st;

    make_folder(outer);
    snprintf(inner, sizeof inner, "%.50s/inner", outer);
    cr_assert_eq(seg_create(&plan, &place.seg, &place.path, &place.fd), SEG_OK);
    cr_assert_eq(stat(inner, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0700);
    strcpy(place.folder, inner);
    drop_segment(&place);
    rmdir(outer);
}

/* -- access -- */

static void check_refused(const char *path, int expected, const char *why)
{
    seg_t *seg = NULL;
    int fd = -1;

    cr_assert_eq(seg_attach(path, &seg), expected, "attach: %s", why);
    cr_assert_eq(seg_access_open(path, O_RDONLY, &fd), expected, "open: %s", why);
}

Test(segment, only_a_private_file_of_ours_is_opened)
{
    struct place place = make_segment(MIB);
    char other[128];
    seg_t *seg;
    int fd;

    snprintf(other, sizeof other, "%s/other", place.folder);
    for (int bit = 1; bit < 0100; bit <<= 1) {
        chmod(place.path, (mode_t)(0600 | bit));
        check_refused(place.path, SEG_ERR_ACCESS, "others may use it");
    }
    chmod(place.path, 0600);
    cr_assert_eq(link(place.path, other), 0);
    check_refused(place.path, SEG_ERR_ACCESS, "two links");
    unlink(other);
    cr_assert_eq(symlink(place.path, other), 0);
    check_refused(other, SEG_ERR_ACCESS, "a symbolic link");
    unlink(other);
    cr_assert_eq(mkdir(other, 0700), 0);
    cr_assert_eq(seg_attach(other, &seg), SEG_ERR_ACCESS, "a folder");
    cr_assert_eq(seg_access_open(other, O_RDONLY, &fd), SEG_ERR_ACCESS, "a folder");
    rmdir(other);
    cr_assert_eq(mkfifo(other, 0600), 0);
    check_refused(other, SEG_ERR_ACCESS, "a fifo, and it does not block");
    unlink(other);
    check_refused(other, SEG_ERR_SYSTEM, "nothing");
    cr_assert_eq(access(other, F_OK), -1, "and nothing is created");
    if (geteuid() == 0) {
        cr_assert_eq(chown(place.path, 12345, 0), 0);
        check_refused(place.path, SEG_ERR_ACCESS, "of another user, even for root");
        cr_assert_eq(chown(place.path, 0, 0), 0);
    }
    seg_discard(attach(place.path));
    drop_segment(&place);
}

static void expect_why(const char *path, const char *expected)
{
    char why[128];

    seg_access_why(path, why, sizeof why);
    cr_assert_str_eq(why, expected);
}

Test(segment, it_says_why_a_file_is_none)
{
    struct place place = make_segment(MIB);
    char other[128];

    snprintf(other, sizeof other, "%s/other", place.folder);
    expect_why(other, "No such file or directory");
    expect_why(place.folder, "it is not a regular file");
    cr_assert_eq(symlink(place.path, other), 0);
    expect_why(other, "it is not a regular file");
    unlink(other);
    cr_assert_eq(link(place.path, other), 0);
    expect_why(place.path, "it has several names; remove its other hard links");
    unlink(other);
    chmod(place.path, 0640);
    expect_why(place.path, "others may read or write it; its mode should be 0600");
    chmod(place.path, 0600);
    if (geteuid() == 0) {
        cr_assert_eq(chown(place.path, 12345, 0), 0);
        expect_why(place.path, "it belongs to user 12345; run this as that user");
    }
    drop_segment(&place);
}

/* -- for other users -- */

struct shared {
    const char *name;
    int expected;
    const char *why;
};

static void attach_as_another(void *arg)
{
    const struct shared *shared = arg;
    seg_t *seg;
    int status;

    CHILD_CHECK(setgid(54321) == 0 && setuid(54321) == 0);
    status = seg_attach(shared->name, &seg);
    if (status != shared->expected)
        fprintf(stderr, "%s: %s: %d\n", shared->name, shared->why, status);
    CHILD_CHECK(status == shared->expected);
    if (status == SEG_OK) {
        CHILD_CHECK(seg_is_shared(seg));
        CHILD_CHECK(strcmp(seg_path(seg), strchr(shared->name, '/')) == 0);
        seg_discard(seg);
    }
}

static void expect_as_another(const char *name, int expected, const char *why)
{
    struct shared shared = {name, expected, why};

    run_child_well(attach_as_another, &shared);
}

Test(segment, another_user_attaches_to_what_it_was_told_is_shared_and_to_nothing_else)
{
    struct place place;
    char name[256], wrong[256], link_name[300], other[256];

    if (geteuid() != 0)
        cr_skip_test("only root becomes another user");
    place = make_segment_with(MIB, SEG_FLAG_OTHERS);
    chmod(place.folder, 0711);
    snprintf(name, sizeof name, SEG_SHARED_BY "0:%s", place.path);
    snprintf(wrong, sizeof wrong, SEG_SHARED_BY "12345:%s", place.path);
    snprintf(other, sizeof other, "%s/other", place.folder);
    snprintf(link_name, sizeof link_name, SEG_SHARED_BY "0:%s", other);
    expect_as_another(name, SEG_OK, "as it was told");
    expect_as_another(place.path, SEG_ERR_ACCESS, "it was not told that it is shared");
    expect_as_another(wrong, SEG_ERR_ACCESS, "it is not theirs");
    cr_assert_eq(symlink(place.path, other), 0);
    expect_as_another(link_name, SEG_ERR_ACCESS, "a link");
    unlink(other);
    cr_assert_eq(link(place.path, other), 0);
    expect_as_another(name, SEG_ERR_ACCESS, "two links");
    unlink(other);
    for (mode_t bit = 1; bit < 010000; bit <<= 1) {
        chmod(place.path, SEG_MODE_SHARED ^ bit);
        /* Without the bits of others it cannot even be opened, and nothing but the mode differs. */
        expect_as_another(name, bit & 06 ? SEG_ERR_SYSTEM : SEG_ERR_ACCESS, "another mode");
    }
    chmod(place.path, SEG_MODE_SHARED);
    expect_as_another(name, SEG_OK, "as before");
    drop_segment(&place);
}

Test(segment, names_hold_a_path)
{
    static const struct {
        const char *name, *path;
        uint32_t owner;
    } names[] = {
        {"/a/b", "/a/b", SEG_NOT_SHARED},
        {"shared-by:0:/a:b", "/a:b", 0},
        {"shared-by:4294967294:/a", "/a", UINT32_MAX - 1},
        {"shared-by:4294967295:/a", "shared-by:4294967295:/a", SEG_NOT_SHARED},
        {"shared-by:99999999999999999999999:/a", "shared-by:99999999999999999999999:/a",
         SEG_NOT_SHARED},
        {"shared-by:1", "shared-by:1", SEG_NOT_SHARED},
        {"shared-by:", "shared-by:", SEG_NOT_SHARED},
        {"", "", SEG_NOT_SHARED},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint32_t owner = 7;

        cr_assert_str_eq(seg_path_of(names[i].name, &owner), names[i].path);
        cr_assert_eq(owner, names[i].owner, "%s", names[i].name);
    }
}

Test(segment, the_name_of_one_that_is_shared_says_by_whom)
{
    struct place place = make_segment(MIB);
    char expected[256];
    char *name = seg_name_for(place.path);

    cr_assert_str_eq(name, place.path);
    free(name);
    chmod(place.path, SEG_MODE_SHARED);
    snprintf(expected, sizeof expected, "shared-by:%u:%s", (unsigned)geteuid(), place.path);
    name = seg_name_for(place.path);
    cr_assert_str_eq(name, expected);
    free(name);
    drop_segment(&place);
    name = seg_name_for("/nowhere");
    cr_assert_str_eq(name, "/nowhere");
    free(name);
}

/* -- identity -- */

struct change {
    uint64_t off;
    size_t len;
    uint64_t value;
    int expected;
};

#define FIELD(name) offsetof(struct seg_header, name), sizeof(((struct seg_header *)0)->name)

Test(segment, only_a_segment_is_attached)
{
    static const struct change changes[] = {
        {FIELD(magic), 0, SEG_ERR_FOREIGN},
        {FIELD(magic), UINT64_C(0x3173686d636f7600), SEG_ERR_FOREIGN},
        {FIELD(endian), UINT32_C(0x04030201), SEG_ERR_FOREIGN},
        {FIELD(version), SEG_VERSION + 1, SEG_ERR_VERSION},
        {FIELD(version), 0, SEG_ERR_VERSION},
        {FIELD(fingerprint), SEG_FINGERPRINT + 1, SEG_ERR_VERSION},
        {FIELD(size), 0, SEG_ERR_DAMAGED},
        {FIELD(size), SEG_ARENA_OFF - 1, SEG_ERR_DAMAGED},
        {FIELD(size), UINT64_MAX, SEG_ERR_DAMAGED},
        {FIELD(plan), UINT64_MAX - 63, SEG_ERR_DAMAGED},
        {FIELD(plan), 64, SEG_ERR_DAMAGED},
        {FIELD(plan), SEG_ARENA_OFF + 8, SEG_ERR_DAMAGED},
        {FIELD(plan_len), UINT64_MAX, SEG_ERR_DAMAGED},
        {FIELD(plan_len), UINT64_MAX - SEG_ARENA_OFF, SEG_ERR_DAMAGED},
        {FIELD(bump), 0, SEG_ERR_DAMAGED},
        {FIELD(bump), UINT64_MAX, SEG_ERR_DAMAGED},
    };
    struct seg_rule rule = {SEG_RULE_COVER_PYLIB, 0};
    char folder[64];
    struct seg_plan plan = {.size = MIB, .rules = &rule, .rules_len = sizeof rule};
    struct seg_copy copy;
    char *path;
    seg_t *seg, *other;
    int fd;

    make_folder(folder);
    plan.folder = folder;
    cr_assert_eq(seg_create(&plan, &seg, &path, &fd), SEG_OK);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        uint64_t before = 0, value = changes[i].value;

        cr_assert_eq(pread(fd, &before, changes[i].len, (off_t)changes[i].off),
                     (ssize_t)changes[i].len);
        cr_assert_eq(pwrite(fd, &value, changes[i].len, (off_t)changes[i].off),
                     (ssize_t)changes[i].len);
        cr_assert_eq(seg_attach(path, &other), changes[i].expected, "attach, change %zu", i);
        cr_assert_eq(seg_copy_read(fd, &copy), changes[i].expected, "read, change %zu", i);
        cr_assert_eq(pwrite(fd, &before, changes[i].len, (off_t)changes[i].off),
                     (ssize_t)changes[i].len);
    }
    /* Another size than that of the file. */
    seg_head(seg)->size += 65536;
    cr_assert_eq(seg_attach(path, &other), SEG_ERR_DAMAGED);
    seg_head(seg)->size -= 65536;
    seg_discard(attach(path));
    seg_discard(seg);
    close(fd);
    unlink(path);
    rmdir(folder);
    free(path);
}

Test(segment, what_is_too_short_is_refused)
{
    static const off_t lengths[] = {0, 1, 8, 4095, 4096, 266239, 266240, 300000, 1048575};
    struct place place = make_segment(MIB);
    seg_t *other;

    seg_discard(place.seg);
    for (size_t i = sizeof lengths / sizeof *lengths; i-- > 0;) {
        cr_assert_eq(ftruncate(place.fd, lengths[i]), 0);
        cr_assert_eq(seg_attach(place.path, &other),
                     lengths[i] < 4096 ? SEG_ERR_FOREIGN : SEG_ERR_DAMAGED, "%ld bytes",
                     (long)lengths[i]);
    }
    close(place.fd);
    unlink(place.path);
    rmdir(place.folder);
    free(place.path);
}

Test(segment, each_status_has_words)
{
    errno = ENOENT;
    for (int status = SEG_ERR_NOMEM; status <= SEG_OK; status++) {
        cr_assert_not_null(seg_strstatus(status));
        cr_assert_str_neq(seg_strstatus(status), "Unknown error");
    }
    cr_assert_str_eq(seg_strstatus(SEG_ERR_SYSTEM), strerror(ENOENT));
    cr_assert_str_eq(seg_strstatus(-100), "Unknown error");
}
