/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Damaged segments through the whole merge. An input is a list of changes to a good segment, which
 * gets further than random bytes; the first byte chooses between lines and branches, and whether an
 * old file is united with. Nothing may crash, and what is written must be a sound database.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/datafile.h"
#include "merge.h"
#include "require.h"

#define SEGFILL_STATIC
#include "../support/segfill.c"

struct change {
    uint8_t where; /* part of the segment */
    uint8_t width; /* bytes: 1 << width % 4 */
    uint8_t place[4];
    uint8_t value[8];
};

#define CHANGE sizeof(struct change)
#include "changes.h"
#define FUZZ_STEP CHANGE
#include "standalone.h"

static seg_t *made[2]; /* a mapped segment is never freed */
static uint8_t *good[2];
static size_t good_len[2];
static char folder[64], target[96], segments[96];

static void clean_up(void)
{
    unlink(target);
    rmdir(segments);
    rmdir(folder);
}

static void fill(int branch)
{
    static const int32_t code[] = {
        3, SEG_ARC_TRAIL, 2, 4, 5, 3, SEG_ARC_TRAIL, 1, -1, 9, SEG_ARC_EXACT, 1, -9,
        7, SEG_ARC_LINES, 1, 8};
    seg_t *seg;
    int fd;

    made[branch] = seg = segfill_create(segments, branch ? SEG_FLAG_BRANCH : 0, NULL, 1 << 20, &fd);
    require(seg != NULL, "the segment cannot be made");
    for (uint32_t file = 0; file < 6; file++) {
        char path[] = "/src/0.py", context[] = "test 0";
        int first;

        path[5] = context[5] = (char)('0' + file);
        for (uint32_t line = 1; line < 30; line += 1 + file) {
            segfill_line(seg, NULL, path, line * 40);
            segfill_line(seg, context, path, line * 10);
        }
        first = segfill_code(seg, path, code, sizeof code / sizeof *code);
        for (uint32_t bit = 0; bit < 3; bit++) {
            segfill_arc(seg, NULL, path, (uint32_t)first + bit);
            segfill_arc(seg, context, path, (uint32_t)first + bit);
        }
        segfill_package(seg, path, "/src");
        segfill_tracer(seg, path, "a.plugin");
        segfill_process(seg, 1);
    }
    good[branch] = malloc(1 << 20);
    good_len[branch] = (size_t)pread(fd, good[branch], 1 << 20, 0);
    require(good_len[branch] == 1 << 20, "the segment cannot be read");
    close(fd);
}

static void set_up(void)
{
    require(datafile_folder(folder, sizeof folder), "no folder");
    snprintf(target, sizeof target, "%s/.coverage", folder);
    snprintf(segments, sizeof segments, "%s/segments", folder);
    require(mkdir(segments, 0700) == 0, "no folder for segments");
    fill(0);
    fill(1);
    atexit(clean_up);
}

static void apply(uint8_t *bytes, const struct change *change)
{
    const struct seg_header *header = (const struct seg_header *)bytes;
    uint64_t used = seg_load_relaxed(&header->bump);
    size_t width = (size_t)1 << change->width % 4;
    uint32_t place;
    uint64_t at;

    memcpy(&place, change->place, sizeof place);
    if (used <= SEG_ARENA_OFF || used > 1 << 20)
        used = 1 << 20;
    if (change->where % 16 == 0)
        at = 32 + place % (512 - 32);
    else if (change->where % 16 == 1)
        at = SEG_BUCKETS_OFF + place % (SEG_BUCKETS * 8);
    else
        at = SEG_ARENA_OFF + place % (used - SEG_ARENA_OFF);
    at -= at % width;
    memcpy(bytes + at, change->value, width);
}

static void read_all(struct merge *m)
{
    struct seg_copy *copy = merge_copy(m);
    uint64_t offset = 0, steps = 0, lines;
    struct seg_cursor cursor = {0};
    static const uint32_t first[] = {0, 1, 1, 1, 4, 4, 6, 6, 6};

    while (seg_copy_process(copy, &offset, &steps))
        ;
    while (seg_copy_next(copy, SEG_KIND_PACKAGE, &cursor))
        ;
    for (size_t i = 0; i < merge_files(m); i++) {
        bool wanted;

        merge_lines(m, i, &lines);
        merge_wants_multiline(m, i, &wanted);
        if (wanted)
            merge_set_multiline(m, i, first, sizeof first / sizeof *first);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    struct merge_options options = {.target = target, .version = "7.0"};
    static uint8_t bytes[1 << 20];
    struct merge_counts counts;
    struct merge_error error;
    struct merge *merge;
    int branch, fd;

    if (!ready)
        set_up();
    ready = true;
    if (size == 0)
        return 0;
    branch = data[0] & 1;
    memcpy(bytes, good[branch], sizeof bytes);
    for (size_t at = 1; size - at >= sizeof(struct change); at += sizeof(struct change)) {
        struct change change;

        memcpy(&change, data + at, sizeof change);
        apply(bytes, &change);
    }
    fd = memfd_create("fuzz", MFD_CLOEXEC);
    require(fd >= 0 && pwrite(fd, bytes, sizeof bytes, 0) == sizeof bytes, "no file in memory");
    if (merge_open(fd, &merge) == 0) {
        struct stat st;

        read_all(merge);
        options.append = data[0] & 2;
        if (merge_write(merge, &options, &counts, &error) == 0)
            require(datafile_sound(target), "what was written is no sound database");
        else
            require(strstr(error.text, "existing") != NULL, error.text); /* another mode */
        merge_close(merge);
        if (stat(target, &st) == 0 && st.st_size > 4 << 20)
            unlink(target); /* a united file would only grow */
    }
    close(fd);
    return 0;
}
