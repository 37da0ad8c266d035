/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation in a segment.
 */
#ifndef SEG_ARENA_H
#define SEG_ARENA_H

#include "layout.h"
#include "status.h"

/* Pages are backed in batches of this size; a multiple of every page size. */
#define SEG_BATCH (UINT64_C(256) << 10)

/* After a refused reservation this many others are not even tried: a full file system would
 * otherwise cost a system call for each line that runs. */
#define SEG_BACK_OFF 64u

/* Allocates `len` bytes, zeroed and backed. 0 or SEG_ERR_SPACE, _MAP, _DAMAGED, counted as lost. */
int seg_alloc(seg_t *seg, uint64_t len, uint64_t *off, void **out);

/* The same for a caller that loses nothing without it: only SEG_ERR_MAP is counted. */
int seg_try_alloc(seg_t *seg, uint64_t len, uint64_t *off, void **out);

/* Backs the first bytes of a new segment. 0 or SEG_ERR_SPACE, with errno. */
int seg_back_first(seg_t *seg, uint64_t len);

#endif
