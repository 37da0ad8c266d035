/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where hits go: chunks of the static context, which all processes share, and records of dynamic
 * contexts, each of which belongs to the process that claimed it.
 *
 * Guarantees
 *   - A chunk, and a directory of chunks, is a zeroed piece whose offset is put into its slot by
 *     one CAS from 0 (release); slots are read with acquire, so that whoever follows one sees the
 *     zeroed piece. Slots never change again. The loser of the race leaks its piece.
 *   - An extent is complete, and on the list of all extents (release), before a record in it is
 *     used: a kill after that loses nothing.
 *   - A record belongs to whoever's CAS took its key from 0. So threads, and a child whose fork
 *     went unnoticed, may fill one extent. The CAS is relaxed: key and bits lead nowhere.
 *   - What is remembered of records is private to the process and only a hint. A record whose key
 *     is the wanted one is the wanted record, whoever noted it, and no key ever changes.
 */
#include "hits.h"

#include <stdlib.h>

#include "arena.h"
#include "handle.h"
#include "kill_point.h"
#include "table.h"
#include "window.h"

#define RECORDS_MAX ((SEG_EXTENT_MAX - sizeof(struct seg_extent)) / sizeof(struct seg_record))
#define INDEX_BITS 16
_Static_assert(RECORDS_MAX < 1u << INDEX_BITS, "a record's number fits into the cursor");

/* The `len` bytes that the slot leads to, allocated if it is empty. */
static int follow(seg_t *seg, seg_u64 *slot, uint64_t len, void **out)
{
    /* Pairs with the release below. */
    uint64_t off = seg_load_acquire(slot);
    uint64_t made;
    int status;

    if (off == 0) {
        status = seg_alloc(seg, len, &made, out);
        if (status != SEG_OK)
            return status;
        /* Pairs with the acquire above, and with the one in the failing CAS. */
        if (seg_cas_release(slot, &off, made)) {
            SEG_KILL_POINT("slot.published");
            return SEG_OK;
        }
    }
    *out = seg_piece(seg, off, len);
    if (*out == NULL)
        return seg_piece_error(seg, off);
    return SEG_OK;
}

int seg_chunk(seg_t *seg, struct seg_entry *file, enum seg_space space, uint32_t chunk,
              seg_u8 **bits)
{
    struct seg_dir *dir = &((struct seg_file *)seg_entry_value(file))->hits[space];
    seg_u64 *slot;
    void *piece;
    int status;

    if (chunk >= SEG_DIR_SLOTS) {
        seg_lose(seg, SEG_LOST_LIMIT, 1);
        return SEG_ERR_LIMIT;
    }
    if (chunk < SEG_DIR_INLINE) {
        slot = &dir->slot[chunk];
    } else {
        unsigned level = 31u - (unsigned)__builtin_clz(chunk / SEG_DIR_INLINE);
        uint32_t slots = SEG_DIR_INLINE << level;

        status = follow(seg, &dir->more[level], (uint64_t)slots * sizeof *slot, &piece);
        if (status != SEG_OK)
            return status;
        slot = (seg_u64 *)piece + (chunk - slots);
    }
    status = follow(seg, slot, SEG_CHUNK_BYTES, &piece);
    if (status == SEG_OK)
        *bits = piece;
    return status;
}

/* Makes an extent, puts it on the list, and makes it the one that this process fills. `now` is the
 * cursor that ran out. */
