/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a process that is nobody's child.
 *
 * fork() would copy the tables of a large process, run its pthread_atfork handlers, and leave a
 * child that wait() of the program sees. Two clones in a row share the memory (CLONE_VFORK: the
 * caller waits until the program has been started) and end without a signal; the first ends at once
 * and is reaped with __WCLONE, which wait() does not set. So what the clones run is on stacks of
 * its own, makes nothing but system calls, and blocks all signals.
 */
#include "keep.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "platform.h"
#include "refused.h"

#if defined(__linux__)

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define STACK (64u << 10)

/* ThreadSanitizer takes every clone() for a fork, after which it lets a program start no thread. It
 * does not intercept this name of the same function. */
#ifdef __GLIBC__
extern int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
#define start_clone __clone
#else
#define start_clone clone
#endif

/* Older headers lack them; older kernels answer ENOSYS. */
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

struct start {
    const char *program;
    char *const *argv;
    char *const *envp;
    uint8_t *stack; /* of the second; the first has its own above it */
    int pidfd, socket;
    volatile pid_t pid;
    volatile int error;
};

/* What the clones run: nothing but bare system calls. A function of the C library may be a
 * cancellation point, or a sanitizer's, which takes a lock that another thread of the program may
 * hold. */
#define NOT_INSTRUMENTED __attribute__((no_sanitize("address", "undefined", "thread")))

NOT_INSTRUMENTED static bool move(int from, int to)
{
    /* dup3() refuses equal descriptors. */
    return (from == to || syscall(SYS_dup3, from, to, 0) >= 0) &&
           syscall(SYS_fcntl, to, F_SETFD, 0) == 0;
}

NOT_INSTRUMENTED static void close_from(int fd)
{
    struct rlimit limit = {65536, 65536};

    if (syscall(SYS_close_range, (unsigned)fd, ~0u, 0u) == 0)
        return;
    syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    for (; fd < (limit.rlim_cur < 65536 ? (int)limit.rlim_cur : 65536); fd++)
        syscall(SYS_close, fd);
}

/* Ignored signals survive exec: Python ignores SIGPIPE and SIGXFSZ, a shell may ignore others. */
NOT_INSTRUMENTED static void reset_signals(void)
{
    const uint64_t usual[8] = {0}, none = 0; /* struct sigaction of the kernel: SIG_DFL is 0 */

    for (int signo = 1; signo <= 64; signo++)
        syscall(SYS_rt_sigaction, signo, usual, NULL, sizeof none);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
}

/* Becomes the keeper. */
NOT_INSTRUMENTED static int second(void *arg)
{
    struct start *start = arg;
    int null;

    syscall(SYS_setsid);
    if (syscall(SYS_chdir, "/") != 0 || !move(start->pidfd, SEG_KEEPER_FD))
        goto failed;
    /* What is at this descriptor may be the pidfd, which has been moved, but not the socket. */
    if (start->socket < 0 || !move(start->socket, SEG_KEEPER_SOCKET))
        syscall(SYS_close, SEG_KEEPER_SOCKET);
    close_from(SEG_KEEPER_SOCKET + 1);
    null = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);
    if (null < 0 || !move(null, 0) || !move(null, 1) || !move(null, 2))
        goto failed;
    if (null > SEG_KEEPER_FD)
        syscall(SYS_close, null);
    reset_signals();
    syscall(SYS_execve, start->program, start->argv, start->envp);
failed:
    start->error = errno;
    syscall(SYS_exit_group, 127);
    return 127;
}

/* Its end makes the keeper an orphan. */
NOT_INSTRUMENTED static int first(void *arg)
{
    struct start *start = arg;

    start->pid = start_clone(second, start->stack + STACK, CLONE_VM | CLONE_VFORK, start);
    if (start->pid < 0)
        start->error = errno;
    syscall(SYS_exit_group, 0);
    return 0;
}

/* Would wait() of this process see its keeper? Orphans go to the nearest reaper. */
static bool reaps_orphans(void)
{
    int reaper = 0;

    return getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &reaper) == 0 && reaper);
}

/* After unshare(CLONE_NEWPID) the next child is PID 1 of the new namespace, where nothing can be
 * started after it has ended. That must not be a clone of ours. */
static bool children_live_elsewhere(void)
{
    struct stat own, children;

    return stat("/proc/self/ns/pid", &own) == 0 &&
           (stat("/proc/self/ns/pid_for_children", &children) != 0 ||
            own.st_ino != children.st_ino);
}

static int start_keeper(struct start *start)
{
    sigset_t all, before;
    int status, saved = errno;
    pid_t pid;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = start_clone(first, start->stack + 2 * STACK, CLONE_VM | CLONE_VFORK, start);
    if (pid < 0)
        start->error = errno;
    else
        while (syscall(SYS_wait4, pid, &status, __WCLONE, NULL) < 0 && errno == EINTR)
            continue;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return start->error;
}

int seg_keeper_start(const char *program, const char *path, char *const argv[], char *const envp[],
                     struct seg_keeper *out)
{
    struct start start = {.program = program, .argv = argv, .envp = envp};
    struct seg_platform_process process;
    int error;

    *out = (struct seg_keeper){0, 0};
    if (reaps_orphans() || children_live_elsewhere())
        return ENOTSUP;
    start.pidfd = seg_platform_pidfd((uint32_t)getpid());
    if (start.pidfd < 0)
        return ENOTSUP;
    start.stack = mmap(NULL, 2 * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start.stack == MAP_FAILED) {
        close(start.pidfd);
        return ENOMEM;
    }
    /* Bound before the keeper runs: no report is lost once this function has returned. */
    start.socket = seg_refused_listen(path);
    error = start_keeper(&start);
    munmap(start.stack, 2 * STACK);
    close(start.pidfd);
    if (start.socket >= 0)
        close(start.socket);
    if (error == 0 && seg_platform_process((uint32_t)start.pid, &process) == 0)
        *out = (struct seg_keeper){(uint32_t)start.pid, process.start};
    return error;
}

void seg_keeper_end(const struct seg_keeper *keeper)
{
    struct seg_platform_process process;
    int pidfd = keeper->start != 0 ? seg_platform_pidfd(keeper->pid) : -1;

    if (pidfd < 0)
        return;
    /* Checked after the pidfd was opened: the signal goes to this process or to none. */
    if (seg_platform_process(keeper->pid, &process) == 0 && process.start == keeper->start)
        syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0u);
    close(pidfd);
}

#else

int seg_keeper_start(const char *program, const char *path, char *const argv[], char *const envp[],
                     struct seg_keeper *out)
{
    (void)program, (void)path, (void)argv, (void)envp;
    *out = (struct seg_keeper){0, 0};
    return ENOTSUP;
}

void seg_keeper_end(const struct seg_keeper *keeper)
{
    (void)keeper;
}

#endif
