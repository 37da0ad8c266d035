/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaching a process to its run, and staying attached over fork.
 */
#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"
#include "context.h"
#include "naming.h"
#include "refused.h"

struct rt_process rt_process;

/* Held by whoever changes rt_process or these. */
static pthread_mutex_t attaching = PTHREAD_MUTEX_INITIALIZER;
static bool prepared;
static struct seg_process *_Atomic row; /* read by switches of context without the lock */
static char *name; /* what a person calls this process, for each row that it gets; or NULL */
static uint32_t interpreter_version;

/* The process has a row in a segment. */
static void publish_name(void)
{
    if (row && name)
        seg_process_name(rt_process_seg(), row, name, strlen(name)); /* a loss is counted */
}

static void enter_table(seg_t *seg, bool forked)
{
    struct seg_process *mine = NULL, *parent = forked ? row : NULL;

    if (seg_process_enter(seg, interpreter_version, forked, &mine))
        mine = NULL;    /* counted; the hits matter more than the row */
    if (mine && parent) /* it is in its parent's context */
        seg_store_relaxed(&mine->now, seg_load_relaxed(&parent->now));
    row = mine;
}

/* The child of a fork gets a row of its own, and leaves the extent to its parent. */
static void process_in_child(void)
{
    pthread_mutex_init(&attaching, NULL);
    rt_context_after_fork();
    if (!rt_process_seg())
        return;
    seg_after_fork(rt_process_seg());
    enter_table(rt_process_seg(), true);
    name = NULL; /* not freed: another thread may have been in malloc() */
    rt_naming_expect(RT_NAMING_FORK);
}

static void process_at_exit(void)
{
    if (row)
        seg_process_leave(row, SEG_PROCESS_DONE);
}

/* Did this process make the segment, without a keeper, before an exec? Then nobody would deliver
 * what it records. */
static bool was_ours(const seg_t *seg)
{
    bool alive;

    return seg_flags(seg) & SEG_FLAG_OWNED && !(seg_flags(seg) & SEG_FLAG_KEPT) &&
           seg_supervisor(seg, &alive) == (uint32_t)getpid() && alive;
}

/* The run has no other way to know that it lacks this process. */
static void notify_if_refused(const char *name, int status)
{
    static bool notified;
    uint32_t owner;

    if (!notified && (status == SEG_ERR_ACCESS ||
                      (status == SEG_ERR_SYSTEM && (errno == EACCES || errno == EPERM)))) {
        notified = true;
        seg_refused_notify(seg_path_of(name, &owner));
    }
}

static int find_segment(seg_t **seg)
{
    const char *path = rt_secure_getenv("SHMCOV_SEGMENT");
    int status;

    if (path && *path) {
        status = seg_attach(path, seg);
        notify_if_refused(path, status);
    } else {
        status = seg_adopt(seg);
    }
    if (!status && was_ours(*seg)) {
        seg_discard(*seg);
        return SEG_ERR_FOREIGN;
    }
    return status;
}

static void process_drop(seg_t *seg, struct rt_rules *rules)
{
    if (RT_FREE_THREADED || !seg)
        return;
    seg_discard(seg);
    rt_rules_free(rules);
}

/* Release: pairs with the acquires in process.h. */
static void put_segment(seg_t *seg, struct rt_rules *rules)
{
    atomic_store_explicit(&rt_process.rules, rules, memory_order_release);
    atomic_store_explicit(&rt_process.seg, seg, memory_order_release);
}

/* Release: pairs with the acquire in rt_process_epoch(). */
static void next_epoch(void)
{
    atomic_fetch_add_explicit(&rt_process.epoch, 1, memory_order_release);
}

/* Makes a segment, which it takes over, the one of this process. */
static int process_enter(seg_t *seg, uint32_t interpreter, const char **why)
{
    seg_t *old = rt_process_seg();
    struct rt_rules *rules, *old_rules = rt_process_rules();
    uint32_t flags = seg_flags(seg);

    if (rt_rules_load(seg_rules(seg), &rules)) {
        *why = "Its rules are damaged, or there is no memory to load them";
        seg_lose(seg, SEG_LOST_ATTACH, 1);
        seg_discard(seg);
        return -1;
    }
    if (!prepared) {
        prepared = true;
        pthread_atfork(NULL, NULL, process_in_child);
        atexit(process_at_exit);
    }
    if (row)
        seg_process_leave(row, SEG_PROCESS_LEFT);
    interpreter_version = interpreter;
    enter_table(seg, false);
    atomic_store_explicit(&rt_process.branches, flags & SEG_FLAG_BRANCH, memory_order_relaxed);
    atomic_store_explicit(&rt_process.function_contexts, flags & SEG_FLAG_TEST_FUNCTION,
                          memory_order_relaxed);
    put_segment(seg, rules);
    next_epoch();
    publish_name();
    rt_context_reset(flags & (SEG_FLAG_TEST_FUNCTION | SEG_FLAG_CONTEXTS));
    process_drop(old, old_rules);
    return 0;
}

static int process_attach(uint32_t interpreter, const char **why)
{
    seg_t *seg;
    int status = find_segment(&seg);

    if (status) {
        *why = seg_strstatus(status);
        return status == SEG_ERR_FOREIGN ? 1 : -1;
    }
    return process_enter(seg, interpreter, why);
}

int rt_process_attach(uint32_t interpreter, const char **why)
{
    int status = 0;

    pthread_mutex_lock(&attaching);
    if (!rt_process_seg())
        status = process_attach(interpreter, why);
    pthread_mutex_unlock(&attaching);
    return status;
}

int rt_process_enter(uint32_t interpreter, const char *name, const char **why)
{
    uint32_t owner;
    int status = 0;
    seg_t *seg;

    pthread_mutex_lock(&attaching);
    if (!rt_process_seg() || strcmp(seg_path(rt_process_seg()), seg_path_of(name, &owner))) {
        status = seg_attach(name, &seg);
        if (status)
            *why = seg_strstatus(status);
        else
            status = process_enter(seg, interpreter, why);
    }
    pthread_mutex_unlock(&attaching);
    return status ? -1 : 0;
}

void rt_process_started_late(void)
{
    atomic_store_explicit(&rt_process.late_start, true, memory_order_relaxed);
}

int rt_process_name(const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        return -1;
    pthread_mutex_lock(&attaching);
    free(name);
    name = copy;
    publish_name();
    pthread_mutex_unlock(&attaching);
    return 0;
}

void rt_process_switched(uint32_t context, enum seg_switch how)
{
    struct seg_process *mine = atomic_load_explicit(&row, memory_order_acquire);

    if (mine)
        seg_process_switch(mine, context, how);
}

void rt_process_pause(bool paused)
{
    pthread_mutex_lock(&attaching);
    atomic_store_explicit(&rt_process.paused, paused, memory_order_relaxed);
    if (row)
        seg_process_leave(row, paused ? SEG_PROCESS_LEFT : SEG_PROCESS_ATTACHED);
    pthread_mutex_unlock(&attaching);
}

void rt_process_leave(void)
{
    seg_t *old = rt_process_seg();
    struct rt_rules *rules = rt_process_rules();

    rt_process_pause(true);
    if (RT_FREE_THREADED)
        return;
    pthread_mutex_lock(&attaching);
    row = NULL;
    put_segment(NULL, NULL);
    next_epoch();
    process_drop(old, rules);
    pthread_mutex_unlock(&attaching);
}
