/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segdump: prints a segment in words, for whoever debugs shmcov. It reads as the merge reads, so it
 * may be used at any time, also while processes write.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "names.h"
#include "platform.h"
#include "process.h"
#include "reader.h"

/* Text that may contain anything, on one line. */
static void print_text(const uint8_t *text, size_t len)
{
    putchar('"');
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\')
            printf("\\%c", text[i]);
        else if (text[i] < 0x20 || text[i] == 0x7f)
            printf("\\x%02x", text[i]);
        else
            putchar(text[i]);
    }
    putchar('"');
}

static void print_header(const struct seg_copy *copy)
{
    const struct seg_header *head = seg_copy_header(copy);
    time_t created = (time_t)head->created;
    struct tm when;
    char text[64] = "";

    if (localtime_r(&created, &when) != NULL)
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &when);
    printf("segment version %" PRIu32 ", created %s by process %" PRIu32 " of user %" PRIu32 "\n",
           head->version, text, head->supervisor_pid, head->uid);
    printf("  size %" PRIu64 ", given out %" PRIu64 ", backed %" PRIu64 ", allocated %" PRIu64 "\n",
           head->size, copy->len, seg_load_relaxed(&head->backed), copy->allocated);
    printf("  flags:");
    for (const struct seg_name *flag = seg_flag_names; flag->name != NULL; flag++) {
        if (head->flags & flag->value)
            printf(" %s", flag->name);
    }
    putchar('\n');
    for (const struct seg_name *lost = seg_lost_names; lost->name != NULL; lost++) {
        uint64_t n = seg_load_relaxed(&head->lost[lost->value]);

        if (n != 0)
            printf("  lost: %" PRIu64 " %s\n", n, lost->name);
    }
}

static void print_rules(const struct seg_copy *copy)
{
    struct seg_rules rules = seg_copy_rules(copy);
    const struct seg_rule *rule;

    while ((rule = seg_rule_next(&rules)) != NULL) {
        printf("rule %s ", seg_name_of(seg_rule_names, rule->kind));
        print_text((const uint8_t *)seg_rule_text(rule), rule->len);
        putchar('\n');
    }
    if (rules.left != 0)
        printf("%zu bytes that are no rules\n", rules.left);
}

static void print_processes(struct seg_copy *copy)
{
    static const char *const lives[] = {"ended", "alive", "unknown"};
    const struct seg_process *row;
    uint64_t offset = 0, steps = 0, since;

    while ((row = seg_copy_process(copy, &offset, &steps)) != NULL) {
        uint32_t context = seg_process_context(row, &since);

        printf("process %" PRIu32 " of parent %" PRIu32 ": Python %" PRIu32 ".%" PRIu32 ".%" PRIu32
               "%s, %s, %s",
               row->pid, row->parent, row->interpreter >> 24, row->interpreter >> 16 & 255,
               row->interpreter >> 8 & 255, row->forked ? ", forked" : "",
               seg_name_of(seg_state_names, seg_load32_relaxed(&row->state)),
               lives[seg_life(row->pid, row->start, row->ns)]);
        printf(", name %" PRIu32 ", context %" PRIu32 " since %" PRIu64 " ms, tests %" PRIu32 "\n",
               seg_load32_relaxed(&row->name), context, since / 1000000,
               seg_load32_relaxed(&row->tests));
    }
}

/* Bits as ranges of numbers; bit 0 stands for `first`. */
static void print_bits(const uint8_t *bits, uint32_t n, uint64_t first)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = i;

        if (!(bits[i / 8] >> (i % 8) & 1))
            continue;
        while (i + 1 < n && bits[(i + 1) / 8] >> ((i + 1) % 8) & 1)
            i++;
        printf(from == i ? " %" PRIu64 : " %" PRIu64 "-%" PRIu64, first + from, first + i);
    }
}

static int print_chunk(void *arg, uint32_t chunk, const uint8_t bits[SEG_CHUNK_BYTES])
{
    (void)arg;
    print_bits(bits, SEG_CHUNK_BITS, (uint64_t)chunk << SEG_CHUNK_SHIFT);
    return 0;
}

static int print_arc(void *arg, uint32_t bit, const struct seg_arc *arc, const int32_t *trail)
{
    static const char *const names[] = {"", " exact", " lines"};

    (void)arg;
    printf("\n  arc %" PRIu32 "%s: %" PRId32 " ->", bit, arc->kind < 3 ? names[arc->kind] : " ?",
           arc->from);
    for (unsigned i = 0; i < arc->trail; i++)
        printf(" %" PRId32, trail[i]);
    return 0;
}

static int print_record(void *arg, const struct seg_hit *hit)
{
    (void)arg;
    printf("record context %" PRIu32 " file %" PRIu32 " %s:", hit->context, hit->file,
           hit->space == SEG_LINES ? "lines" : "arcs");
    print_bits(hit->bits, SEG_RECORD_BITS, (uint64_t)hit->number << SEG_RECORD_SHIFT);
    putchar('\n');
    return 0;
}

static void print_entry(struct seg_copy *copy, const struct seg_entry *entry)
{
    printf("%s %" PRIu32 " ", seg_name_of(seg_kind_names, entry->kind), entry->id);
    if (entry->kind == SEG_KIND_CODE) {
        struct seg_code_key key = {0, 0};

        if (entry->key_len >= sizeof key)
            memcpy(&key, seg_entry_key(entry), sizeof key);
        printf("of file %" PRIu32, key.file);
        seg_copy_arcs(copy, entry, print_arc, NULL);
    } else if (entry->kind == SEG_KIND_TRACER) {
        struct seg_tracer_key key = {0};
        size_t len = entry->key_len < sizeof key ? entry->key_len : sizeof key;

        memcpy(&key, seg_entry_key(entry), len);
        printf("of file %" PRIu32 " ", key.file);
        print_text(seg_entry_key(entry) + len, entry->key_len - len);
    } else {
        print_text(seg_entry_key(entry), entry->key_len);
    }
    if (entry->kind == SEG_KIND_DECISION)
        printf(" is file %" PRIu32, ((const struct seg_decision *)(entry + 1))->file);
    if (entry->kind == SEG_KIND_FILE) {
        printf("\n  lines:");
        seg_copy_chunks(copy, entry, SEG_LINES, print_chunk, NULL);
        printf("\n  arcs:");
        seg_copy_chunks(copy, entry, SEG_ARCS, print_chunk, NULL);
    }
    putchar('\n');
}

int main(int argc, char **argv)
{
    struct seg_copy copy;
    int fd, status;

    if (argc != 2) {
        fprintf(stderr, "usage: segdump SEGMENT\n");
        return 2;
    }
    status = seg_access_open(argv[1], O_RDONLY, &fd);
    if (status == SEG_OK) {
        status = seg_copy_read(fd, &copy);
        close(fd);
    }
    if (status != SEG_OK) {
        fprintf(stderr, "segdump: %s: %s\n", argv[1], seg_strstatus(status));
        return 1;
    }
    print_header(&copy);
    print_rules(&copy);
    print_processes(&copy);
    for (int kind = 1; kind < SEG_KINDS; kind++) {
        struct seg_cursor cursor = {0, 0, 0, 0};
        const struct seg_entry *entry;

        while ((entry = seg_copy_next(&copy, (enum seg_kind)kind, &cursor)) != NULL)
            print_entry(&copy, entry);
    }
    seg_copy_records(&copy, print_record, NULL);
    if (copy.damaged != 0)
        printf("damaged: %" PRIu64 " parts\n", copy.damaged);
    seg_copy_free(&copy);
    return 0;
}
