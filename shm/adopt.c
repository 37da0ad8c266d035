/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a process finds its run without the environment variable: through an ancestor that takes
 * part in one. Programs start children with environments of their own making, and a tool that
 * relies on a variable loses these children silently.
 *
 * Where this user has no live run, this costs one failed stat for each folder.
 */
#include "adopt.h"

#include <stddef.h>
#include <unistd.h>

#include "folder.h"
#include "handle.h"
#include "platform.h"
#include "window.h"

/* The process itself, which may be in the table from before an exec, and eight ancestors. */
#define GENERATIONS 9

struct relative {
    uint32_t pid;
    uint64_t start;
};

struct search {
    struct relative relatives[GENERATIONS];
    unsigned n;   /* the first n still count: only a nearer one replaces what was found */
    unsigned all; /* 0: not looked up yet */
    seg_t *found;
};

static void find_relatives(struct search *search)
{
    uint32_t pid = (uint32_t)getpid();

    while (search->all < GENERATIONS && pid != 0) {
        struct seg_platform_process info;

        if (seg_platform_process(pid, &info) != 0)
            break;
        search->relatives[search->all].pid = pid;
        search->relatives[search->all].start = info.start;
        search->all++;
        pid = info.parent;
    }
    search->n = search->all;
}

/* The index of the first of `n` relatives that is this process; n: none is. */
static unsigned index_of(const struct relative *relatives, unsigned n, uint32_t pid, uint64_t start)
{
    unsigned i = 0;

    while (i < n && (relatives[i].pid != pid || relatives[i].start != start))
        i++;
    return i;
}

/* The index of the first of `n` relatives that has a row in the process table, or that started the
 * command of the run; n: none. */
static unsigned match(seg_t *seg, const struct relative *relatives, unsigned n)
{
    const struct seg_header *head = seg_head(seg);
    uint64_t left = seg->size / SEG_ALIGN;
    /* Pairs with the release in seg_process_enter. */
    uint64_t off = seg_load_acquire(&seg_head(seg)->processes);
    uint64_t ns = seg_platform_namespace();

    if (seg_flags(seg) & SEG_FLAG_COMMAND && head->supervisor_ns == ns)
        n = index_of(relatives, n, head->supervisor_pid, head->supervisor_start);
    for (; off != 0 && left > 0 && n > 0; left--) {
        struct seg_process *row = seg_piece(seg, off, sizeof *row);

        if (row == NULL)
            break;
        /* From here on only a nearer one counts. */
        if (seg_load32_relaxed(&row->state) != SEG_PROCESS_LEFT && row->ns == ns)
            n = index_of(relatives, n, row->pid, row->start);
        off = row->next;
    }
    return n;
}

static void look_at(void *arg, const char *path)
{
    struct search *search = arg;
    seg_t *seg;
    unsigned nearest;

    if (search->all == 0)
        find_relatives(search);
    if (seg_attach(path, &seg) != SEG_OK)
        return;
    nearest = search->n;
    if (!(seg_flags(seg) & SEG_FLAG_NO_ADOPT))
        nearest = match(seg, search->relatives, search->n);
    if (nearest == search->n) {
        seg_discard(seg);
        return;
    }
    if (search->found != NULL)
        seg_discard(search->found);
    search->found = seg;
    search->n = nearest;
}

int seg_adopt(seg_t **out)
{
    struct search search = {.found = NULL};

    seg_folder_each(SEG_SAFE, look_at, &search);
    if (search.found == NULL)
        return SEG_ERR_FOREIGN;
    *out = search.found;
    return SEG_OK;
}
