/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of the process table.
 *
 * Guarantees
 *   - A row is filled before the CAS that puts it on the list (release); seg_adopt reads the list's
 *     head with acquire. Rows are never removed and never used again.
 *   - The state is a word of its own (relaxed). A process that was killed leaves it at "attached";
 *     whether the process is alive is asked of the system.
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

    head = seg_load_relaxed(list); /* relaxed: only its number is stored */
    do {
        row->next = head;
        SEG_KILL_POINT("process.filled");
        /* Pairs with the acquire in seg_process_match. */
    } while (!seg_cas_release(list, &head, off));
    SEG_KILL_POINT("process.published");
    *out = row;
    return SEG_OK;
}

void seg_process_leave(struct seg_process *row, enum seg_process_state state)
{
    seg_store32_relaxed(&row->state, (uint32_t)state);
}

unsigned seg_process_match(seg_t *seg, const struct seg_relative *relatives, unsigned n)
{
    uint64_t left = seg->size / SEG_ALIGN;
    /* Pairs with the release in seg_process_enter. */
    uint64_t off = seg_load_acquire(&seg_head(seg)->processes);
    uint64_t ns = seg_platform_namespace();

    for (; off != 0 && left > 0 && n > 0; left--) {
        struct seg_process *row = seg_piece(seg, off, sizeof *row);

        if (row == NULL)
            break;
        for (unsigned i = 0; i < n; i++) {
            if (seg_load32_relaxed(&row->state) != SEG_PROCESS_LEFT &&
                row->pid == relatives[i].pid && row->start == relatives[i].start && row->ns == ns)
                n = i; /* only a nearer one is of interest from here on */
        }
        off = row->next;
    }
    return n;
}
