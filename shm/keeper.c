/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper of a segment: has the data delivered if the process that owns the segment did not.
 * docs/ending.md says when; keep.c starts it.
 *
 *   shmcov-keeper SEGMENT MILLISECONDS FOLDER always|again COMMAND...
 *
 * Descriptor 3 is a pidfd of the owner. COMMAND, run in FOLDER, delivers what is in SEGMENT and
 * ends with 0 when it has. `again`: only where the owner has delivered before. It prints nothing:
 * there is nobody to read it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "delivery.h"
#include "internal.h"
#include "keep.h"
#include "leftover.h"
#include "platform.h"
#include "users.h"

/* A delivery that leaves something, although nobody writes any more, will not do better later. */
#define TRIES 4

struct keeper {
    const char *path, *folder;
    unsigned wait_ms;
    bool only_again;
    char **command;
    int fd;
};

static void wait_for(int pidfd)
{
    struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};

    while (poll(&poll_fd, 1, -1) < 0 && errno == EINTR)
        continue;
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

/* Sleeps until the processes that were found last have ended. */
static void sleep_on(const struct seg_users *users)
{
    for (size_t i = 0; i < users->n; i++) {
        int pidfd = seg_platform_pidfd(users->user[i].pid);

        if (pidfd < 0)
            continue; /* it has ended */
        if (seg_life(users->user[i].pid, users->user[i].start, seg_platform_namespace()) ==
            SEG_LIFE_ALIVE)
            wait_for(pidfd);
        close(pidfd);
    }
}

/* The owner has ended. Delivers what it did not, when nobody is left or their time is over, and
 * once more when the last of them has ended. */
static int finish(const struct keeper *keeper)
{
    struct seg_users users = {.fd = keeper->fd, .path = keeper->path};

    for (int tries = 0; tries < TRIES; tries++) {
        if (is_gone(keeper))
            return 0;
        if (seg_users_settle(&users, keeper->wait_ms, seg_users_sleep, NULL) != SEG_OK)
            break;
        if (users.n == 0 && seg_delivery_complete(keeper->fd))
            return is_gone(keeper) ? 0 : seg_remove(keeper->path);
        if (!seg_delivery_complete(keeper->fd) && !deliver(keeper))
            break;
        if (users.n != 0) {
            sleep_on(&users);
            tries = 0; /* they had something to do */
        }
    }
    return seg_set_aside(keeper->path);
}

int main(int argc, char **argv)
{
    struct keeper keeper;
    struct stat st;

    if (argc < 6)
        return 2;
    keeper.path = argv[1];
    keeper.wait_ms = (unsigned)strtoul(argv[2], NULL, 10);
    keeper.folder = argv[3];
    keeper.only_again = strcmp(argv[4], "again") == 0;
    keeper.command = argv + 5;
    if (seg_access_open(keeper.path, O_RDWR, &keeper.fd, &st) != SEG_OK)
        return 1;
    seg_keeper_is_here(keeper.fd);
    wait_for(SEG_KEEPER_FD);
    close(SEG_KEEPER_FD);
    return finish(&keeper) == 0 ? 0 : 1;
}
