/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names: what is UTF-8, and what is made of the rest.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static bool is(const char *text)
{
    return merge_is_utf8(text, strlen(text));
}

Test(text, utf8)
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

Test(text, made_utf8)
{
    size_t len = 9;
    char *text = merge_make_utf8("a\xff\xc3\xa4\0\xed\xa0\x80z", &len);

    cr_expect_str_eq(text,
                     "a\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
    cr_expect_eq(len, strlen(text));
    cr_expect(merge_is_utf8(text, len));
    free(text);
}
