/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kill points: named places after each step that publishes something, at which a test can end or
 * stop a process. They exist only where SEG_KILL_POINTS is defined, and cost nothing elsewhere.
 *
 * SEG_KILL_AT=name:n in the environment ends the process with SIGKILL when it passes the point
 * `name` for the n-th time. A hook, where one is set, is called at every point instead.
 */
#ifndef SEG_KILL_POINT_H
#define SEG_KILL_POINT_H

#ifdef SEG_KILL_POINTS
extern void (*seg_kill_hook)(const char *name);
void seg_kill_point(const char *name);
#define SEG_KILL_POINT(name) seg_kill_point(name)
#else
#define SEG_KILL_POINT(name) ((void)0)
#endif

#endif
