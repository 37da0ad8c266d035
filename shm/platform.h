/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between operating systems: reserving and mapping memory, and looking at processes.
 */
#ifndef SEG_PLATFORM_H
#define SEG_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The places in which folders of segments may lie, in the order in which they are tried; NULL at
 * the end. Tests point it at places of their own. */
extern const char *const *seg_platform_roots;

/* Backs mapped pages of a file, so that a store cannot fault. 0, or an errno; ENOSYS: this system
 * cannot do it through a mapping. */
int seg_platform_populate(void *address, size_t len);

/* Reserves a range of a file for good without changing a byte of it. 0, or an errno. */
int seg_platform_reserve(int fd, uint64_t off, uint64_t len);

#ifdef SEG_KILL_POINTS
extern bool seg_platform_cannot_extend; /* a test sees what happens on other systems */
#endif

/* Maps `len` bytes of the file that is mapped at `page`, beginning with the page that is mapped
 * there. NULL where this system cannot do it. */
void *seg_platform_extend(void *page, size_t len);

/* Keeps a mapping out of core dumps. */
void seg_platform_hide(void *address, size_t len);

/* Does the file system behind fd keep files in memory? */
bool seg_platform_in_memory(int fd);

/* Asks the file system to overwrite an (empty) file in place: copy on write may need room for a
 * page that is reserved already. Where it does not understand, nothing happens. */
void seg_platform_in_place(int fd);

/* Opens a file that has no name. -1 with errno. */
int seg_platform_file(void);

/* Fills it with random bytes: 0, or -1 with errno. */
int seg_platform_random(void *bytes, size_t len);

/* A process, as the system describes it. */
struct seg_platform_process {
    uint64_t start; /* clock ticks since boot, or what tells two processes of one pid apart */
    uint32_t parent;
    bool ended; /* a zombie */
};

/* 0, or -1 if there is no such process or nothing is known of it. */
int seg_platform_process(uint32_t pid, struct seg_platform_process *out);

/* Names the pid namespace of this process; 0: unknown. */
uint64_t seg_platform_namespace(void);

/* Is the process alive that a process row or the header describes as (pid, start, ns)? */
enum seg_life {
    SEG_LIFE_ENDED,
    SEG_LIFE_ALIVE,
    SEG_LIFE_UNKNOWN, /* another pid namespace, or a system without /proc: not to be waited for */
};
enum seg_life seg_life(uint32_t pid, uint64_t start, uint64_t ns);

/* -- for users.c, leftover.c and the keeper -- */

/* How the kernel names a file in a list of mappings: the one that is mapped at an address of this
 * process, or where that is NULL, the one behind fd. */
#define SEG_MAPPING_NAME 64
bool seg_platform_mapping_name(int fd, const void *mapped, char name[SEG_MAPPING_NAME]);

/* Has the process mapped the file with that name? */
enum seg_platform_answer { SEG_NO, SEG_YES, SEG_UNKNOWN };
enum seg_platform_answer seg_platform_maps(uint32_t pid, const char *name);

/* The `start` that a process has which was started `ms` milliseconds ago. */
uint64_t seg_platform_start_of(unsigned ms);

/* Calls fn for each live process of this user, or of all, that was started then or later. */
void seg_platform_each_since(uint64_t start, bool all_users,
                             void (*fn)(void *arg, uint32_t pid, uint64_t start), void *arg);

/* Is "NAME=value" in the environment that the process was started with? */
bool seg_platform_has_variable(uint32_t pid, const char *variable);

/* Does the process sleep in read() on a pipe that `owner` can write into? */
bool seg_platform_sleeps_on(uint32_t pid, uint32_t owner);

/* Is this text part of an argument of the process? */
bool seg_platform_has_argument(uint32_t pid, const char *text);

/* A descriptor that becomes readable when the process ends, or -1. */
int seg_platform_pidfd(uint32_t pid);

#endif
