/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all functions of this layer share: the handle that they take, the errors that they return.
 */
#ifndef SEG_STATUS_H
#define SEG_STATUS_H

/* A mapped segment: handle.h. */
typedef struct seg seg_t;

enum seg_status {
    SEG_OK = 0,
    SEG_ERR_SYSTEM = -1,  /* a system call failed; errno says why */
    SEG_ERR_ACCESS = -2,  /* neither a private file of this user nor shared as its name says */
    SEG_ERR_FOREIGN = -3, /* not a segment: too short, or another magic or byte order; none found */
    SEG_ERR_VERSION = -4, /* a segment of another version of shmcov */
    SEG_ERR_DAMAGED = -5, /* a segment whose fields contradict each other */
    SEG_ERR_SPACE = -6,   /* no room: the segment, the file system or a limit is full */
    SEG_ERR_MAP = -7,     /* a window could not be mapped */
    SEG_ERR_LIMIT = -8,   /* a line, file or context number that a key cannot hold */
    SEG_ERR_NOMEM = -9,
};

/* The status in words; for SEG_ERR_SYSTEM those of errno. */
const char *seg_strstatus(int status);

#endif
