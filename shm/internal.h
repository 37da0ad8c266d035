/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the writer's files share with each other and with nobody else: the handle, and the way from
 * an offset to an address.
 */
#ifndef SEG_INTERNAL_H
#define SEG_INTERNAL_H

#include <limits.h>
#include <sys/types.h>

#include "kill_point.h"
#include "layout.h"
#include "segment.h"

/* Pages are backed in batches of this size; a multiple of every page size. */
#define SEG_BATCH (UINT64_C(256) << 10)

/* After a refused reservation this many others are not even tried: a full file system would
 * otherwise cost a system call for each line that runs. */
#define SEG_BACK_OFF 64u

struct seg {
    /* Address of offset 0 if the file were mapped as a whole at the place of this window; 0: not
     * mapped. Goes once from 0 to an address. */
    _Atomic uintptr_t window[SEG_WINDOWS];
    uint64_t size;
    uint32_t flags;
    uint64_t plan, plan_len;
    char *path;
    uint32_t shared_by; /* whose it has to be, or SEG_NOT_SHARED */
    bool shared;
    dev_t device; /* with `inode`: path may name another file by now */
    ino_t inode;
    size_t page;
    _Atomic bool no_populate; /* the kernel cannot back pages through a mapping */
    _Atomic uint32_t back_off;
    /* The extent that this process fills: offset / SEG_ALIGN << 16 | next record. 0: none. */
    _Atomic uint64_t extent;
    _Atomic uint32_t extent_size; /* bytes of the newest extent */
};

/* -- windows -- */

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

/* Maps a window and all before it. SEG_ERR_MAP: counted. */
int seg_window_map(seg_t *seg, unsigned window);

/* Maps the first window of the file behind fd; the descriptor remains the caller's. */
int seg_window_first(seg_t *seg, int fd);

/* Unmaps everything: seg_discard. */
void seg_window_drop(seg_t *seg);

/* The address of `len` bytes at `off`; NULL: outside of the segment, across a border, or no window
 * can be had. An offset from the segment itself is checked here, whoever wrote it. */
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

/* An offset that may lead to a piece of `len` bytes. */
static inline void *seg_piece(seg_t *seg, uint64_t off, uint64_t len)
{
    return off >= SEG_ARENA_OFF && off % SEG_ALIGN == 0 ? seg_ptr(seg, off, len) : NULL;
}

/* Why seg_piece found no address. */
static inline int seg_piece_error(const seg_t *seg, uint64_t off)
{
    return off >= SEG_ARENA_OFF && off % SEG_ALIGN == 0 && off < seg->size ? SEG_ERR_MAP
                                                                           : SEG_ERR_DAMAGED;
}

/* -- arena -- */

/* Gives out `len` bytes, zeroed and backed. Failures are counted. */
int seg_alloc(seg_t *seg, uint64_t len, uint64_t *off, void **out);

/* The same where no room is no loss: only SEG_ERR_MAP is counted. */
int seg_try_alloc(seg_t *seg, uint64_t len, uint64_t *off, void **out);

/* Backs the first bytes of a new segment. */
int seg_back_first(seg_t *seg, uint64_t len);

/* -- identity and access -- */

/* Opens a segment with the checks of docs/segment.md; `flags` is O_RDONLY or O_RDWR. */
struct stat;
int seg_access_open(const char *path, int flags, int *fd, struct stat *st);

/* The same for one that another user may have made; SEG_NOT_SHARED: it has to be ours. */
int seg_access_open_of(uint32_t owner, const char *path, int flags, int *fd, struct stat *st);

/* Reads the header behind fd and checks it against the size of the file. */
int seg_access_header(int fd, uint64_t file_size, struct seg_header *out);

/* The same, and finds out the size. */
int seg_access_header_of(int fd, struct seg_header *out);

/* -- folders -- */

/* Bytes of memory that may be used before somebody is killed for it. `proc` and `cgroup` are
 * "/proc" and "/sys/fs/cgroup". UINT64_MAX: nobody knows of a limit. */
uint64_t seg_headroom(const char *proc, const char *cgroup);

/* Is the folder number `which`, at `path`, the effective user's, and no link, and can nobody else
 * look into it? */
bool seg_folder_is_ours(unsigned which, const char *path);

/* The size for a new segment in the folder behind fd. SEG_ERR_SPACE: there is no room for one of
 * the expected size, or if not `choosy`, for a small one. */
int seg_folder_room(int fd, uint32_t flags, bool choosy, uint64_t *size);

/* Creates a segment in a folder that exists. */
int seg_create_in(const char *folder, const struct seg_plan *plan, uint64_t size, seg_t **out,
                  int *fd);

/* -- lists -- */

/* One more step on a list. True: it goes in a circle (Brent: remember the place at each power of
 * two steps, a circle comes back to it). Both begin at zero. */
static inline bool seg_in_circle(uint64_t off, uint64_t *steps, uint64_t *mark)
{
    if (off == *mark)
        return true;
    ++*steps;
    if ((*steps & (*steps - 1)) == 0)
        *mark = off;
    return false;
}

/* -- processes -- */

struct seg_relative {
    uint32_t pid;
    uint64_t start;
};

/* The number of the first of `n` relatives that stands in the process table; n: none does. */
unsigned seg_process_match(seg_t *seg, const struct seg_relative *relatives, unsigned n);

/* -- intern table -- */

uint64_t seg_hash(enum seg_kind kind, const void *key, size_t len);

static inline uint32_t seg_bucket(uint64_t hash)
{
    return (uint32_t)(hash >> 32) & (SEG_BUCKETS - 1);
}

#endif
