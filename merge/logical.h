/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which physical lines of a Python source make one logical line.
 */
#ifndef MERGE_LOGICAL_H
#define MERGE_LOGICAL_H

#include <stddef.h>
#include <stdint.h>

/* Writes for each physical line (1-based index) of the source the first line of its logical line if
 * that has several lines, else 0. `first` has room for merge_count_lines(source, len) + 2 numbers.
 * The source is valid Python in an encoding that contains ASCII; of anything else the lines up to
 * what is wrong are right. */
void merge_logical_lines(const char *source, size_t len, uint32_t *first);

size_t merge_count_lines(const char *source, size_t len);

#endif
