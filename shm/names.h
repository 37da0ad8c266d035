/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names for the numbers in a segment, for people and for Python.
 */
#ifndef SEG_NAMES_H
#define SEG_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct seg_name {
    uint32_t value;
    const char *name; /* NULL ends a table */
};

/* As in layout.h, without the prefix. */
extern const struct seg_name seg_flag_names[]; /* SEG_FLAG_* */
extern const struct seg_name seg_rule_names[]; /* enum seg_rule_kind */

/* In lower case. */
extern const struct seg_name seg_kind_names[];  /* enum seg_kind */
extern const struct seg_name seg_state_names[]; /* enum seg_process_state */
extern const struct seg_name seg_lost_names[];  /* enum seg_lost */

/* The name of a value, or "unknown". */
const char *seg_name_of(const struct seg_name *names, uint32_t value);

#endif
