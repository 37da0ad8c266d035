/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the keeper of a test runs to have a segment delivered:
 *
 *   deliverer MARK HOW SEGMENT
 *
 * Adds a line to MARK, with the number of hits ("?": it cannot be read) and the folder it runs in.
 * HOW: "deliver" records a delivery, "forget" does not, "fail" ends with 1, "remove" removes the
 * segment.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access.h"
#include "delivery.h"
#include "kill_point.h"
#include "reader.h"

int main(int argc, char **argv)
{
    FILE *mark = argc == 4 ? fopen(argv[1], "ae") : NULL;
    struct seg_copy copy;
    char folder[256];
    uint64_t hits;
    int fd;

    if (mark == NULL || getcwd(folder, sizeof folder) == NULL)
        return 2;
    if (seg_access_open(argv[3], O_RDWR, &fd) != SEG_OK || flock(fd, LOCK_EX) != 0 ||
        seg_copy_read(fd, &copy) != SEG_OK) {
        fprintf(mark, "? %s\n", folder);
        fclose(mark);
        return 2;
    }
    hits = seg_copy_hits(&copy);
    seg_copy_free(&copy);
    fprintf(mark, "%u %s\n", (unsigned)hits, folder);
    if (fclose(mark) != 0)
        return 2;
    if (strcmp(argv[2], "deliver") == 0 &&
        seg_delivery_write(fd, hits, seg_delivery_target(argv[1])) != SEG_OK)
        return 2;
    if (strcmp(argv[2], "remove") == 0)
        unlink(argv[3]);
    return strcmp(argv[2], "fail") == 0;
}
