/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks before a byte of a segment is trusted: whose file it is, and that its header is that
 * of a segment. Writers and readers both call them, so both accept the same files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "reader.h"

const char *seg_path_of(const char *name, uint32_t *owner)
{
    static const char prefix[] = SEG_SHARED_BY;
    unsigned long long uid;
    char *end;

    *owner = SEG_NOT_SHARED;
    if (strncmp(name, prefix, sizeof prefix - 1) != 0)
        return name;
    uid = strtoull(name + sizeof prefix - 1, &end, 10);
    if (*end != ':' || uid >= SEG_NOT_SHARED)
        return name; /* which is no path of a segment either */
    *owner = (uint32_t)uid;
    return end + 1;
}

/* What we own may be shared with others; what others own has to be, and to be theirs who are said
 * to share it. */
static bool may_be_used(const struct stat *st, uint32_t owner)
{
    const mode_t mode = st->st_mode & 07777;

    if (!S_ISREG(st->st_mode) || st->st_nlink != 1)
        return false;
    if (owner != SEG_NOT_SHARED)
        return st->st_uid == owner && mode == SEG_MODE_SHARED;
    return st->st_uid == geteuid() &&
           ((mode & (S_IRWXG | S_IRWXO)) == 0 || mode == SEG_MODE_SHARED);
}

int seg_access_open_of(uint32_t owner, const char *path, int flags, int *fd, struct stat *st)
{
    /* O_NONBLOCK: a fifo of that name must not stop the program. */
    int opened = open(path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int saved;

    if (opened < 0)
        return errno == ELOOP || errno == EISDIR || errno == ENXIO ? SEG_ERR_ACCESS
                                                                   : SEG_ERR_SYSTEM;
    if (fstat(opened, st) != 0) {
        saved = errno;
        close(opened);
        errno = saved;
        return SEG_ERR_SYSTEM;
    }
    if (!may_be_used(st, owner)) {
        close(opened);
        return SEG_ERR_ACCESS;
    }
    *fd = opened;
    return SEG_OK;
}

int seg_access_open(const char *path, int flags, int *fd, struct stat *st)
{
    return seg_access_open_of(SEG_NOT_SHARED, path, flags, fd, st);
}

int seg_open_checked(const char *path, int *fd)
{
    struct stat st;

    return seg_access_open(path, O_RDONLY, fd, &st);
}

int seg_access_header(int fd, uint64_t file_size, struct seg_header *head)
{
    uint64_t bump;
    ssize_t n;

    if (file_size < sizeof *head)
        return SEG_ERR_FOREIGN;
    do {
        n = pread(fd, head, sizeof *head, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return SEG_ERR_SYSTEM;
    if (n != (ssize_t)sizeof *head || head->magic != SEG_MAGIC || head->endian != SEG_ENDIAN)
        return SEG_ERR_FOREIGN;
    if (head->version != SEG_VERSION || head->fingerprint != SEG_FINGERPRINT)
        return SEG_ERR_VERSION;

    bump = seg_load_relaxed(&head->bump); /* relaxed: a private copy */
    if (head->size < SEG_ARENA_OFF || head->size > seg_window_end(SEG_WINDOWS - 1) ||
        bump < SEG_ARENA_OFF || bump > head->size)
        return SEG_ERR_DAMAGED;
    if (head->plan_len != 0 && !(head->plan >= SEG_ARENA_OFF && head->plan % SEG_ALIGN == 0 &&
                                 head->plan <= bump && bump - head->plan >= head->plan_len))
        return SEG_ERR_DAMAGED;
    return SEG_OK;
}

int seg_access_header_of(int fd, struct seg_header *head)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return SEG_ERR_SYSTEM;
    return seg_access_header(fd, (uint64_t)st.st_size, head);
}
