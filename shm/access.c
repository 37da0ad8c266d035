/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may open a segment, and which headers are accepted.
 */
#include "access.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "status.h"

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
        return name; /* opening that path will fail */
    *owner = (uint32_t)uid;
    return end + 1;
}

char *seg_name_with(const char *path, const struct stat *st)
{
    size_t size = sizeof SEG_SHARED_BY "4294967295:" + strlen(path);
    char *name;

    if ((st->st_mode & 07777) != SEG_MODE_SHARED)
        return strdup(path);
    name = malloc(size);
    if (name != NULL)
        snprintf(name, size, SEG_SHARED_BY "%lu:%s", (unsigned long)st->st_uid, path);
    return name;
}

char *seg_name_for(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 ? seg_name_with(path, &st) : strdup(path);
}

/* A segment of ours may be private or shared. One of another user has to be shared, and to belong
 * to the user in its name. If it may not be used, buf says why. */
static bool may_be_used(const struct stat *st, uint32_t owner, char *buf, size_t size)
{
    const mode_t mode = st->st_mode & 07777;
    const bool ours = owner == SEG_NOT_SHARED;

    if (!S_ISREG(st->st_mode))
        snprintf(buf, size, "it is not a regular file");
    else if (st->st_uid != (ours ? geteuid() : owner))
        snprintf(buf, size, "it belongs to user %lu; run this as that user",
                 (unsigned long)st->st_uid);
    else if (st->st_nlink != 1)
        snprintf(buf, size, "it has several names; remove its other hard links");
    else if (mode != SEG_MODE_SHARED && (!ours || (mode & (S_IRWXG | S_IRWXO)) != 0))
        snprintf(buf, size, "others may read or write it; its mode should be 0600");
    else
        return true;
    return false;
}

void seg_access_why(const char *path, char *buf, size_t size)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        snprintf(buf, size, "%s", strerror(errno));
    else if (may_be_used(&st, SEG_NOT_SHARED, buf, size))
        snprintf(buf, size, "it was replaced a moment ago; try again");
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
    if (!may_be_used(st, owner, NULL, 0)) {
        close(opened);
        return SEG_ERR_ACCESS;
    }
    *fd = opened;
    return SEG_OK;
}

int seg_access_open(const char *path, int flags, int *fd)
{
    struct stat st;

    return seg_access_open_of(SEG_NOT_SHARED, path, flags, fd, &st);
}

ssize_t seg_access_get(int fd, uint64_t off, void *to, size_t len)
{
    ssize_t n;

    do {
        n = pread(fd, to, len, (off_t)off);
    } while (n < 0 && errno == EINTR);
    return n;
}

int seg_access_header(int fd, struct seg_header *head)
{
    ssize_t n = seg_access_get(fd, 0, head, sizeof *head);
    uint64_t bump;

    if (n < 0)
        return SEG_ERR_SYSTEM;
    if (n != (ssize_t)sizeof *head || head->magic != SEG_MAGIC || head->endian != SEG_ENDIAN)
        return SEG_ERR_FOREIGN;
    if (head->version != SEG_VERSION || head->fingerprint != SEG_FINGERPRINT)
        return SEG_ERR_VERSION;

    bump = seg_load_relaxed(&head->bump); /* relaxed: a private copy */
    if (head->size < SEG_ARENA_OFF || head->size > SEG_SIZE_MAX || bump < SEG_ARENA_OFF ||
        bump > head->size)
        return SEG_ERR_DAMAGED;
    if (head->plan_len != 0 && !(head->plan >= SEG_ARENA_OFF && head->plan % SEG_ALIGN == 0 &&
                                 head->plan <= bump && bump - head->plan >= head->plan_len))
        return SEG_ERR_DAMAGED;
    return SEG_OK;
}

int seg_access_put(int fd, size_t off, uint64_t value)
{
    ssize_t n;

    do {
        n = pwrite(fd, &value, sizeof value, (off_t)off);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof value ? SEG_OK : SEG_ERR_SYSTEM;
}
