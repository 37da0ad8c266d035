/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the process of a row still runs. A pid alone does not say: it may have been given to
 * somebody else since. Pid and start time do, as long as we look from the same pid namespace.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "merge.h"

/* State and start time (field 22) from /proc/PID/stat; the name in field 2 may hold anything. */
static bool read_stat(uint32_t pid, char *state, uint64_t *start)
{
    char path[64], text[1024], *at;
    FILE *file;
    size_t n;

    snprintf(path, sizeof path, "/proc/%" PRIu32 "/stat", pid);
    file = fopen(path, "re");
    if (!file)
        return false;
    n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = 0;
    at = strrchr(text, ')');
    return at && sscanf(at + 1,
                        " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
                        " %*s %" SCNu64,
                        state, start) == 2;
}

int merge_process_alive(const struct seg_process *row)
{
    struct stat here;
    uint64_t start;
    char state;

    if (row->ns == 0 || stat("/proc/self/ns/pid", &here) || (uint64_t)here.st_ino != row->ns)
        return -1;
    if (!read_stat(row->pid, &state, &start))
        return 0;
    return start == row->start && state != 'Z' && state != 'X';
}
