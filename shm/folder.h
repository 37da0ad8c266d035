/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where segments lie: a folder for each user and file system, and one beside it for what is left
 * over (leftover.h).
 */
#ifndef SEG_FOLDER_H
#define SEG_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Segments lie in one of these folders, in files whose names begin with SEG_NAME_PREFIX. */
#define SEG_NAME_PREFIX "run-"

/* Writes the folder of segments number `which` of this effective user into buf. On Linux: 0 is
 * /dev/shm/shmcov-UID (memory), 1 /tmp/shmcov-UID, 2 /var/tmp/shmcov-UID; 3 to 5 are the same with
 * ".open" behind, for segments that admit other users. SEG_ERR_LIMIT: no such number. */
int seg_folder_name(unsigned which, char *buf, size_t size);

/* The same for the folder of left-over segments beside it. */
int seg_leftover_folder(unsigned which, char *buf, size_t size);

/* Is folder number `which` for segments that admit other users? */
bool seg_folder_is_open(unsigned which);

/* Makes sure that the folder exists, is not a link, is the effective user's and has that mode. 0 or
 * SEG_ERR_SYSTEM, SEG_ERR_ACCESS. */
#define SEG_FOLDER_PRIVATE 0700
#define SEG_FOLDER_OPEN 0711 /* others pass through, and cannot list it */
int seg_folder_make(const char *path, unsigned mode);

/* Writes the path that the segment at `path` has once it is set aside. SEG_ERR_FOREIGN: it is not
 * in a folder of live segments. */
int seg_leftover_path(const char *path, char *buf, size_t size);

/* Is the folder number `which`, at `path`, the effective user's, and no link, and can nobody else
 * look into it? */
bool seg_folder_is_ours(unsigned which, const char *path);

/* Calls fn with the path of each segment in the folders of live segments into which nobody else can
 * put anything, in all folders of live segments, or in all of left-over ones. */
enum seg_which { SEG_SAFE, SEG_LIVE, SEG_LEFT };
void seg_folder_each(enum seg_which which, void (*fn)(void *arg, const char *path), void *arg);

/* The size in bytes for a new segment in the folder behind fd. SEG_ERR_SPACE: no room for one of
 * the expected size, or if not `choosy`, for a small one. */
int seg_folder_room(int fd, uint32_t flags, bool choosy, uint64_t *size);

/* Removes the name of a segment, and the folder with it if it was the last one there. */
int seg_remove(const char *path);

/* The second half of seg_remove, for a segment that is no longer at `path`. */
void seg_folder_tidy(const char *path);

#endif
