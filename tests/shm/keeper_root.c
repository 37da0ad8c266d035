/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked to the keeper of the tests: its folders of segments lie in the test's own place.
 */
#include <stdlib.h>

#include "platform.h"

__attribute__((constructor)) static void take_root(void)
{
    static const char *roots[2];

    roots[0] = getenv("SEG_TEST_ROOT");
    if (roots[0] != NULL)
        seg_platform_roots = roots;
}
