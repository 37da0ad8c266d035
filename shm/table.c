/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The intern table: one chain of immutable entries a bucket.
 *
 * Guarantees
 *   - An entry is filled before the CAS that makes it the head of its chain (release); whoever
 *     walks reads the head with acquire. `next` of an entry never changes after that, and what it
 *     leads to was published before, so one acquire at the head covers the whole chain.
 *   - Each (kind, key) has one entry: the CAS succeeds only on the head from which the search
 *     began; if another entry came first, the search goes on through what is new.
 *   - Whoever is killed leaves the chain as it was or with a complete entry.
 *   - The loser of a race leaks its piece and its id.
 */
#include "table.h"

#include <string.h>

#include "arena.h"
#include "handle.h"
#include "hash.h"
#include "kill_point.h"
#include "window.h"

/* The longest key: far above any path, far below a window. */
#define KEY_MAX (UINT32_C(1) << 22)
#define VALUE_MAX (UINT32_C(1) << 16)

/* The highest id. A record's key has room for these of files and contexts; it has no others. */
static uint32_t id_limit(enum seg_kind kind)
{
    switch (kind) {
    case SEG_KIND_FILE:
        return (UINT32_C(1) << SEG_KEY_FILE_BITS) - 1;
    case SEG_KIND_CONTEXT:
        return (UINT32_C(1) << SEG_KEY_CONTEXT_BITS) - 1;
    default:
        return UINT32_MAX - 1;
    }
}

/* Looks for the entry in a chain from offset `at` to before `end`. SEG_ERR_FOREIGN: it is not
 * there. There cannot be more entries than the arena has room for pieces: such a chain is a loop.
 */
static int search(seg_t *seg, uint64_t at, uint64_t end, enum seg_kind kind, uint64_t hash,
                  const void *key, size_t key_len, struct seg_entry **out)
{
    uint64_t left = seg->size / SEG_ALIGN;

    for (; at != end; left--) {
        struct seg_entry *entry = seg_piece(seg, at, sizeof *entry);

        if (entry == NULL)
            return seg_piece_error(seg, at);
        if (left == 0)
            return SEG_ERR_DAMAGED;
        if (entry->hash == hash && entry->kind == (uint32_t)kind && entry->key_len == key_len) {
            if (seg_ptr(seg, at, seg_entry_size(key_len, entry->value_len)) == NULL)
                return SEG_ERR_DAMAGED;
            if (key_len == 0 || memcmp(seg_entry_key(entry), key, key_len) == 0) {
                *out = entry;
                return SEG_OK;
            }
        }
        at = entry->next;
    }
    return SEG_ERR_FOREIGN;
}

/* A new entry that nobody can reach yet. */
static int make(seg_t *seg, enum seg_kind kind, uint64_t hash, const void *key, size_t key_len,
                const void *value, size_t value_len, uint64_t *off, struct seg_entry **out)
{
    seg_u32 *next_id = &seg_head(seg)->next_id[kind];
    uint64_t size = seg_entry_size(key_len, value_len);
    struct seg_entry *entry;
    void *piece;
    int status;

    if (seg_load32_relaxed(next_id) >= id_limit(kind)) {
        seg_lose(seg, SEG_LOST_LIMIT, 1);
        return SEG_ERR_LIMIT;
    }
    /* A decision that finds no room is made by each process anew: it costs time, but no hits. */
    status = kind == SEG_KIND_DECISION ? seg_try_alloc(seg, size, off, &piece)
                                       : seg_alloc(seg, size, off, &piece);
    if (status != SEG_OK)
        return status;
    entry = piece;
    entry->hash = hash;
    entry->kind = (uint32_t)kind;
    entry->key_len = (uint32_t)key_len;
    entry->value_len = (uint32_t)value_len;
    if (value != NULL && value_len > 0)
        memcpy(seg_entry_value(entry), value, value_len);
    if (key_len > 0)
        memcpy((uint8_t *)seg_entry_key(entry), key, key_len);
    entry->id = seg_add32_relaxed(next_id, 1) + 1;
    if (entry->id > id_limit(kind)) {
        seg_lose(seg, SEG_LOST_LIMIT, 1);
        return SEG_ERR_LIMIT;
    }
    *out = entry;
    return SEG_OK;
}

