/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shape of a code object: its lines, its branches, and where each edge of a branch leads.
 *
 * Everything is read from three byte strings of the code object, without the source (tables.h).
 *
 * A *trail* is the physical lines from the destination of an edge to the next branch, return or
 * raise. The merge turns it into a destination, because only the merge knows which physical lines
 * form one statement (docs/branches.md).
 *
 * A unit *implies* an arc if all its predecessors are branches of the arc's own line: if the
 * instruction ran, the arc was taken. On 3.12 and 3.13, whose BRANCH event cannot be disabled for
 * one edge, this is what makes branches cheap. An arc that no unit implies is *critical*.
 */
#ifndef RT_BYTECODE_H
#define RT_BYTECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tables.h"

struct rt_code_bytes {
    struct rt_bytes code, lines, exceptions;
    int first_line; /* co_firstlineno */
    bool generator; /* generator, coroutine or async generator */
    /* Lines on which the code objects among the constants begin: a `def`, `class` or lambda. */
    const int32_t *nested;
    size_t n_nested;
};

#define RT_NO_ARC UINT32_MAX

struct rt_run { /* the units from `unit` to the next run's are of `line` (0: of none) */
    uint32_t unit;
    int32_t line;
};

struct rt_branch { /* a conditional jump, and the arc of each of its edges */
    uint32_t unit;
    uint32_t next;              /* unit that the near edge leads to, as a BRANCH event names it */
    uint32_t near_arc, far_arc; /* falls through, jumps; or RT_NO_ARC */
    bool near_implied, far_implied;
};

struct rt_implied { /* if `unit` ran, `arc` was taken */
    uint32_t unit;
    uint32_t arc;
};

struct rt_shape {
    uint32_t n_units;
    uint32_t first_unit; /* first after the prologue */
    int32_t entry_line;  /* line that entering begins, without a LINE event; 0: none */
    struct rt_run *runs; /* by unit; covers first_unit to the end */
    uint32_t n_runs;
    int32_t *lines; /* distinct, rising: what can run */
    uint32_t n_lines;
    bool inner_target; /* a jump leads into its own line: LINE can never be disabled there */
    /* Only where branches were asked for: */
    uint32_t n_arcs;
    uint8_t *arcs; /* struct seg_arc and trails, n_arcs of them */
    size_t arcs_len;
    struct rt_branch *branches; /* by unit */
    uint32_t n_branches;
    struct rt_implied *implied; /* by unit */
    uint32_t n_implied;
    uint32_t entry_arc;    /* taken by entering (one-line def, class), or RT_NO_ARC */
    uint32_t return_arc;   /* taken by returning (one-line generator), or RT_NO_ARC */
    bool critical;         /* a branch has a critical arc */
    bool only_instruction; /* an arc has no event but the INSTRUCTION that implies it */
};

/* 0, or -1: no memory. *out needs rt_shape_free in both cases. Malformed tables give a shape with
 * fewer lines, never a crash. */
int rt_shape_make(const struct rt_code_bytes *in, bool branches, struct rt_shape *out);
void rt_shape_free(struct rt_shape *shape);

/* The same of code whose units have been read. */
int rt_shape_of(const struct rt_code_bytes *in, const struct rt_code_units *units, bool branches,
                struct rt_shape *out);

/* The lines of a code object's prologue, from its line table: the first line and, behind
 * decorators, the line of the `def`. At most `max`; returns how many. */
size_t rt_shape_heads(struct rt_bytes lines, int first_line, int *heads, size_t max);

/* The first of the items for `unit`, or NULL. Items begin with their unit and are sorted by it. */
static inline const void *rt_at_unit(const void *items, uint32_t n, size_t size, uint32_t unit)
{
    const uint8_t *at = items, *end = n ? at + n * size : at;

    while (n) {
        const uint8_t *middle = at + n / 2 * size;

        if (*(const uint32_t *)middle < unit) {
            at = middle + size;
            n -= n / 2 + 1;
        } else {
            n /= 2;
        }
    }
    return at < end && *(const uint32_t *)at == unit ? at : NULL;
}

/* The line of `unit`, 0: it has none. */
int32_t rt_shape_line(const struct rt_run *runs, uint32_t n_runs, uint32_t unit);

#endif
