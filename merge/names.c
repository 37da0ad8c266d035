/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of files and contexts: a hash table that only grows, and what is UTF-8.
 */
#include "names.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash_of(const char *text, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 32;
}

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
    uint64_t hash = hash_of(text, len);
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

/* Bytes of the character that text begins with; 0: it begins with none. */
static size_t character(const unsigned char *text, size_t left)
{
    static const uint32_t least[] = {0, 1, 0x80, 0x800, 0x10000};
    uint32_t code = text[0];
    size_t len;

    if (code < 0x80)
        return code != 0;
    if (code >= 0xc2 && code < 0xe0)
        len = 2;
    else if (code >= 0xe0 && code < 0xf0)
        len = 3;
    else if (code >= 0xf0 && code < 0xf5)
        len = 4;
    else
        return 0;
    if (left < len)
        return 0;
    code &= 0x7fu >> len;
    for (size_t i = 1; i < len; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return 0;
    return len;
}

bool merge_is_utf8(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t step = character((const unsigned char *)text + i, len - i);

        if (!step)
            return false;
        i += step;
    }
    return true;
}

char *merge_make_utf8(const char *text, size_t *len)
{
    char *out = malloc(*len * 3 + 1);
    size_t n = 0;

    if (!out)
        return NULL;
    for (size_t i = 0; i < *len;) {
        size_t step = character((const unsigned char *)text + i, *len - i);

        if (step) {
            memcpy(out + n, text + i, step);
            n += step;
            i += step;
        } else {
            memcpy(out + n, "\xef\xbf\xbd", 3);
            n += 3;
            i++;
        }
    }
    out[n] = 0;
    *len = n;
    return out;
}
