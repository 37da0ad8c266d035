/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaching to a segment, and what its handle says.
 *
 * Guarantees
 *   - Whoever attaches sees every byte that the creator wrote: create.c.
 *   - Only seg_discard frees a handle that was handed out.
 */
#include "handle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "access.h"
#include "platform.h"
#include "window.h"

void seg_discard(seg_t *seg)
{
    for (unsigned i = 0; i < SEG_WINDOWS; i++) {
        uintptr_t base = atomic_load_explicit(&seg->window[i], memory_order_relaxed);
        uint64_t start = seg_window_start(i);
        uint64_t end = seg_window_end(i) < seg->size ? seg_window_end(i) : seg->size;

        if (base != 0)
            munmap((void *)(base + start), (size_t)(end - start));
        atomic_store_explicit(&seg->window[i], 0, memory_order_relaxed);
    }
    free(atomic_load_explicit(&seg->known, memory_order_relaxed));
    free(seg->path);
    free(seg);
}

int seg_attach(const char *name, seg_t **out)
{
    uint32_t owner;
    const char *path = seg_path_of(name, &owner);
    struct seg_header head;
    struct stat st;
    seg_t *seg;
    int fd, status, saved;

    status = seg_access_open_of(owner, path, O_RDWR, &fd, &st);
    if (status != SEG_OK)
        return status;
    status = seg_access_header(fd, &head);
    if (status == SEG_OK && head.size != (uint64_t)st.st_size)
        status = SEG_ERR_DAMAGED;
    if (status == SEG_OK)
        status = seg_map(strdup(path), owner, fd, &st, head.size, &seg);
    saved = errno;
    close(fd);
    errno = saved;
    if (status != SEG_OK)
        return status;
    seg->flags = head.flags;
    seg->plan = head.plan;
    seg->plan_len = head.plan_len;
    *out = seg;
    return SEG_OK;
}

uint32_t seg_supervisor(const seg_t *seg, bool *alive)
{
    const struct seg_header *head = seg_head((seg_t *)seg);

    *alive = seg_life(head->supervisor_pid, head->supervisor_start, head->supervisor_ns) ==
             SEG_LIFE_ALIVE;
    return head->supervisor_pid;
}

uint32_t seg_flags(const seg_t *seg)
{
    return seg->flags;
}

bool seg_is_shared(const seg_t *seg)
{
    return seg->shared;
}

const char *seg_path(const seg_t *seg)
{
    return seg->path;
}

const void *seg_address(const seg_t *seg)
{
    return seg_head(seg);
}

struct seg_rules seg_rules(const seg_t *seg)
{
    /* The cast: seg_ptr may map a window, a change that the caller does not see. */
    const struct seg_rule *rules = seg_ptr((seg_t *)seg, seg->plan, seg->plan_len);

    return (struct seg_rules){rules, rules == NULL ? 0 : (size_t)seg->plan_len};
}

void seg_lose(seg_t *seg, enum seg_lost what, uint64_t n)
{
    seg_add_relaxed(&seg_head(seg)->lost[what], n); /* relaxed: a count leads nowhere */
}
