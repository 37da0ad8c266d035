/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the end of a run share: folders of segments in a place of the test's own, hits,
 * and processes that run until the test ends them.
 */
#ifndef TEST_SHM_ENDING_H
#define TEST_SHM_ENDING_H

#include <dirent.h>
#include <sys/file.h>

#include "delivery.h"
#include "leftover.h"
#include "support.h"
#include "users.h"

static char root[64], live[96], left_over[128];

static inline void make_root(void)
{
    static const char *roots[] = {root, NULL};

    make_folder(root);
    snprintf(live, sizeof live, "%s/shmcov-%u", root, (unsigned)geteuid());
    snprintf(left_over, sizeof left_over, "%s.left", live);
    seg_platform_roots = roots;
}

static inline void drop_root(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", root);
    if (system(command) != 0)
        fprintf(stderr, "%s is left over\n", root);
}

/* A segment in the folder of live ones. */
static inline struct place make_live(void)
{
    struct place place = {.seg = NULL};
    struct seg_plan plan = {.size = 20 * MIB};
    int status = seg_create(&plan, &place.seg, &place.path, &place.fd);

    cr_assert_eq(status, SEG_OK, "seg_create: %s", seg_strstatus(status));
    return place;
}

/* Records one more hit, in the test or in a child. */
static inline void hit(seg_t *seg, uint32_t line)
{
    struct seg_entry *file;
    seg_u8 *bits;

    CHILD_CHECK(seg_file(seg, "/a.py", 5, &file) == SEG_OK);
    CHILD_CHECK(seg_chunk(seg, file, SEG_LINES, line / SEG_CHUNK_BITS, &bits) == SEG_OK);
    seg_bit_set(bits, line % SEG_CHUNK_BITS);
}

static inline bool exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static inline unsigned entries_of(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    unsigned n = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL)
        n += entry->d_name[0] != '.';
    if (dir != NULL)
        closedir(dir);
    return n;
}

static inline void sleep_ms(unsigned ms)
{
    seg_users_sleep(NULL, ms);
}

/* A child that runs fn and then goes on until it is let go. */
struct held {
    pid_t pid;
    int hold;
};

static inline struct held hold_child(void (*fn)(void *), void *arg)
{
    struct held held;
    int ready[2], hold[2];
    char byte = 0;

    CHILD_CHECK(pipe2(ready, O_CLOEXEC) == 0 && pipe2(hold, O_CLOEXEC) == 0);
    held.pid = fork();
    if (held.pid == 0) {
        enter_child();
        close(hold[1]);
        if (fn != NULL)
            fn(arg);
        CHILD_CHECK(write(ready[1], "", 1) == 1);
        _exit(read(hold[0], &byte, 1) != 0);
    }
    close(ready[1]);
    close(hold[0]);
    CHILD_CHECK(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    held.hold = hold[1];
    return held;
}

static inline void let_go(struct held *held)
{
    int status;

    close(held->hold);
    kill(held->pid, SIGKILL); /* children that came later have the other end too */
    waitpid(held->pid, &status, 0);
}

#endif
