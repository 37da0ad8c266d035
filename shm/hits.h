/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where hits are recorded: chunks and records. 0 or a seg_status, counted as lost (segment.h).
 */
#ifndef SEG_HITS_H
#define SEG_HITS_H

#include "layout.h"
#include "status.h"

/* The chunk (SEG_CHUNK_BITS bits) number `chunk` of a file in the static context: found or made. */
int seg_chunk(seg_t *seg, struct seg_entry *file, enum seg_space space, uint32_t chunk,
              seg_u8 **bits);

/* A new record (SEG_RECORD_BITS bits) for (context, space, file id, record number). */
int seg_record(seg_t *seg, uint32_t context, enum seg_space space, uint32_t file, uint32_t number,
               seg_u8 **bits);

/* The same, or one that this process has claimed for it before and still remembers: a context that
 * comes again takes no more room. */
int seg_record_again(seg_t *seg, uint32_t context, enum seg_space space, uint32_t file,
                     uint32_t number, seg_u8 **bits);

/* Must run in the child of a fork before the child records anything: drops the extent that the
 * parent goes on filling, and what it remembers. (A missed call costs nothing but room: records are
 * claimed by CAS.) */
void seg_after_fork(seg_t *seg);

#endif
