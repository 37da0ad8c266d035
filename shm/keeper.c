/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper of a segment: has it delivered if its owner did not. docs/ending.md says when; keep.c
 * starts it.
 *
 *   shmcov-keeper SEGMENT MILLISECONDS FOLDER always|again COMMAND... SEGMENT
 *
 * If SEGMENT is -, the variable SHMCOV_KEPT names it: all users see the arguments of a process, and
 * must not see the name of a segment that admits other users. Descriptor 3 is a pidfd of the owner,
 * 4 the socket on which refused processes report (refused.h).
 * COMMAND, run in FOLDER, delivers what is in SEGMENT and exits with 0 when it has. `again`: only
 * if the owner has delivered before. The keeper prints nothing, because nobody would read it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "delivery.h"
#include "folder.h"
#include "keep.h"
#include "kill_point.h"
#include "leftover.h"
#include "platform.h"
#include "refused.h"
#include "status.h"
#include "users.h"

/* A delivery that leaves something, although nobody writes any more, will not do better later. */
#define TRIES 4

struct keeper {
    const char *path, *folder;
    unsigned wait_ms;
    bool only_again;
    char **command; /* its last argument is the path */
    int arguments;
    int fd, socket;
    struct seg_refused refused;
};

/* How often a process is looked at if poll() cannot report its end, for want of descriptors or
 * memory. */
#define LOOK_MS 200u

static void count_refused(struct keeper *keeper)
{
    if (keeper->socket >= 0)
        seg_refused_take(&keeper->refused, keeper->socket, keeper->fd);
}

/* Returns when the process has ended, and sometimes before. */
static void wait_for(struct keeper *keeper, int pidfd)
{
    struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN},
                           {.fd = keeper->socket, .events = POLLIN}};
    int n;

    do {
        fds[0].revents = fds[1].revents = 0;
        n = pidfd < 0 ? -1 : poll(fds, 2, -1);
        if (fds[1].revents == POLLIN)
            count_refused(keeper);
        else if (fds[1].revents != 0)
            fds[1].fd = keeper->socket = -1;
    } while (n > 0 && fds[0].revents == 0);
    /* Newer kernels set POLLHUP as well once the process has been reaped. */
    if ((fds[0].revents & POLLIN) == 0) {
        seg_users_sleep(NULL, LOOK_MS);
        count_refused(keeper);
    }
}

/* The descriptor is not trusted: what follows must not happen while the owner is alive. */
static void wait_for_owner(struct keeper *keeper)
{
    do
        wait_for(keeper, SEG_KEEPER_FD);
    while (seg_owner_life(keeper->fd) == SEG_LIFE_ALIVE);
    close(SEG_KEEPER_FD);
}

/* The segment has been removed: everything was delivered, or nobody wants it. */
static bool is_gone(const struct keeper *keeper)
{
    struct stat st;

    return fstat(keeper->fd, &st) != 0 || st.st_nlink == 0;
}

