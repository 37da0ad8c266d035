/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader's side: a private copy of a segment, and walks over it that trust nothing in it.
 *
 * Guarantees
 *   - The copy is made in three steps: header and buckets; then `bump`; then the arena below it.
 *     What a bucket or a list in the header leads to was allocated before the first step, so it
 *     lies below `bump`; and it was complete (published with release), so the third step reads all
 *     of its bytes. This is why a chain that leaves the copy is damaged.
 *   - A slot of a directory lies in the arena and may lead beyond the copy, to a chunk that came
 *     later and counts as not there yet.
 *   - A record or an entry may refer to another entry by an id which was given out after the table
 *     was read: the header is read once more, after the arena, and says up to which id that may be.
 *   - Kernels copy an aligned word of eight bytes in one piece, as far as we know. Should one not,
 *     the offset is wrong and does not validate.
 *   - Every walk ends: loops in chains and lists are detected, and everything else has a bound.
 *   - The copy takes as much memory as the file has content, whatever `bump` says: pages of zeros,
 *     so all of a hole, are not stored. The time is bounded by the blocks that the file system has
 *     for the file (read_limit).
 */
#include "reader.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access.h"
#include "hash.h"

#define READ_PART (UINT64_C(256) << 10)
#define READ_PAGE UINT64_C(4096)
/* Read whatever the file system says of blocks; if it is a hole, in a fraction of a second. */
#define READ_ANYWAY (UINT64_C(1) << 30)

