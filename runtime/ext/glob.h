/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coverage.py's file patterns: the language of its files.py, globs_to_regex(), on UTF-8 bytes.
 *
 *   ** /  or a leading * /   any folders, or none    (written here without the space)
 *   a trailing / *           anything below
 *   *  ?  [a-f]              within one name; a class is Python's `re` class: [^x] negates, [!x]
 * not / and \                  each matches either
 *
 * A pattern without a slash matches a name anywhere in the tree; any other one has to match the
 * whole path. ***, x**, **x, a lone bracket and a class that `re` refuses are errors. Case counts:
 * coverage.py ignores it only on Windows.
 *
 * Matching simulates the pattern's automaton, in time (length of path × states alive), without
 * recursion or allocation: no pattern can make it slow.
 */
#ifndef RT_GLOB_H
#define RT_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rt_glob;

/* Where a match keeps its states. 2 KiB: the caller allocates it on the heap. */
#define RT_GLOB_STATES 8191u
#define RT_GLOB_WORDS (RT_GLOB_STATES / 64 + 1)

struct rt_glob_room {
    uint64_t sets[2][RT_GLOB_WORDS];
};

/* 0, or -1: an error in coverage.py too, absurdly long, or no memory. */
int rt_glob_compile(const char *pattern, size_t len, struct rt_glob **out);
void rt_glob_free(struct rt_glob *glob);

bool rt_glob_match(const struct rt_glob *glob, const char *path, struct rt_glob_room *room);

#endif
