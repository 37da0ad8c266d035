/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map from names of files or contexts to their row ids in the data file. Names are kept by
 * pointer, or copied where their owner is about to go.
 */
#ifndef MERGE_NAME_IDS_H
#define MERGE_NAME_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct merge_name {
    const char *text; /* NULL: free slot */
    size_t len;
    uint64_t hash;
    int64_t id;
    bool copied;
};

struct merge_names {
    struct merge_name *slots;
    size_t n, cap; /* cap is a power of two */
    int64_t max;   /* highest id */
};

/* The slot of a name, added with id 0 if it is new; NULL: no memory. Valid until the next call. */
struct merge_name *merge_names_get(struct merge_names *names, const char *text, size_t len,
                                   bool copy);
void merge_names_free(struct merge_names *names);

/* Is it UTF-8 as SQLite and Python want it: no surrogates, nothing overlong, no zero bytes? */
bool merge_is_utf8(const char *text, size_t len);

/* The text (malloc) with U+FFFD for each byte that is not part of UTF-8; *len is updated. */
char *merge_make_utf8(const char *text, size_t *len);

#endif
