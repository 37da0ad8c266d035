/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The intern table: one entry for each key, whoever asks for it and however many at once.
 */
#include "support.h"

#define WORKERS 4
#define KEYS 3000

Test(table, the_same_key_is_the_same_entry)
{
    struct place place = make_segment(4 * MIB);
    seg_t *other = attach(place.path);
    struct seg_entry *a, *b, *c;
    uint64_t value = 77;

    cr_assert_eq(seg_intern(place.seg, SEG_KIND_PACKAGE, "a\0b", 3, &value, 8, &a), SEG_OK);
    cr_assert_eq(seg_intern(place.seg, SEG_KIND_PACKAGE, "a\0b", 3, NULL, 8, &b), SEG_OK);
    cr_assert_eq(a, b);
    cr_assert_eq(*(uint64_t *)seg_entry_value(a), 77);
    cr_assert_eq(a->id, 1);
    cr_assert_arr_eq(seg_entry_key(a), "a\0b", 3);

    cr_assert_eq(seg_intern(other, SEG_KIND_PACKAGE, "a\0b", 3, NULL, 8, &c), SEG_OK);
    cr_assert_eq(seg_entry_offset(other, c), seg_entry_offset(place.seg, a));
    cr_assert_eq(seg_entry_at(place.seg, seg_entry_offset(other, c)), a);
    cr_assert_eq(seg_find(other, SEG_KIND_PACKAGE, "a\0b", 3), c);

    cr_assert_null(seg_find(other, SEG_KIND_PACKAGE, "a", 1));
    cr_assert_null(seg_find(other, SEG_KIND_PACKAGE, "a\0c", 3));
    cr_assert_null(seg_find(other, SEG_KIND_CONTEXT, "a\0b", 3), "another kind");
    cr_assert_eq(seg_intern(other, SEG_KIND_CONTEXT, "a\0b", 3, NULL, 0, &b), SEG_OK);
    cr_assert_eq(b->id, 1, "each kind counts for itself");
    cr_assert_eq(seg_intern(other, SEG_KIND_CONTEXT, "", 0, NULL, 0, &b), SEG_OK);
    cr_assert_eq(seg_find(place.seg, SEG_KIND_CONTEXT, "", 0)->id, 2);
    seg_discard(other);
    drop_segment(&place);
}

Test(table, the_hash_alone_does_not_make_them_equal)
{
    struct place place = make_segment(4 * MIB);
    uint64_t hash = seg_hash(SEG_KIND_FILE, "/b", 2);
    struct seg_entry *a = intern_file(place.seg, "/a");
    struct seg_entry *b;

    /* "/a" as if it had the hash of "/b". */
    a->hash = hash;
    seg_store_relaxed(&seg_buckets(place.seg)[seg_bucket(hash)], seg_entry_offset(place.seg, a));
    cr_assert_null(seg_find(place.seg, SEG_KIND_FILE, "/b", 2));
    b = intern_file(place.seg, "/b");
    cr_assert_neq(a, b);
    cr_assert_eq(intern_file(place.seg, "/b"), b);
    drop_segment(&place);
}

Test(table, keys_of_every_length_are_kept)
{
    struct place place = make_segment(32 * MIB);
    uint8_t *key = malloc(70000);
    struct seg_entry *entry;

    for (size_t i = 0; i < 70000; i++)
        key[i] = (uint8_t)(i * 7);
    for (size_t len = 0; len < 70000; len += len < 200 ? 1 : 997) {
        cr_assert_eq(seg_intern(place.seg, SEG_KIND_CONTEXT, key, len, NULL, 0, &entry), SEG_OK);
        cr_assert_eq(entry->key_len, len);
        cr_assert_eq(memcmp(seg_entry_key(entry), key, len), 0);
        cr_assert_eq(seg_find(place.seg, SEG_KIND_CONTEXT, key, len), entry);
    }
    cr_assert_eq(seg_intern(place.seg, SEG_KIND_CONTEXT, key, SIZE_MAX, NULL, 0, &entry),
                 SEG_ERR_LIMIT);
    cr_assert_eq(lost(place.seg, SEG_LOST_LIMIT), 1);
    free(key);
    drop_segment(&place);
}

Test(table, hashes_spread)
{
    uint32_t count[64] = {0};
    char key[32];

    for (int i = 0; i < 64000; i++) {
        int len = snprintf(key, sizeof key, "/project/module_%d.py", i);

        count[seg_bucket(seg_hash(SEG_KIND_FILE, key, (size_t)len)) / (SEG_BUCKETS / 64)]++;
    }
    for (int i = 0; i < 64; i++)
        cr_assert(count[i] > 800 && count[i] < 1200, "%u of 1000", count[i]);
}

struct contest {
    const char *path;
    seg_t *seg;
    seg_u64 offsets[WORKERS][KEYS];
};

