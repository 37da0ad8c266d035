/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolves paths one component at a time, and caches folders.
 *
 * A folder is cached under the text that named it, if that is absolute and exists as a whole: any
 * other text may mean something else later.
 */
#include "canon.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash.h"

#define LINKS_MAX 64
#define SLOTS 4096u /* power of two */
#define PROBES 16u

struct folder {
    uint64_t hash;
    size_t raw_len, len;
    atomic_uchar venv; /* enum venv; racing threads find the same */
    char text[];       /* the name as written, \0, the canonical name, \0 */
};

enum venv { VENV_UNKNOWN, VENV_NO, VENV_YES };

struct rt_folders {
    _Atomic(struct folder *) slot[SLOTS];
};

struct rt_folders *rt_folders_new(void)
{
    return calloc(1, sizeof(struct rt_folders));
}

void rt_folders_free(struct rt_folders *folders)
{
    if (!folders)
        return;
    for (unsigned i = 0; i < SLOTS; i++)
        free(atomic_load_explicit(&folders->slot[i], memory_order_relaxed)); /* the last user */
    free(folders);
}

static struct folder *canon_find(struct rt_folders *folders, uint64_t hash, const char *raw,
                                 size_t len)
{
    for (unsigned i = 0; i < PROBES; i++) {
        struct folder *folder = atomic_load_explicit(&folders->slot[(hash + i) % SLOTS],
                                                     memory_order_acquire); /* canon_keep */

        if (!folder)
            return NULL;
        if (folder->hash == hash && folder->raw_len == len && !memcmp(folder->text, raw, len))
            return folder;
    }
    return NULL;
}

static struct folder *canon_keep(struct rt_folders *folders, uint64_t hash, const char *raw,
                                 size_t raw_len, const char *canonical, size_t len)
{
    struct folder *folder = malloc(sizeof *folder + raw_len + len + 2);

    if (!folder)
        return NULL;
    folder->hash = hash;
    folder->raw_len = raw_len;
    folder->len = len;
    atomic_init(&folder->venv, VENV_UNKNOWN);
    memcpy(folder->text, raw, raw_len);
    folder->text[raw_len] = 0;
    memcpy(folder->text + raw_len + 1, canonical, len);
    folder->text[raw_len + 1 + len] = 0;
    for (unsigned i = 0; i < PROBES; i++) {
        struct folder *expected = NULL;

        /* Release: pairs with the acquire in canon_find. A double after a race is harmless. */
        if (atomic_compare_exchange_strong_explicit(&folders->slot[(hash + i) % SLOTS], &expected,
                                                    folder, memory_order_release,
                                                    memory_order_relaxed))
            return folder;
    }
    free(folder);
    return NULL;
}

/* -- resolving -- */

struct walk {
    char *out; /* "/a/b", or "" for the root */
    size_t len, size;
    bool exists; /* all that was walked exists */
};

/* Walks the path in `rest`, which has `size` bytes, from `walk` on. */
static int canon_follow_rest(struct walk *walk, char *rest, size_t size, char *link)
{
    const char *at = rest;
    unsigned links = 0;

    while (*at) {
        const char *name = at;
        size_t n = strcspn(at, "/"), left, end = walk->len + 1 + n;
        ssize_t got;

        at += n + (at[n] == '/');
        if (!n || (n == 1 && name[0] == '.'))
            continue;
        if (n == 2 && name[0] == '.' && name[1] == '.') {
            while (walk->len && walk->out[--walk->len] != '/')
                ;
            walk->out[walk->len] = 0;
            continue;
        }
        if (end >= walk->size)
            return RT_CANON_LONG;
        walk->out[walk->len] = '/';
        memcpy(walk->out + walk->len + 1, name, n);
        walk->out[end] = 0;
        got = readlink(walk->out, link, PATH_MAX);
        if (got <= 0 || got == PATH_MAX || ++links > LINKS_MAX) {
            walk->exists = walk->exists && got < 0 && errno == EINVAL; /* no link */
            walk->len = end;
            continue;
        }
        left = strlen(at);
        if ((size_t)got + 1 + left >= size)
            return RT_CANON_LONG;
        memmove(rest + got + 1, at, left + 1);
        memcpy(rest, link, (size_t)got);
        rest[got] = '/';
        at = rest;
        if (link[0] == '/')
            walk->len = 0;
        walk->out[walk->len] = 0;
    }
    return 0;
}

