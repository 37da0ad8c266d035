/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Canonical paths: what os.path.abspath(os.path.realpath(path)) is in Python.
 *
 * Links are followed as far as the path exists, and what does not exist stays as it is written, so
 * a member of a zip file has a canonical path too. Most file names share their folder with others:
 * what a folder resolves to is remembered for the life of the table, as coverage.py remembers it
 * for each file name.
 *
 * Guarantees: any number of threads may use one table at once, no lock is taken, and fork may come
 * at any time. Slots only ever go from empty to a complete entry (release in keep(), acquire in
 * find()). A table that is full or out of memory only stops to remember.
 */
#ifndef RT_CANON_H
#define RT_CANON_H

#include <stdbool.h>
#include <stddef.h>

struct rt_folders;

struct rt_folders *rt_folders_new(void); /* NULL: no memory */
void rt_folders_free(struct rt_folders *folders);

/* Writes the canonical path of `path`, relative to the current folder if it is relative. 0, or -1:
 * too long, or the current folder is gone. */
int rt_canonical(struct rt_folders *folders, const char *path, char *out, size_t size);

/* coverage.py calls an entry of sys.path third-party if it exists and pyvenv.cfg lies in a folder
 * above. If so, writes its canonical path. */
bool rt_folder_in_venv(struct rt_folders *folders, const char *path, char *out, size_t size);

#endif
