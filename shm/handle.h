/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment that this process has mapped. A process usually has one handle, which its threads share
 * and its forks inherit.
 */
#ifndef SEG_HANDLE_H
#define SEG_HANDLE_H

#include "layout.h"
#include "rules.h"
#include "status.h"

/* Maps the segment of that name (access.h), after all the checks of docs/segment.md ("Access"). */
int seg_attach(const char *name, seg_t **out);

/* Unmaps a segment and frees its handle. No thread may be using either. */
void seg_discard(seg_t *seg);

/* The pid of the segment's creator. *alive: it is known to be alive. */
uint32_t seg_supervisor(const seg_t *seg, bool *alive);

uint32_t seg_flags(const seg_t *seg);

/* May other users write into it? The file's mode says so: the header is theirs to write as well. */
bool seg_is_shared(const seg_t *seg);
const char *seg_path(const seg_t *seg);

/* Where the header is mapped. */
const void *seg_address(const seg_t *seg);

/* The rules of the plan, in the segment itself. */
struct seg_rules seg_rules(const seg_t *seg);

/* Counts n losses. */
void seg_lose(seg_t *seg, enum seg_lost what, uint64_t n);

#endif