int seg_intern(seg_t *seg, enum seg_kind kind, const void *key, size_t key_len, const void *value,
               size_t value_len, struct seg_entry **out)
{
    uint64_t hash, head, searched = 0, off = 0;
    struct seg_entry *entry = NULL;
    seg_u64 *bucket;
    int status;

    if (key_len > KEY_MAX || value_len > VALUE_MAX || (unsigned)kind >= SEG_KINDS) {
        seg_lose(seg, SEG_LOST_LIMIT, 1);
        return SEG_ERR_LIMIT;
    }
    hash = seg_hash(kind, key, key_len);
    bucket = seg_buckets(seg) + seg_bucket(hash);
    /* Pairs with the release below: the entries of the chain are complete. */
    head = seg_load_acquire(bucket);
    for (;;) {
        status = search(seg, head, searched, kind, hash, key, key_len, out);
        if (status != SEG_ERR_FOREIGN)
            return status;
        searched = head;
        if (entry == NULL) {
            status = make(seg, kind, hash, key, key_len, value, value_len, &off, &entry);
            if (status != SEG_OK)
                return status;
            SEG_KILL_POINT("table.filled");
        }
        entry->next = head;
        /* Publishes the entry; pairs with the acquires here and in seg_find. Where it fails, `head`
         * is read with acquire and leads to entries that were not searched yet. */
        if (seg_cas_release(bucket, &head, off)) {
            SEG_KILL_POINT("table.published");
            *out = entry;
            return SEG_OK;
        }
    }
}

struct seg_entry *seg_find(seg_t *seg, enum seg_kind kind, const void *key, size_t key_len)
{
    uint64_t hash = seg_hash(kind, key, key_len);
    struct seg_entry *entry;
    /* Pairs with the release in seg_intern. */
    uint64_t head = seg_load_acquire(seg_buckets(seg) + seg_bucket(hash));

    return search(seg, head, 0, kind, hash, key, key_len, &entry) == SEG_OK ? entry : NULL;
}

int seg_file(seg_t *seg, const char *path, size_t len, struct seg_entry **out)
{
    return seg_intern(seg, SEG_KIND_FILE, path, len, NULL, sizeof(struct seg_file), out);
}

int seg_context(seg_t *seg, const char *name, size_t len, uint32_t *id)
{
    struct seg_entry *entry;
    int status = seg_intern(seg, SEG_KIND_CONTEXT, name, len, NULL, 0, &entry);

    if (status == SEG_OK)
        *id = entry->id;
    return status;
}

int seg_tracer(seg_t *seg, const struct seg_entry *file, const char *name, size_t len)
{
    uint8_t key[sizeof(struct seg_tracer_key) + SEG_TRACER_NAME_MAX];
    struct seg_tracer_key head = {.file = file->id};
    struct seg_entry *entry;

    if (len > SEG_TRACER_NAME_MAX) {
        seg_lose(seg, SEG_LOST_LIMIT, 1);
        return SEG_ERR_LIMIT;
    }
    memcpy(key, &head, sizeof head);
    memcpy(key + sizeof head, name, len);
    return seg_intern(seg, SEG_KIND_TRACER, key, sizeof head + len, NULL, 0, &entry);
}

/* Takes n consecutive arc bits of a file. */
static int take_arcs(seg_t *seg, struct seg_file *file, uint32_t n, uint32_t *first)
{
    const uint32_t limit = SEG_DIR_SLOTS << SEG_CHUNK_SHIFT;
    uint32_t now = seg_load32_relaxed(&file->next_arc);

    do {
        if (n > limit || now > limit - n) {
            seg_lose(seg, SEG_LOST_LIMIT, n);
            return SEG_ERR_LIMIT;
        }
        /* Relaxed: a number leads nowhere. */
    } while (!seg_cas32_relaxed(&file->next_arc, &now, now + n));
    *first = now;
    return SEG_OK;
}

int seg_code(seg_t *seg, struct seg_entry *file, const void *content, size_t len, uint32_t *first)
{
    struct seg_entry *entry = seg_find(seg, SEG_KIND_CODE, content, len);
    struct seg_code value = {0, 0};
    struct seg_code_key key;
    int status;

    if (entry == NULL) {
        if (len < sizeof key)
            return SEG_ERR_DAMAGED;
        memcpy(&key, content, sizeof key);
        status = take_arcs(seg, seg_entry_value(file), key.n, &value.first);
        if (status != SEG_OK)
            return status;
        SEG_KILL_POINT("code.numbered");
        status = seg_intern(seg, SEG_KIND_CODE, content, len, &value, sizeof value, &entry);
        if (status != SEG_OK)
            return status;
    }
    *first = ((struct seg_code *)seg_entry_value(entry))->first;
    return SEG_OK;
}

struct seg_entry *seg_entry_at(seg_t *seg, uint64_t offset)
{
    struct seg_entry *entry = seg_piece(seg, offset, sizeof *entry);

    if (entry == NULL ||
        seg_ptr(seg, offset, seg_entry_size(entry->key_len, entry->value_len)) == NULL)
        return NULL;
    return entry;
}

uint64_t seg_entry_offset(const seg_t *seg, const struct seg_entry *entry)
{
    for (unsigned i = 0; i < SEG_WINDOWS && seg_window_start(i) < seg->size; i++) {
        /* Relaxed: the caller has an address in the window, so it was published before. */
        uintptr_t base = atomic_load_explicit(&seg->window[i], memory_order_relaxed);
        uint64_t off = (uint64_t)((uintptr_t)entry - base);

        if (base != 0 && off >= seg_window_start(i) && off < seg_window_end(i))
            return off;
    }
    return 0;
}
