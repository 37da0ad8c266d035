/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation in a segment: one word that only ever rises, and the pages below it.
 *
 * Guarantees
 *   - A piece belongs to whoever moved `bump` past it by CAS. The order is relaxed: nobody else
 *     reaches the piece except through a word that is published after it is filled.
 *   - `backed` says that all bytes below it have pages. It is raised after the pages are there
 *     (release) and read (acquire) before a piece below it is given out. So a store into a piece
 *     cannot fault for want of room, and pages that a process backed before it was killed are found
 *     by the next one.
 *   - Backing the same pages twice is harmless and changes no byte, so nobody waits for anybody.
 *   - Pieces are zeroed: fresh pages are zeros, and no piece is given out twice.
 */
#include "arena.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "access.h"
#include "handle.h"
#include "kill_point.h"
#include "platform.h"
#include "window.h"

/* Backs pages that are mapped at `address`. 0, or an errno. */
static int reserve(seg_t *seg, uint64_t off, uint64_t len, void *address)
{
    struct stat st;
    int fd, error = ENOSYS;

    if (!atomic_load_explicit(&seg->no_populate, memory_order_relaxed)) {
        error = seg_platform_populate(address, (size_t)len);
        if (error != ENOSYS)
            return error;
        atomic_store_explicit(&seg->no_populate, true, memory_order_relaxed);
    }
    if (seg_access_open_of(seg->shared_by, seg->path, O_RDWR, &fd, &st) != 0)
        return ENOENT;
    if (st.st_dev == seg->device && st.st_ino == seg->inode)
        error = seg_platform_reserve(fd, off, len);
    close(fd);
    return error;
}

/* Raises `backed` to at least `to`. */
static void raise_backed(struct seg_header *head, uint64_t to)
{
    uint64_t now = seg_load_relaxed(&head->backed);

    /* Pairs with the acquire in back_up_to. */
    while (now < to && !seg_cas_release(&head->backed, &now, to))
        ;
    SEG_KILL_POINT("arena.backed");
}

/* Backs a range within one window: up to `batch` where there is room, else up to `need`. */
static int back_range(seg_t *seg, uint64_t from, uint64_t need, uint64_t batch)
{
    uint64_t page = seg->page;
    uint8_t *address;
    int error;

    from -= from % page;
    need += (page - need % page) % page;
    address = seg_ptr(seg, from, batch - from);
    if (address == NULL)
        return SEG_ERR_MAP;
    error = reserve(seg, from, batch - from, address);
    if (error != 0 && need < batch) {
        batch = need;
        error = reserve(seg, from, batch - from, address);
    }
    if (error != 0)
        return SEG_ERR_SPACE;
    raise_backed(seg_head(seg), batch);
    return SEG_OK;
}

/* Makes sure that all bytes below `end` have pages. */
static int back_up_to(seg_t *seg, uint64_t end)
{
    struct seg_header *head = seg_head(seg);
    /* Pairs with the release in raise_backed: the pages below are there. */
    uint64_t backed = seg_load_acquire(&head->backed);
    int status = SEG_OK, saved = errno;

    while (backed < end && status == SEG_OK) {
        uint32_t wait = atomic_load_explicit(&seg->back_off, memory_order_relaxed);
        uint64_t border = seg_window_end(seg_window_of(backed));
        uint64_t need = end < border ? end : border;
        uint64_t batch = need + (SEG_BATCH - need % SEG_BATCH) % SEG_BATCH;

        if (wait > 0) {
            atomic_store_explicit(&seg->back_off, wait - 1, memory_order_relaxed);
            return SEG_ERR_SPACE;
        }
        if (batch > seg->size)
            batch = seg->size;
        status = back_range(seg, backed, need, batch);
        if (status == SEG_ERR_SPACE)
            atomic_store_explicit(&seg->back_off, SEG_BACK_OFF, memory_order_relaxed);
        backed = seg_load_acquire(&head->backed);
    }
    errno = saved;
    return status;
}

int seg_back_first(seg_t *seg, uint64_t len)
{
    void *address = seg_ptr(seg, 0, len);
    int error = address == NULL ? ENOMEM : reserve(seg, 0, len, address);

    if (error != 0) {
        errno = error;
        return SEG_ERR_SPACE;
    }
    raise_backed(seg_head(seg), len);
    return SEG_OK;
}

int seg_try_alloc(seg_t *seg, uint64_t len, uint64_t *off, void **out)
{
    struct seg_header *head = seg_head(seg);
    uint64_t bump = seg_load_relaxed(&head->bump);
    int status;

    if (len > SIZE_MAX / 4)
        return SEG_ERR_SPACE;
    len += (SEG_ALIGN - len % SEG_ALIGN) % SEG_ALIGN;
    for (;;) {
        uint64_t at = bump;

        if (at < SEG_ARENA_OFF || at > seg->size || at % SEG_ALIGN != 0)
            return SEG_ERR_DAMAGED;
        while (at < seg->size && seg_window_end(seg_window_of(at)) - at < len)
            at = seg_window_end(seg_window_of(at));
        if (!(at <= seg->size && seg->size - at >= len))
            return SEG_ERR_SPACE;
        status = back_up_to(seg, at + len);
        if (status != SEG_OK)
            return status;
        *out = seg_ptr(seg, at, len);
        if (*out == NULL)
            return SEG_ERR_MAP;
        if (seg_cas_relaxed(&head->bump, &bump, at + len)) {
            SEG_KILL_POINT("arena.claimed");
            *off = at;
            return SEG_OK;
        }
    }
}

int seg_alloc(seg_t *seg, uint64_t len, uint64_t *off, void **out)
{
    int status = seg_try_alloc(seg, len, off, out);

    if (status != SEG_OK && status != SEG_ERR_MAP)
        seg_lose(seg, SEG_LOST_SPACE, 1);
    return status;
}
