/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 as Python and SQLite want it: nothing overlong, no surrogates.
 */
#ifndef SEG_UTF8_H
#define SEG_UTF8_H

#include <stdbool.h>
#include <stdint.h>

/* Takes the next character off *text, which must not be empty. A byte that is not UTF-8 becomes
 * 0xDC00 + byte, which is what Python's surrogateescape makes of it. */
uint32_t seg_utf8_next(const char **text, const char *end);

/* Is it such a byte? */
static inline bool seg_utf8_is_bad(uint32_t c)
{
    return c >> 11 == 0xD800 >> 11;
}

#endif
