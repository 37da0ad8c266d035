/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names: one for each number, no two equal.
 */
#include "names.h"
#include "support.h"

static unsigned check(const struct seg_name *names)
{
    unsigned n = 0;

    for (; names[n].name != NULL; n++) {
        cr_assert_str_eq(seg_name_of(names, names[n].value), names[n].name);
        for (unsigned i = 0; i < n; i++)
            cr_assert_str_neq(names[i].name, names[n].name);
    }
    cr_assert_str_eq(seg_name_of(names, UINT32_MAX), "unknown");
    return n;
}

Test(names, each_number_has_its_own)
{
    cr_assert_eq(check(seg_rule_names), SEG_RULE_KINDS - 1);
    cr_assert_eq(check(seg_kind_names), SEG_KINDS - 1);
    cr_assert_eq(check(seg_lost_names), SEG_LOST_KINDS);
    check(seg_flag_names);
    check(seg_state_names);
    cr_assert_str_eq(seg_name_of(seg_rule_names, SEG_RULE_OMIT), "OMIT");
    cr_assert_str_eq(seg_name_of(seg_kind_names, SEG_KIND_TRACER), "tracer");
    cr_assert_str_eq(seg_name_of(seg_lost_names, SEG_LOST_SPACE), "space");
    cr_assert_str_eq(seg_name_of(seg_flag_names, SEG_FLAG_QUALNAME), "QUALNAME");
    cr_assert_str_eq(seg_name_of(seg_state_names, SEG_PROCESS_LEFT), "left");
}
