/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a process finds its run without the environment variable: through an ancestor that takes
 * part in one. Programs start children with environments of their own making, and a tool that
 * relies on its variable loses those silently.
 *
 * Where this user has no live run, this costs one failed stat for each folder.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "platform.h"

/* The process itself, which may have become another program by exec, and eight above it. */
#define GENERATIONS 9

struct search {
    struct seg_relative relatives[GENERATIONS];
    unsigned n;   /* relatives that are still of interest: a nearer one wins */
    unsigned all; /* 0: not looked up yet */
    seg_t *found;
};

static void find_relatives(struct search *search)
{
    uint32_t pid = (uint32_t)getpid();

    while (search->all < GENERATIONS && pid != 0) {
        struct seg_platform_process info;

        if (seg_platform_process(pid, &info) != 0)
            break;
        search->relatives[search->all].pid = pid;
        search->relatives[search->all].start = info.start;
        search->all++;
        pid = info.parent;
    }
    search->n = search->all;
}

static void look_at(struct search *search, const char *path)
{
    seg_t *seg;
    unsigned nearest;

    if (seg_attach(path, &seg) != SEG_OK)
        return;
    nearest = search->n;
    if (!(seg_flags(seg) & SEG_FLAG_NO_ADOPT))
        nearest = seg_process_match(seg, search->relatives, search->n);
    if (nearest == search->n) {
        seg_discard(seg);
        return;
    }
    if (search->found != NULL)
        seg_discard(search->found);
    search->found = seg;
    search->n = nearest;
}

static void look_into(struct search *search, const char *folder)
{
    struct dirent *entry;
    DIR *dir = opendir(folder);

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        char path[512];

        if (strncmp(entry->d_name, SEG_NAME_PREFIX, strlen(SEG_NAME_PREFIX)) != 0 ||
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path)
            continue;
        if (search->all == 0)
            find_relatives(search);
        look_at(search, path);
    }
    closedir(dir);
}

int seg_adopt(seg_t **out, char **path)
{
    struct search search = {.found = NULL};
    char folder[256];

    for (unsigned i = 0; seg_folder_name(i, folder, sizeof folder) == SEG_OK; i++) {
        if (seg_folder_is_ours(i, folder))
            look_into(&search, folder);
    }
    if (search.found == NULL)
        return SEG_ERR_FOREIGN;
    *path = strdup(seg_path(search.found));
    if (*path == NULL) {
        seg_discard(search.found);
        return SEG_ERR_NOMEM;
    }
    *out = search.found;
    return SEG_OK;
}
