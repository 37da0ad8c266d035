/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever is in a segment, reading it ends, stays inside the copy, and returns what is possible.
 *
 * A segment is large and mostly zero, so the input is a list of changes to a good one: {place,
 * value} of 16 bytes each, after one byte that says where the file is cut off.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "reader.h"
#include "segment.h"

#define CHANGE 16
#include "changes.h"
#define FUZZ_STEP CHANGE
#include "standalone.h"

#define FILE_SIZE (UINT64_C(4) << 20)

static seg_t *seg; /* never freed, as in any process */
static char *path;
static uint8_t *good;
static uint64_t good_len;

static void must(bool condition)
{
    if (!condition)
        abort();
}

/* A bit of everything, written by the writer itself. */
static void make_good(void)
{
    struct {
        struct seg_code_key key;
        struct seg_arc arc;
        int32_t trail[2];
    } code = {{1, 1}, {3, SEG_ARC_TRAIL, 2}, {4, -1}};
    struct {
        struct seg_rule rule;
        char text[8];
    } rule = {{SEG_RULE_OMIT, 4}, "*/te"};
    char folder[] = "/tmp/shmcov-fuzz-XXXXXX";
    struct seg_plan plan = {.rules = &rule, .rules_len = sizeof rule, .size = FILE_SIZE};
    struct seg_decision decision = {1, 0, 0};
    struct seg_process *row;
    struct seg_entry *entry;
    struct seg_copy copy;
    char name[32];
    uint32_t id;
    seg_u8 *bits;
    int fd;

    must(mkdtemp(folder) != NULL);
    plan.folder = folder;
    must(seg_create(&plan, &seg, &path, &fd) == SEG_OK);
    for (uint32_t i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "/project/%u.py", i);
        must(seg_file(seg, name, strlen(name), &entry) == SEG_OK);
        must(seg_chunk(seg, entry, SEG_LINES, i * i, &bits) == SEG_OK);
        seg_bit_set(bits, i);
        code.key.file = entry->id;
        must(seg_code(seg, entry, &code, sizeof code, &id) == SEG_OK);
        must(seg_chunk(seg, entry, SEG_ARCS, 0, &bits) == SEG_OK);
        seg_bit_set(bits, id);
        must(seg_context(seg, name, strlen(name), &id) == SEG_OK);
        must(seg_record(seg, id, SEG_LINES, entry->id, i, &bits) == SEG_OK);
        seg_bit_set(bits, i);
        must(seg_intern(seg, SEG_KIND_DECISION, name, strlen(name), &decision, sizeof decision,
                        &entry) == SEG_OK);
        must(seg_intern(seg, SEG_KIND_PACKAGE, name, strlen(name), NULL, 0, &entry) == SEG_OK);
        must(seg_process_enter(seg, 0, false, &row) == SEG_OK);
        must(seg_process_name(seg, row, name, strlen(name)) == SEG_OK);
        seg_process_switch(row, id, SEG_SWITCH_TEST);
    }
    must(seg_copy_read(fd, &copy) == SEG_OK);
    must(copy.damaged == 0);
    good_len = copy.len;
    good = malloc(good_len);
    must(good != NULL);
    must(pread(fd, good, good_len, 0) == (ssize_t)good_len);
    seg_copy_free(&copy);
    close(fd);
    unlink(path);
    rmdir(folder);
}

/* -- walks, which read every byte that they are given -- */

static volatile uint64_t sink;

static void look(const void *bytes, size_t len)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < len; i++)
        sum += ((const uint8_t *)bytes)[i];
    sink = sum;
}

static int look_at_chunk(void *arg, uint32_t chunk, const uint8_t bits[SEG_CHUNK_BYTES])
{
    uint64_t *next = arg;

    must(chunk < SEG_DIR_SLOTS && chunk >= *next);
    *next = (uint64_t)chunk + 1;
    look(bits, SEG_CHUNK_BYTES);
    return 0;
}