static int new_extent(seg_t *seg, uint64_t now)
{
    seg_u64 *list = &seg_head(seg)->extents;
    uint32_t size = atomic_load_explicit(&seg->extent_size, memory_order_relaxed) * 2;
    struct seg_extent *extent;
    uint64_t off, head;
    void *piece;
    int status;

    if (size < SEG_EXTENT_MIN)
        size = SEG_EXTENT_MIN;
    if (size > SEG_EXTENT_MAX)
        size = SEG_EXTENT_MAX;
    status = size > SEG_EXTENT_MIN ? seg_try_alloc(seg, size, &off, &piece) : SEG_ERR_SPACE;
    if (status == SEG_ERR_SPACE) {
        size = SEG_EXTENT_MIN;
        status = seg_alloc(seg, size, &off, &piece);
    }
    if (status != SEG_OK)
        return status;
    extent = piece;
    extent->n = (uint32_t)((size - sizeof *extent) / sizeof(struct seg_record));

    head = seg_load_relaxed(list); /* relaxed: stored, not followed */
    do {
        extent->next = head;
        SEG_KILL_POINT("extent.filled");
        /* Pairs with nothing in a writer; a reader copies the list's head before the arena. */
    } while (!seg_cas_release(list, &head, off));
    SEG_KILL_POINT("extent.published");

    /* Pairs with the acquire in seg_record. If another thread was first, its extent is used and
     * this one stays empty. */
    if (atomic_compare_exchange_strong_explicit(&seg->extent, &now, off / SEG_ALIGN << INDEX_BITS,
                                                memory_order_release, memory_order_relaxed))
        atomic_store_explicit(&seg->extent_size, size, memory_order_relaxed);
    return SEG_OK;
}

/* Claims the first free record of the extent behind the cursor. SEG_ERR_SPACE: it is full. */
static int claim(seg_t *seg, uint64_t cursor, uint64_t key, uint64_t *at, seg_u8 **bits)
{
    uint64_t off = (cursor >> INDEX_BITS) * SEG_ALIGN;
    uint32_t i = (uint32_t)cursor & ((1u << INDEX_BITS) - 1);
    struct seg_extent *extent;
    struct seg_record *records;

    if (cursor == 0)
        return SEG_ERR_SPACE;
    extent = seg_piece(seg, off, SEG_EXTENT_MIN);
    if (extent == NULL)
        return SEG_ERR_MAP;
    if (seg_ptr(seg, off, sizeof *extent + extent->n * sizeof *records) == NULL)
        return SEG_ERR_DAMAGED;
    records = (struct seg_record *)(extent + 1);
    for (; i < extent->n; i++) {
        uint64_t free = 0;

        if (seg_cas_relaxed(&records[i].key, &free, key)) {
            SEG_KILL_POINT("record.claimed");
            /* Only a hint, so it may fail: then somebody else has moved the cursor. */
            atomic_compare_exchange_strong_explicit(&seg->extent, &cursor,
                                                    off / SEG_ALIGN << INDEX_BITS | (i + 1),
                                                    memory_order_relaxed, memory_order_relaxed);
            *at = off + sizeof *extent + i * sizeof *records;
            *bits = records[i].bits;
            return SEG_OK;
        }
    }
    return SEG_ERR_SPACE;
}

/* The key of a record; 0 if there can be none, which is counted. */
static uint64_t key_of(seg_t *seg, uint32_t context, enum seg_space space, uint32_t file,
                       uint32_t number)
{
    if (context == 0 || context >> SEG_KEY_CONTEXT_BITS != 0 || file == 0 ||
        file >> SEG_KEY_FILE_BITS != 0 || number >> SEG_KEY_CHUNK_BITS != 0 ||
        space >= SEG_SPACES) {
        seg_lose(seg, SEG_LOST_LIMIT, 1);
        return 0;
    }
    return (uint64_t)context << SEG_KEY_CONTEXT_SHIFT | (uint64_t)space << SEG_KEY_SPACE_SHIFT |
           (uint64_t)file << SEG_KEY_FILE_SHIFT | number;
}

/* A new record, and its offset. */
static int take(seg_t *seg, uint64_t key, uint64_t *at, seg_u8 **bits)
{
    uint64_t cursor;
    int status;

    if (key == 0)
        return SEG_ERR_LIMIT;
    for (;;) {
        /* Pairs with the release in new_extent: the extent's length is there. */
        cursor = atomic_load_explicit(&seg->extent, memory_order_acquire);
        status = claim(seg, cursor, key, at, bits);
        if (status != SEG_ERR_SPACE)
            return status;
        status = new_extent(seg, cursor);
        if (status != SEG_OK)
            return status;
    }
}