/* Reads until `len` bytes are there or the file ends; the number of bytes, or -1. */
static ssize_t read_all(int fd, void *to, uint64_t off, uint64_t len)
{
    uint64_t done = 0;

    while (done < len) {
        uint64_t part = len - done < (UINT64_C(1) << 30) ? len - done : UINT64_C(1) << 30;
        ssize_t n = pread(fd, (uint8_t *)to + done, (size_t)part, (off_t)(off + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (uint64_t)n;
    }
    return (ssize_t)done;
}

static bool is_empty(const uint8_t *bits, size_t len)
{
    return bits[0] == 0 && memcmp(bits, bits + 1, len - 1) == 0;
}

/* Makes room for `len` bytes in all, zeros behind what the copy has. A large calloc() is fresh from
 * the kernel: pages that nobody writes to take no memory. */
static int make_room(struct seg_copy *copy, uint64_t len)
{
    uint8_t *bytes = NULL;

    if (len > 0 && len >= copy->len && len <= SIZE_MAX / 2)
        bytes = calloc(1, (size_t)len);
    if (bytes == NULL)
        return SEG_ERR_NOMEM;
    if (copy->len > 0)
        memcpy(bytes, copy->bytes, (size_t)copy->len);
    free(copy->bytes);
    copy->bytes = bytes;
    copy->len = len;
    return SEG_OK;
}

/* How far to read. All below `bump` was backed, so a true segment has blocks for it; but a copy of
 * one may have holes, and a file system that compresses, or counts late, reports fewer blocks. Too
 * high a limit costs time, too low a one hits. */
static uint64_t read_limit(const struct seg_copy *copy)
{
    uint64_t held = copy->allocated < UINT64_MAX / 128 ? copy->allocated : UINT64_MAX / 128;

    return READ_ANYWAY + 64 * held;
}

/* Reads on from offset `at` until the copy is full or the file ends: how far it came, or 0. */
static uint64_t read_arena(int fd, struct seg_copy *copy, uint64_t at)
{
    uint8_t *part = malloc(READ_PART);

    while (part != NULL && at < copy->len) {
        uint64_t len = copy->len - at < READ_PART ? copy->len - at : READ_PART;
        ssize_t n = read_all(fd, part, at, len);

        if (n < 0) {
            at = 0;
            break;
        }
        for (uint64_t i = 0; i < (uint64_t)n; i += READ_PAGE) {
            size_t page = (uint64_t)n - i < READ_PAGE ? (size_t)n - i : READ_PAGE;

            if (!is_empty(part + i, page))
                memcpy(copy->bytes + at + i, part + i, page);
        }
        at += (uint64_t)n;
        if ((uint64_t)n < len)
            break;
    }
    if (part == NULL)
        at = 0;
    free(part);
    return at;
}

static void take_ids(const struct seg_header *head, uint32_t ids[SEG_KINDS])
{
    for (unsigned kind = 0; kind < SEG_KINDS; kind++)
        ids[kind] = seg_load32_relaxed(&head->next_id[kind]); /* relaxed: a private copy */
}

/* Reads header and buckets, then how much more there is. */
static int read_table(int fd, struct seg_copy *copy, struct seg_header *head, uint64_t *bump)
{
    int status = seg_access_header(fd, head);
    uint64_t now;
    ssize_t n;

    if (status != SEG_OK)
        return status;
    status = make_room(copy, SEG_ARENA_OFF);
    if (status != SEG_OK)
        return status;
    n = read_all(fd, copy->bytes, 0, SEG_ARENA_OFF);
    if (n < 0)
        return SEG_ERR_SYSTEM;
    if (n < (ssize_t)SEG_ARENA_OFF)
        return SEG_ERR_DAMAGED;
    /* Identity and plan are used as they were checked. The list heads are those of the second read,
     * which comes before that of `bump` as well. */
    memcpy(copy->bytes, head, offsetof(struct seg_header, bump));
    take_ids(head, copy->ids_before);
    n = read_all(fd, &now, offsetof(struct seg_header, bump), sizeof now);
    if (n != (ssize_t)sizeof now || now > head->size)
        return n < 0 ? SEG_ERR_SYSTEM : SEG_ERR_DAMAGED;
    *bump = seg_load_relaxed(&head->bump);
    if (now > *bump)
        *bump = now;
    return SEG_OK;
}

int seg_copy_read(int fd, struct seg_copy *copy)
{
    struct seg_header head;
    struct stat st;
    uint64_t bump = 0, end;
    int status = SEG_ERR_SYSTEM, saved;

    memset(copy, 0, sizeof *copy);
    if (fstat(fd, &st) != 0)
        goto failed;
    copy->file_size = st.st_size > 0 ? (uint64_t)st.st_size : 0;
    copy->allocated = (uint64_t)st.st_blocks * 512;
    status = read_table(fd, copy, &head, &bump);
    if (status != SEG_OK)
        goto failed;

    /* The rest, as far as the file goes. */
    end = copy->file_size < read_limit(copy) ? copy->file_size : read_limit(copy);
    if (bump > end) {
        bump = end;
        copy->damaged++;
    }
    status = make_room(copy, bump);
    if (status != SEG_OK)
        goto failed;
    end = read_arena(fd, copy, SEG_ARENA_OFF);
    if (end == 0) {
        status = SEG_ERR_SYSTEM;
        goto failed;
    }
    if (end < copy->len) {
        copy->len = end;
        copy->damaged++;
    }
    /* Should it be gone by now, what was read before is still good. */
    (void)seg_access_header(fd, &head);
    take_ids(&head, copy->ids_after);
    return SEG_OK;

failed:
    saved = errno;
    seg_copy_free(copy);
    errno = saved;
    return status;
}

void seg_copy_free(struct seg_copy *copy)
{
    free(copy->bytes);
    memset(copy, 0, sizeof *copy);
}

/* The address of a piece in the copy; NULL where there cannot be one. */
static const void *piece(const struct seg_copy *copy, uint64_t off, uint64_t len)
{
    if (off < SEG_ARENA_OFF || off % SEG_ALIGN != 0 ||
        !(off <= copy->len && copy->len - off >= len))
        return NULL;
    return copy->bytes + off;
}

const struct seg_header *seg_copy_header(const struct seg_copy *copy)
{
    return (const struct seg_header *)copy->bytes;
}

struct seg_rules seg_copy_rules(const struct seg_copy *copy)
{
    const struct seg_header *head = seg_copy_header(copy);
    const void *rules = head->plan_len == 0 ? NULL : piece(copy, head->plan, head->plan_len);

    return (struct seg_rules){rules, rules == NULL ? 0 : (size_t)head->plan_len};
}

/* -- the intern table -- */

static bool value_fits(const struct seg_entry *entry)
{
    switch (entry->kind) {
    case SEG_KIND_FILE:
        return entry->value_len == sizeof(struct seg_file) && entry->id >> SEG_KEY_FILE_BITS == 0;
    case SEG_KIND_CONTEXT:
        return entry->id >> SEG_KEY_CONTEXT_BITS == 0;
    case SEG_KIND_CODE:
        return entry->value_len == sizeof(struct seg_code);
    case SEG_KIND_DECISION:
        return entry->value_len == sizeof(struct seg_decision);
    default:
        return true;
    }
}

/* The entry at an offset, if all of it validates. */
static const struct seg_entry *entry_at(const struct seg_copy *copy, uint64_t bucket, uint64_t off)
{
    const struct seg_entry *entry = piece(copy, off, sizeof *entry);

    if (entry == NULL || entry->kind == 0 || entry->kind >= SEG_KINDS || entry->id == 0 ||
        seg_bucket(entry->hash) != bucket ||
        piece(copy, off, seg_entry_size(entry->key_len, entry->value_len)) == NULL ||
        !value_fits(entry) ||
        seg_hash(entry->kind, seg_entry_key(entry), entry->key_len) != entry->hash)
        return NULL;
    return entry;
}

const struct seg_entry *seg_copy_next(struct seg_copy *copy, enum seg_kind kind,
                                      struct seg_cursor *cursor)
{
    const seg_u64 *buckets = (const seg_u64 *)(copy->bytes + SEG_BUCKETS_OFF);

    while (cursor->bucket < SEG_BUCKETS) {
        const struct seg_entry *entry = NULL;
        uint64_t off = cursor->offset;

        if (cursor->steps == 0)
            off = seg_load_relaxed(&buckets[cursor->bucket]); /* relaxed: a private copy */
        if (off != 0) {
            if (!seg_in_circle(off, &cursor->steps, &cursor->mark))
                entry = entry_at(copy, cursor->bucket, off);
            if (entry == NULL)
                copy->damaged++;
        }
        if (entry != NULL && entry->next != 0) {
            cursor->offset = entry->next;
        } else {
            cursor->bucket++;
            cursor->offset = cursor->steps = cursor->mark = 0;
        }
        if (entry != NULL && entry->kind == (uint32_t)kind)
            return entry;
    }
    return NULL;
}

bool seg_copy_is_later(const struct seg_copy *copy, enum seg_kind kind, uint32_t id)
{
    return id > copy->ids_before[kind] && id <= copy->ids_after[kind];
}

/* -- hits -- */

/* What a slot leads to; NULL: nothing, or not in the copy yet, or damaged (counted). */
static const void *slot_target(struct seg_copy *copy, const seg_u64 *slot, uint64_t len)
{
    uint64_t off = seg_load_relaxed(slot); /* relaxed: a private copy */
    const void *target;

    if (off == 0)
        return NULL;
    target = piece(copy, off, len);
    if (target == NULL &&
        !(off >= copy->len && off % SEG_ALIGN == 0 && off < seg_copy_header(copy)->size))
        copy->damaged++;
    return target;
}

static int walk_slots(struct seg_copy *copy, const seg_u64 *slots, uint32_t n, uint32_t first,
                      seg_chunk_fn *fn, void *arg)
{
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *bits = slot_target(copy, &slots[i], SEG_CHUNK_BYTES);
        int status;

        if (bits == NULL || is_empty(bits, SEG_CHUNK_BYTES))
            continue;
        status = fn(arg, first + i, bits);
        if (status != 0)
            return status;
    }
    return 0;
}

int seg_copy_chunks(struct seg_copy *copy, const struct seg_entry *file, enum seg_space space,
                    seg_chunk_fn *fn, void *arg)
{
    const struct seg_dir *dir = &((const struct seg_file *)(file + 1))->hits[space];
    int status = walk_slots(copy, dir->slot, SEG_DIR_INLINE, 0, fn, arg);

    for (unsigned level = 0; level < SEG_DIR_LEVELS && status == 0; level++) {
        uint32_t n = SEG_DIR_INLINE << level;
        const seg_u64 *slots = slot_target(copy, &dir->more[level], (uint64_t)n * sizeof *slots);

        if (slots != NULL)
            status = walk_slots(copy, slots, n, n, fn, arg);
    }
    return status;
}

static int walk_extent(struct seg_copy *copy, const struct seg_extent *extent, seg_record_fn *fn,
                       void *arg)
{
    const struct seg_record *records = (const struct seg_record *)(extent + 1);

    for (uint32_t i = 0; i < extent->n; i++) {
        uint64_t key = seg_load_relaxed(&records[i].key); /* relaxed: a private copy */
        struct seg_hit hit = {
            .context = (uint32_t)(key >> SEG_KEY_CONTEXT_SHIFT),
            .file = (uint32_t)(key >> SEG_KEY_FILE_SHIFT) & ((1u << SEG_KEY_FILE_BITS) - 1),
            .number = (uint32_t)key & ((1u << SEG_KEY_CHUNK_BITS) - 1),
            .space = (enum seg_space)(key >> SEG_KEY_SPACE_SHIFT & 1),
            .bits = (const uint8_t *)records[i].bits,
        };
        int status;

        if (is_empty(hit.bits, SEG_RECORD_BYTES))
            continue;
        if (hit.context == 0 || hit.file == 0) {
            copy->damaged += key != 0; /* bits without a key: claimed while it was copied */
            continue;
        }
        status = fn(arg, &hit);
        if (status != 0)
            return status;
    }
    return 0;
}

int seg_copy_records(struct seg_copy *copy, seg_record_fn *fn, void *arg)
{
    uint64_t off = seg_load_relaxed(&seg_copy_header(copy)->extents); /* relaxed: a private copy */
    uint64_t steps = 0, mark = 0;

    while (off != 0) {
        const struct seg_extent *extent = piece(copy, off, sizeof *extent);
        int status;

        if (extent == NULL || seg_in_circle(off, &steps, &mark) ||
            extent->n > (SEG_EXTENT_MAX - sizeof *extent) / sizeof(struct seg_record) ||
            piece(copy, off, sizeof *extent + extent->n * sizeof(struct seg_record)) == NULL) {
            copy->damaged++;
            break;
        }
        status = walk_extent(copy, extent, fn, arg);
        if (status != 0)
            return status;
        off = extent->next;
    }
    return 0;
}

int seg_copy_arcs(struct seg_copy *copy, const struct seg_entry *code, seg_arc_fn *fn, void *arg)
{
    const uint8_t *at = seg_entry_key(code);
    const struct seg_code *value = (const struct seg_code *)(code + 1);
    const struct seg_code_key *key = (const struct seg_code_key *)at;
    size_t left = code->key_len;

    if (left < sizeof *key || value->first > (SEG_DIR_SLOTS << SEG_CHUNK_SHIFT)) {
        copy->damaged++;
        return 0;
    }
    at += sizeof *key;
    left -= sizeof *key;
    for (uint32_t i = 0; i < key->n; i++) {
        const struct seg_arc *arc = (const struct seg_arc *)at;
        size_t len =
            left < sizeof *arc ? SIZE_MAX : sizeof *arc + (size_t)arc->trail * sizeof(int32_t);
        int status;

        if (len > left) {
            copy->damaged++;
            return 0;
        }
        status = fn(arg, value->first + i, arc, (const int32_t *)(arc + 1));
        if (status != 0)
            return status;
        at += len;
        left -= len;
    }
    return 0;
}

/* -- how much -- */

static uint64_t ones(const uint8_t *bits, size_t len)
{
    uint64_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += (uint64_t)__builtin_popcount(bits[i]);
    return n;
}

static int add_chunk(void *arg, uint32_t chunk, const uint8_t *bits)
{
    (void)chunk;
    *(uint64_t *)arg += ones(bits, SEG_CHUNK_BYTES);
    return 0;
}

static int add_record(void *arg, const struct seg_hit *hit)
{
    *(uint64_t *)arg += ones(hit->bits, SEG_RECORD_BYTES);
    return 0;
}

uint64_t seg_copy_hits(struct seg_copy *copy)
{
    struct seg_cursor cursor = {0};
    const struct seg_entry *file;
    uint64_t n = 0;

    while ((file = seg_copy_next(copy, SEG_KIND_FILE, &cursor)) != NULL) {
        for (int space = 0; space < SEG_SPACES; space++)
            seg_copy_chunks(copy, file, (enum seg_space)space, add_chunk, &n);
    }
    seg_copy_records(copy, add_record, &n);
    return n;
}

/* -- processes -- */

const struct seg_process *seg_copy_process(struct seg_copy *copy, uint64_t *offset, uint64_t *steps)
{
    const struct seg_process *row;
    uint64_t off;

    if (*steps == 0)
        off = seg_load_relaxed(&seg_copy_header(copy)->processes); /* relaxed: a private copy */
    else
        off = ((const struct seg_process *)(copy->bytes + *offset))->next;
    if (off == 0)
        return NULL;
    row = piece(copy, off, sizeof *row);
    if (row == NULL || ++*steps > copy->len / SEG_ALIGN) {
        copy->damaged++;
        return NULL;
    }
    *offset = off;
    return row;
}
