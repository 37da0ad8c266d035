/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Canonical paths: what os.path.abspath(os.path.realpath(path)) is in Python.
 *
 * Links are followed as far as the path exists; the rest is kept as written, so a member of a zip
 * file has a canonical path too. Most files share their folder with others, so what a folder
 * resolves to is cached for the life of the table, as coverage.py does for each file name.
 *
 * Guarantees: any number of threads may use one table at once, no lock is taken, and fork may come
 * at any time. Slots only ever go from empty to a complete entry (release in canon_keep, acquire in
 * canon_find). A table that is full or out of memory simply stops caching.
 */
#ifndef RT_CANON_H
#define RT_CANON_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct rt_folders;

struct rt_folders *rt_folders_new(void); /* NULL: no memory */
void rt_folders_free(struct rt_folders *folders);

enum rt_canon_status {
    RT_CANON_OK = 0,
    RT_CANON_GONE = -1, /* there is no current folder */
    RT_CANON_LONG = -2, /* the result does not fit */
    RT_CANON_NO_MEMORY = -3,
};

/* Room for the canonical path of a name of `len` bytes: a folder may come before it, and links may
 * replace parts of it; the kernel follows none beyond PATH_MAX. */
#define RT_CANON_SIZE(len) ((size_t)(len) + 3 * PATH_MAX)

/* Writes the canonical path of `path`, in `size` bytes. Relative paths begin in the current folder.
 * An enum rt_canon_status. */
int rt_canonical(struct rt_folders *folders, const char *path, char *out, size_t size);

/* coverage.py calls an entry of sys.path third-party if it exists and pyvenv.cfg lies in a folder
 * above. If so, writes its canonical path. */
bool rt_folder_in_venv(struct rt_folders *folders, const char *path, char *out, size_t size);

#endif
