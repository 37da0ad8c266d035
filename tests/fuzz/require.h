/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds whatever the input is: a fuzz target ends with abort() if it does not.
 */
#ifndef FUZZ_REQUIRE_H
#define FUZZ_REQUIRE_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static inline void require(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
        abort();
    }
}

#endif
