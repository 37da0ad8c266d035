/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may still write into a segment: docs/ending.md, "Three questions".
 *
 * Asked by processes that deliver, by descriptor: they need no mapping of the segment.
 */
#ifndef SEG_USERS_H
#define SEG_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A process of this age may not have reached its start-up files. */
#define SEG_YOUNG_MS 500u

struct seg_user {
    uint32_t pid;
    uint64_t start; /* as in struct seg_process */
};

/* A look at the users of one segment. Before the first look, everything but the question is zero.
 */
struct seg_users {
    int fd;             /* of the segment, or of what seg_spill() made of it */
    const void *mapped; /* where this process has the segment mapped; NULL: find out by fd */
    const char *path;   /* as it stands in SHMCOV_SEGMENT */
    bool helpers_of_me; /* leave out processes that end when the calling one does */
    /* The answer; the calling process is never in it: */
    struct seg_user *user;
    size_t n, room;
    uint64_t newest; /* offset of the newest row that was seen */
};

/* Looks once. 0 or a seg_status; on an error the list is incomplete. */
int seg_users_look(struct seg_users *users);

/* Looks until two looks in a row find nobody and no new row, `ms` milliseconds have passed, or
 * pause() returns true, which lets that many milliseconds pass. The answer is that of the last
 * look; 0 or a seg_status. */
int seg_users_settle(struct seg_users *users, unsigned ms, bool (*pause)(void *arg, unsigned ms),
                     void *arg);

/* A pause() that sleeps. */
bool seg_users_sleep(void *unused, unsigned ms);

void seg_users_free(struct seg_users *users);

#endif
