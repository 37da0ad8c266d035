/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creating a segment.
 */
#ifndef SEG_CREATE_H
#define SEG_CREATE_H

#include "layout.h"
#include "status.h"

struct seg_plan {
    uint32_t flags;     /* SEG_FLAG_* */
    const void *rules;  /* made by seg_rule_put */
    size_t rules_len;   /* bytes */
    const char *folder; /* where, made if need be; NULL: chosen as docs/segment.md says */
    uint64_t size;      /* bytes; 0: chosen from what is free */
};

/* Creates a segment with an unguessable name and mode 0600, or SEG_MODE_SHARED with
 * SEG_FLAG_OTHERS. On success *path (malloc) is where it lies and *fd a descriptor (close-on-exec)
 * that stays valid whatever happens to the path. SEG_ERR_SPACE: no folder has room. */
int seg_create(const struct seg_plan *plan, seg_t **out, char **path, int *fd);

#endif
