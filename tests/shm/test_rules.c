/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules as bytes: what is written is read, and all else is refused.
 */
#include "support.h"

static void put(void **bytes, size_t *len, uint32_t kind, const char *text)
{
    cr_assert_eq(seg_rule_put(bytes, len, kind, text, strlen(text)), SEG_OK);
}

Test(rules, what_is_put_is_read)
{
    static const char *const texts[] = {"", "*/tests/*", "1234567", "12345678", "\xff"};
    static const size_t n = sizeof texts / sizeof *texts;
    struct seg_rules rules;
    const struct seg_rule *rule;
    void *bytes = NULL;
    size_t len = 0;

    for (uint32_t kind = 1; kind < SEG_RULE_KINDS; kind++)
        put(&bytes, &len, kind, texts[kind % n]);
    rules = (struct seg_rules){bytes, len};
    for (uint32_t kind = 1; kind < SEG_RULE_KINDS; kind++) {
        rule = seg_rule_next(&rules);
        cr_assert_not_null(rule);
        cr_assert_eq(rule->kind, kind);
        cr_assert_eq(rule->len, strlen(texts[kind % n]));
        cr_assert_arr_eq(seg_rule_text(rule), texts[kind % n], rule->len);
    }
    cr_assert_null(seg_rule_next(&rules));
    cr_assert_eq(rules.left, 0);
    free(bytes);
}

Test(rules, no_rules)
{
    struct seg_rules rules = {NULL, 0};

    cr_assert_null(seg_rule_next(&rules));
    cr_assert_eq(rules.left, 0);
}

Test(rules, the_bytes_are_those_of_the_layout)
{
    void *bytes = NULL;
    size_t len = 0;

    put(&bytes, &len, SEG_RULE_OMIT, "*/x");
    put(&bytes, &len, SEG_RULE_COVER_PYLIB, "");
    cr_assert_eq(len, 24);
    cr_assert_arr_eq(bytes, "\4\0\0\0\3\0\0\0*/x\0\0\0\0\0\11\0\0\0\0\0\0\0", 24);
    free(bytes);
}

Test(rules, what_no_reader_takes_is_not_put)
{
    void *bytes = NULL;
    size_t len = 0;

    cr_assert_eq(seg_rule_put(&bytes, &len, 0, "a", 1), SEG_ERR_LIMIT);
    cr_assert_eq(seg_rule_put(&bytes, &len, SEG_RULE_KINDS, "a", 1), SEG_ERR_LIMIT);
    cr_assert_eq(seg_rule_put(&bytes, &len, SEG_RULE_OMIT, "a\0b", 3), SEG_ERR_LIMIT);
    cr_assert_eq(seg_rule_put(&bytes, &len, SEG_RULE_OMIT, "a", (size_t)UINT32_MAX + 1),
                 SEG_ERR_LIMIT);
    cr_assert_null(bytes);
    cr_assert_eq(len, 0);
}

/* Reads a rule, and then what is at `second`, whose length is `left`. */
static void is_the_end(struct seg_rule second, size_t left)
{
    struct {
        struct seg_rule first, second;
        char text[8];
    } bytes = {{SEG_RULE_COVER_PYLIB, 0}, second, "abc\0def"};
    struct seg_rules rules = {&bytes.first, sizeof bytes.first + left};

    cr_assert_eq(seg_rule_next(&rules), &bytes.first);
    cr_assert_null(seg_rule_next(&rules), "kind %u, %u bytes", second.kind, second.len);
    cr_assert_eq(rules.left, left, "what is no rule is left");
    cr_assert_null(seg_rule_next(&rules), "it stays so");
}

Test(rules, damage_is_the_end)
{
    is_the_end((struct seg_rule){SEG_RULE_OMIT, 0}, 1);
    is_the_end((struct seg_rule){SEG_RULE_OMIT, 0}, sizeof(struct seg_rule) - 1);
    is_the_end((struct seg_rule){SEG_RULE_OMIT, 3}, sizeof(struct seg_rule) + 2);
    is_the_end((struct seg_rule){SEG_RULE_OMIT, UINT32_MAX}, sizeof(struct seg_rule) + 8);
    is_the_end((struct seg_rule){SEG_RULE_OMIT, 4}, sizeof(struct seg_rule) + 8);
    is_the_end((struct seg_rule){0, 3}, sizeof(struct seg_rule) + 8);
    is_the_end((struct seg_rule){SEG_RULE_KINDS, 3}, sizeof(struct seg_rule) + 8);
}

Test(rules, the_last_one_need_not_be_padded)
{
    struct {
        struct seg_rule rule;
        char text[8];
    } bytes = {{SEG_RULE_OMIT, 3}, "abc"};
    struct seg_rules rules = {&bytes.rule, sizeof bytes.rule + 3};

    cr_assert_not_null(seg_rule_next(&rules));
    cr_assert_eq(rules.left, 0);
}
