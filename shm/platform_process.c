/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operating systems say about processes; platform.h says what each function promises.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "platform.h"

#if defined(__linux__)

#include <sys/mman.h>
#include <sys/syscall.h>

/* Older headers lack it; older kernels answer ENOSYS. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

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

/* Opens a file of a process in /proc. */
static int open_proc(uint32_t pid, const char *name)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%u/%s", (unsigned)pid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* Calls fn with each piece of a file, up to a character `end`, until fn returns true. 1: it did, 0:
 * it never did, -1: the file cannot be read. */
static int each_piece(int fd, char end, bool (*fn)(void *arg, const char *piece), void *arg)
{
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    char *piece = NULL;
    size_t room = 0;
    ssize_t len;
    int found = 0;

    if (file == NULL) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    while (found == 0 && (len = getdelim(&piece, &room, end, file)) > 0) {
        if (piece[len - 1] == end)
            piece[len - 1] = '\0';
        found = fn(arg, piece);
    }
    if (found == 0 && ferror(file))
        found = -1;
    free(piece);
    fclose(file);
    return found;
}

/* -- mappings -- */

/* The device and inode of a line of /proc/PID/maps, which is "start-end mode offset device inode
 * path", and how long they are. 0: it is no such line. (A program has hundreds of lines, and sscanf
 * takes 1,500 instructions for each.) */
static size_t mapping_name(const char *line, const char **name)
{
    size_t len;

    for (int field = 0; field < 3 && line != NULL; field++) {
        line = strchr(line, ' ');
        line = line == NULL ? NULL : line + 1;
    }
    if (line == NULL)
        return 0;
    len = strcspn(line, " ");
    if (line[len] != ' ')
        return 0;
    len += 1 + strcspn(line + len + 1, " ");
    *name = line;
    return len < SEG_MAPPING_NAME ? len : 0;
}

struct own_mapping {
    uintptr_t address;
    char *name;
};

static bool contains_address(void *arg, const char *line)
{
    const struct own_mapping *own = arg;
    const char *name = NULL;
    char *end;
    uintptr_t from = (uintptr_t)strtoull(line, &end, 16), to;
    size_t len;

    if (*end != '-')
        return false;
    to = (uintptr_t)strtoull(end + 1, NULL, 16);
    if (from > own->address || own->address >= to)
        return false;
    len = mapping_name(line, &name);
    if (len > 0)
        memcpy(own->name, name, len);
    own->name[len] = '\0';
    return len > 0;
}

bool seg_platform_mapping_name(int fd, const void *mapped, char name[SEG_MAPPING_NAME])
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *address = mapped != NULL ? NULL : mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
    struct own_mapping own = {(uintptr_t)(mapped != NULL ? mapped : address), name};
    int found;

    if (address == MAP_FAILED)
        return false;
    found = each_piece(open_proc((uint32_t)getpid(), "maps"), '\n', contains_address, &own);
    if (address != NULL)
        munmap(address, page);
    return found == 1;
}

static bool is_named(void *name, const char *line)
{
    const char *here;
    size_t len = mapping_name(line, &here);

    return len > 0 && len == strlen(name) && memcmp(here, name, len) == 0;
}

enum seg_platform_answer seg_platform_maps(uint32_t pid, const char *name)
{
    int found = each_piece(open_proc(pid, "maps"), '\n', is_named, (void *)name);

    return found < 0 ? SEG_UNKNOWN : found ? SEG_YES : SEG_NO;
}

/* -- processes by age -- */

uint64_t seg_platform_start_of(unsigned ms)
{
    uint64_t ticks = (uint64_t)sysconf(_SC_CLK_TCK), now_ticks;
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    now_ticks = (uint64_t)now.tv_sec * ticks + (uint64_t)now.tv_nsec * ticks / 1000000000u;
    return now_ticks > ms * ticks / 1000 ? now_ticks - ms * ticks / 1000 : 0;
}

void seg_platform_each_since(uint64_t start, bool all_users,
                             void (*fn)(void *arg, uint32_t pid, uint64_t start), void *arg)
{
    struct dirent *entry;
    DIR *dir = opendir("/proc");

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        uint32_t pid = (uint32_t)strtoul(entry->d_name, NULL, 10);
        struct seg_platform_process info;
        struct stat st;

        if (pid == 0 || fstatat(dirfd(dir), entry->d_name, &st, 0) != 0 ||
            (!all_users && st.st_uid != geteuid()) || seg_platform_process(pid, &info) != 0 ||
            info.ended || info.start < start)
            continue;
        fn(arg, pid, info.start);
    }
    closedir(dir);
}

