/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handle of a mapped segment, and offsets made addresses. For the files of the writer's side;
 * nobody else looks into a handle.
 */
#ifndef SEG_WINDOW_H
#define SEG_WINDOW_H

#include <sys/stat.h>

#include "layout.h"
#include "status.h"

struct seg {
    /* The address of a byte in this window, less its offset; 0: not mapped. Set once. */
    _Atomic uintptr_t window[SEG_WINDOWS];
    uint64_t size;
    uint32_t flags;
    uint64_t plan, plan_len;
    char *path;
    uint32_t shared_by; /* the user whose it has to be, or SEG_NOT_SHARED */
    bool shared;
    dev_t device; /* with `inode`: `path` may lead to another file by now */
    ino_t inode;
    size_t page;
    _Atomic bool no_populate; /* the kernel cannot back pages through a mapping */
    _Atomic uint32_t back_off;
    /* The extent that this process fills: offset / SEG_ALIGN << 16 | next record. 0: none. */
    _Atomic uint64_t extent;
    _Atomic uint32_t extent_size; /* bytes of the newest extent */
    /* Records that this process has claimed; NULL until it has claimed one. hits.c knows more. */
    struct seg_known *_Atomic known;
};

static inline unsigned seg_window_of(uint64_t off)
{
    uint64_t n = off >> SEG_WINDOW_SHIFT;

    return n == 0 ? 0 : 64u - (unsigned)__builtin_clzll(n);
}

static inline uint64_t seg_window_start(unsigned window)
{
    return window == 0 ? 0 : SEG_WINDOW << (window - 1);
}

static inline uint64_t seg_window_end(unsigned window)
{
    return SEG_WINDOW << window;
}

/* Makes a handle for the file behind fd, which remains the caller's, and maps the first window.
 * Takes over `path` (malloc), also where it fails. 0 or SEG_ERR_NOMEM, SEG_ERR_MAP. */
int seg_map(char *path, uint32_t shared_by, int fd, const struct stat *st, uint64_t size,
            seg_t **out);

/* Maps a window and all before it. 0, or SEG_ERR_MAP, counted as lost. */
int seg_window_map(seg_t *seg, unsigned window);

/* The address of `len` bytes at `off`; NULL: outside the segment, across a border, or the window
 * cannot be mapped. Offsets that were read from the segment are checked here. */
static inline void *seg_ptr(seg_t *seg, uint64_t off, uint64_t len)
{
    unsigned window;
    uintptr_t base;

    if (!(off <= seg->size && seg->size - off >= len))
        return NULL;
    window = seg_window_of(off);
    if (window >= SEG_WINDOWS || seg_window_end(window) - off < len)
        return NULL;
    /* Pairs with the release in seg_window_map. */
    base = atomic_load_explicit(&seg->window[window], memory_order_acquire);
    if (base == 0) {
        if (seg_window_map(seg, window) != 0)
            return NULL;
        base = atomic_load_explicit(&seg->window[window], memory_order_acquire);
    }
    return (void *)(base + off);
}

/* The header lies in the first window, which is always mapped. */
static inline struct seg_header *seg_head(const seg_t *seg)
{
    return (struct seg_header *)atomic_load_explicit(&seg->window[0], memory_order_relaxed);
}

static inline seg_u64 *seg_buckets(const seg_t *seg)
{
    return (seg_u64 *)((uint8_t *)seg_head(seg) + SEG_BUCKETS_OFF);
}

/* The address of a piece of `len` bytes; NULL also where no piece can be. */
static inline void *seg_piece(seg_t *seg, uint64_t off, uint64_t len)
{
    return off >= SEG_ARENA_OFF && off % SEG_ALIGN == 0 ? seg_ptr(seg, off, len) : NULL;
}

/* The error where seg_piece returned NULL. */
static inline int seg_piece_error(const seg_t *seg, uint64_t off)
{
    return off >= SEG_ARENA_OFF && off % SEG_ALIGN == 0 && off < seg->size ? SEG_ERR_MAP
                                                                           : SEG_ERR_DAMAGED;
}

#endif
