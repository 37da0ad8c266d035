/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the run hears of processes that may not open its segment, because they run as another user.
 *
 * Such a process has nothing of the run but the segment's path. It sends one datagram to an
 * abstract socket that is named after it, to which the keeper listens and counts. Anybody in the
 * network namespace can send, so it is a count and nothing more. Processes in another network
 * namespace are not heard, nor is anybody where there is no keeper.
 */
#ifndef SEG_REFUSED_H
#define SEG_REFUSED_H

#include <stdint.h>

/* -- in a process that was refused -- */

/* Tells the keeper of the segment at `path`, if there is one. Never blocks. */
void seg_refused_tell(const char *path);

/* -- in the owner -- */

/* A socket that hears of them, for the keeper. -1: it cannot be had. */
int seg_refused_listen(const char *path);

/* Returns when what was told before this call is counted in the segment, or after `ms` milliseconds
 * for each of the question and the answer. */
void seg_refused_ask(const char *path, unsigned ms);

/* -- in the keeper -- */

/* Who was counted lately: a process that becomes another program tells twice. */
#define SEG_REFUSED_SEEN 64

struct seg_refused {
    uint64_t n;
    uint32_t seen[SEG_REFUSED_SEEN]; /* pids, the oldest is replaced */
    unsigned at;
};

/* Takes what has come, adds it to the count in the segment behind fd, answers who asked. Never
 * blocks, and ends whatever goes on coming. */
void seg_refused_take(struct seg_refused *refused, int socket, int fd);

#endif
