/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reporting and counting processes that may not open a segment.
 *
 * Guarantees
 *   - Datagrams arrive in the order in which they were sent, so whoever gets an answer knows that
 *     all reports before its question are counted in the segment.
 *   - The counter has one writer, the keeper, and is written by pwrite.
 *   - A full queue drops reports: under a flood the count is too low.
 */
#define _GNU_SOURCE
#include "refused.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/un.h>
#include <unistd.h>

#include "access.h"
#include "hash.h"
#include "keep.h"
#include "layout.h"

#if defined(__linux__)

enum { REFUSED = 'r', QUESTION = '?' };

/* Datagrams taken in one call: the keeper has to look at its owner as well. */
#define MOST 256

/* An abstract name: its first byte is 0. sun_path is shorter than a path, hence the hash. */
static socklen_t name_of(const char *path, struct sockaddr_un *name)
{
    int n;

    memset(name, 0, sizeof *name);
    name->sun_family = AF_UNIX;
    n = snprintf(name->sun_path + 1, sizeof name->sun_path - 1, "shmcov-%016llx",
                 (unsigned long long)seg_hash(SEG_KIND_FILE, path, strlen(path)));
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static int new_socket(void)
{
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

void seg_refused_notify(const char *path)
{
    int saved = errno, fd = new_socket();
    struct sockaddr_un name;
    socklen_t len = name_of(path, &name);
    char message = REFUSED;

    if (fd >= 0) {
        sendto(fd, &message, 1, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&name, len);
        close(fd);
    }
    errno = saved;
}

int seg_refused_listen(const char *path)
{
    struct sockaddr_un name;
    socklen_t len = name_of(path, &name);
    int fd = new_socket(), moved, on = 1;

    if (fd < 0)
        return -1;
    /* Above the keeper's own descriptors, so that moving others there does not overwrite it. */
    moved = fcntl(fd, F_DUPFD_CLOEXEC, SEG_KEEPER_SOCKET + 1);
    close(fd);
    if (moved >= 0 && (setsockopt(moved, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0 ||
                       bind(moved, (struct sockaddr *)&name, len) != 0)) {
        close(moved);
        return -1;
    }
    return moved;
}

void seg_refused_ask(const char *path, unsigned ms)
{
    struct timeval time = {ms / 1000, (long)(ms % 1000) * 1000};
    struct sockaddr_un name, own = {.sun_family = AF_UNIX};
    socklen_t len = name_of(path, &name);
    int saved = errno, fd = new_socket();
    char message = QUESTION;
    ssize_t n;

    /* Without a name of one's own there is nowhere to answer to; the kernel chooses one. */
    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own.sun_family) != 0 ||
        connect(fd, (struct sockaddr *)&name, len) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) != 0)
        goto done;
    n = send(fd, &message, 1, MSG_NOSIGNAL);
    for (int tries = 0; n == 1 && tries < 100; tries++) {
        if (recv(fd, &message, 1, 0) >= 0 || errno != EINTR)
            break;
    }
done:
    if (fd >= 0)
        close(fd);
    errno = saved;
}

/* The sender's pid in the keeper's pid namespace; 0: it has none there. */
static uint32_t sender_of(struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        struct ucred sender;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
            continue;
        memcpy(&sender, CMSG_DATA(c), sizeof sender);
        return sender.pid > 0 ? (uint32_t)sender.pid : 0;
    }
    return 0;
}

static void count(struct seg_refused *refused, uint32_t pid)
{
    for (unsigned i = 0; pid != 0 && i < SEG_REFUSED_SEEN; i++) {
        if (refused->seen[i] == pid)
            return;
    }
    refused->seen[refused->at++ % SEG_REFUSED_SEEN] = pid;
    refused->n++;
}

static void write_count(const struct seg_refused *refused, int fd)
{
    seg_access_put(fd, offsetof(struct seg_header, lost) + SEG_LOST_USER * sizeof(seg_u64),
                   refused->n);
}

void seg_refused_take(struct seg_refused *refused, int socket, int fd)
{
    const uint64_t before = refused->n;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;

    for (int i = 0; i < MOST; i++) {
        struct sockaddr_un from;
        char message;
        struct iovec part = {&message, 1};
        struct msghdr header = {.msg_name = &from,
                                .msg_namelen = sizeof from,
                                .msg_iov = &part,
                                .msg_iovlen = 1,
                                .msg_control = &control,
                                .msg_controllen = sizeof control};

        /* The kernel closes descriptors that somebody sends: there is no room for them. */
        ssize_t n = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (n < 0)
            break;
        if (n == 0)
            continue;
        if (message == REFUSED) {
            count(refused, sender_of(&header));
        } else if (message == QUESTION) {
            write_count(refused, fd);
            sendto(socket, &message, 1, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&from,
                   header.msg_namelen);
        }
    }
    if (refused->n != before)
        write_count(refused, fd);
}

#else

void seg_refused_notify(const char *path)
{
    (void)path;
}

int seg_refused_listen(const char *path)
{
    (void)path;
    return -1;
}

void seg_refused_ask(const char *path, unsigned ms)
{
    (void)path, (void)ms;
}

void seg_refused_take(struct seg_refused *refused, int socket, int fd)
{
    (void)refused, (void)socket, (void)fd;
}

#endif
