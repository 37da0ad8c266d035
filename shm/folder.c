/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where segments lie: a folder for each user, on the first file system that has room for one.
 * The names are fixed, because a process whose environment was replaced has nothing else to go by.
 */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "headroom.h"
#include "layout.h"
#include "platform.h"
#include "status.h"

#define MIB (UINT64_C(1) << 20)

/* What a run is expected to need. A real project with 26,000 contexts and 567,000 pairs of context
 * and file fills 40 MB; without contexts Django's whole suite stays below 8 MB. */
#define EXPECTED (24 * MIB)
#define EXPECTED_WITH_CONTEXTS (128 * MIB)
#define LEAST (4 * MIB)
#define MOST (UINT64_C(64) << 30)

static unsigned n_roots(void)
{
    unsigned n = 0;

    while (seg_platform_roots[n] != NULL)
        n++;
    return n;
}

/* The private ones come first. */
bool seg_folder_is_open(unsigned which)
{
    return which >= n_roots();
}

int seg_folder_name(unsigned which, char *buf, size_t size)
{
    unsigned roots = n_roots();
    int n;

    if (which >= 2 * roots)
        return SEG_ERR_LIMIT;
    n = snprintf(buf, size, "%s/shmcov-%lu%s", seg_platform_roots[which % roots],
                 (unsigned long)geteuid(), seg_folder_is_open(which) ? ".open" : "");
    return n > 0 && (size_t)n < size ? SEG_OK : SEG_ERR_LIMIT;
}

static const char suffix[] = ".left";

int seg_leftover_folder(unsigned which, char *buf, size_t size)
{
    int status = seg_folder_name(which, buf, size);
    size_t len = status == SEG_OK ? strlen(buf) : 0;

    if (status != SEG_OK || size - len < sizeof suffix)
        return SEG_ERR_LIMIT;
    memcpy(buf + len, suffix, sizeof suffix);
    return SEG_OK;
}

int seg_leftover_path(const char *path, char *buf, size_t size)
{
    const char *name = strrchr(path, '/');
    size_t len = name == NULL ? 0 : (size_t)(name - path);
    char folder[256];

    for (unsigned i = 0; seg_folder_name(i, folder, sizeof folder) == SEG_OK; i++) {
        if (strlen(folder) != len || strncmp(folder, path, len) != 0)
            continue;
        return snprintf(buf, size, "%s%s%s", folder, suffix, name) < (int)size ? SEG_OK
                                                                               : SEG_ERR_LIMIT;
    }
    return SEG_ERR_FOREIGN;
}

int seg_folder_make(const char *path, unsigned mode)
{
    struct stat st;

    /* The umask may have narrowed the mode of a new folder. */
    if (mkdir(path, mode) == 0) {
        if (lstat(path, &st) == 0 && (st.st_mode & 07777) != mode)
            chmod(path, mode);
    } else if (errno != EEXIST) {
        return SEG_ERR_SYSTEM;
    }
    if (lstat(path, &st) != 0)
        return SEG_ERR_SYSTEM;
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 0777) != mode)
        return SEG_ERR_ACCESS;
    return SEG_OK;
}

bool seg_folder_is_ours(unsigned which, const char *path)
{
    const mode_t allowed = seg_folder_is_open(which) ? SEG_FOLDER_OPEN : SEG_FOLDER_PRIVATE;
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & (S_IRWXG | S_IRWXO) & ~allowed) == 0;
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

int seg_folder_room(int fd, uint32_t flags, bool choosy, uint64_t *size)
{
    bool contexts = (flags & (SEG_FLAG_CONTEXTS | SEG_FLAG_TEST_FUNCTION)) != 0;
    uint64_t expected = contexts ? EXPECTED_WITH_CONTEXTS : EXPECTED;
    uint64_t room = MOST;
    struct statvfs fs;
    struct rlimit limit;

    if (fstatvfs(fd, &fs) != 0)
        return SEG_ERR_SYSTEM;
    /* Half of what is free: the program under test needs room too. A tmpfs without a limit reports
     * no blocks at all. */
    if (fs.f_blocks != 0)
        room = least_of(room, (uint64_t)fs.f_bavail * fs.f_frsize / 2);
    if (seg_platform_in_memory(fd))
        room = least_of(room, seg_headroom("/proc", "/sys/fs/cgroup") / 4);
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        room = least_of(room, limit.rlim_cur);
    if (room < (choosy ? expected : LEAST))
        return SEG_ERR_SPACE;
    *size = room;
    return SEG_OK;
}

static void each_in(const char *folder, void (*fn)(void *arg, const char *path), void *arg)
{
    struct dirent *entry;
    DIR *dir = opendir(folder);

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        char path[512];

        if (strncmp(entry->d_name, SEG_NAME_PREFIX, strlen(SEG_NAME_PREFIX)) == 0 &&
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < (int)sizeof path)
            fn(arg, path);
    }
    closedir(dir);
}

void seg_folder_each(enum seg_which which, void (*fn)(void *arg, const char *path), void *arg)
{
    char folder[256];

    for (unsigned i = 0; seg_folder_name(i, folder, sizeof folder) == SEG_OK; i++) {
        if (which == SEG_SAFE && !seg_folder_is_ours(i, folder))
            continue;
        if (which != SEG_LEFT || seg_leftover_folder(i, folder, sizeof folder) == SEG_OK)
            each_in(folder, fn, arg);
    }
}

/* Is it one of our folders, for live or for left-over segments? */
static bool is_for_segments(const char *folder)
{
    char name[256];

    for (unsigned i = 0; seg_folder_name(i, name, sizeof name) == SEG_OK; i++) {
        if (strcmp(name, folder) == 0)
            return true;
        if (seg_leftover_folder(i, name, sizeof name) == SEG_OK && strcmp(name, folder) == 0)
            return true;
    }
    return false;
}

void seg_folder_tidy(const char *path)
{
    char *folder = strdup(path);
    char *slash = folder == NULL ? NULL : strrchr(folder, '/');

    if (slash != NULL) {
        *slash = '\0';
        if (is_for_segments(folder))
            rmdir(folder); /* fails where something is in it */
    }
    free(folder);
}

int seg_remove(const char *path)
{
    if (unlink(path) != 0)
        return SEG_ERR_SYSTEM;
    seg_folder_tidy(path);
    return SEG_OK;
}
