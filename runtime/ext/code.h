/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one code object sets: where its lines and arcs are in the segment.
 *
 * Immutable after rt_code_make but for `pairs` and the tracer's own fields, so any number of
 * threads may set bits through it.
 */
#ifndef RT_CODE_H
#define RT_CODE_H

#include "bytecode.h"
#include "context.h"
#include "file.h"
#include "map.h"

/* Chunks of one bitmap, from chunk number `first` on; NULL where the code has nothing. */
struct rt_chunks {
    uint32_t first, n;
    seg_u8 **bits;
};

struct rt_tables { /* of a code object */
    struct rt_bytes code, lines, exceptions;
};

/* A place in a ring of code objects, which does not own them; next is NULL outside of a ring. */
struct rt_link {
    struct rt_link *next, *prev;
    PyCodeObject *code; /* borrowed: it owns the struct rt_code that this is in */
};

static inline void rt_link_leave(struct rt_link *link)
{
    if (!link->next)
        return;
    link->next->prev = link->prev;
    link->prev->next = link->next;
    link->next = link->prev = NULL;
}

/* What every event reads comes first, in two cache lines. */
struct rt_code {
    struct seg_entry *file; /* NULL: not measured, but claimed, or may begin a context */
    PyObject *claim;        /* owned: the callables of a claim (claimed.c), and then file is NULL */
    uint32_t epoch;         /* of the process; in another one this is stale */
    /* The tracer's own. Plain words under the GIL; without one, races on them only cost time. */
    bool armed;
    bool instruction_kept;  /* no other tool can take INSTRUCTION events away */
    bool unit_wise;         /* INSTRUCTION records the lines: a LINE is another tool's */
    bool test;              /* a call may begin a context (rt_function_may_begin) */
    bool slow;              /* test or claim: an event does more than set bits */
    bool rearm;             /* on the re-arm list: its events are being disabled in this context */
    bool shared;            /* stands for many code objects: never freed */
    struct rt_sites *sites; /* owned; NULL: sites cannot be restored one by one */
    /* With contexts, the record of the last bit that was set: mostly the next one's too. */
    struct rt_recent {
        uint32_t generation, number;
        seg_u8 *bits;
    } recent[SEG_SPACES];
    /* The tracer's own: that of the line that was disabled last, while the next one may be, too.
     * Its generation is 0 otherwise. */
    struct rt_recent at_once;
    struct rt_chunks lines;
    struct rt_chunks arcs;
    uint32_t first_arc;  /* bit of arc 0 in the file's SEG_ARCS */
    int32_t entry_line;  /* set by entering; 0: none */
    uint32_t entry_arc;  /* taken by entering; RT_NO_ARC: none */
    uint32_t return_arc; /* taken by returning; the same */
    struct rt_run *runs;
    struct rt_branch *branches;
    struct rt_implied *implied;
    uint32_t n_runs, n_branches, n_implied;
    uint32_t units;    /* length of the code, in code units */
    bool inner_target; /* as in struct rt_shape */
    bool generator;    /* its frames can be resumed */
    bool critical;
    bool only_instruction;
    uint32_t left;       /* events that may still fire in this generation */
    uint32_t generation; /* of `left` */
    struct rt_map pairs; /* (from, to) -> bit of an arc seen at run time (rt_code_pair) */
    uint32_t claim_number;
    struct rt_link link; /* the tracer's list, with the GIL (rearm.h) */
};

/* Reads the code object and finds its bits; with `arcs`, those of its branches too, which are known
 * from its instructions. NULL: out of memory or out of room, counted as lost. *complete: everything
 * that this code can set is set, by whatever process. No exception is left set. */
struct rt_code *rt_code_make(struct seg_entry *file, PyCodeObject *code, bool arcs, bool *complete);
void rt_code_free(struct rt_code *rc);

/* The shape of a code object, or of one like it with these tables, whose units have been read or
 * are NULL; with `branches`, its arcs too. 0 or a seg_status; *shape needs rt_shape_free in both
 * cases. */
int rt_code_read(PyCodeObject *code, const struct rt_tables *tables,
                 const struct rt_code_units *units, bool branches, struct rt_shape *shape);

/* The first code object among the constants of a source of ours: new, or NULL with an exception. */
PyCodeObject *rt_code_compile(const char *source);

/* For probing the sites of a code object without a file: its shape with branches, as if entering
 * and returning recorded an arc. NULL: no memory. */
struct rt_code *rt_code_probe(PyCodeObject *code);

/* The shared entry of all code that is not measured; `test`: of such that may begin a context.
 * NULL: no memory. */
struct rt_code *rt_code_unmeasured(bool test);

/* The entry of claimed code, whose own lines are not recorded. NULL: no memory, counted as lost. */
struct rt_code *rt_code_of_claim(PyObject *calls, uint32_t claim_number);

/* The following record what ran in the calling thread's context: rt_context_get(). */

/* Line n of the file ran. */
void rt_code_line(struct rt_code *rc, struct rt_context *context, int32_t line);

/* The same, of a line above 0, if it is in rc->at_once. False: it is not, and nothing was done.
 * Needs the GIL. */
bool rt_code_line_at_once(const struct rt_code *rc, const struct rt_context *context, int32_t line);

/* Arc n of this code object was taken. */
void rt_code_arc(struct rt_code *rc, struct rt_context *context, uint32_t arc);
bool rt_code_has_arc(struct rt_code *rc, struct rt_context *context, uint32_t arc);

/* The instruction at `unit` ran: its line, and the arcs that it implies. */
void rt_code_unit(struct rt_code *rc, struct rt_context *context, uint32_t unit);

/* Does entering set something that no LINE event does? */
static inline bool rt_code_enters(const struct rt_code *rc)
{
    return rc->entry_line || rc->entry_arc != RT_NO_ARC;
}

/* The code was entered. */
void rt_code_enter(struct rt_code *rc, struct rt_context *context);

/* The line `to` (or the exit, -first line) ran right after the line `from`: an arc that is known
 * only by running. Needs the GIL. */
void rt_code_pair(struct rt_code *rc, struct rt_context *context, int32_t from, int32_t to);

/* For arcs that no struct rt_code has a bit for: finds the bit of an arc of a file, with an entry
 * of its own in the segment. 0 or a seg_status, counted as lost. */
int rt_file_arc(struct seg_entry *file, int32_t from, int32_t to, uint32_t *bit);

/* Sets bit n of a space of a file. False: no room for it, counted as lost. */
bool rt_file_set(struct seg_entry *file, struct rt_context *context, enum seg_space space,
                 uint32_t n);

/* The branch at `unit`, or NULL. */
const struct rt_branch *rt_code_branch(const struct rt_code *rc, uint32_t unit);

/* The first of the arcs that `unit` implies, or NULL. */
const struct rt_implied *rt_code_implied(const struct rt_code *rc, uint32_t unit);

#endif
