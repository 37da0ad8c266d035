/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tracer of 3.11 without a trace function: measured code runs as its twin, with breakpoints in
 * its bytecode (twin.h). What has been hit costs nothing any more.
 */
#include "twin.h"

#if RT_BREAKPOINTS

#include "breakpoints.h"
#include "context.h"
#include "file.h"
#include "process.h"
#include "reach.h"
#include "selftest.h"

static struct rt_breakpoints *latest; /* of all interpreters */

struct rt_breakpoints *rt_breakpoints_here(void)
{
    int64_t here = PyInterpreterState_GetID(PyInterpreterState_Get());
    struct rt_breakpoints *own = latest;

    while (own && own->interp != here)
        own = own->next;
    return own;
}

static struct rt_breakpoints *own_of(const struct rt_state *state)
{
    return state->tracer_state;
}

/* New, or that of an earlier start in this interpreter. NULL with an exception. */
static struct rt_breakpoints *find_own(void)
{
    struct rt_breakpoints *own = rt_breakpoints_here();

    if (own)
        return own;
    own = PyMem_RawCalloc(1, sizeof *own);
    if (!own) {
        PyErr_NoMemory();
        return NULL;
    }
    own->slot = PyUnstable_Eval_RequestCodeExtraIndex(rt_twin_drop);
    if (own->slot < 0) {
        PyMem_RawFree(own);
        PyErr_SetString(PyExc_RuntimeError, "all slots of co_extra are taken");
        return NULL;
    }
    rt_ring_make(&own->twins);
    rt_ring_make(&own->rearm);
    own->interp = PyInterpreterState_GetID(PyInterpreterState_Get());
    own->next = latest;
    latest = own;
    return own;
}

/* Every site of every twin, on or off. */
static void all_sites(struct rt_breakpoints *own, bool on)
{
    for (struct rt_link *link = own->twins.next; link != &own->twins; link = link->next)
        rt_twin_all(RT_TWIN_OF_LINK(link, all), on);
}

int rt_breakpoints_open(struct rt_state *state)
{
    struct rt_breakpoints *own;

    if (PyType_Ready(&rt_twin_type) || !(own = find_own()))
        return -1;
    own->state = state;
    own->lasting = rt_context_enabled();
    state->tracer_state = own;
    return 0;
}

static int breakpoints_start(PyObject *module, struct rt_state *state)
{
    (void)module;
    return rt_breakpoints_open(state) || rt_selftest(state) || rt_reach_start(state) ? -1 : 0;
}

/* Another segment: the files are other ones, and what has been hit is not recorded there. */
static int breakpoints_restart(struct rt_state *state)
{
    struct rt_breakpoints *own = own_of(state);

    own->lasting = rt_context_enabled();
    own->lost = false;
    for (struct rt_link *link = own->twins.next, *next; link != &own->twins; link = next) {
        struct rt_twin *twin = RT_TWIN_OF_LINK(link, all);
        PyCodeObject *code = (PyCodeObject *)Py_NewRef(twin->code);

        twin->file = rt_file_of(state, code);
        rt_code_free(twin->rc);
        twin->rc = NULL;
        twin->epoch = rt_process_epoch();
        rt_twin_all(twin, twin->file != NULL);
        next = link->next; /* others may have come and gone meanwhile */
        Py_DECREF(code);
    }
    return rt_reach_again(state);
}

static int breakpoints_pause(struct rt_state *state)
{
    if (!rt_process_paused())
        rt_twins_rearm(own_of(state));
    return 0;
}

static void breakpoints_clear(struct rt_state *state)
{
    struct rt_breakpoints *own = own_of(state);

    if (!own)
        return;
    rt_reach_stop(state);
    own->state = NULL;
    all_sites(own, false);
    state->tracer_state = NULL;
}

static int breakpoints_traverse(struct rt_state *state, visitproc visit, void *arg)
{
    (void)state, (void)visit, (void)arg;
    return 0;
}

static int breakpoints_contexts_begin(struct rt_state *state)
{
    own_of(state)->lasting = true;
    all_sites(own_of(state), true);
    return 0;
}

/* While threads are in contexts of their own, what one has hit is not heard in the other. */
static void breakpoints_switched(struct rt_state *state)
{
    struct rt_breakpoints *own = own_of(state);

    if (!own->lost && !rt_context_shared()) {
        own->lost = true;
        seg_lose(rt_process_seg(), SEG_LOST_TRACER, 1);
    }
    rt_twins_rearm(own);
}

static void breakpoints_usable(struct rt_state *state, bool *monitors, bool *sites)
{
    (void)state;
    *monitors = *sites = false;
}

const struct rt_tracer rt_tracer_breakpoints = {
    .name = "breakpoints",
    .start = breakpoints_start,
    .restart = breakpoints_restart,
    .pause = breakpoints_pause,
    .clear = breakpoints_clear,
    .traverse = breakpoints_traverse,
    .contexts_begin = breakpoints_contexts_begin,
    .switched = breakpoints_switched,
    .usable = breakpoints_usable,
};

#endif
