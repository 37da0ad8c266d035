/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory there is.
 */
#ifndef SEG_HEADROOM_H
#define SEG_HEADROOM_H

#include <stdint.h>

/* Bytes of memory that can be used before the kernel kills a process. `proc` and `cgroup` are
 * "/proc" and "/sys/fs/cgroup". UINT64_MAX: no limit is known. */
uint64_t seg_headroom(const char *proc, const char *cgroup);

#endif
