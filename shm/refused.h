/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a run learns of processes that may not open its segment, because they run as another user.
 *
 * Such a process knows nothing of the run but the segment's path. It sends one datagram to an
 * abstract socket that is named after the path, on which the keeper listens and counts. Anybody in
 * the network namespace can send, so nothing but the count depends on it. Processes in another
 * network namespace are not counted, and none is without a keeper.
 */
#ifndef SEG_REFUSED_H
#define SEG_REFUSED_H

#include <stdint.h>

/* -- in a process that was refused -- */

/* Notifies the keeper of the segment at `path`, if there is one. Never blocks. */
void seg_refused_notify(const char *path);

/* -- in the owner -- */

/* The socket for a keeper of the segment at `path`, or -1. */
int seg_refused_listen(const char *path);

/* Returns when all that was sent before this call is counted in the segment, or after `ms`
 * milliseconds each for the question and the answer. */
void seg_refused_ask(const char *path, unsigned ms);

/* -- in the keeper -- */

/* Who was counted recently: a process sends again after each exec. */
#define SEG_REFUSED_SEEN 64

struct seg_refused {
    uint64_t n;
    uint32_t seen[SEG_REFUSED_SEEN]; /* pids, the oldest is replaced */
    unsigned at;
};

/* Takes what has arrived, adds it to the count in the segment behind fd, and answers whoever asked.
 * Never blocks, and returns even if more keeps arriving. */
void seg_refused_take(struct seg_refused *refused, int socket, int fd);

#endif
