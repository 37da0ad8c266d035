/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader's side of a segment: a private copy of it, and walks over the copy. A walk that calls
 * a function ends where that returns anything but 0, and returns it.
 *
 * The copy is made with pread, so a segment that shrinks is an error and not a SIGBUS, and no field
 * is read twice. It may be made at any time, even while processes write: the table is read before
 * the arena, so whatever can be reached in the copy was complete when its bytes were read (an entry
 * is published after it is complete, and never changes except for bits and slots, which only ever
 * leave 0 once). Every offset and length is checked; damaged parts are skipped and counted in
 * seg_copy.damaged, so that salvage keeps what validates.
 */
#ifndef SEG_READER_H
#define SEG_READER_H

#include <stdbool.h>

#include "layout.h"
#include "rules.h"
#include "status.h"
#include "table.h" /* seg_entry_key */

struct seg_copy {
    uint8_t *bytes; /* the first `len` bytes of the segment */
    uint64_t len;
    uint64_t damaged;               /* parts that did not validate and were skipped */
    uint64_t file_size;             /* of the segment, as the file system says */
    uint64_t allocated;             /* bytes that the file system holds for it */
    uint32_t ids_before[SEG_KINDS]; /* given out before the table was read */
    uint32_t ids_after[SEG_KINDS];  /* and when all had been read */
};

/* Copies the segment behind fd, whose position does not matter or change. Errors as of
 * seg_access_header, and SEG_ERR_NOMEM. The caller has checked access: seg_access_open. */
int seg_copy_read(int fd, struct seg_copy *out);
void seg_copy_free(struct seg_copy *copy);

const struct seg_header *seg_copy_header(const struct seg_copy *copy);
struct seg_rules seg_copy_rules(const struct seg_copy *copy);

/* Walk over all valid entries of one kind, newest first within a bucket. Start with cursor zeroed;
 * NULL at the end. A chain that loops or leaves the copy ends there and counts as damaged. */
struct seg_cursor {
    uint64_t bucket, offset; /* of the entry that comes next; 0: the bucket's first */
    uint64_t steps, mark;    /* in this chain: seg_in_circle */
};
const struct seg_entry *seg_copy_next(struct seg_copy *copy, enum seg_kind kind,
                                      struct seg_cursor *cursor);

/* Was an id given out while the copy was made? Then its entry is not in the copy, though what
 * refers to it may be, and nothing is damaged. (An entry whose id was given out before, and which
 * was published after its bucket had been read, cannot be told from a lost one.) */
bool seg_copy_is_later(const struct seg_copy *copy, enum seg_kind kind, uint32_t id);

/* Calls fn for each non-empty chunk of the file's static hits in one space, in rising order. */
typedef int seg_chunk_fn(void *arg, uint32_t chunk, const uint8_t bits[SEG_CHUNK_BYTES]);
int seg_copy_chunks(struct seg_copy *copy, const struct seg_entry *file, enum seg_space space,
                    seg_chunk_fn *fn, void *arg);

/* Calls fn for each claimed, non-empty record of dynamic contexts, in no order. */
struct seg_hit {
    uint32_t context, file, number; /* ids; `number` counts SEG_RECORD_BITS bits */
    enum seg_space space;
    const uint8_t *bits; /* SEG_RECORD_BYTES */
};
typedef int seg_record_fn(void *arg, const struct seg_hit *hit);
int seg_copy_records(struct seg_copy *copy, seg_record_fn *fn, void *arg);

/* Calls fn for each arc of a SEG_KIND_CODE entry with its bit. Checks the lengths. */
typedef int seg_arc_fn(void *arg, uint32_t bit, const struct seg_arc *arc, const int32_t *trail);
int seg_copy_arcs(struct seg_copy *copy, const struct seg_entry *code, seg_arc_fn *fn, void *arg);

/* One more step on a list. True: the list is circular (Brent: remember the place at each power of
 * two steps; a circle comes back to it). *steps and *mark begin at zero. */
static inline bool seg_in_circle(uint64_t off, uint64_t *steps, uint64_t *mark)
{
    if (off == *mark)
        return true;
    ++*steps;
    if ((*steps & (*steps - 1)) == 0)
        *mark = off;
    return false;
}

/* The number of hits in all contexts. */
uint64_t seg_copy_hits(struct seg_copy *copy);

/* Walk over the process rows, newest first. *offset and *steps begin at zero; NULL at the end. */
const struct seg_process *seg_copy_process(struct seg_copy *copy, uint64_t *offset,
                                           uint64_t *steps);

#endif
