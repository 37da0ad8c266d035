/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the bytes of a segment to arrays: files by path, contexts by id, arcs by file and bit, and
 * one array of all hits, sorted by file, context, space and number. Chunks of the static context
 * are split into pieces of a record's size, so that there is one kind of hit from here on.
 *
 * The reader lets no entry through whose id or value cannot be (value_fits in shm/reader.c). Ids in
 * keys are not trusted; one that names no file or context counts as damage.
 */
#include "internal.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"

#define MAX_FILES (UINT32_C(1) << SEG_KEY_FILE_BITS)
#define MAX_CONTEXTS (UINT32_C(1) << SEG_KEY_CONTEXT_BITS)
#define NOWHERE UINT32_MAX

/* What is needed only while loading. */
struct load {
    struct merge *m;
    uint32_t *file_of; /* by id; NOWHERE */
    size_t file_of_n;
    uint32_t *context_of; /* by id; NOWHERE */
    size_t context_of_n;
    size_t files_cap, contexts_cap, arcs_cap, hits_cap;
    uint32_t file; /* whose chunks or arcs are being walked */
    enum seg_space space;
};

/* Something refers to an entry that is not in the copy. */
static void miss(struct load *load, enum seg_kind kind, uint32_t id)
{
    load->m->copy.damaged += !seg_copy_is_later(&load->m->copy, kind, id);
}

static bool knows_file(const struct load *load, uint32_t id)
{
    return id < load->file_of_n && load->file_of[id] != NOWHERE;
}

bool merge_sort_hits(struct merge_hit **hits, size_t n)
{
    static const unsigned digits = 8;
    size_t count[8][256] = {{0}};
    struct merge_hit *from = *hits, *to;
    bool sorted = true;

    for (size_t i = 1; i < n && sorted; i++)
        sorted = from[i - 1].key <= from[i].key;
    if (sorted)
        return true;
    to = malloc(n * sizeof *to);
    if (!to)
        return false;
    for (size_t i = 0; i < n; i++) {
        for (unsigned d = 0; d < digits; d++)
            count[d][from[i].key >> (8 * d) & 255]++;
    }
    for (unsigned d = 0; d < digits; d++) {
        struct merge_hit *swap = from;
        size_t at = 0;

        if (count[d][from[0].key >> (8 * d) & 255] == n)
            continue;
        for (unsigned digit = 0; digit < 256; digit++) {
            size_t here = count[d][digit];

            count[d][digit] = at;
            at += here;
        }
        for (size_t i = 0; i < n; i++)
            to[count[d][from[i].key >> (8 * d) & 255]++] = from[i];
        from = to;
        to = swap;
    }
    free(to);
    *hits = from;
    return true;
}

/* -- files and contexts -- */

static int compare_paths(const void *left, const void *right)
{
    const struct merge_file *a = left, *b = right;
    size_t both = a->path_len < b->path_len ? a->path_len : b->path_len;
    int order = memcmp(a->path, b->path, both);

    if (order)
        return order;
    return (a->path_len > b->path_len) - (a->path_len < b->path_len);
}

static int compare_contexts(const void *left, const void *right)
{
    const struct merge_context *a = left, *b = right;

    return (a->id > b->id) - (a->id < b->id);
}

/* A table from id to index, NOWHERE where there is none. */
static bool make_table(uint32_t **table, size_t *n, uint32_t max)
{
    *n = (size_t)max + 1;
    *table = malloc(*n * sizeof **table);
    if (*table)
        memset(*table, 0xff, *n * sizeof **table);
    return *table != NULL;
}

