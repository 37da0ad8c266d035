/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment that this process has mapped. One handle a process is usual; it may be shared by
 * threads and is inherited by fork. While threads may be inside it is not freed (seg_discard).
 */
#ifndef SEG_HANDLE_H
#define SEG_HANDLE_H

#include "layout.h"
#include "rules.h"
#include "status.h"

/* Maps the segment of that name, after all the checks of docs/segment.md ("Access"). */
int seg_attach(const char *name, seg_t **out);

/* Unmaps a segment and frees its handle. Nobody may be using either, in any thread. */
void seg_discard(seg_t *seg);

/* The creator of the segment: in *alive, whether it lives. */
uint32_t seg_supervisor(const seg_t *seg, bool *alive);

uint32_t seg_flags(const seg_t *seg);

/* May other users write into it? By its mode, not by its header, which they may write to. */
bool seg_is_shared(const seg_t *seg);
const char *seg_path(const seg_t *seg);

/* Where the header is mapped. */
const void *seg_address(const seg_t *seg);

/* The rules of the plan in the segment, where they stay. */
struct seg_rules seg_rules(const seg_t *seg);

/* Counts what could not be recorded. */
void seg_lose(seg_t *seg, enum seg_lost what, uint64_t n);

#endif