static int look_at_record(void *arg, const struct seg_hit *hit)
{
    (void)arg;
    must(hit->context != 0 && hit->context >> SEG_KEY_CONTEXT_BITS == 0);
    must(hit->file != 0 && hit->file >> SEG_KEY_FILE_BITS == 0);
    must(hit->number >> SEG_KEY_CHUNK_BITS == 0 && hit->space < SEG_SPACES);
    look(hit->bits, SEG_RECORD_BYTES);
    return 0;
}

static int look_at_arc(void *arg, uint32_t bit, const struct seg_arc *arc, const int32_t *trail)
{
    (void)arg;
    (void)bit;
    look(arc, sizeof *arc);
    look(trail, arc->trail * sizeof *trail);
    return 0;
}

static void look_at_entry(struct seg_copy *copy, const struct seg_entry *entry)
{
    look(seg_entry_key(entry), entry->key_len);
    look(entry + 1, entry->value_len);
    if (entry->kind == SEG_KIND_CODE)
        seg_copy_arcs(copy, entry, look_at_arc, NULL);
    if (entry->kind == SEG_KIND_FILE) {
        for (int space = 0; space < SEG_SPACES; space++) {
            uint64_t next = 0;

            seg_copy_chunks(copy, entry, (enum seg_space)space, look_at_chunk, &next);
        }
    }
}

static void look_at_all(struct seg_copy *copy)
{
    uint64_t offset = 0, steps = 0, n = 0, since;
    const struct seg_process *row;
    struct seg_rules rules = seg_copy_rules(copy);

    look(rules.next, rules.left);
    for (int kind = 1; kind < SEG_KINDS; kind++) {
        struct seg_cursor cursor = {0, 0, 0, 0};
        const struct seg_entry *entry;

        while ((entry = seg_copy_next(copy, (enum seg_kind)kind, &cursor)) != NULL) {
            must(entry->kind == (uint32_t)kind && entry->id != 0);
            look_at_entry(copy, entry);
            /* A circle is found before four rounds. */
            must(++n < 4 * SEG_KINDS * copy->len / SEG_ALIGN);
        }
    }
    seg_copy_records(copy, look_at_record, NULL);
    while ((row = seg_copy_process(copy, &offset, &steps)) != NULL) {
        must(seg_process_context(row, &since) >> SEG_KEY_CONTEXT_BITS == 0);
        look(row, sizeof *row);
    }
}

/* -- one input -- */

/* Where a change goes. Most of the file is the empty table; half of the changes go to what is in
 * the arena. */
static uint64_t place_of(uint64_t word)
{
    word >>= 1;
    word = word & 1 ? SEG_ARENA_OFF + word % (good_len - SEG_ARENA_OFF) : word % SEG_ARENA_OFF;
    return word & ~UINT64_C(7);
}

static void change(int fd, const uint8_t *data, size_t size, bool back)
{
    uint64_t place, value;

    for (; size >= CHANGE; data += CHANGE, size -= CHANGE) {
        memcpy(&place, data, 8);
        memcpy(&value, data + 8, 8);
        if (place & 1)
            value = SEG_ARENA_OFF + value % (good_len - SEG_ARENA_OFF + 256) / 64 * 64;
        place = place_of(place);
        if (back)
            memcpy(&value, good + place, 8);
        must(pwrite(fd, &value, 8, (off_t)place) == 8);
    }
}

static void restore(int fd)
{
    must(pwrite(fd, good, good_len, 0) == (ssize_t)good_len);
    must(ftruncate(fd, (off_t)FILE_SIZE) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    struct seg_copy copy;

    if (good == NULL) {
        make_good();
        fd = memfd_create("segment", MFD_CLOEXEC);
        must(fd >= 0);
        restore(fd);
    }
    if (size > 0) {
        change(fd, data + 1, size - 1, false);
        if (data[0] >= 224)
            must(ftruncate(fd, (off_t)(good_len * (data[0] - 224) / 31)) == 0);
    }
    if (seg_copy_read(fd, &copy) == SEG_OK) {
        look_at_all(&copy);
        seg_copy_free(&copy);
    }
    if (size > 0) {
        change(fd, data + 1, size - 1, true);
        if (data[0] >= 224)
            restore(fd);
    }
    return 0;
}
