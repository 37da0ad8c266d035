/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Setting dead segments aside.
 *
 * Guarantees
 *   - Whoever delivers a segment, or is its keeper, has a lock on its file that ends with the
 *     process: an flock to deliver, an open file description lock as the keeper. The sweep does not
 *     touch a segment with either lock.
 *   - A segment is renamed within its file system, in one step.
 */
#include "leftover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "folder.h"
#include "kill_point.h"
#include "status.h"
#include "users.h"

/* The folder of left-over segments is removed with the last one, also between these steps. */
static int move(const char *path, char *to)
{
    char *slash = strrchr(to, '/');

    for (int tries = 0; tries < 8; tries++) {
        int status;

        *slash = '\0';
        status = seg_folder_make(to, SEG_FOLDER_PRIVATE);
        SEG_KILL_POINT("aside.made");
        *slash = '/';
        if (status == SEG_OK && rename(path, to) == 0)
            return SEG_OK;
        if ((status != SEG_OK && status != SEG_ERR_SYSTEM) || errno != ENOENT || access(path, F_OK))
            break;
    }
    return SEG_ERR_SYSTEM;
}

int seg_set_aside(const char *path)
{
    char to[512];
    int status = seg_leftover_path(path, to, sizeof to);

    if (status == SEG_OK)
        status = move(path, to);
    if (status != SEG_OK)
        return status;
    SEG_KILL_POINT("aside.renamed");
    seg_folder_tidy(path);
    return SEG_OK;
}

/* The keeper's lock. It does not conflict with the flock of those who deliver. */
static struct flock whole_file(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

void seg_keeper_is_here(int fd)
{
#ifdef F_OFD_SETLK
    struct flock lock = whole_file();

    fcntl(fd, F_OFD_SETLK, &lock);
#else
    (void)fd;
#endif
}

static bool has_keeper(int fd)
{
#ifdef F_OFD_GETLK
    struct flock lock = whole_file();

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
#else
    (void)fd;
    return false;
#endif
}

enum seg_life seg_owner_life(int fd)
{
    struct seg_header head;

    if (seg_access_header(fd, &head) != SEG_OK)
        return SEG_LIFE_UNKNOWN;
    return seg_life(head.supervisor_pid, head.supervisor_start, head.supervisor_ns);
}

static bool is_used(int fd, const char *path)
{
    struct seg_users users = {.fd = fd, .path = path};
    int status = seg_users_settle(&users, 0, seg_users_sleep, NULL);
    bool used = status != SEG_OK || users.n != 0;

    seg_users_free(&users);
    return used;
}

struct mapping {
    char name[SEG_MAPPING_NAME];
    bool found;
};

static void look_for_mapping(void *arg, uint32_t pid, uint64_t start)
{
    struct mapping *mapping = arg;

    (void)start;
    mapping->found |= seg_platform_maps(pid, mapping->name) == SEG_YES;
}

/* Is it of another version of shmcov, and dead? That version may be at work, and its header cannot
 * be read for an owner: dead is what is an hour old (mtime) and mapped by nobody. */
static bool is_old_and_foreign(int fd, const struct stat *st)
{
    struct mapping mapping = {.found = false};
    struct seg_header head;

    if (seg_access_header(fd, &head) != SEG_ERR_VERSION || time(NULL) - st->st_mtime < 3600 ||
        !seg_platform_mapping_name(fd, NULL, mapping.name))
        return false;
    seg_platform_each_since(0, true, look_for_mapping, &mapping);
    return !mapping.found;
}

static void sweep_one(void *unused, const char *path)
{
    struct stat st;
    int fd;

    (void)unused;
    if (seg_access_open_of(SEG_NOT_SHARED, path, O_RDWR, &fd, &st) != SEG_OK)
        return;
    /* Shared, so that two sweeps do not take each other for a delivery; one of them moves it. */
    if (!has_keeper(fd) && flock(fd, LOCK_SH | LOCK_NB) == 0 &&
        (seg_owner_life(fd) == SEG_LIFE_ENDED ? !is_used(fd, path) : is_old_and_foreign(fd, &st)))
        seg_set_aside(path);
    close(fd);
}

void seg_sweep(void)
{
    seg_folder_each(SEG_SAFE, sweep_one, NULL);
}
