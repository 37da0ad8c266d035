/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory there is.
 */
#ifndef SEG_HEADROOM_H
#define SEG_HEADROOM_H

#include <stdint.h>

/* Bytes of memory that can be used before the kernel kills somebody. `proc` and `cgroup` are
 * "/proc" and "/sys/fs/cgroup". UINT64_MAX: nobody knows of a limit. */
uint64_t seg_headroom(const char *proc, const char *cgroup);

#endif
