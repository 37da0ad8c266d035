/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills segments for tests, through the writer's side. It is compiled together with shm/ into a
 * shared library that Python loads with ctypes, and included by the C tests, the fuzz target and
 * the benchmark of merge/.
 *
 * Calls take the name of a file and of a context (NULL: the static one) and do what a measured
 * process does. 0 or more is success.
 */
#include <stdlib.h>
#include <string.h>

#include "segment.h"

#ifdef SEGFILL_STATIC
#define FILL_API static __attribute__((unused))
#else
#define FILL_API __attribute__((visibility("default")))
FILL_API seg_t *segfill_create(const char *folder, uint32_t flags, const char *static_context,
                               uint64_t size, int *fd);
FILL_API int segfill_line(seg_t *seg, const char *context, const char *path, uint32_t line);
FILL_API int segfill_code(seg_t *seg, const char *path, const int32_t *words, size_t n);
FILL_API int segfill_arc(seg_t *seg, const char *context, const char *path, uint32_t bit);
FILL_API int segfill_package(seg_t *seg, const char *module, const char *folder);
FILL_API int segfill_tracer(seg_t *seg, const char *path, const char *plugin);
FILL_API int segfill_process(seg_t *seg, int done);
FILL_API void segfill_lose(seg_t *seg, int what, uint64_t n);
#endif

/* The segment has no name when this returns; fd stays valid. NULL: no static context. */
FILL_API seg_t *segfill_create(const char *folder, uint32_t flags, const char *static_context,
                               uint64_t size, int *fd)
{
    struct seg_plan plan = {.flags = flags, .folder = folder, .size = size};
    seg_t *seg = NULL;
    char *path = NULL;
    void *rules = NULL;
    int status = static_context ? seg_rule_put(&rules, &plan.rules_len, SEG_RULE_CONTEXT,
                                               static_context, strlen(static_context))
                                : SEG_OK;

    plan.rules = rules;
    if (!status)
        status = seg_create(&plan, &seg, &path, fd);
    free(rules);
    if (status)
        return NULL;
    seg_remove(path);
    free(path);
    return seg;
}

static int segfill_bit(seg_t *seg, const char *context, const char *path, enum seg_space space,
                       uint32_t bit)
{
    struct seg_entry *file;
    seg_u8 *bits;
    uint32_t id;
    int status = seg_file(seg, path, strlen(path), &file);

    if (status)
        return status;
    if (!context) {
        status = seg_chunk(seg, file, space, bit >> SEG_CHUNK_SHIFT, &bits);
        if (!status)
            seg_bit_set(bits, bit % SEG_CHUNK_BITS);
        return status;
    }
    status = seg_context(seg, context, strlen(context), &id);
    if (!status)
        status = seg_record(seg, id, space, file->id, bit >> SEG_RECORD_SHIFT, &bits);
    if (!status)
        seg_bit_set(bits, bit % SEG_RECORD_BITS);
    return status;
}

FILL_API int segfill_line(seg_t *seg, const char *context, const char *path, uint32_t line)
{
    return segfill_bit(seg, context, path, SEG_LINES, line);
}

/* One code object. Words: for each arc its line, its enum seg_arc_kind, the length of its trail,
 * and the trail. Returns the bit of the first arc. */
FILL_API int segfill_code(seg_t *seg, const char *path, const int32_t *words, size_t n)
{
    uint8_t *content = calloc(1, sizeof(struct seg_code_key) + (n + 1) * 8);
    struct seg_code_key key = {0};
    struct seg_entry *file;
    size_t len = sizeof key;
    uint32_t first = 0;
    int status = content ? seg_file(seg, path, strlen(path), &file) : SEG_ERR_NOMEM;

    for (size_t i = 0; !status && i + 3 <= n;) {
        struct seg_arc arc = {
            .from = words[i], .kind = (uint16_t)words[i + 1], .trail = (uint16_t)words[i + 2]};

        memcpy(content + len, &arc, sizeof arc);
        memcpy(content + len + sizeof arc, words + i + 3, arc.trail * sizeof *words);
        len += sizeof arc + arc.trail * sizeof *words;
        i += 3u + arc.trail;
        key.n++;
    }
    if (!status) {
        key.file = file->id;
        memcpy(content, &key, sizeof key);
        status = seg_code(seg, file, content, len, &first);
    }
    free(content);
    return status ? status : (int)first;
}

FILL_API int segfill_arc(seg_t *seg, const char *context, const char *path, uint32_t bit)
{
    return segfill_bit(seg, context, path, SEG_ARCS, bit);
}

FILL_API int segfill_package(seg_t *seg, const char *module, const char *folder)
{
    size_t module_len = strlen(module) + 1, folder_len = strlen(folder);
    char *key = malloc(module_len + folder_len);
    struct seg_entry *entry;
    int status;

    if (!key)
        return SEG_ERR_NOMEM;
    memcpy(key, module, module_len);
    memcpy(key + module_len, folder, folder_len);
    status = seg_intern(seg, SEG_KIND_PACKAGE, key, module_len + folder_len, NULL, 0, &entry);
    free(key);
    return status;
}

FILL_API int segfill_tracer(seg_t *seg, const char *path, const char *plugin)
{
    struct seg_entry *file;
    int status = seg_file(seg, path, strlen(path), &file);

    return status ? status : seg_tracer(seg, file, plugin, strlen(plugin));
}

/* A row for the calling process. */
FILL_API int segfill_process(seg_t *seg, int done)
{
    struct seg_process *row;
    int status = seg_process_enter(seg, 0x030d00f0, false, &row);

    if (!status && done)
        seg_process_leave(row, SEG_PROCESS_DONE);
    return status;
}

FILL_API void segfill_lose(seg_t *seg, int what, uint64_t n)
{
    seg_lose(seg, (enum seg_lost)what, n);
}