static bool load_files(struct load *load)
{
    struct merge *m = load->m;
    struct seg_cursor cursor = {0};
    const struct seg_entry *entry;
    uint32_t max = 0;

    while ((entry = seg_copy_next(&m->copy, SEG_KIND_FILE, &cursor))) {
        if (entry->key_len == 0 || memchr(seg_entry_key(entry), 0, entry->key_len) ||
            m->files_n == MAX_FILES - 1) {
            m->copy.damaged++;
            continue;
        }
        if (!SEG_GROW(m->files, load->files_cap, m->files_n + 1))
            return false;
        m->files[m->files_n++] = (struct merge_file){
            .entry = entry, .path = (const char *)seg_entry_key(entry), .path_len = entry->key_len};
        max = entry->id > max ? entry->id : max;
    }
    if (m->files_n > 1)
        qsort(m->files, m->files_n, sizeof *m->files, compare_paths);
    if (!make_table(&load->file_of, &load->file_of_n, max))
        return false;
    for (uint32_t i = 0; i < m->files_n; i++) {
        uint32_t id = m->files[i].entry->id;

        if (load->file_of[id] == NOWHERE)
            load->file_of[id] = i;
        else
            m->copy.damaged++;
    }
    return true;
}

/* Of several tracers of one file the first counts, as in coverage.py. */
static void load_tracers(struct load *load)
{
    struct merge *m = load->m;
    struct seg_cursor cursor = {0};
    const struct seg_entry *entry;

    while ((entry = seg_copy_next(&m->copy, SEG_KIND_TRACER, &cursor))) {
        struct seg_tracer_key key = {0};
        struct merge_file *file;

        if (entry->key_len > sizeof key)
            memcpy(&key, seg_entry_key(entry), sizeof key);
        if (!knows_file(load, key.file)) {
            miss(load, SEG_KIND_FILE, key.file);
            continue;
        }
        if (entry->key_len - sizeof key > SEG_TRACER_NAME_MAX ||
            !merge_is_utf8((const char *)seg_entry_key(entry) + sizeof key,
                           entry->key_len - sizeof key)) {
            m->copy.damaged++;
            continue;
        }
        file = &m->files[load->file_of[key.file]];
        if (!file->tracer || entry->id < file->tracer->id)
            file->tracer = entry;
    }
}

static bool load_contexts(struct load *load)
{
    struct merge *m = load->m;
    struct seg_cursor cursor = {0};
    const struct seg_entry *entry;

    if (!SEG_GROW(m->contexts, load->contexts_cap, 1))
        return false;
    m->contexts[0] = (struct merge_context){.name = ""};
    m->contexts_n = 1;
    while ((entry = seg_copy_next(&m->copy, SEG_KIND_CONTEXT, &cursor))) {
        if (m->contexts_n == MAX_CONTEXTS) {
            m->copy.damaged++;
            continue;
        }
        if (!SEG_GROW(m->contexts, load->contexts_cap, m->contexts_n + 1))
            return false;
        m->contexts[m->contexts_n++] = (struct merge_context){
            .name = (const char *)seg_entry_key(entry), .len = entry->key_len, .id = entry->id};
    }
    qsort(m->contexts, m->contexts_n, sizeof *m->contexts, compare_contexts);
    if (!make_table(&load->context_of, &load->context_of_n, m->contexts[m->contexts_n - 1].id))
        return false;
    for (uint32_t i = 0; i < m->contexts_n; i++) {
        if (load->context_of[m->contexts[i].id] == NOWHERE)
            load->context_of[m->contexts[i].id] = i;
        else
            m->copy.damaged++;
    }
    return true;
}

/* -- arcs -- */

/* Until merge_arcs_resolve, `to` is the file's index. */
static int add_arc(void *arg, uint32_t bit, const struct seg_arc *arc, const int32_t *trail)
{
    struct load *load = arg;
    struct merge *m = load->m;

    if (arc->kind > SEG_ARC_LINES || (arc->kind != SEG_ARC_TRAIL && arc->trail == 0) ||
        arc->from == 0 || arc->from == INT32_MIN) {
        m->copy.damaged++;
        return 0;
    }
    if (!SEG_GROW(m->arcs, load->arcs_cap, m->arcs_n + 1))
        return MERGE_ERR_NOMEM;
    m->arcs[m->arcs_n++] = (struct merge_arc){.bit = bit,
                                              .from = arc->from,
                                              .to = (int32_t)load->file,
                                              .kind = arc->kind,
                                              .trail_n = arc->trail,
                                              .trail = trail};
    return 0;
}

