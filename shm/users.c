/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may still write into a segment.
 *
 * Guarantees
 *   - The process table is read with pread, row by row; a walk ends, whatever is in it.
 *   - A process that has the segment mapped is found: it has a row, or it is a fork that has none
 *     yet, and younger than the owner. Forks without a row that are no longer young are looked for
 *     only if nobody else was found. A process with a row that cannot be inspected counts as having
 *     the segment mapped.
 *   - Looks are not atomic. There are no users when two looks in a row find none, and no new row in
 *     between.
 */
#include "users.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "grow.h"
#include "kill_point.h"
#include "layout.h"
#include "platform.h"
#include "reader.h"
#include "status.h"

#define PAUSE_MS 20u

/* What a look needs to know of the segment. */
struct look {
    struct seg_users *users;
    char mapping[SEG_MAPPING_NAME];
    bool mapping_known, shared;
    char *variable;
    uint64_t ns, young_since;
    struct seg_users older; /* only the list: younger than the owner, but no longer young */
    int status;
};

static void append(struct look *look, struct seg_users *users, uint32_t pid, uint64_t start)
{
    if (!SEG_GROW(users->user, users->room, users->n + 1)) {
        look->status = SEG_ERR_NOMEM;
        return;
    }
    users->user[users->n++] = (struct seg_user){pid, start};
}

static void add(struct look *look, uint32_t pid, uint64_t start)
{
    struct seg_users *users = look->users;

    for (size_t i = 0; i < users->n; i++) {
        if (users->user[i].pid == pid && users->user[i].start == start)
            return;
    }
    append(look, users, pid, start);
}

static bool is_helper(const struct look *look, uint32_t pid)
{
    return look->users->helpers_of_me &&
           (seg_platform_sleeps_on(pid, (uint32_t)getpid()) ||
            /* Those of multiprocessing and its relatives wait in poll() or cannot be inspected. */
            seg_platform_has_argument(pid, ".forkserver import main") ||
            seg_platform_has_argument(pid, ".resource_tracker import main"));
}

static enum seg_platform_answer maps(const struct look *look, uint32_t pid)
{
    return look->mapping_known ? seg_platform_maps(pid, look->mapping) : SEG_UNKNOWN;
}

static bool is_alive(const struct seg_process *row)
{
    return seg_life(row->pid, row->start, row->ns) == SEG_LIFE_ALIVE;
}

static void look_at_row(struct look *look, const struct seg_process *row)
{
    enum seg_platform_answer answer;

    if (row->pid == (uint32_t)getpid() || row->ns != look->ns || !is_alive(row))
        return;
    answer = maps(look, row->pid);
    /* A process that has ended since cannot be inspected either. */
    if (answer == SEG_NO || (answer == SEG_UNKNOWN && !is_alive(row)) || is_helper(look, row->pid))
        return;
    add(look, row->pid, row->start);
}

static void look_at_process(void *arg, uint32_t pid, uint64_t start)
{
    struct look *look = arg;

    if (pid == (uint32_t)getpid())
        return;
    if (start < look->young_since)
        append(look, &look->older, pid, start);
    else if ((maps(look, pid) == SEG_YES || seg_platform_has_variable(pid, look->variable)) &&
             !is_helper(look, pid))
        add(look, pid, start);
}

/* Finds forks without a row. */
static void look_at_older(struct look *look)
{
    for (size_t i = 0; i < look->older.n; i++) {
        const struct seg_user *other = &look->older.user[i];

        if (maps(look, other->pid) == SEG_YES && !is_helper(look, other->pid))
            add(look, other->pid, other->start);
    }
}

static void look_at_rows(struct look *look, uint64_t newest)
{
    struct seg_process row;
    uint64_t off = newest, steps = 0, mark = 0;

    look->users->newest = newest;
    while (off != 0) {
        if (off % SEG_ALIGN != 0 || seg_in_circle(off, &steps, &mark) ||
            seg_access_get(look->users->fd, off, &row, sizeof row) != (ssize_t)sizeof row)
            break; /* damaged: what follows is unknown */
        look_at_row(look, &row);
        off = row.next;
    }
}

/* The variable that a process of the run has in its environment (malloc). */
static char *variable_of(const char *path, const struct stat *st)
{
    char *name = seg_name_with(path, st), *text = NULL;
    size_t size = name == NULL ? 0 : sizeof "SHMCOV_SEGMENT=" + strlen(name);

    if (name != NULL)
        text = malloc(size);
    if (text != NULL)
        snprintf(text, size, "SHMCOV_SEGMENT=%s", name);
    free(name);
    return text;
}

int seg_users_look(struct seg_users *users)
{
    struct stat st = {0};
    struct seg_header head;
    struct look look = {.users = users,
                        .ns = seg_platform_namespace(),
                        .young_since = seg_platform_start_of(SEG_YOUNG_MS)};
    uint64_t since = look.young_since;

    look.shared = fstat(users->fd, &st) == 0 && (st.st_mode & 07777) == SEG_MODE_SHARED;
    look.variable = variable_of(users->path, &st);
    if (look.variable == NULL)
        return SEG_ERR_NOMEM;
    look.mapping_known = seg_platform_mapping_name(users->fd, users->mapped, look.mapping);
    look.status = seg_access_header(users->fd, &head);
    if (look.status == SEG_OK && head.supervisor_start < since)
        since = head.supervisor_start;
    users->n = 0;
    seg_platform_each_since(since, look.shared, look_at_process, &look);
    /* The header again, and after the processes: one that ends meanwhile leaves its row. */
    if (look.status == SEG_OK)
        look.status = seg_access_header(users->fd, &head);
    if (look.status == SEG_OK)
        look_at_rows(&look, seg_load_relaxed(&head.processes)); /* relaxed: a private copy */
    if (look.status == SEG_OK && users->n == 0)
        look_at_older(&look);
    seg_users_free(&look.older);
    free(look.variable);
    SEG_KILL_POINT("users.looked");
    return look.status;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int seg_users_settle(struct seg_users *users, unsigned ms, bool (*pause)(void *arg, unsigned ms),
                     void *arg)
{
    uint64_t until = now_ms() + ms, now, newest;
    bool no_users = false;
    int status;

    for (;;) {
        newest = users->newest;
        status = seg_users_look(users);
        if (status != SEG_OK || (no_users && users->n == 0 && users->newest == newest))
            break;
        no_users = users->n == 0;
        if (no_users)
            continue;
        now = now_ms();
        if (now >= until || pause(arg, until - now < PAUSE_MS ? (unsigned)(until - now) : PAUSE_MS))
            break;
    }
    return status;
}

bool seg_users_sleep(void *unused, unsigned ms)
{
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};

    (void)unused;
    nanosleep(&time, NULL);
    return false;
}

void seg_users_free(struct seg_users *users)
{
    free(users->user);
    users->user = NULL;
    users->n = users->room = 0;
}