/* The same for a path that must not be changed. */
static int canon_follow(struct walk *walk, const char *path, size_t path_len)
{
    /* On the heap, like all else of this size: a thread may have 32 KiB of stack. */
    size_t size = path_len + 2 * PATH_MAX;
    char *rest = malloc(size + PATH_MAX);
    int status;

    if (!rest)
        return RT_CANON_NO_MEMORY;
    memcpy(rest, path, path_len);
    rest[path_len] = 0;
    status = canon_follow_rest(walk, rest, size, rest + size);
    free(rest);
    return status;
}

static int canon_follow_folder(struct rt_folders *folders, struct walk *walk, const char *path,
                               size_t len)
{
    uint64_t hash = seg_hash(0, path, len);
    const struct folder *known = canon_find(folders, hash, path, len);
    int status;

    if (known) {
        if (known->len >= walk->size)
            return RT_CANON_LONG;
        memcpy(walk->out, known->text + known->raw_len + 1, known->len + 1);
        walk->len = known->len;
        return 0;
    }
    status = canon_follow(walk, path, len);
    if (status)
        return status;
    if (walk->exists)
        canon_keep(folders, hash, path, len, walk->out, walk->len);
    return 0;
}

int rt_canonical(struct rt_folders *folders, const char *path, char *out, size_t size)
{
    struct walk walk = {.out = out, .size = size, .exists = true};
    const char *slash = strrchr(path, '/');
    int status;

    if (size < 2)
        return RT_CANON_LONG;
    out[0] = 0;
    if (path[0] == '/') {
        status = canon_follow_folder(folders, &walk, path, (size_t)(slash - path));
        path = slash;
    } else {
        /* The kernel's answer is canonical, without a slash at the end unless it is the root. */
        status = getcwd(out, size) ? 0 : errno == ERANGE ? RT_CANON_LONG : RT_CANON_GONE;
        walk.len = status || !out[1] ? 0 : strlen(out);
    }
    if (!status)
        status = canon_follow(&walk, path, strlen(path));
    if (status)
        return status;
    if (!walk.len) {
        out[0] = '/';
        out[1] = 0;
    }
    return 0;
}

/* -- virtual environments -- */

/* os.path.dirname, in place. */
static size_t dirname_len(const char *path, size_t len)
{
    size_t head;

    while (len && path[len - 1] != '/')
        len--;
    for (head = len; head && path[head - 1] == '/'; head--)
        ;
    return head ? head : len;
}

static bool canon_exists(const char *path)
{
    struct stat st;

    return !stat(path, &st);
}

/* Looks above the folder as it is written, like coverage.py, not above what it resolves to. */
static bool below_venv(const char *path)
{
    static const char file[] = "/pyvenv.cfg";
    size_t len = strlen(path), up;
    char *name;
    bool found = false;

    if (!canon_exists(path))
        return false;
    name = malloc(len + sizeof file);
    while (name && !found) {
        len = dirname_len(path, len);
        up = dirname_len(path, len);
        if (up == len)
            break;
        memcpy(name, path, len);
        memcpy(name + len, file, sizeof file);
        found = canon_exists(name);
    }
    free(name);
    return found;
}

bool rt_folder_in_venv(struct rt_folders *folders, const char *path, char *out, size_t size)
{
    size_t len = strlen(path);
    struct folder *known = NULL;
    unsigned char venv = VENV_UNKNOWN;

    if (!len)
        return false;
    if (path[0] == '/') {
        struct walk walk = {.out = out, .size = size, .exists = true};

        out[0] = 0;
        if (canon_follow_folder(folders, &walk, path, len))
            return false;
        known = canon_find(folders, seg_hash(0, path, len), path, len);
    }
    if (known)
        venv = atomic_load_explicit(&known->venv, memory_order_relaxed); /* leads nowhere */
    if (venv == VENV_UNKNOWN)
        venv = below_venv(path) ? VENV_YES : VENV_NO;
    if (known)
        atomic_store_explicit(&known->venv, venv, memory_order_relaxed);
    return venv == VENV_YES && !rt_canonical(folders, path, out, size);
}
