/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refused processes notify the keeper, which counts each once, and all that came before a question,
 * whatever else is sent.
 */
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "keep.h"
#include "refused.h"
#include "support.h"

static struct place place;
static int sock;
static struct seg_refused refused;

static void listen_for(void)
{
    place = make_segment(MIB);
    memset(&refused, 0, sizeof refused);
    sock = seg_refused_listen(place.path);
    if (sock < 0)
        cr_skip_test("this system has no abstract sockets");
}

static void drop(void)
{
    close(sock);
    drop_segment(&place);
}

TestSuite(refused, .init = listen_for, .fini = drop);

static void take(void)
{
    seg_refused_take(&refused, sock, place.fd);
}

static void notify(void *unused)
{
    (void)unused;
    seg_refused_notify(place.path);
}

static uint64_t counted(void)
{
    return lost(place.seg, SEG_LOST_USER);
}

Test(refused, counts_processes)
{
    take();
    cr_assert_eq(counted(), 0);
    for (int i = 0; i < 3; i++)
        run_child_well(notify, NULL);
    take();
    cr_assert_eq(counted(), 3);
    take();
    cr_assert_eq(counted(), 3);
}

static void notify_twice(void *unused)
{
    seg_refused_notify(place.path);
    notify(unused);
}

Test(refused, counts_a_process_once)
{
    run_child_well(notify_twice, NULL);
    take();
    cr_assert_eq(counted(), 1);
}

Test(refused, no_other_segment_is_meant)
{
    char other[300];

    snprintf(other, sizeof other, "%s0", place.path);
    seg_refused_notify(other);
    take();
    cr_assert_eq(counted(), 0);
}

/* More than fit into the queue: nobody waits, nothing breaks, some are counted. */
Test(refused, a_flood_blocks_nobody)
{
    for (int i = 0; i < 500; i++)
        run_child_well(notify, NULL);
    take();
    cr_assert_gt(counted(), 0);
}

static void *keep_taking(void *unused)
{
    struct pollfd fds = {.fd = sock, .events = POLLIN};

    (void)unused;
    while (poll(&fds, 1, 5000) == 1)
        take();
    return NULL;
}

static void notify_and_ask(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        uint64_t before = counted();

        run_child_well(notify, NULL);
        seg_refused_ask(place.path, 5000);
        CHILD_CHECK(counted() == before + 1);
    }
}

Test(refused, who_has_an_answer_sees_all_before_it)
{
    pthread_t thread;

    pthread_create(&thread, NULL, keep_taking, NULL);
    notify_and_ask(NULL);
    pthread_cancel(thread);
    pthread_join(thread, NULL);
}

/* Takes too long for its time limit if it waits longer than it should. */
Test(refused, a_question_that_nobody_answers_ends, .timeout = 20)
{
    seg_refused_ask(place.path, 10);
    seg_refused_ask("/no/such/segment", 60000);
    for (int i = 0; i < 600; i++)
        seg_refused_ask(place.path, 1);
}

/* Anybody can send anything. */
Test(refused, what_is_no_message_counts_nothing)
{
    struct sockaddr_un name;
    socklen_t len = sizeof name;
    char long_message[5000] = "x";
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof fd)];
    } control = {.align = {CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec part = {long_message, sizeof long_message};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof control};
    int before;

    cr_assert_eq(getsockname(sock, (struct sockaddr *)&name, &len), 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&name, len), 0);
    cr_assert_eq(send(fd, "", 0, 0), 0);
    cr_assert_eq(send(fd, "x", 1, 0), 1);
    cr_assert_eq(send(fd, "?", 1, 0), 1, "there is nowhere to answer to");
    memcpy(CMSG_DATA(&control.align), &fd, sizeof fd);
    cr_assert_eq(sendmsg(fd, &header, 0), sizeof long_message);
    before = dup(fd);
    close(before);
    take();
    cr_assert_eq(dup(fd), before, "a descriptor that was sent is not kept");
    run_child_well(notify, NULL);
    take();
    cr_assert_eq(counted(), 1, "and what follows is heard");
    close(before);
    close(fd);
}
