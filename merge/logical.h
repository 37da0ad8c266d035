/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which physical lines of a Python source make one logical line.
 */
#ifndef MERGE_LOGICAL_H
#define MERGE_LOGICAL_H

#include <stddef.h>
#include <stdint.h>

/* Sets first[l], for each physical line l from 1 on, to the first line of its logical line if that
 * has several lines, else to 0. `first` has room for merge_count_lines(source, len) + 2 numbers.
 * The source is Python in an encoding that contains ASCII; if it is not valid, the result is right
 * up to the error. */
void merge_logical_lines(const char *source, size_t len, uint32_t *first);

size_t merge_count_lines(const char *source, size_t len);

#endif
