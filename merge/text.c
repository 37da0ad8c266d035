/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of files and contexts as text: what is UTF-8, and what is made of the rest.
 */
#include "text.h"

#include <stdlib.h>
#include <string.h>

#include "utf8.h"

/* The next character, or 0 where there is none that may be in a name. */
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
