/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of files and contexts: a hash table that only grows, and what is UTF-8.
 */
#include "name_ids.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "utf8.h"

static bool grow(struct merge_names *names)
{
    size_t cap = names->cap ? names->cap * 2 : 256;
    struct merge_name *slots = calloc(cap, sizeof *slots);

    if (!slots)
        return false;
    for (size_t i = 0; i < names->cap; i++) {
        size_t at = names->slots[i].hash & (cap - 1);

        if (!names->slots[i].text)
            continue;
        while (slots[at].text)
            at = (at + 1) & (cap - 1);
        slots[at] = names->slots[i];
    }
    free(names->slots);
    names->slots = slots;
    names->cap = cap;
    return true;
}

struct merge_name *merge_names_get(struct merge_names *names, const char *text, size_t len,
                                   bool copy)
{
    uint64_t hash = seg_hash(0, text, len);
    struct merge_name *slot;
    size_t at;

    if (names->n * 2 >= names->cap && !grow(names))
        return NULL;
    at = hash & (names->cap - 1);
    while ((slot = &names->slots[at])->text) {
        if (slot->hash == hash && slot->len == len && memcmp(slot->text, text, len) == 0)
            return slot;
        at = (at + 1) & (names->cap - 1);
    }
    if (copy) {
        char *own = malloc(len + 1);

        if (!own)
            return NULL;
        memcpy(own, text, len);
        own[len] = 0;
        text = own;
    }
    *slot = (struct merge_name){.text = text, .len = len, .hash = hash, .copied = copy};
    names->n++;
    return slot;
}

void merge_names_free(struct merge_names *names)
{
    for (size_t i = 0; i < names->cap; i++) {
        if (names->slots[i].copied)
            free((void *)(uintptr_t)names->slots[i].text);
    }
    free(names->slots);
    *names = (struct merge_names){0};
}

/* The next character; 0: it may not be in a name. */
static uint32_t next(const char **text, const char *end)
{
    uint32_t c = seg_utf8_next(text, end);

    return seg_utf8_is_bad(c) ? 0 : c;
}

bool merge_is_utf8(const char *text, size_t len)
{
    const char *end = text + len;

    while (text < end) {
        if (!next(&text, end))
            return false;
    }
    return true;
}

char *merge_make_utf8(const char *text, size_t *len)
{
    const char *end = text + *len;
    char *out = malloc(*len * 3 + 1), *to = out;

    if (!out)
        return NULL;
    while (text < end) {
        const char *from = text, *c = next(&text, end) ? from : "\xef\xbf\xbd";
        size_t n = c == from ? (size_t)(text - from) : 3;

        memcpy(to, c, n);
        to += n;
    }
    *to = 0;
    *len = (size_t)(to - out);
    return out;
}
