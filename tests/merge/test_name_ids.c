/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set of names, and what is UTF-8.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "name_ids.h"

Test(names, many)
{
    struct merge_names names = {0};
    char text[32];

    for (int64_t i = 1; i <= 5000; i++) {
        struct merge_name *name;

        snprintf(text, sizeof text, "name %lld", (long long)i);
        name = merge_names_get(&names, text, strlen(text), true);
        cr_assert_eq(name->id, 0);
        name->id = i;
    }
    for (int64_t i = 1; i <= 5000; i++) {
        snprintf(text, sizeof text, "name %lld", (long long)i);
        cr_assert_eq(merge_names_get(&names, text, strlen(text), true)->id, i);
    }
    cr_expect_eq(names.n, 5000);
    cr_expect_eq(merge_names_get(&names, "name 1", 5, false)->id, 0, "a prefix is another name");
    cr_expect_eq(merge_names_get(&names, "", 0, false)->id, 0);
    merge_names_free(&names);
}

static bool is(const char *text)
{
    return merge_is_utf8(text, strlen(text));
}

Test(names, utf8)
{
    cr_expect(is(""));
    cr_expect(is("plain"));
    cr_expect(is("\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf"));
    cr_expect(is("\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf"));
    cr_expect(!is("\x80"));
    cr_expect(!is("\xc1\xbf"), "overlong");
    cr_expect(!is("\xe0\x9f\xbf"), "overlong");
    cr_expect(!is("\xf0\x8f\xbf\xbf"), "overlong");
    cr_expect(!is("\xed\xa0\x80"), "a surrogate");
    cr_expect(!is("\xf4\x90\x80\x80"), "beyond Unicode");
    cr_expect(!is("\xc3"));
    cr_expect(!is("\xe2\x98"));
    cr_expect(!is("\xff"));
    cr_expect(!merge_is_utf8("a\0b", 3));
}

Test(names, made_utf8)
{
    size_t len = 9;
    char *text = merge_make_utf8("a\xff\xc3\xa4\0\xed\xa0\x80z", &len);

    cr_expect_str_eq(text,
                     "a\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
    cr_expect_eq(len, strlen(text));
    cr_expect(merge_is_utf8(text, len));
    free(text);
}
