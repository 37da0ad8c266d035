/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts and ends the keeper of a segment (keeper.c, docs/ending.md).
 */
#ifndef SEG_KEEP_H
#define SEG_KEEP_H

#include <stdint.h>

/* The descriptor on which the keeper waits for its owner. */
#define SEG_KEEPER_FD 3

/* The one on which refused processes report (refused.h); closed where there is none. */
#define SEG_KEEPER_SOCKET 4

struct seg_keeper {
    uint32_t pid;
    uint64_t start; /* as in struct seg_process; 0: there is none */
};

/* Starts `program` as the keeper of the calling process, for the segment at `path`: nobody's
 * child, in a session of its own, in the folder /, with /dev/null for its streams and no other
 * descriptor of this process. No signal is sent and no memory copied; the calling thread waits
 * until the program has begun. ENOTSUP: this system or this process (PID 1, a subreaper, one
 * whose children go to another pid namespace) cannot have one. 0 or an errno. */
int seg_keeper_start(const char *program, const char *path, char *const argv[], char *const envp[],
                     struct seg_keeper *out);

/* Ends the keeper of a segment that is gone. Does nothing if it has ended already. */
void seg_keeper_end(const struct seg_keeper *keeper);

#endif