/* All intern the same keys in the same order, so that they collide. */
static void intern_all(struct contest *contest, seg_t *seg, int number)
{
    for (int i = 0; i < KEYS; i++) {
        struct seg_entry *entry;
        char key[32];
        int len = snprintf(key, sizeof key, "/project/%d.py", i);

        if (seg_file(seg, key, (size_t)len, &entry) != SEG_OK ||
            memcmp(seg_entry_key(entry), key, (size_t)len) != 0)
            abort();
        seg_store_relaxed(&contest->offsets[number][i], seg_entry_offset(seg, entry));
    }
}

static void intern_in_thread(void *arg, int number)
{
    struct contest *contest = arg;

    intern_all(contest, contest->seg, number);
}

static void intern_in_process(void *arg, int number)
{
    struct contest *contest = arg;
    seg_t *seg;

    CHILD_CHECK(seg_attach(contest->path, &seg) == SEG_OK);
    intern_all(contest, seg, number);
}

static void check_contest(struct contest *contest, struct place *place)
{
    struct seg_copy copy = read_copy(place->fd);

    for (int i = 0; i < KEYS; i++) {
        for (int worker = 0; worker < WORKERS; worker++)
            cr_assert_eq(seg_load_relaxed(&contest->offsets[worker][i]),
                         seg_load_relaxed(&contest->offsets[0][i]));
    }
    cr_assert_eq(count_copy(&copy, SEG_KIND_FILE), KEYS);
    cr_assert_eq(copy.damaged, 0);
    seg_copy_free(&copy);
}

Test(table, threads_get_one_entry)
{
    struct contest *contest = shared_memory(sizeof *contest);

    for (int round = 0; round < 10; round++) {
        struct place place = make_segment(32 * MIB);

        contest->seg = place.seg;
        run_threads(WORKERS, intern_in_thread, contest);
        check_contest(contest, &place);
        drop_segment(&place);
    }
}

Test(table, processes_get_one_entry)
{
    struct contest *contest = shared_memory(sizeof *contest);

    for (int round = 0; round < 10; round++) {
        struct place place = make_segment(32 * MIB);

        contest->path = place.path;
        run_children(WORKERS, intern_in_process, contest);
        check_contest(contest, &place);
        drop_segment(&place);
    }
}

Test(table, ids_end_where_a_key_ends)
{
    struct place place = make_segment(4 * MIB);
    struct seg_header *head = seg_head(place.seg);
    struct seg_entry *entry;
    uint32_t id = 0;

    seg_store32_relaxed(&head->next_id[SEG_KIND_FILE], (1u << SEG_KEY_FILE_BITS) - 2);
    entry = intern_file(place.seg, "/last.py");
    cr_assert_eq(entry->id, (1u << SEG_KEY_FILE_BITS) - 1);
    cr_assert_eq(seg_file(place.seg, "/more.py", 8, &entry), SEG_ERR_LIMIT);
    cr_assert_null(seg_find(place.seg, SEG_KIND_FILE, "/more.py", 8));
    cr_assert_eq(lost(place.seg, SEG_LOST_LIMIT), 1);

    seg_store32_relaxed(&head->next_id[SEG_KIND_CONTEXT], (1u << SEG_KEY_CONTEXT_BITS) - 2);
    cr_assert_eq(seg_context(place.seg, "last", 4, &id), SEG_OK);
    cr_assert_eq(id, (1u << SEG_KEY_CONTEXT_BITS) - 1);
    cr_assert_eq(seg_context(place.seg, "more", 4, &id), SEG_ERR_LIMIT);
    cr_assert_eq(seg_context(place.seg, "last", 4, &id), SEG_OK, "what is there is found");
    drop_segment(&place);
}

struct arcs {
    struct seg_code_key key;
    struct seg_arc first;
    int32_t trail[2];
    struct seg_arc second;
};

Test(table, equal_code_shares_its_bits)
{
    struct place place = make_segment(4 * MIB);
    seg_t *other = attach(place.path);
    struct seg_entry *file = intern_file(place.seg, "/a.py");
    struct arcs arcs = {{file->id, 2}, {5, SEG_ARC_TRAIL, 2}, {6, -1}, {5, SEG_ARC_LINES, 0}};
    uint32_t a, b, c;

    cr_assert_eq(seg_code(place.seg, file, &arcs, sizeof arcs, &a), SEG_OK);
    cr_assert_eq(seg_code(other, intern_file(other, "/a.py"), &arcs, sizeof arcs, &b), SEG_OK);
    cr_assert_eq(a, 0);
    cr_assert_eq(b, 0);
    arcs.trail[0] = 7;
    cr_assert_eq(seg_code(other, intern_file(other, "/a.py"), &arcs, sizeof arcs, &c), SEG_OK);
    cr_assert_eq(c, 2, "after the two of the first");
    cr_assert_eq(seg_code(place.seg, file, &arcs, 4, &c), SEG_ERR_DAMAGED, "shorter than a key");

    /* At the end of the bits of a file. */
    seg_store32_relaxed(&((struct seg_file *)seg_entry_value(file))->next_arc,
                        (SEG_DIR_SLOTS << SEG_CHUNK_SHIFT) - 1);
    arcs.trail[0] = 8;
    cr_assert_eq(seg_code(place.seg, file, &arcs, sizeof arcs, &c), SEG_ERR_LIMIT);
    cr_assert_eq(lost(place.seg, SEG_LOST_LIMIT), 2);
    seg_discard(other);
    drop_segment(&place);
}

