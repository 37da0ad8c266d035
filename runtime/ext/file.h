/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a code object's file name to the file of the segment, if it is measured.
 */
#ifndef RT_FILE_H
#define RT_FILE_H

#include "segment.h"
#include "state.h"

/* sys.path, one entry after the other: a rt_sys_path_fn. */
int rt_sys_path_entry(void *arg, unsigned i, char *buf, size_t size);

/* The measured file of a code object that is just being entered in the running frame, or NULL. The
 * first frame with a file name decides for all, as in coverage.py. No exception is left set. */
struct seg_entry *rt_file_of(struct rt_state *state, PyCodeObject *code);

/* Writes down that something of a file could not be recorded, which has been counted. */
void rt_file_lossy(struct seg_entry *file);

/* Writes down that code of __main__ is entered, if the running frame is such. No exception is left
 * set. */
void rt_file_main_began(void);

#endif
