/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Equality of code objects on 3.11, where a twin is to be equal to what it is the twin of.
 */
#ifndef RT_TWIN_EQUAL_H
#define RT_TWIN_EQUAL_H

#include "compat.h"

/* In the whole process. 0, or -1 with a Python exception. */
int rt_twin_equal_start(void);
void rt_twin_equal_stop(void);

#endif
