/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a code object's file name to the file of the segment, if it is measured.
 */
#ifndef RT_FILE_H
#define RT_FILE_H

#include "segment.h"
#include "state.h"

/* A rt_sys_path_fn for this interpreter's sys.path. */
int rt_sys_path_entry(void *arg, unsigned i, char *buf, size_t size);

/* The measured file of a code object that is being entered in the running frame, or is about to be
 * with the globals `state->entering`; or NULL. The first frame with a file name decides for all, as
 * in coverage.py. No exception is left set. */
struct seg_entry *rt_file_of(struct rt_state *state, PyCodeObject *code);

/* Marks a file as lossy. The loss itself has been counted. */
void rt_file_lossy(struct seg_entry *file);

/* Records that code of __main__ has begun, if the running frame is of __main__. No exception is
 * left set. */
void rt_file_main_began(void);

#endif
