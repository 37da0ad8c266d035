/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes one protection away from a measured process: a library to preload. The test of a fault must
 * fail with it, or it shows nothing. WITHOUT names the protection:
 *
 *   sharing   the segment is mapped for this process alone, as if hits were kept in its own memory.
 *             Only where SHMCOV_SEGMENT is set: the supervisor, or the owner, maps it as ever
 *   backing   pages are not backed before they are written to
 *   dontdump  the mappings are part of core dumps
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static bool without(const char *what)
{
    const char *text = getenv("WITHOUT");

    return text != NULL && strcmp(text, what) == 0;
}

static bool is_segment(int fd)
{
    char link[64], path[512];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    if (n <= 0)
        return false;
    path[n] = '\0';
    return strstr(path, "/run-") != NULL;
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    static void *(*next)(void *, size_t, int, int, int, off_t);

    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "mmap");
    if (fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE) && without("sharing") &&
        getenv("SHMCOV_SEGMENT") != NULL && is_segment(fd))
        flags = (flags & ~MAP_SHARED) | MAP_PRIVATE;
    return next(address, length, protection, flags, fd, offset);
}

int madvise(void *address, size_t length, int advice)
{
    static int (*next)(void *, size_t, int);

    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "madvise");
    if ((advice == MADV_POPULATE_WRITE && without("backing")) ||
        (advice == MADV_DONTDUMP && without("dontdump")))
        return 0;
    return next(address, length, advice);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    static int (*next)(int, int, off_t, off_t);

    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "fallocate");
    return without("backing") ? 0 : next(fd, mode, offset, length);
}
