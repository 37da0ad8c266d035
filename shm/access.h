/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks before a byte of a segment is trusted: whose file it is, and that its header is that
 * of a segment. Writers, readers and Python all call them, so all accept the same files.
 */
#ifndef SEG_ACCESS_H
#define SEG_ACCESS_H

#include <sys/stat.h>
#include <sys/types.h>

#include "layout.h"

/* Other users may read and write a segment of this mode, and of no other. */
#define SEG_MODE_SHARED 0666

/* The name of a segment, as SHMCOV_SEGMENT holds it, is its path. Where other users are admitted,
 * it begins with the user to whom the segment has to belong: "shared-by:UID:/path". */
#define SEG_SHARED_BY "shared-by:"

/* The path in a name. *owner: the user that it names, or SEG_NOT_SHARED. */
#define SEG_NOT_SHARED UINT32_MAX
const char *seg_path_of(const char *name, uint32_t *owner);

/* The name of the segment at `path` (malloc); NULL: no memory. */
char *seg_name_for(const char *path);

/* The same for a file whose status is known; the path is not looked at. */
char *seg_name_with(const char *path, const struct stat *st);

/* Opens a segment with the checks of docs/segment.md; `flags` is O_RDONLY or O_RDWR. 0,
 * SEG_ERR_ACCESS or SEG_ERR_SYSTEM. */
int seg_access_open(const char *path, int flags, int *fd);

/* The same for a segment that has to belong to that user (SEG_NOT_SHARED: to us). */
int seg_access_open_of(uint32_t owner, const char *path, int flags, int *fd, struct stat *st);

/* Writes into buf why a path gave SEG_ERR_ACCESS, such as "it is not a regular file". */
void seg_access_why(const char *path, char *buf, size_t size);

/* Reads and checks the header behind fd, but not that the file has the size in it. 0 or
 * SEG_ERR_SYSTEM, _FOREIGN, _VERSION, _DAMAGED. */
int seg_access_header(int fd, struct seg_header *out);

/* Reads `len` bytes at `off` behind fd: how many there were before the end, or -1. */
ssize_t seg_access_get(int fd, uint64_t off, void *to, size_t len);

/* Writes the word at `off` of the header behind fd. */
int seg_access_put(int fd, size_t off, uint64_t value);

#endif
