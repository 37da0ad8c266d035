/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a plan as bytes: one struct seg_rule after the other, each with its text.
 */
#ifndef SEG_RULES_H
#define SEG_RULES_H

#include "layout.h"

/* Appends a rule to the *len bytes of rules at *bytes (malloc; NULL at first). SEG_ERR_LIMIT: no
 * such kind, or a text with a zero byte or of more than 4 GiB; SEG_ERR_NOMEM. */
int seg_rule_put(void **bytes, size_t *len, uint32_t kind, const char *text, size_t text_len);

/* Rules that are still to be read; `next` is aligned as they are in a segment. */
struct seg_rules {
    const struct seg_rule *next;
    size_t left; /* bytes */
};

/* The next one. NULL: there is none, or if `left` is not 0, what is left is not a rule. */
const struct seg_rule *seg_rule_next(struct seg_rules *rules);

/* rule->len bytes, none of them zero, and not terminated. */
static inline const char *seg_rule_text(const struct seg_rule *rule)
{
    return (const char *)(rule + 1);
}

#endif