Test(table, a_decision_without_room_is_no_loss)
{
    struct place place = make_segment(512 * 1024);
    struct seg_decision decision = {0};
    struct seg_entry *entry;
    char key[32];
    int status, n = 0;

    do {
        int len = snprintf(key, sizeof key, "/%d.py", n++);

        status = seg_intern(place.seg, SEG_KIND_DECISION, key, (size_t)len, &decision,
                            sizeof decision, &entry);
    } while (status == SEG_OK);
    cr_assert_eq(status, SEG_ERR_SPACE);
    cr_assert_eq(lost(place.seg, SEG_LOST_SPACE), 0);
    cr_assert_eq(seg_file(place.seg, key, strlen(key), &entry), SEG_ERR_SPACE);
    cr_assert_eq(lost(place.seg, SEG_LOST_SPACE), 1, "but a file is");
    drop_segment(&place);
}

Test(table, a_full_segment_is_an_error)
{
    struct place place = make_segment(512 * 1024);
    struct seg_entry *entry;
    char key[32];
    int status, n = 0;

    do {
        int len = snprintf(key, sizeof key, "/%d.py", n++);

        status = seg_file(place.seg, key, (size_t)len, &entry);
    } while (status == SEG_OK);
    cr_assert_eq(status, SEG_ERR_SPACE);
    cr_assert_gt(n, 100);
    for (int i = 0; i < n - 1; i++) {
        int len = snprintf(key, sizeof key, "/%d.py", i);

        cr_assert_eq(seg_file(place.seg, key, (size_t)len, &entry), SEG_OK,
                     "what is there is found");
    }
    drop_segment(&place);
}

Test(table, a_damaged_chain_ends)
{
    struct place place = make_segment(4 * MIB);
    struct seg_entry *a = intern_file(place.seg, "/a");
    uint64_t hash = seg_hash(SEG_KIND_FILE, "/b", 2);
    struct seg_entry *entry;

    seg_store_relaxed(&seg_buckets(place.seg)[seg_bucket(hash)], seg_entry_offset(place.seg, a));
    a->next = seg_entry_offset(place.seg, a);
    cr_assert_null(seg_find(place.seg, SEG_KIND_FILE, "/b", 2));
    cr_assert_eq(seg_file(place.seg, "/b", 2, &entry), SEG_ERR_DAMAGED);
    a->next = UINT64_MAX - 63;
    cr_assert_eq(seg_file(place.seg, "/b", 2, &entry), SEG_ERR_DAMAGED);
    a->next = SEG_ARENA_OFF + 1;
    cr_assert_eq(seg_file(place.seg, "/b", 2, &entry), SEG_ERR_DAMAGED);
    cr_assert_null(seg_entry_at(place.seg, 0));
    cr_assert_null(seg_entry_at(place.seg, place.seg->size));
    a->key_len = UINT32_MAX;
    cr_assert_null(seg_entry_at(place.seg, seg_entry_offset(place.seg, a)));
    drop_segment(&place);
}

Test(table, a_tracer_is_one_entry_for_each_file_and_name)
{
    static char name[SEG_TRACER_NAME_MAX + 1];
    struct place place = make_segment(4 * MIB);
    struct seg_tracer_key head = {0};
    struct seg_cursor cursor = {0};
    const struct seg_entry *entry;
    struct seg_entry *a, *b;
    struct seg_copy copy;
    unsigned n = 0;

    memset(name, 'n', sizeof name);
    cr_assert_eq(seg_file(place.seg, "/a", 2, &a), SEG_OK);
    cr_assert_eq(seg_file(place.seg, "/b", 2, &b), SEG_OK);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(seg_tracer(place.seg, a, "one", 3), SEG_OK);
        cr_assert_eq(seg_tracer(place.seg, b, "one", 3), SEG_OK);
        cr_assert_eq(seg_tracer(place.seg, b, name, sizeof name - 1), SEG_OK);
    }
    cr_assert_eq(seg_tracer(place.seg, b, name, sizeof name), SEG_ERR_LIMIT);
    cr_assert_eq(seg_load_relaxed(&seg_head(place.seg)->lost[SEG_LOST_LIMIT]), 1);
    copy = read_copy(place.fd);
    while ((entry = seg_copy_next(&copy, SEG_KIND_TRACER, &cursor)) != NULL) {
        memcpy(&head, seg_entry_key(entry), sizeof head);
        cr_assert_eq(head.file, entry->id == 1 ? a->id : b->id);
        n++;
    }
    cr_assert_eq(n, 3);
    cr_assert_eq(copy.damaged, 0);
    seg_copy_free(&copy);
    drop_segment(&place);
}