int seg_record(seg_t *seg, uint32_t context, enum seg_space space, uint32_t file, uint32_t number,
               seg_u8 **bits)
{
    uint64_t at;

    return take(seg, key_of(seg, context, space, file, number), &at, bits);
}

/* -- records that come again -- */

/* Where records are that were claimed lately: as many as a long-lived process may have contexts
 * that come again and again. Eight that share a cache line are looked at for a key. */
#define KNOWN_SETS 1024u
#define KNOWN_WAYS 8u
#define KNOWN_OFFSET_BITS 48u
#define KNOWN_OFFSET ((UINT64_C(1) << KNOWN_OFFSET_BITS) - 1)

struct seg_known {
    _Atomic uint64_t record[KNOWN_SETS][KNOWN_WAYS]; /* hash << 48 | offset; 0: none */
};

static struct seg_known *known_of(seg_t *seg)
{
    struct seg_known *known = atomic_load_explicit(&seg->known, memory_order_acquire), *none = NULL;

    if (known != NULL)
        return known;
    known = calloc(1, sizeof *known);
    /* Pairs with the acquire above: whoever sees it sees zeros. */
    if (known != NULL &&
        !atomic_compare_exchange_strong_explicit(&seg->known, &none, known, memory_order_acq_rel,
                                                 memory_order_acquire)) {
        free(known);
        known = none;
    }
    return known;
}

int seg_record_again(seg_t *seg, uint32_t context, enum seg_space space, uint32_t file,
                     uint32_t number, seg_u8 **bits)
{
    uint64_t key = key_of(seg, context, space, file, number);
    /* The upper half of a key, with most of the context, must reach all bits. */
    uint64_t hash = (key ^ key >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t tag = hash >> 32 & ((1u << (64 - KNOWN_OFFSET_BITS)) - 1), at;
    struct seg_known *known = key == 0 ? NULL : known_of(seg);
    unsigned place = KNOWN_WAYS;
    _Atomic uint64_t *set;
    int status;

    if (known == NULL)
        return take(seg, key, &at, bits);
    set = known->record[hash >> 48 & (KNOWN_SETS - 1)];
    for (unsigned i = 0; i < KNOWN_WAYS; i++) {
        /* Relaxed: a word is whole, and what it leads to is compared. */
        uint64_t noted = atomic_load_explicit(&set[i], memory_order_relaxed);
        struct seg_record *record;

        if (noted == 0)
            place = i;
        if (noted == 0 || noted >> KNOWN_OFFSET_BITS != tag)
            continue;
        record = seg_ptr(seg, noted & KNOWN_OFFSET, sizeof *record);
        if (record != NULL && seg_load_relaxed(&record->key) == key) {
            *bits = record->bits;
            return SEG_OK;
        }
    }
    status = take(seg, key, &at, bits);
    if (status == SEG_OK && at <= KNOWN_OFFSET) {
        if (place == KNOWN_WAYS)
            place = (unsigned)(at / sizeof(struct seg_record)) % KNOWN_WAYS; /* any of them */
        atomic_store_explicit(&set[place], tag << KNOWN_OFFSET_BITS | at, memory_order_relaxed);
    }
    return status;
}

void seg_after_fork(seg_t *seg)
{
    /* Its records are the parent's. */
    free(atomic_exchange_explicit(&seg->known, NULL, memory_order_relaxed));
    /* Relaxed: a child of a fork has one thread. */
    atomic_store_explicit(&seg->extent, 0, memory_order_relaxed);
    atomic_store_explicit(&seg->extent_size, 0, memory_order_relaxed);
    atomic_store_explicit(&seg->back_off, 0, memory_order_relaxed);
}
