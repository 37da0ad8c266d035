/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between operating systems; platform.h says what each function promises.
 */
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__linux__)

#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

/* Older headers lack it; older kernels answer EINVAL. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* /tmp is a tmpfs on some systems, /var/tmp hardly anywhere. */
static const char *const roots[] = {"/dev/shm", "/tmp", "/var/tmp", NULL};
const char *const *seg_platform_roots = roots;

#ifdef SEG_KILL_POINTS
bool seg_platform_cannot_extend;
#endif

int seg_platform_populate(void *address, size_t len)
{
    while (madvise(address, len, MADV_POPULATE_WRITE) != 0) {
        if (errno == EINVAL)
            return ENOSYS;
        if (errno != EINTR && errno != EAGAIN)
            return errno;
    }
    return 0;
}

int seg_platform_reserve(int fd, uint64_t off, uint64_t len)
{
    while (fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len) != 0) {
        if (errno != EINTR)
            return errno;
    }
    return 0;
}

void *seg_platform_extend(void *page, size_t len)
{
    void *address;

#ifdef SEG_KILL_POINTS
    if (seg_platform_cannot_extend)
        return NULL;
#endif
    address = mremap(page, 0, len, MREMAP_MAYMOVE);
    return address == MAP_FAILED ? NULL : address;
}

void seg_platform_hide(void *address, size_t len)
{
    madvise(address, len, MADV_DONTDUMP);
}

bool seg_platform_in_memory(int fd)
{
    struct statfs fs;

    if (fstatfs(fd, &fs) != 0)
        return false;
    return fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC;
}

void seg_platform_in_place(int fd)
{
    int flags = 0;
    int saved = errno;
    struct statfs fs;

    if (fstatfs(fd, &fs) == 0 && fs.f_type == BTRFS_SUPER_MAGIC &&
        ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
        flags |= FS_NOCOW_FL;
        ioctl(fd, FS_IOC_SETFLAGS, &flags);
    }
    errno = saved;
}

int seg_platform_process(uint32_t pid, struct seg_platform_process *out)
{
    char path[32], text[1024];
    char *at;
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%u/stat", (unsigned)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return -1;
    text[n] = '\0';

    /* The name in parentheses may hold blanks and parentheses; the state follows the last one. */
    at = strrchr(text, ')');
    if (at == NULL || at[1] != ' ' || at[2] == '\0')
        return -1;
    at += 2;
    out->ended = *at == 'Z' || *at == 'X';
    out->parent = (uint32_t)strtoul(at + 1, &at, 10);
    for (int field = 5; field < 22; field++) {
        at = *at == ' ' ? strchr(at + 1, ' ') : NULL;
        if (at == NULL)
            return -1;
    }
    out->start = strtoull(at, NULL, 10);
    return 0;
}

uint64_t seg_platform_namespace(void)
{
    struct stat st;

    return stat("/proc/self/ns/pid", &st) == 0 ? (uint64_t)st.st_ino : 0;
}

#elif defined(__APPLE__)

#include <libproc.h>
#include <sys/mount.h>
#include <sys/param.h>
#include <sys/proc.h>

/* A POSIX shared-memory object can be sized only once, so a regular file it is. */
static const char *const roots[] = {"/private/tmp", NULL};
const char *const *seg_platform_roots = roots;

int seg_platform_populate(void *address, size_t len)
{
    (void)address;
    (void)len;
    return ENOSYS;
}

/* F_PREALLOCATE counts from the end of what is allocated, so `off` cannot be passed on: each call
 * adds `len` bytes, and the calls come in the order of the offsets. */
int seg_platform_reserve(int fd, uint64_t off, uint64_t len)
{
    fstore_t store = {F_ALLOCATEALL, F_PEOFPOSMODE, 0, (off_t)len, 0};

    (void)off;
    return fcntl(fd, F_PREALLOCATE, &store) == 0 ? 0 : errno;
}

void *seg_platform_extend(void *page, size_t len)
{
    (void)page;
    (void)len;
    return NULL;
}

void seg_platform_hide(void *address, size_t len)
{
    (void)address;
    (void)len;
}

bool seg_platform_in_memory(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && strcmp(fs.f_fstypename, "tmpfs") == 0;
}

void seg_platform_in_place(int fd)
{
    (void)fd;
}

int seg_platform_process(uint32_t pid, struct seg_platform_process *out)
{
    struct proc_bsdinfo info;

    if (proc_pidinfo((int)pid, PROC_PIDTBSDINFO, 0, &info, sizeof info) != (int)sizeof info)
        return -1;
    out->start = (uint64_t)info.pbi_start_tvsec * 1000000 + info.pbi_start_tvusec;
    out->parent = info.pbi_ppid;
    out->ended = info.pbi_status == SZOMB;
    return 0;
}

uint64_t seg_platform_namespace(void)
{
    return 1; /* there is one */
}

#else
#error "shmcov runs on Linux and macOS"
#endif
