/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new segment, in the first folder that has room for one.
 *
 * Guarantees
 *   - A new segment is complete before it has the name under which anybody looks for it: it is
 *     built under another name and renamed. The file system orders the rename before the open, so
 *     whoever attaches sees every byte that the creator wrote.
 *   - Identity and plan never change after that.
 */
#include "create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "arena.h"
#include "folder.h"
#include "handle.h"
#include "kill_point.h"
#include "platform.h"
#include "window.h"

#define SIZE_UNIT (UINT64_C(64) << 10) /* a multiple of every page size */
#define SIZE_LEAST (UINT64_C(512) << 10)

/* A path in the folder (malloc): a prefix and 128 random bits. */
static char *random_name(const char *folder)
{
    static const char prefix[] = "/new-";
    size_t len = strlen(folder);
    char *path = malloc(len + sizeof prefix + 32);
    uint8_t bits[16];
    char *at;

    if (path == NULL || seg_platform_random(bits, sizeof bits) != 0) {
        free(path);
        return NULL;
    }
    memcpy(path, folder, len);
    memcpy(path + len, prefix, sizeof prefix);
    at = path + len + sizeof prefix - 1;
    for (size_t i = 0; i < sizeof bits; i++)
        at += sprintf(at, "%02x", bits[i]);
    return path;
}
_Static_assert(sizeof "new-" == sizeof SEG_NAME_PREFIX, "the final name is as long as the first");

/* Sets the size of the empty file behind fd; unless it is fixed, a smaller one if the file system
 * has a lower limit. */
static int set_size(int fd, bool fixed, uint64_t *size)
{
    struct rlimit limit;

    /* Checked first: beyond the limit ftruncate raises SIGXFSZ. */
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        *size > limit.rlim_cur)
        return SEG_ERR_SPACE;
    while (ftruncate(fd, (off_t)*size) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EFBIG || fixed || *size / 2 < SIZE_LEAST)
            return errno == ENOSPC || errno == EFBIG || errno == EDQUOT ? SEG_ERR_SPACE
                                                                        : SEG_ERR_SYSTEM;
        *size = *size / 2 / SIZE_UNIT * SIZE_UNIT;
    }
    return SEG_OK;
}

/* Writes header and plan into a segment without a name. */
static int fill(seg_t *seg, const struct seg_plan *plan)
{
    struct seg_header *head = seg_head(seg);
    struct seg_platform_process self = {0, 0, false};
    uint64_t first = (SEG_ARENA_OFF + SEG_BATCH - 1) / SEG_BATCH * SEG_BATCH;
    void *rules;
    int status = seg_back_first(seg, first < seg->size ? first : seg->size);

    if (status != SEG_OK)
        return status;
    seg_platform_process((uint32_t)getpid(), &self);
    head->version = SEG_VERSION;
    head->endian = SEG_ENDIAN;
    head->fingerprint = SEG_FINGERPRINT;
    head->size = seg->size;
    head->flags = plan->flags;
    head->uid = (uint32_t)geteuid();
    head->created = (uint64_t)time(NULL);
    head->supervisor_pid = (uint32_t)getpid();
    head->supervisor_start = self.start;
    head->supervisor_ns = seg_platform_namespace();
    seg_store_relaxed(&head->bump, SEG_ARENA_OFF); /* relaxed: nobody else has the file */
    if (plan->rules_len > 0) {
        status = seg_alloc(seg, plan->rules_len, &head->plan, &rules);
        if (status != SEG_OK)
            return status;
        memcpy(rules, plan->rules, plan->rules_len);
        head->plan_len = plan->rules_len;
    }
    head->magic = SEG_MAGIC; /* last: what a killed creator leaves is no segment */
    return SEG_OK;
}

/* Some file systems accept a shared mapping without sharing what is written: checks that what went
 * in through the mapping comes out of the file. */
static int probe(const seg_t *seg, int fd)
{
    uint8_t copy[sizeof(struct seg_header)];

    if (pread(fd, copy, sizeof copy, 0) != (ssize_t)sizeof copy)
        return SEG_ERR_SYSTEM;
    if (memcmp(copy, (const uint8_t *)seg_head(seg), sizeof copy) != 0) {
        errno = ENOTSUP;
        return SEG_ERR_SYSTEM;
    }
    return SEG_OK;
}

/* Gives the finished segment its name. */
static int publish(seg_t *seg)
{
    char *path = strdup(seg->path);
    char *name;

    if (path == NULL)
        return SEG_ERR_NOMEM;
    name = strrchr(path, '/') + 1;
    memcpy(name, SEG_NAME_PREFIX, strlen(SEG_NAME_PREFIX));
    SEG_KILL_POINT("create.filled");
    if (rename(seg->path, path) != 0) {
        free(path);
        return SEG_ERR_SYSTEM;
    }
    SEG_KILL_POINT("create.published");
    free(seg->path);
    seg->path = path;
    return SEG_OK;
}

