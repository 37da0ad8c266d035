/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Python calls at the end of a run: docs/ending.md.
 */
#ifndef RT_ENDING_H
#define RT_ENDING_H

#include "compat.h"

/* Added to the module by its exec. */
extern PyMethodDef rt_ending_methods[];

#endif
