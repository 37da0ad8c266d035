/* SPDX-License-Identifier: Apache-2.0 */
/*
 * os._exit(), by which forks end, those of multiprocessing too: no handler of libc hears of it, so
 * the process table would say that they were killed.
 */
#ifndef RT_LEAVING_H
#define RT_LEAVING_H

/* Has this interpreter's os._exit() say in the process table that the process ends. Where it is not
 * the function that is expected, it stays as it is. */
void rt_leaving_watch(void);

#endif
