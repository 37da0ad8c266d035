/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between operating systems in files and memory; platform.h says what each function
 * promises.
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
#include <sys/syscall.h>
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

/* glibc has functions for these two since 2.27 and 2.25 only, and 2.17 may lack their numbers. */
#ifndef SYS_memfd_create
#if defined(__x86_64__)
#define SYS_memfd_create 319
#define SYS_getrandom 318
#elif defined(__aarch64__)
#define SYS_memfd_create 279
#define SYS_getrandom 278
#endif
#endif

int seg_platform_file(void)
{
    return (int)syscall(SYS_memfd_create, "shmcov", 1u /* MFD_CLOEXEC */);
}

int seg_platform_random(void *bytes, size_t len)
{
    return syscall(SYS_getrandom, bytes, len, 0) == (long)len ? 0 : -1;
}

#elif defined(__APPLE__)

#include <sys/mount.h>
#include <sys/param.h>
#include <sys/random.h>

/* A POSIX shared-memory object can be sized only once, so segments are regular files. */
static const char *const roots[] = {"/private/tmp", NULL};
const char *const *seg_platform_roots = roots;

int seg_platform_populate(void *address, size_t len)
{
    (void)address;
    (void)len;
    return ENOSYS;
}

/* F_PREALLOCATE counts from the end of what is allocated, so `off` cannot be passed on: each call
 * adds `len` bytes, and callers reserve in the order of the offsets. */
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

int seg_platform_file(void)
{
    char name[] = "/tmp/shmcov-XXXXXX";
    int fd = mkstemp(name);

    if (fd >= 0)
        unlink(name);
    return fd;
}

int seg_platform_random(void *bytes, size_t len)
{
    return getentropy(bytes, len);
}

#else
#error "shmcov runs on Linux and macOS"
#endif