/* By file, then those with a bit before those without, then by bit. */
static int compare_arcs(const void *left, const void *right)
{
    const struct merge_arc *a = left, *b = right;
    bool a_pair = a->kind == SEG_ARC_LINES, b_pair = b->kind == SEG_ARC_LINES;

    if (a->to != b->to)
        return a->to < b->to ? -1 : 1;
    if (a_pair != b_pair)
        return a_pair ? 1 : -1;
    return (a->bit > b->bit) - (a->bit < b->bit);
}

static bool load_arcs(struct load *load)
{
    struct merge *m = load->m;
    struct seg_cursor cursor = {0};
    const struct seg_entry *entry;

    while ((entry = seg_copy_next(&m->copy, SEG_KIND_CODE, &cursor))) {
        struct seg_code_key key = {.file = UINT32_MAX};

        if (entry->key_len >= sizeof key)
            memcpy(&key, seg_entry_key(entry), sizeof key);
        if (!knows_file(load, key.file)) {
            miss(load, SEG_KIND_FILE, key.file);
            continue;
        }
        load->file = load->file_of[key.file];
        if (seg_copy_arcs(&m->copy, entry, add_arc, load) == MERGE_ERR_NOMEM)
            return false;
    }
    if (m->arcs_n > 1)
        qsort(m->arcs, m->arcs_n, sizeof *m->arcs, compare_arcs);
    for (size_t i = 0; i < m->arcs_n; i++) {
        struct merge_file *file = &m->files[m->arcs[i].to];
        bool pair = m->arcs[i].kind == SEG_ARC_LINES;
        size_t *n = pair ? &file->pairs_n : &file->arcs_n;

        if ((*n)++ == 0)
            *(pair ? &file->pairs : &file->arcs) = i;
    }
    return true;
}

/* -- hits -- */

static int add_hit(struct load *load, uint32_t file, uint32_t context, enum seg_space space,
                   uint32_t number, const uint8_t *bits)
{
    struct merge *m = load->m;

    if (!SEG_GROW(m->hits, load->hits_cap, m->hits_n + 1))
        return MERGE_ERR_NOMEM;
    m->hits[m->hits_n++] = (struct merge_hit){.key = merge_key(file, context, space, number),
                                              .bits = bits,
                                              .file = file,
                                              .context = context};
    return 0;
}

static int add_chunk(void *arg, uint32_t chunk, const uint8_t bits[SEG_CHUNK_BYTES])
{
    static const uint8_t nothing[SEG_RECORD_BYTES];
    static const uint32_t records = SEG_CHUNK_BYTES / SEG_RECORD_BYTES;
    struct load *load = arg;

    for (uint32_t i = 0; i < records; i++) {
        const uint8_t *part = bits + (size_t)i * SEG_RECORD_BYTES;

        if (memcmp(part, nothing, sizeof nothing) &&
            add_hit(load, load->file, 0, load->space, chunk * records + i, part))
            return MERGE_ERR_NOMEM;
    }
    return 0;
}

static int add_record(void *arg, const struct seg_hit *hit)
{
    struct load *load = arg;

    if (!knows_file(load, hit->file)) {
        miss(load, SEG_KIND_FILE, hit->file);
        return 0;
    }
    if (hit->context == 0 || hit->context >= load->context_of_n ||
        load->context_of[hit->context] == NOWHERE) {
        miss(load, SEG_KIND_CONTEXT, hit->context);
        return 0;
    }
    if (hit->space != SEG_LINES && !load->m->has_arcs)
        return 0;
    return add_hit(load, load->file_of[hit->file], load->context_of[hit->context], hit->space,
                   hit->number, hit->bits);
}

