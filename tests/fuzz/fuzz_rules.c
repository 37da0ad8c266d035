/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever the bytes of a plan are, reading them ends and stays inside, and the rules that were
 * read survive being written and read again. The input is the plan.
 */
#include <stdlib.h>
#include <string.h>

#include "segment.h"

#define FUZZ_STEP 8
#include "standalone.h"

static void must(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size); /* as long as the input, so that a sanitizer sees its end */
    struct seg_rules rules = {(const struct seg_rule *)bytes, size}, again;
    const struct seg_rule *rule, *other;
    void *written = NULL;
    size_t len = 0;

    must(bytes != NULL || size == 0);
    if (size > 0)
        memcpy(bytes, data, size);
    while ((rule = seg_rule_next(&rules)) != NULL) {
        const uint8_t *text = (const uint8_t *)seg_rule_text(rule);

        must(text >= bytes && text + rule->len <= bytes + size);
        must(seg_rule_put(&written, &len, rule->kind, seg_rule_text(rule), rule->len) == SEG_OK);
    }
    must(rules.left <= size);

    again = (struct seg_rules){written, len};
    rules = (struct seg_rules){(const struct seg_rule *)bytes, size};
    while ((other = seg_rule_next(&again)) != NULL) {
        rule = seg_rule_next(&rules);
        must(rule != NULL && rule->kind == other->kind && rule->len == other->len);
        must(memcmp(rule + 1, other + 1, rule->len) == 0);
    }
    must(again.left == 0 && seg_rule_next(&rules) == NULL);
    free(written);
    free(bytes);
    return 0;
}
