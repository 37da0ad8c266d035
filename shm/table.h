/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The intern table: everything in a segment that is known by its content, and its number.
 */
#ifndef SEG_TABLE_H
#define SEG_TABLE_H

#include "layout.h"
#include "status.h"

/* Finds or makes the entry of (kind, key). A new entry gets a copy of the value (NULL: zeros). All
 * callers in all processes get the same entry (table.c). SEG_ERR_LIMIT: the key is too long, or
 * there are no more ids. */
int seg_intern(seg_t *seg, enum seg_kind kind, const void *key, size_t key_len, const void *value,
               size_t value_len, struct seg_entry **out);

/* Finds the entry of (kind, key), or NULL. */
struct seg_entry *seg_find(seg_t *seg, enum seg_kind kind, const void *key, size_t key_len);

/* Bytes of an entry: its value is padded to where a key may begin. */
static inline uint64_t seg_entry_size(uint64_t key_len, uint64_t value_len)
{
    return sizeof(struct seg_entry) + ((value_len + 7) & ~UINT64_C(7)) + key_len;
}

static inline void *seg_entry_value(struct seg_entry *entry)
{
    return entry + 1;
}

static inline const uint8_t *seg_entry_key(const struct seg_entry *entry)
{
    return (const uint8_t *)entry + seg_entry_size(0, entry->value_len);
}

/* The entry of the file with this canonical path; its value is a struct seg_file. */
int seg_file(seg_t *seg, const char *path, size_t len, struct seg_entry **out);

/* The dense id of a dynamic context. */
int seg_context(seg_t *seg, const char *name, size_t len, uint32_t *id);

/* Records that the file belongs to a file tracer plug-in. */
int seg_tracer(seg_t *seg, const struct seg_entry *file, const char *name, size_t len);

/* Finds or makes the entry with a code object's arcs. `content` is a struct seg_code_key and all of
 * its arcs; *first becomes the bit of the first one in SEG_ARCS of that file. */
int seg_code(seg_t *seg, struct seg_entry *file, const void *content, size_t len, uint32_t *first);

/* The entry at an offset from the segment itself (struct seg_decision.entry); NULL: not one. */
struct seg_entry *seg_entry_at(seg_t *seg, uint64_t offset);
uint64_t seg_entry_offset(const seg_t *seg, const struct seg_entry *entry);

static inline uint32_t seg_bucket(uint64_t hash)
{
    return (uint32_t)(hash >> 32) & (SEG_BUCKETS - 1);
}

#endif
