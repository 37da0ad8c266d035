/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kill points of the test build; kill_point.h says how a test uses them.
 */
#include "kill_point.h"

#ifdef SEG_KILL_POINTS

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void (*seg_kill_hook)(const char *name);

void seg_kill_point(const char *name)
{
    static atomic_long passed;
    const char *at;
    size_t len = strlen(name);

    if (seg_kill_hook != NULL) {
        seg_kill_hook(name);
        return;
    }
    at = getenv("SEG_KILL_AT");
    if (at == NULL || strncmp(at, name, len) != 0 || (at[len] != ':' && at[len] != '\0'))
        return;
    if (atomic_fetch_add(&passed, 1) + 1 == (at[len] == ':' ? atol(at + len + 1) : 1))
        raise(SIGKILL);
}

#else

/* ISO C wants at least one declaration in a file. */
typedef int seg_kill_point_nothing;

#endif
