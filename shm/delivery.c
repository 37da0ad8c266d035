/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much was delivered, read and written in the header of a segment.
 *
 * Guarantees
 *   - The two words are written by whoever delivers, the number last. A deliverer that is killed
 *     before that leaves a number that is too low, and there is one delivery more than necessary.
 */
#include "delivery.h"

#include <errno.h>
#include <unistd.h>

#include "access.h"
#include "hash.h"
#include "kill_point.h"
#include "reader.h"
#include "window.h"

int seg_delivery_read(int fd, struct seg_delivery *out)
{
    struct seg_header head;
    uint64_t delivered;
    int status = seg_access_header(fd, &head);

    if (status != SEG_OK)
        return status;
    delivered = seg_load_relaxed(&head.delivered); /* relaxed: a private copy */
    out->done = delivered != 0;
    out->hits = out->done ? delivered - 1 : 0;
    out->to = seg_load_relaxed(&head.delivered_to); /* the same */
    return SEG_OK;
}

int seg_delivery_write(int fd, uint64_t hits, uint64_t to)
{
    int status = seg_access_put(fd, offsetof(struct seg_header, delivered_to), to);

    SEG_KILL_POINT("delivery.named");
    return status == SEG_OK ? seg_access_put(fd, offsetof(struct seg_header, delivered), hits + 1)
                            : status;
}

void seg_delivery_put(seg_t *seg, uint64_t hits, uint64_t to)
{
    seg_store_relaxed(&seg_head(seg)->delivered_to, to); /* relaxed: published by what follows */
    SEG_KILL_POINT("delivery.named");
    /* Pairs with nothing: whoever delivers next reads it after this process has ended. Release only
     * keeps it behind the word above, should the process be killed in between. */
    seg_store_release(&seg_head(seg)->delivered, hits + 1);
}

uint64_t seg_delivery_target(const char *path)
{
    struct stat st;
    uint64_t parts[4] = {0}, hash;

    if (stat(path, &st) != 0)
        return 0;
    parts[0] = (uint64_t)st.st_ino;
    parts[1] = (uint64_t)st.st_size;
#ifdef __APPLE__
    parts[2] = (uint64_t)st.st_mtimespec.tv_sec;
    parts[3] = (uint64_t)st.st_mtimespec.tv_nsec;
#else
    parts[2] = (uint64_t)st.st_mtim.tv_sec;
    parts[3] = (uint64_t)st.st_mtim.tv_nsec;
#endif
    hash = seg_hash(0, parts, sizeof parts);
    return hash != 0 ? hash : 1;
}

/* Writes the bytes from `off` to `end`, at the same offsets. */
static int spill_range(seg_t *seg, int fd, uint64_t off, uint64_t end)
{
    while (off < end) {
        uint64_t border = seg_window_end(seg_window_of(off));
        uint64_t len = (end < border ? end : border) - off;
        const void *from = seg_ptr(seg, off, len);
        ssize_t n = from == NULL ? -1 : pwrite(fd, from, (size_t)len, (off_t)off);

        if (n < 0 && from != NULL && errno == EINTR)
            continue;
        if (n <= 0)
            return from == NULL ? SEG_ERR_MAP : SEG_ERR_SYSTEM;
        off += (uint64_t)n;
    }
    return SEG_OK;
}

int seg_spill(seg_t *seg, int fd)
{
    uint64_t end;
    int status;

    if (ftruncate(fd, (off_t)seg->size) != 0)
        return SEG_ERR_SYSTEM;
    /* In the order of reader.c, and for its reasons: what the table leads to lies below `end`. */
    status = spill_range(seg, fd, 0, SEG_ARENA_OFF);
    SEG_KILL_POINT("spill.table");
    end = seg_load_acquire(&seg_head(seg)->bump);
    if (status == SEG_OK && (end < SEG_ARENA_OFF || end > seg->size))
        status = SEG_ERR_DAMAGED;
    if (status == SEG_OK)
        status = seg_access_put(fd, offsetof(struct seg_header, bump), end);
    return status == SEG_OK ? spill_range(seg, fd, SEG_ARENA_OFF, end) : status;
}

bool seg_delivery_complete(int fd)
{
    struct seg_delivery delivery;
    struct seg_copy copy;
    uint64_t hits;

    if (seg_delivery_read(fd, &delivery) != SEG_OK || seg_copy_read(fd, &copy) != SEG_OK)
        return false;
    hits = seg_copy_hits(&copy);
    seg_copy_free(&copy);
    return hits == delivery.hits;
}