static bool is_equal(void *text, const char *piece)
{
    return strcmp(text, piece) == 0;
}

static bool contains(void *text, const char *piece)
{
    return strstr(piece, text) != NULL;
}

bool seg_platform_has_variable(uint32_t pid, const char *variable)
{
    return each_piece(open_proc(pid, "environ"), '\0', is_equal, (void *)variable) == 1;
}

bool seg_platform_has_argument(uint32_t pid, const char *text)
{
    return each_piece(open_proc(pid, "cmdline"), '\0', contains, (void *)text) == 1;
}

/* -- pipes -- */

/* What a descriptor of a process leads to, such as "pipe:[123]". */
static bool descriptor_name(uint32_t pid, unsigned long fd, char name[64])
{
    char path[64];
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%u/fd/%lu", (unsigned)pid, fd);
    n = readlink(path, name, 63);
    name[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* The pipe that a process sleeps on in read(). */
static bool pipe_of_read(uint32_t pid, char name[64])
{
    int fd = open_proc(pid, "syscall");
    char text[64];
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    char *at;

    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0'; /* "number first-argument ..." or "running" */
    if (strtoul(text, &at, 10) != SYS_read || at == text || *at != ' ')
        return false;
    return descriptor_name(pid, strtoul(at, NULL, 16), name) && strncmp(name, "pipe:", 5) == 0;
}

bool seg_platform_sleeps_on(uint32_t pid, uint32_t owner)
{
    char path[64], wanted[64], name[64];
    struct dirent *entry;
    bool found = false;
    DIR *dir;

    if (!pipe_of_read(pid, wanted))
        return false;
    snprintf(path, sizeof path, "/proc/%u/fd", (unsigned)owner);
    dir = opendir(path);
    while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
        struct stat st;

        /* The permissions of the link are those of the descriptor. */
        found = descriptor_name(owner, strtoul(entry->d_name, NULL, 10), name) &&
                strcmp(name, wanted) == 0 &&
                fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                (st.st_mode & S_IWUSR) != 0;
    }
    if (dir != NULL)
        closedir(dir);
    return found;
}

int seg_platform_pidfd(uint32_t pid)
{
    return (int)syscall(SYS_pidfd_open, (pid_t)pid, 0u);
}

#elif defined(__APPLE__)

#include <libproc.h>
#include <sys/proc.h>

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
    return 1; /* there is only one */
}

bool seg_platform_mapping_name(int fd, const void *mapped, char name[SEG_MAPPING_NAME])
{
    (void)fd, (void)mapped, (void)name;
    return false;
}

enum seg_platform_answer seg_platform_maps(uint32_t pid, const char *name)
{
    (void)pid, (void)name;
    return SEG_UNKNOWN;
}

uint64_t seg_platform_start_of(unsigned ms)
{
    (void)ms;
    return 0;
}

void seg_platform_each_since(uint64_t start, bool all_users,
                             void (*fn)(void *arg, uint32_t pid, uint64_t start), void *arg)
{
    (void)start, (void)all_users, (void)fn, (void)arg;
}

bool seg_platform_has_variable(uint32_t pid, const char *variable)
{
    (void)pid, (void)variable;
    return false;
}

bool seg_platform_has_argument(uint32_t pid, const char *text)
{
    (void)pid, (void)text;
    return false;
}

bool seg_platform_sleeps_on(uint32_t pid, uint32_t owner)
{
    (void)pid, (void)owner;
    return false;
}

int seg_platform_pidfd(uint32_t pid)
{
    (void)pid;
    return -1;
}

#else
#error "shmcov runs on Linux and macOS"
#endif

enum seg_life seg_life(uint32_t pid, uint64_t start, uint64_t ns)
{
    struct seg_platform_process now;

    if (ns == 0 || start == 0 || ns != seg_platform_namespace())
        return SEG_LIFE_UNKNOWN;
    if (seg_platform_process(pid, &now) != 0 || now.ended || now.start != start)
        return SEG_LIFE_ENDED;
    return SEG_LIFE_ALIVE;
}
