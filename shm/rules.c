/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules, written and read. The reader trusts nothing: what reaches beyond the bytes, or what no
 * writer makes, is not a rule.
 */
#include "rules.h"

#include <stdlib.h>
#include <string.h>

#include "status.h"

/* Bytes that a rule takes, up to where the next one is aligned. */
static size_t size_of(size_t text_len)
{
    return sizeof(struct seg_rule) + ((text_len + 7) & ~(size_t)7);
}

static bool is_rule(uint32_t kind, const char *text, size_t len)
{
    return kind > 0 && kind < SEG_RULE_KINDS && (len == 0 || memchr(text, 0, len) == NULL);
}

int seg_rule_put(void **bytes, size_t *len, uint32_t kind, const char *text, size_t text_len)
{
    struct seg_rule *rule;
    void *bigger;

    if (text_len > UINT32_MAX || !is_rule(kind, text, text_len))
        return SEG_ERR_LIMIT;
    bigger = realloc(*bytes, *len + size_of(text_len));
    if (bigger == NULL)
        return SEG_ERR_NOMEM;
    rule = (struct seg_rule *)((uint8_t *)bigger + *len);
    memset(rule, 0, size_of(text_len));
    rule->kind = kind;
    rule->len = (uint32_t)text_len;
    memcpy(rule + 1, text, text_len);
    *bytes = bigger;
    *len += size_of(text_len);
    return SEG_OK;
}

const struct seg_rule *seg_rule_next(struct seg_rules *rules)
{
    const struct seg_rule *rule = rules->next;
    size_t size;

    if (rules->left < sizeof *rule || rules->left - sizeof *rule < rule->len ||
        !is_rule(rule->kind, seg_rule_text(rule), rule->len))
        return NULL;
    size = size_of(rule->len);
    if (size > rules->left) /* the last one need not be padded */
        size = rules->left;
    rules->next = (const struct seg_rule *)((const uint8_t *)rule + size);
    rules->left -= size;
    return rule;
}
