/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a name a data file can hold.
 */
#ifndef MERGE_TEXT_H
#define MERGE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Is it UTF-8 as SQLite and Python want it: no surrogates, nothing overlong, no zero bytes? */
bool merge_is_utf8(const char *text, size_t len);

/* The text with each byte that is not part of UTF-8 as U+FFFD; malloc, *len is set. */
char *merge_make_utf8(const char *text, size_t *len);

#endif
