/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory can be used before the kernel kills a process. A file in tmpfs counts against the
 * container's limit, and reaching that limit is not an error that a program could handle.
 */
#include "headroom.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For "no limit" version 1 shows the largest multiple of a page. */
#define NO_LIMIT (UINT64_C(1) << 60)

struct controller {
    const char *folder;   /* below the mount point of control groups */
    const char *limit[2]; /* files, the lowest counts; "" for none */
    const char *usage;
    const char *cache; /* key in memory.stat: what the kernel reclaims before it kills */
};

static const struct controller unified = {
    "", {"memory.max", "memory.high"}, "memory.current", "inactive_file"};
static const struct controller legacy = {
    "/memory", {"memory.limit_in_bytes", ""}, "memory.usage_in_bytes", "total_inactive_file"};

/* The number in a file; UINT64_MAX where there is none ("max", no such file). */
static uint64_t read_number(const char *folder, const char *name)
{
    char path[4096];
    uint64_t value = UINT64_MAX;
    FILE *file;

    if (*name == '\0' || snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return UINT64_MAX;
    file = fopen(path, "re");
    if (file == NULL)
        return UINT64_MAX;
    if (fscanf(file, "%" SCNu64, &value) != 1)
        value = UINT64_MAX;
    fclose(file);
    return value;
}

/* The number behind a key at the beginning of a line of a file; `otherwise` where there is none. */
static uint64_t read_field(const char *folder, const char *name, const char *key,
                           uint64_t otherwise)
{
    char path[4096], line[256];
    size_t len = strlen(key);
    uint64_t value = otherwise;
    FILE *file;

    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return otherwise;
    file = fopen(path, "re");
    if (file == NULL)
        return otherwise;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, len) == 0 && (line[len] == ' ' || line[len] == ':')) {
            value = strtoull(line + len + 1, NULL, 10);
            break;
        }
    }
    fclose(file);
    return value;
}

static uint64_t headroom_of(const char *folder, const struct controller *controller)
{
    uint64_t limit = read_number(folder, controller->limit[0]);
    uint64_t high = read_number(folder, controller->limit[1]);
    uint64_t used;

    if (high < limit)
        limit = high;
    if (limit >= NO_LIMIT)
        return UINT64_MAX;
    used = read_number(folder, controller->usage);
    if (used == UINT64_MAX)
        return limit;
    high = read_field(folder, "memory.stat", controller->cache, 0);
    used -= high < used ? high : used;
    return used < limit ? limit - used : 0;
}

/* The least of a group and all groups above it, up to the mount point. In a container the path may
 * be the host's, so that part of it does not exist here; a missing group has no limit. */
static uint64_t walk(const char *cgroup, const char *path, const struct controller *controller)
{
    char folder[4096];
    size_t root = strlen(cgroup) + strlen(controller->folder);
    uint64_t least = UINT64_MAX, here;

    if (snprintf(folder, sizeof folder, "%s%s%s", cgroup, controller->folder, path) >=
        (int)sizeof folder)
        return UINT64_MAX;
    for (;;) {
        char *slash;

        here = headroom_of(folder, controller);
        if (here < least)
            least = here;
        slash = strrchr(folder, '/');
        if (slash == NULL || (size_t)(slash - folder) < root)
            return least;
        *slash = '\0';
    }
}

uint64_t seg_headroom(const char *proc, const char *cgroup)
{
    char path[4096], line[4096];
    uint64_t least = read_field(proc, "meminfo", "MemAvailable", UINT64_MAX / 1024);
    FILE *file;

    least = least >= UINT64_MAX / 1024 ? UINT64_MAX : least * 1024;
    if (snprintf(path, sizeof path, "%s/self/cgroup", proc) >= (int)sizeof path)
        return least;
    file = fopen(path, "re");
    if (file == NULL)
        return least;
    /* A line reads "number:controllers:path"; version 2 is number 0 without controllers. */
    while (fgets(line, sizeof line, file) != NULL) {
        const struct controller *controller = NULL;
        char *names = strchr(line, ':');
        char *group = names == NULL ? NULL : strchr(names + 1, ':');
        uint64_t here;

        if (group == NULL)
            continue;
        *names++ = '\0';
        *group++ = '\0';
        group[strcspn(group, "\n")] = '\0';
        if (*names == '\0')
            controller = &unified;
        for (char *rest = names, *name; (name = strsep(&rest, ",")) != NULL;) {
            if (strcmp(name, "memory") == 0)
                controller = &legacy;
        }
        if (controller == NULL)
            continue;
        here = walk(cgroup, group, controller);
        if (here < least)
            least = here;
    }
    fclose(file);
    return least;
}