/* Creates a segment in a folder that exists. */
static int create_in(const char *folder, const struct seg_plan *plan, uint64_t size, seg_t **out,
                     int *fd)
{
    const mode_t mode = plan->flags & SEG_FLAG_OTHERS ? SEG_MODE_SHARED : S_IRUSR | S_IWUSR;
    char *path = random_name(folder);
    seg_t *seg = NULL;
    struct stat st;
    int status = SEG_ERR_SYSTEM, saved;

    if (path == NULL)
        return SEG_ERR_NOMEM;
    size = plan->size != 0 ? (size + SIZE_UNIT - 1) / SIZE_UNIT * SIZE_UNIT
                           : size / SIZE_UNIT * SIZE_UNIT;
    if (size < SIZE_LEAST)
        size = SIZE_LEAST;
    if (size > SEG_SIZE_MAX)
        size = SEG_SIZE_MAX;

    *fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (*fd < 0)
        goto no_file;
    /* open() obeyed the umask. */
    if (fchmod(*fd, mode) != 0 || fstat(*fd, &st) != 0)
        goto failed;
    seg_platform_in_place(*fd);
    status = set_size(*fd, plan->size != 0, &size);
    if (status != SEG_OK)
        goto failed;
    status = seg_map(strdup(path), SEG_NOT_SHARED, *fd, &st, size, &seg);
    if (status != SEG_OK)
        goto failed;
    seg->flags = plan->flags;
    status = fill(seg, plan);
    if (status == SEG_OK)
        status = probe(seg, *fd);
    if (status == SEG_OK)
        status = publish(seg);
    if (status != SEG_OK)
        goto failed;
    seg->plan = seg_head(seg)->plan;
    seg->plan_len = seg_head(seg)->plan_len;
    *out = seg;
    free(path);
    return SEG_OK;

failed:
    saved = errno;
    if (seg != NULL)
        seg_discard(seg);
    close(*fd);
    unlink(path);
    errno = saved;
no_file:
    free(path);
    return status;
}

/* Creates the segment in the folder, or says why it cannot be there. */
static int try_folder(const char *folder, const struct seg_plan *plan, bool choosy, seg_t **out,
                      int *fd)
{
    uint64_t size = plan->size;
    int status = SEG_OK;
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return SEG_ERR_SYSTEM;
    if (size == 0)
        status = seg_folder_room(dir, plan->flags, choosy, &size);
    close(dir);
    return status == SEG_OK ? create_in(folder, plan, size, out, fd) : status;
}

static unsigned folder_mode(const struct seg_plan *plan)
{
    return plan->flags & SEG_FLAG_OTHERS ? SEG_FOLDER_OPEN : SEG_FOLDER_PRIVATE;
}

/* The same for one of our own folders, which another run removes if it ends meanwhile. */
static int try_own_folder(const char *folder, const struct seg_plan *plan, bool choosy, seg_t **out,
                          int *fd)
{
    int status = SEG_ERR_SYSTEM;

    for (int tries = 0; tries < 8; tries++) {
        status = seg_folder_make(folder, folder_mode(plan));
        SEG_KILL_POINT("folder.made");
        if (status == SEG_OK)
            status = try_folder(folder, plan, choosy, out, fd);
        if (status != SEG_ERR_SYSTEM || errno != ENOENT)
            break;
    }
    if (status != SEG_OK) {
        int saved = errno;

        rmdir(folder); /* fails where something is in it */
        errno = saved;
    }
    return status;
}

/* In the first folder with room for the expected size, else in the first with any room. */
static int choose_folder(const struct seg_plan *plan, seg_t **out, int *fd)
{
    char folder[256];
    int status = SEG_ERR_SPACE;

    for (int choosy = 1; choosy >= 0 && status != SEG_OK; choosy--) {
        for (unsigned i = 0;
             status != SEG_OK && seg_folder_name(i, folder, sizeof folder) == SEG_OK; i++) {
            if (seg_folder_is_open(i) == ((plan->flags & SEG_FLAG_OTHERS) != 0))
                status = try_own_folder(folder, plan, choosy, out, fd);
        }
    }
    return status;
}

/* The folder that the user wants. */
static int given_folder(const struct seg_plan *plan, seg_t **out, int *fd)
{
    int status = SEG_ERR_SYSTEM;
    char *real;

    if (mkdir(plan->folder, folder_mode(plan)) != 0 && errno != EEXIST)
        return SEG_ERR_SYSTEM;
    real = realpath(plan->folder, NULL);
    if (real != NULL)
        status = try_folder(real, plan, false, out, fd);
    free(real);
    return status;
}

/* Two calls, and not one through a choice of functions: GCC 12.2 with -flto (its -fipa-cp) then
 * misses that *out is written, and puts a caller's static variable into .rodata. */
int seg_create(const struct seg_plan *plan, seg_t **out, char **path, int *fd)
{
    int status = plan->folder != NULL ? given_folder(plan, out, fd) : choose_folder(plan, out, fd);

    if (status != SEG_OK)
        return status;
    *path = strdup(seg_path(*out));
    if (*path == NULL) {
        unlink(seg_path(*out));
        close(*fd);
        seg_discard(*out);
        return SEG_ERR_NOMEM;
    }
    return SEG_OK;
}
