/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8, character for character.
 */
#include "utf8.h"

#include <stddef.h>

uint32_t seg_utf8_next(const char **text, const char *end)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char *s = (const unsigned char *)*text;
    size_t room = (size_t)(end - *text), more;
    uint32_t c = s[0];

    (*text)++;
    if (c < 0x80)
        return c;
    more = c >= 0xF0 && c < 0xF8 ? 3 : c >= 0xE0 && c < 0xF0 ? 2 : c >= 0xC0 && c < 0xE0 ? 1 : 0;
    if (!more || more >= room)
        return 0xDC00 + s[0];
    c &= 0x3Fu >> more;
    for (size_t i = 1; i <= more; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0xDC00 + s[0];
        c = c << 6 | (s[i] & 0x3F);
    }
    if (c < least[more] || c > 0x10FFFF || seg_utf8_is_bad(c))
        return 0xDC00 + s[0];
    *text += more;
    return c;
}
