/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of the process table.
 *
 * Guarantees
 *   - A row is filled before the CAS that puts it on the list (release); seg_adopt reads the list's
 *     head with acquire. Rows are never removed or reused.
 *   - The state is a word of its own (relaxed). A process that was killed leaves it at "attached";
 *     seg_life asks the system whether a process is alive.
 */
#include "process.h"

#include <unistd.h>

#include "arena.h"
#include "kill_point.h"
#include "platform.h"
#include "window.h"

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

void seg_process_leave(struct seg_process *row, enum seg_process_state state)
{
    seg_store32_relaxed(&row->state, (uint32_t)state);
}
