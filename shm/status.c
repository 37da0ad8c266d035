/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors in words.
 */
#include "status.h"

#include <errno.h>
#include <string.h>

const char *seg_strstatus(int status)
{
    switch (status) {
    case SEG_OK:
        return "No error";
    case SEG_ERR_SYSTEM:
        return strerror(errno);
    case SEG_ERR_ACCESS:
        return "Neither a private file of this user (regular, mode 0600, one hard link, no "
               "symbolic link) nor shared by the user in its name";
    case SEG_ERR_FOREIGN:
        return "Not a shmcov segment";
    case SEG_ERR_VERSION:
        return "A segment of another version of shmcov; use the version that made it";
    case SEG_ERR_DAMAGED:
        return "The segment is damaged: its fields contradict each other";
    case SEG_ERR_SPACE:
        return "No room is left for the segment (file system, memory limit or file size limit)";
    case SEG_ERR_MAP:
        return "The segment could not be mapped (address space or memory limit)";
    case SEG_ERR_LIMIT:
        return "A line, file or context number is too large for the segment";
    case SEG_ERR_NOMEM:
        return "Out of memory";
    default:
        return "Unknown error";
    }
}
