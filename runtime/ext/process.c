/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaching a process to its run, and staying attached over fork.
 */
#define _GNU_SOURCE
#include "process.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "test_function.h"

struct rt_process rt_process;

static pthread_mutex_t attaching = PTHREAD_MUTEX_INITIALIZER;
static struct seg_process *row;
static uint32_t interpreter_version;

/* The child of a fork is a process of its own: it has a row, and leaves the parent's extent. */
static void in_child(void)
{
    pthread_mutex_init(&attaching, NULL);
    seg_after_fork(rt_process.seg);
    if (seg_process_enter(rt_process.seg, interpreter_version, true, &row))
        row = NULL;
}

static void at_exit(void)
{
    if (row)
        seg_process_leave(row, SEG_PROCESS_DONE);
}

static int find_segment(seg_t **seg)
{
#ifdef __GLIBC__
    const char *path = secure_getenv("SHMCOV_SEGMENT");
#else
    const char *path = getenv("SHMCOV_SEGMENT");
#endif
    char *adopted = NULL;
    int status;

    if (path && *path)
        return seg_attach(path, seg);
    status = seg_adopt(seg, &adopted);
    free(adopted);
    return status;
}

static int attach(uint32_t interpreter, const char **why)
{
    const struct seg_rule *rules;
    seg_t *seg;
    size_t len;
    int status = find_segment(&seg);

    if (status) {
        *why = seg_strstatus(status);
        return status == SEG_ERR_FOREIGN ? 1 : -1;
    }
    rules = seg_rules(seg, &len);
    if (rt_rules_load(rules, len, &rt_process.rules)) {
        *why = "The rules in the segment cannot be used";
        seg_lose(seg, SEG_LOST_ATTACH, 1);
        return -1;
    }
    interpreter_version = interpreter;
    if (seg_process_enter(seg, interpreter, false, &row))
        row = NULL; /* counted; the hits matter more than the row */
    rt_process.branches = seg_flags(seg) & SEG_FLAG_BRANCH;
    rt_test_contexts = seg_flags(seg) & SEG_FLAG_TEST_FUNCTION;
    rt_contexts = seg_flags(seg) & (SEG_FLAG_TEST_FUNCTION | SEG_FLAG_CONTEXTS);
    rt_process.seg = seg;
    pthread_atfork(NULL, NULL, in_child);
    atexit(at_exit);
    return 0;
}

int rt_process_attach(uint32_t interpreter, const char **why)
{
    int status = 0;

    pthread_mutex_lock(&attaching);
    if (!rt_process.seg)
        status = attach(interpreter, why);
    pthread_mutex_unlock(&attaching);
    return status;
}
