/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the functions of this layer have in common: the handle that they take, and how they say what
 * went wrong.
 */
#ifndef SEG_STATUS_H
#define SEG_STATUS_H

/* A mapped segment: handle.h. */
typedef struct seg seg_t;

/* 0 or a negative number. */
enum seg_status {
    SEG_OK = 0,
    SEG_ERR_SYSTEM = -1,  /* a system call failed; errno says why */
    SEG_ERR_ACCESS = -2,  /* not a plain file of this user with mode 0600 and one link */
    SEG_ERR_FOREIGN = -3, /* not a segment: too short, or another magic or byte order */
    SEG_ERR_VERSION = -4, /* a segment of another version of shmcov */
    SEG_ERR_DAMAGED = -5, /* a segment whose fields contradict each other */
    SEG_ERR_SPACE = -6,   /* no room: the segment, the file system or a limit is full */
    SEG_ERR_MAP = -7,     /* a window could not be mapped */
    SEG_ERR_LIMIT = -8,   /* a line, file or context number that a key cannot hold */
    SEG_ERR_NOMEM = -9,
};

/* The status in words, without its subject: "No room is left in the segment". */
const char *seg_strstatus(int status);

#endif
