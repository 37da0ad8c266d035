/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaching a process to its run, and staying attached over fork.
 */
#define _GNU_SOURCE
#include "process.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"
#include "context.h"
#include "test_function.h"

struct rt_process rt_process;

/* A segment that this process has entered, with what it found in the plan. */
struct visited {
    struct visited *next;
    seg_t *seg;
    struct rt_rules *rules;
};

static pthread_mutex_t attaching = PTHREAD_MUTEX_INITIALIZER;
static struct visited *visited;
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

/* The owner of a segment, become another program, would record what nobody is going to write. */
static bool was_ours(const seg_t *seg)
{
    bool alive;

    return seg_flags(seg) & SEG_FLAG_OWNED && seg_supervisor(seg, &alive) == (uint32_t)getpid() &&
           alive;
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

    if (path && *path) {
        status = seg_attach(path, seg);
    } else {
        status = seg_adopt(seg, &adopted);
        free(adopted);
    }
    if (!status && was_ours(*seg)) {
        seg_discard(*seg);
        return SEG_ERR_FOREIGN;
    }
    return status;
}

static struct visited *visit(seg_t *seg, const char **why)
{
    struct visited *new = calloc(1, sizeof *new);
    const struct seg_rule *rules;
    size_t len;

    if (!new) {
        *why = seg_strstatus(SEG_ERR_NOMEM);
        return NULL;
    }
    new->seg = seg;
    rules = seg_rules(seg, &len);
    if (rt_rules_load(rules, len, &new->rules)) {
        *why = "The rules in the segment cannot be used";
        seg_lose(seg, SEG_LOST_ATTACH, 1);
        free(new);
        return NULL;
    }
    new->next = visited;
    visited = new;
    return new;
}

static void enter(const struct visited *there, uint32_t interpreter)
{
    uint32_t flags = seg_flags(there->seg);

    if (!rt_process.seg) {
        pthread_atfork(NULL, NULL, in_child);
        atexit(at_exit);
    } else if (row) {
        seg_process_leave(row, SEG_PROCESS_LEFT);
    }
    interpreter_version = interpreter;
    if (seg_process_enter(there->seg, interpreter, false, &row))
        row = NULL; /* counted; the hits matter more than the row */
    rt_process.branches = flags & SEG_FLAG_BRANCH;
    rt_test_contexts = flags & SEG_FLAG_TEST_FUNCTION;
    rt_contexts = flags & (SEG_FLAG_TEST_FUNCTION | SEG_FLAG_CONTEXTS);
    rt_process.rules = there->rules;
    rt_process.seg = there->seg;
    rt_process.epoch++;
    rt_context_reset();
}

static int attach(uint32_t interpreter, const char **why)
{
    struct visited *there;
    seg_t *seg;
    int status = find_segment(&seg);

    if (status) {
        *why = seg_strstatus(status);
        return status == SEG_ERR_FOREIGN ? 1 : -1;
    }
    there = visit(seg, why);
    if (!there)
        return -1;
    enter(there, interpreter);
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

static struct visited **find_visited(const char *path)
{
    struct visited **at = &visited;

    while (*at && strcmp(seg_path((*at)->seg), path))
        at = &(*at)->next;
    return at;
}

int rt_process_enter(uint32_t interpreter, const char *path, const char **why)
{
    struct visited *there;
    int status = SEG_OK;
    seg_t *seg;

    pthread_mutex_lock(&attaching);
    there = *find_visited(path);
    if (!there) {
        status = seg_attach(path, &seg);
        if (status)
            *why = seg_strstatus(status);
        else if (!(there = visit(seg, why)))
            seg_discard(seg);
    }
    if (there && there->seg != rt_process.seg)
        enter(there, interpreter);
    pthread_mutex_unlock(&attaching);
    return there ? 0 : -1;
}

void rt_process_forget(const char *path)
{
    struct visited **at, *gone;

    pthread_mutex_lock(&attaching);
    at = find_visited(path);
    gone = *at;
    /* Where nobody holds a lock against us, a thread may be setting a bit there. */
    if (gone && gone->seg != rt_process.seg && !RT_FREE_THREADED) {
        *at = gone->next;
        seg_discard(gone->seg);
        rt_rules_free(gone->rules);
        free(gone);
    }
    pthread_mutex_unlock(&attaching);
}

const char *rt_process_owner(size_t *len)
{
    size_t left;
    const struct seg_rule *rule = seg_rules(rt_process.seg, &left);

    while (rule && left >= sizeof *rule && rule->len <= left - sizeof *rule) {
        size_t step = sizeof *rule + (((size_t)rule->len + 7) & ~(size_t)7);

        if (rule->kind == SEG_RULE_OWNER) {
            *len = rule->len;
            return (const char *)(rule + 1);
        }
        if (step >= left)
            break;
        left -= step;
        rule = (const struct seg_rule *)((const char *)rule + step);
    }
    return NULL;
}