/* Runs the command. True: the segment is gone, or everything in it is in the data file. */
static bool deliver(const struct keeper *keeper)
{
    struct seg_delivery delivery;
    int status = 0;
    pid_t pid;

    if (keeper->only_again &&
        (seg_delivery_read(keeper->fd, &delivery) != SEG_OK || !delivery.done))
        return false;
    pid = fork();
    if (pid == 0) {
        close(keeper->fd);
        if (chdir(keeper->folder) != 0 && chdir("/") != 0)
            _exit(1);
        execv(keeper->command[0], keeper->command);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return pid > 0 && status == 0;
}

/* Sleeps until these users have ended. */
static void sleep_on(struct keeper *keeper, const struct seg_users *users)
{
    for (size_t i = 0; i < users->n; i++) {
        int pidfd = seg_platform_pidfd(users->user[i].pid);

        while (seg_life(users->user[i].pid, users->user[i].start, seg_platform_namespace()) ==
               SEG_LIFE_ALIVE)
            wait_for(keeper, pidfd);
        if (pidfd >= 0)
            close(pidfd);
    }
}

static bool is_at(const struct keeper *keeper, const char *path)
{
    struct stat own, there;

    return fstat(keeper->fd, &own) == 0 && stat(path, &there) == 0 && own.st_ino == there.st_ino &&
           own.st_dev == there.st_dev;
}

/* The owner may have set the segment aside before it ended. */
static bool remove_segment(const struct keeper *keeper)
{
    char aside[512];

    if (is_at(keeper, keeper->path))
        return seg_remove(keeper->path) == SEG_OK;
    return seg_leftover_path(keeper->path, aside, sizeof aside) == SEG_OK && is_at(keeper, aside) &&
           seg_remove(aside) == SEG_OK;
}

/* There are no users, so no process that starts needs to find the segment while it is delivered. */
static void set_aside(const struct keeper *keeper)
{
    static char aside[512];

    if (seg_leftover_path(keeper->path, aside, sizeof aside) == SEG_OK &&
        seg_set_aside(keeper->path) == SEG_OK)
        keeper->command[keeper->arguments - 1] = aside;
}

/* The owner has ended. Delivers what it did not, when there are no users or their time is over, and
 * once more when the last of them has ended. False: something could not be delivered. */
static bool finish(struct keeper *keeper, struct seg_users *users)
{
    for (int tries = 0; tries < TRIES; tries++) {
        bool complete, delivered;

        if (is_gone(keeper))
            return true;
        if (seg_users_settle(users, keeper->wait_ms, seg_users_sleep, NULL) != SEG_OK)
            return false;
        count_refused(keeper);
        complete = seg_delivery_complete(keeper->fd);
        if (!complete && users->n == 0)
            set_aside(keeper);
        delivered = complete || deliver(keeper);
        SEG_KILL_POINT("keeper.delivered");
        if (users->n != 0) {
            /* Even after a failure: they use the segment, and what they start has to find it. */
            sleep_on(keeper, users);
            tries = 0; /* they may have added hits */
        } else if (complete) {
            return is_gone(keeper) || remove_segment(keeper);
        } else if (!delivered) {
            return false;
        }
    }
    return false;
}

/* Nobody waits for a keeper, so it has the time to let young processes grow old. */
static unsigned wait_of(const char *text)
{
    unsigned long ms = strtoul(text, NULL, 10), least = SEG_YOUNG_MS + 100;

    return (unsigned)(ms < least ? least : ms < UINT_MAX ? ms : UINT_MAX);
}

int main(int argc, char **argv)
{
    struct seg_users users = {0};
    struct keeper keeper = {0};
    bool done;

    if (argc < 6 || fcntl(SEG_KEEPER_FD, F_SETFD, FD_CLOEXEC) != 0)
        return 2;
    keeper.socket = fcntl(SEG_KEEPER_SOCKET, F_SETFD, FD_CLOEXEC) == 0 ? SEG_KEEPER_SOCKET : -1;
    keeper.path = strcmp(argv[1], "-") == 0 ? getenv("SHMCOV_KEPT") : argv[1];
    if (keeper.path == NULL)
        return 2;
    keeper.wait_ms = wait_of(argv[2]);
    keeper.folder = argv[3];
    keeper.only_again = strcmp(argv[4], "again") == 0;
    keeper.command = argv + 5;
    keeper.arguments = argc - 5;
    if (seg_access_open(keeper.path, O_RDWR, &keeper.fd) != SEG_OK)
        return 1;
    seg_keeper_is_here(keeper.fd);
    wait_for_owner(&keeper);
    users.fd = keeper.fd;
    users.path = keeper.path;
    done = finish(&keeper, &users) || seg_set_aside(keeper.path) == SEG_OK;
    seg_users_free(&users);
    return done ? 0 : 1;
}
