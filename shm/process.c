/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of the process table.
 *
 * Guarantees
 *   - A row is filled before the CAS that puts it on the list (release); seg_adopt reads the list's
 *     head with acquire. Rows are never removed or reused.
 *   - The state is a word of its own (relaxed). A process that was killed leaves it at "attached";
 *     seg_life asks the system whether a process is alive.
 *   - The name is an entry of the intern table, published before its id. The context and the time
 *     of the switch are one word. A reader may find an id whose entry came after it read the table.
 */
#include "process.h"

#include <time.h>
#include <unistd.h>

#include "arena.h"
#include "kill_point.h"
#include "platform.h"
#include "table.h"
#include "window.h"

/* As far as a human eye sees; the other clock reads a counter of the processor, too. */
#ifdef CLOCK_MONOTONIC_COARSE
#define SWITCH_CLOCK CLOCK_MONOTONIC_COARSE
#else
#define SWITCH_CLOCK CLOCK_MONOTONIC
#endif

int seg_process_enter(seg_t *seg, uint32_t interpreter, bool forked, struct seg_process **out)
{
    seg_u64 *list = &seg_head(seg)->processes;
    struct seg_platform_process self = {0, 0, false};
    struct seg_process *row;
    uint64_t off, head;
    void *piece;
    int status = seg_alloc(seg, sizeof *row, &off, &piece);

    if (status != SEG_OK)
        return status;
    row = piece;
    row->pid = (uint32_t)getpid();
    row->parent = (uint32_t)getppid();
    row->ns = seg_platform_namespace();
    if (seg_platform_process(row->pid, &self) == 0)
        row->start = self.start;
    row->interpreter = interpreter;
    row->forked = forked;
    seg_store32_relaxed(&row->state, SEG_PROCESS_ATTACHED);

    head = seg_load_relaxed(list); /* relaxed: stored, not followed */
    do {
        row->next = head;
        SEG_KILL_POINT("process.filled");
        /* Pairs with the acquire in match in adopt.c. */
    } while (!seg_cas_release(list, &head, off));
    SEG_KILL_POINT("process.published");
    *out = row;
    return SEG_OK;
}

int seg_process_name(seg_t *seg, struct seg_process *row, const char *name, size_t len)
{
    struct seg_entry *entry;
    int status = seg_intern(seg, SEG_KIND_NAME, name, len, NULL, 0, &entry);

    if (status != SEG_OK)
        return status;
    SEG_KILL_POINT("process.named");
    seg_store32_relaxed(&row->name, entry->id);
    return SEG_OK;
}

static uint64_t time_of_switch(void)
{
    struct timespec now = {0, 0};

    clock_gettime(SWITCH_CLOCK, &now);
    return (uint64_t)(uint32_t)now.tv_sec << SEG_NOW_NS_BITS |
           (uint64_t)now.tv_nsec >> SEG_NOW_NS_SHIFT;
}

void seg_process_switch(struct seg_process *row, uint32_t context, enum seg_switch how)
{
    uint64_t time =
        how == SEG_SWITCH_TEST ? time_of_switch() : seg_load_relaxed(&row->now) & SEG_NOW_TIME;

    /* Relaxed: a reader that finds no entry yet shows none. */
    seg_store_relaxed(&row->now, (uint64_t)context << SEG_NOW_TIME_BITS | time);
    if (how == SEG_SWITCH_TEST)
        seg_add32_relaxed(&row->tests, 1);
}

uint32_t seg_process_context(const struct seg_process *row, uint64_t *since)
{
    uint64_t now = seg_load_relaxed(&row->now);
    uint64_t time = now & SEG_NOW_TIME;
    uint64_t parts = time & ((1u << SEG_NOW_NS_BITS) - 1);

    *since = (time >> SEG_NOW_NS_BITS) * UINT64_C(1000000000) + (parts << SEG_NOW_NS_SHIFT);
    return (uint32_t)(now >> SEG_NOW_TIME_BITS);
}

void seg_process_leave(struct seg_process *row, enum seg_process_state state)
{
    seg_store32_relaxed(&row->state, (uint32_t)state);
}
