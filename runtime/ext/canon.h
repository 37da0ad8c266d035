/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Canonical paths: what os.path.abspath(os.path.realpath(path)) is in Python.
 *
 * Links are followed as far as the path exists, and what does not exist is kept as written, so
 * a member of a zip file has a canonical path too. Most file names share their folder with others:
 * what a folder resolves to is remembered for the life of the table, as coverage.py remembers it
 * for each file name.
 *
 * Guarantees: any number of threads may use one table at once, no lock is taken, and fork may come
 * at any time. Slots only ever go from empty to a complete entry (release in keep(), acquire in
 * find()). A table that is full or out of memory simply stops caching.
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
    RT_CANON_GONE = -1, /* the current folder */
    RT_CANON_LONG = -2, /* it does not fit */
    RT_CANON_NO_MEMORY = -3,
};

/* Room for the canonical path of a name of `len` bytes: in front of it a folder may stand, and in
 * place of a part of it what a link says; the kernel follows none beyond PATH_MAX. */
#define RT_CANON_SIZE(len) ((size_t)(len) + 3 * PATH_MAX)

/* Writes the canonical path of `path`, relative to the current folder if it is relative. An
 * enum rt_canon_status. */
int rt_canonical(struct rt_folders *folders, const char *path, char *out, size_t size);

/* coverage.py calls an entry of sys.path third-party if it exists and pyvenv.cfg lies in a folder
 * above. If so, writes its canonical path. */
bool rt_folder_in_venv(struct rt_folders *folders, const char *path, char *out, size_t size);

#endif
