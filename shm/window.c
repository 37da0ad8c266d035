/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A handle, and the mapping of its segment, in windows that are mapped when an offset first leads
 * into them. One mapping of all that a segment may become would break programs under RLIMIT_AS.
 *
 * Guarantees
 *   - A window is published by one CAS from 0 to its address (release), after it is mapped; seg_ptr
 *     reads it with acquire. Of threads that map a window at once, the first wins; the others unmap
 *     what nobody saw.
 *   - What is published is never moved, and unmapped only with the whole handle (seg_discard), so
 *     an address that was handed out is valid until then, in forked children as well.
 *   - No lock is taken and no descriptor stays open.
 */
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "access.h"
#include "platform.h"

/* Maps part of the file at the path, if that still is the file that was attached. */
static void *map_again(const seg_t *seg, uint64_t start, size_t len)
{
    void *address = MAP_FAILED;
    struct stat st;
    int fd;

    if (seg_access_open_of(seg->shared_by, seg->path, O_RDWR, &fd, &st) != 0)
        return MAP_FAILED;
    if (st.st_dev == seg->device && st.st_ino == seg->inode && (uint64_t)st.st_size == seg->size)
        address = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)start);
    close(fd);
    return address;
}

/* Maps window k > 0, whose predecessor is mapped. */
static int map_one(seg_t *seg, unsigned window)
{
    uint64_t start = seg_window_start(window);
    uint64_t end = seg_window_end(window) < seg->size ? seg_window_end(window) : seg->size;
    uintptr_t before = atomic_load_explicit(&seg->window[window - 1], memory_order_relaxed);
    uintptr_t base = 0;
    size_t len = (size_t)(end - start);
    size_t page = seg->page;
    uint8_t *address = seg_platform_extend((void *)(before + start - page), len + page);

    /* Both begin with the last page of the window before, which leaves a gap in its place. Valgrind
     * aborts where one piece of a file is mapped right behind the piece before it. */
    if (address == NULL)
        address = map_again(seg, start - page, len + page);
    if (address == MAP_FAILED)
        return SEG_ERR_MAP;
    munmap(address, page);
    address += page;
    seg_platform_hide(address, len);

    /* Pairs with the acquire in seg_ptr: the mapping exists before its address is known. */
    if (!atomic_compare_exchange_strong_explicit(&seg->window[window], &base,
                                                 (uintptr_t)address - start, memory_order_release,
                                                 memory_order_relaxed))
        munmap(address, len);
    return SEG_OK;
}

int seg_window_map(seg_t *seg, unsigned window)
{
    int saved = errno;
    int status = SEG_OK;

    for (unsigned i = 1; i <= window && status == SEG_OK; i++) {
        if (atomic_load_explicit(&seg->window[i], memory_order_acquire) == 0)
            status = map_one(seg, i);
    }
    errno = saved;
    if (status != SEG_OK)
        seg_add_relaxed(&seg_head(seg)->lost[SEG_LOST_MAP], 1); /* relaxed: as in seg_lose */
    return status;
}

static int map_first(seg_t *seg, int fd)
{
    size_t len = (size_t)(seg->size < SEG_WINDOW ? seg->size : SEG_WINDOW);
    void *address = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (address == MAP_FAILED)
        return SEG_ERR_MAP;
    seg_platform_hide(address, len);
    /* Relaxed: the handle itself has not been handed out yet. */
    atomic_store_explicit(&seg->window[0], (uintptr_t)address, memory_order_relaxed);
    return SEG_OK;
}

int seg_map(char *path, uint32_t shared_by, int fd, const struct stat *st, uint64_t size,
            seg_t **out)
{
    seg_t *seg = calloc(1, sizeof *seg);
    int status = SEG_ERR_NOMEM;

    if (seg == NULL || path == NULL)
        goto failed;
    seg->size = size;
    seg->path = path;
    seg->shared_by = shared_by;
    seg->shared = (st->st_mode & 07777) == SEG_MODE_SHARED;
    seg->device = st->st_dev;
    seg->inode = st->st_ino;
    seg->page = (size_t)sysconf(_SC_PAGESIZE);
    status = map_first(seg, fd);
    if (status != SEG_OK)
        goto failed;
    *out = seg;
    return SEG_OK;
failed:
    free(seg);
    free(path);
    return status;
}
