/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a segment in a process: create it or attach to it.
 *
 * Guarantees
 *   - A new segment is complete before it has the name under which anybody looks for it: it is
 *     built under another name and renamed. Whoever attaches sees every byte that the creator wrote
 *     (the rename and the open are ordered by the file system).
 *   - Identity and plan never change after that.
 *   - A handle that was handed out is freed by seg_discard alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"
#include "platform.h"

#define SIZE_UNIT (UINT64_C(64) << 10) /* a multiple of every page size */
#define SIZE_LEAST (UINT64_C(512) << 10)

const char *seg_strstatus(int status)
{
    switch (status) {
    case SEG_OK:
        return "No error";
    case SEG_ERR_SYSTEM:
        return strerror(errno);
    case SEG_ERR_ACCESS:
        return "Not a private file of this user (a plain file, mode 0600, one link, no symbolic "
               "link, in a folder of mode 0700), nor shared by the user that its name says";
    case SEG_ERR_FOREIGN:
        return "Not a shmcov segment";
    case SEG_ERR_VERSION:
        return "A segment of another version of shmcov";
    case SEG_ERR_DAMAGED:
        return "The segment is damaged: its fields contradict each other";
    case SEG_ERR_SPACE:
        return "No room is left for the segment (file system, memory limit or file size limit)";
    case SEG_ERR_MAP:
        return "The segment could not be mapped (address space or memory limit)";
    case SEG_ERR_LIMIT:
        return "A line, file or context number is too large for the segment";
    case SEG_ERR_NOMEM:
        return "Out of memory";
    default:
        return "Unknown error";
    }
}

/* A handle with its first window; takes over `path`, also where it fails. */
static int handle_new(char *path, uint32_t shared_by, int fd, const struct stat *st, uint64_t size,
                      seg_t **out)
{
    seg_t *seg = calloc(1, sizeof *seg);
    int status;

    if (seg == NULL || path == NULL) {
        free(seg);
        free(path);
        return SEG_ERR_NOMEM;
    }
    seg->size = size;
    seg->path = path;
    seg->shared_by = shared_by;
    seg->shared = (st->st_mode & 07777) == SEG_MODE_SHARED;
    seg->device = st->st_dev;
    seg->inode = st->st_ino;
    seg->page = (size_t)sysconf(_SC_PAGESIZE);
    status = seg_window_first(seg, fd);
    if (status != SEG_OK)
        seg_discard(seg);
    else
        *out = seg;
    return status;
}

void seg_discard(seg_t *seg)
{
    seg_window_drop(seg);
    free(seg->path);
    free(seg);
}

/* "folder/" prefix and 128 random bits. */
static char *random_name(const char *folder)
{
    static const char prefix[] = "/new-";
    size_t len = strlen(folder);
    char *path = malloc(len + sizeof prefix + 32);
    uint8_t bits[16];
    char *at;

    if (path == NULL || getentropy(bits, sizeof bits) != 0) {
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

/* Sets the size of the empty file behind fd; smaller where the file system has a lower limit. */
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

/* Some file systems map a file without sharing what is written: what went in through the mapping
 * must come out of the file. */
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

int seg_create_in(const char *folder, const struct seg_plan *plan, uint64_t size, seg_t **out,
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
    if (size > seg_window_end(SEG_WINDOWS - 1))
        size = seg_window_end(SEG_WINDOWS - 1);

    *fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (*fd < 0)
        goto no_file;
    /* Whatever the umask was. */
    if (fchmod(*fd, mode) != 0 || fstat(*fd, &st) != 0)
        goto failed;
    seg_platform_in_place(*fd);
    status = set_size(*fd, plan->size != 0, &size);
    if (status != SEG_OK)
        goto failed;
    status = handle_new(strdup(path), SEG_NOT_SHARED, *fd, &st, size, &seg);
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

int seg_attach(const char *name, seg_t **out)
{
    uint32_t owner;
    const char *path = seg_path_of(name, &owner);
    struct seg_header head;
    struct stat st;
    seg_t *seg;
    int fd, status, saved;

    status = seg_access_open_of(owner, path, O_RDWR, &fd, &st);
    if (status != SEG_OK)
        return status;
    status = seg_access_header(fd, (uint64_t)st.st_size, &head);
    if (status == SEG_OK && head.size != (uint64_t)st.st_size)
        status = SEG_ERR_DAMAGED;
    if (status == SEG_OK)
        status = handle_new(strdup(path), owner, fd, &st, head.size, &seg);
    saved = errno;
    close(fd);
    errno = saved;
    if (status != SEG_OK)
        return status;
    seg->flags = head.flags;
    seg->plan = head.plan;
    seg->plan_len = head.plan_len;
    *out = seg;
    return SEG_OK;
}

uint32_t seg_supervisor(const seg_t *seg, bool *alive)
{
    const struct seg_header *head = seg_head((seg_t *)seg);

    *alive = seg_life(head->supervisor_pid, head->supervisor_start, head->supervisor_ns) ==
             SEG_LIFE_ALIVE;
    return head->supervisor_pid;
}

uint32_t seg_flags(const seg_t *seg)
{
    return seg->flags;
}

bool seg_is_shared(const seg_t *seg)
{
    return seg->shared;
}

const char *seg_path(const seg_t *seg)
{
    return seg->path;
}

const void *seg_address(const seg_t *seg)
{
    return seg_head(seg);
}

const struct seg_rule *seg_rules(const seg_t *seg, size_t *len)
{
    /* Looking at the plan may map its window, which the handle's user does not see change. */
    const struct seg_rule *rules = seg_ptr((seg_t *)seg, seg->plan, seg->plan_len);

    *len = rules == NULL ? 0 : (size_t)seg->plan_len;
    return rules;
}

void seg_lose(seg_t *seg, enum seg_lost what, uint64_t n)
{
    seg_add_relaxed(&seg_head(seg)->lost[what], n); /* relaxed: a count leads nowhere */
}