static bool load_hits(struct load *load)
{
    struct merge *m = load->m;

    for (uint32_t i = 0; i < m->files_n; i++) {
        load->file = i;
        for (int space = SEG_LINES; space <= (m->has_arcs ? SEG_ARCS : SEG_LINES); space++) {
            load->space = (enum seg_space)space;
            if (seg_copy_chunks(&m->copy, m->files[i].entry, load->space, add_chunk, load) ==
                MERGE_ERR_NOMEM)
                return false;
        }
    }
    if (seg_copy_records(&m->copy, add_record, load) == MERGE_ERR_NOMEM)
        return false;
    if (!merge_sort_hits(&m->hits, m->hits_n))
        return false;
    for (size_t i = 0; i < m->hits_n; i++) {
        struct merge_file *file = &m->files[m->hits[i].file];

        if (file->hits_n++ == 0)
            file->hits = i;
    }
    return true;
}

/* -- the handle -- */

static void load_plan(struct merge *m)
{
    struct seg_rules rules = seg_copy_rules(&m->copy);
    const struct seg_rule *rule;

    m->static_context = "";
    while ((rule = seg_rule_next(&rules))) {
        if (rule->kind == SEG_RULE_CONTEXT) {
            m->static_context = seg_rule_text(rule);
            m->static_context_len = rule->len;
        }
    }
}

int merge_open(int fd, struct merge **out)
{
    struct merge *m = calloc(1, sizeof *m);
    struct load load = {.m = m};
    int status = SEG_ERR_NOMEM;

    if (!m)
        return SEG_ERR_NOMEM;
    status = seg_copy_read(fd, &m->copy);
    if (status) {
        int reason = errno;

        free(m);
        errno = reason;
        return status;
    }
    m->has_arcs = seg_copy_header(&m->copy)->flags & SEG_FLAG_BRANCH;
    load_plan(m);
    if (load_files(&load) && load_contexts(&load) && (!m->has_arcs || load_arcs(&load)) &&
        load_hits(&load)) {
        load_tracers(&load);
        *out = m;
    } else {
        merge_close(m);
        status = SEG_ERR_NOMEM;
    }
    free(load.file_of);
    free(load.context_of);
    return status;
}

void merge_close(struct merge *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->files_n; i++)
        free(m->files[i].first_line);
    free(m->files);
    free(m->contexts);
    free(m->arcs);
    free(m->hits);
    seg_copy_free(&m->copy);
    free(m);
}

struct seg_copy *merge_copy(struct merge *m)
{
    return &m->copy;
}

const char *merge_static_context(const struct merge *m, size_t *len)
{
    *len = m->static_context_len;
    return m->static_context;
}

const char *merge_context(const struct merge *m, uint32_t id, size_t *len)
{
    struct merge_context key = {.id = id};
    const struct merge_context *found =
        id ? bsearch(&key, m->contexts, m->contexts_n, sizeof key, compare_contexts) : NULL;

    *len = found ? found->len : 0;
    return found ? found->name : NULL;
}

size_t merge_files(const struct merge *m)
{
    return m->files_n;
}

const char *merge_tracer(const struct merge *m, size_t file, size_t *len)
{
    const struct seg_entry *entry = m->files[file].tracer;

    *len = entry ? entry->key_len - sizeof(struct seg_tracer_key) : 0;
    return entry ? (const char *)seg_entry_key(entry) + sizeof(struct seg_tracer_key) : NULL;
}

const char *merge_file(const struct merge *m, size_t file, size_t *len)
{
    *len = m->files[file].path_len;
    return m->files[file].path;
}

bool merge_find_file(const struct merge *m, const char *path, size_t len, size_t *file)
{
    struct merge_file key = {.path = path, .path_len = (uint32_t)len};
    struct merge_file *found;

    if (len > UINT32_MAX || m->files_n == 0)
        return false;
    found = bsearch(&key, m->files, m->files_n, sizeof *m->files, compare_paths);
    if (found)
        *file = (size_t)(found - m->files);
    return found != NULL;
}
