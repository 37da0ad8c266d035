/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding the run of an ancestor.
 */
#ifndef SEG_ADOPT_H
#define SEG_ADOPT_H

#include "layout.h"
#include "status.h"

/* Attaches to a live segment of this user that has a row for an ancestor of this process (same pid
 * namespace, same start time). SEG_ERR_FOREIGN: there is none, which is the usual case. */
int seg_adopt(seg_t **out);

#endif
