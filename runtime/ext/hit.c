/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a pad does: records what its site stands for, turns the site off, and notes it for the next
 * switch of context. Runs in the middle of the measured code's frame: it calls no Python, leaves no
 * exception, and what it allocates is no Python object.
 */
#include "breakpoints.h"

#if RT_BREAKPOINTS

#define Py_BUILD_CORE 1
#undef _PyGC_FINALIZED
#include <internal/pycore_frame.h>

#include "context.h"
#include "process.h"

/* -- rings -- */

void rt_ring_make(struct rt_link *ring)
{
    ring->next = ring->prev = ring;
}

void rt_ring_add(struct rt_link *ring, struct rt_link *link)
{
    link->prev = ring->prev;
    link->next = ring;
    ring->prev->next = link;
    ring->prev = link;
}

/* -- off and on -- */

static void turn_off(struct rt_twin *twin, struct rt_site *site, bool lasting)
{
    rt_site_off(twin, site, lasting);
    if (!lasting || site->listed)
        return;
    site->listed = true;
    twin->off[twin->n_off++] = (uint16_t)(site - twin->sites);
    if (!twin->rearm.next)
        rt_ring_add(&twin->owner->rearm, &twin->rearm);
}

static void rearm_one(struct rt_twin *twin)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < twin->n_off; i++) {
        struct rt_site *site = &twin->sites[twin->off[i]];

        site->listed = !rt_site_on(twin, site);
        if (site->listed)
            twin->off[left++] = twin->off[i];
    }
    twin->n_off = left;
    if (!left)
        rt_link_leave(&twin->rearm);
}

void rt_twins_rearm(struct rt_breakpoints *own)
{
    for (struct rt_link *link = own->rearm.next, *next; link != &own->rearm; link = next) {
        next = link->next;
        rearm_one(RT_TWIN_OF_LINK(link, rearm));
    }
}

void rt_twin_all(struct rt_twin *twin, bool on)
{
    rt_link_leave(&twin->rearm);
    twin->n_off = 0;
    for (struct rt_site *site = twin->sites; site < twin->sites + twin->n_sites; site++) {
        site->listed = false;
        if (on && !rt_site_on(twin, site))
            turn_off(twin, site, true);
        else if (!on)
            rt_site_off(twin, site, true);
    }
}

/* -- hits -- */

/* What the twin's code sets, found at its first hit in an epoch. NULL: nothing. */
RT_SELDOM static struct rt_code *first_hit(struct rt_twin *twin)
{
    bool complete = false;

    if (!twin->file || twin->epoch != rt_process_epoch())
        return NULL;
    twin->rc = rt_code_make(twin->file, twin->code, rt_process_branches(), &complete);
    if (complete && !twin->owner->lasting)
        rt_twin_all(twin, false); /* with nothing to record, not even by others */
    return twin->rc;
}

/* This thread is in another context than the one in which sites went off: they come on again. */
RT_SELDOM static void other_context(struct rt_breakpoints *own, const struct rt_context *context)
{
    own->generation = context->generation;
    rt_twins_rearm(own);
}

static void record(struct rt_twin *twin, struct rt_code *rc, const struct rt_site *site)
{
    struct rt_context *context = rt_context_get();

    if (context && context->generation != twin->owner->generation)
        other_context(twin->owner, context);
    rt_code_line(rc, context, site->line);
    for (uint32_t k = 0; k < site->n_arcs; k++)
        rt_code_arc(rc, context, twin->arcs[site->first_arc + k]);
}

/* The line is recorded, so its other sites have nothing to say. */
static void lines_off(struct rt_twin *twin, const struct rt_site *site, bool lasting)
{
    for (struct rt_site *other = &twin->sites[site->same_line]; other != site;
         other = &twin->sites[other->same_line])
        if (other->on)
            turn_off(twin, other, lasting);
}

int rt_twin_hit(PyObject *object)
{
    struct rt_twin *twin = (struct rt_twin *)(void *)object;
    const _PyInterpreterFrame *frame = PyThreadState_Get()->cframe->current_frame;
    const struct rt_breakpoints *own = twin->owner;
    struct rt_code *rc;
    struct rt_site *site;
    uint32_t at;

    at = (uint32_t)((const rt_word *)frame->prev_instr - rt_twin_words(twin)) - twin->first_pad;
    if (frame->f_code != twin->code || at >= twin->n_words - twin->first_pad ||
        twin->pad_site[at] == RT_NO_SITE)
        return 0; /* not by a pad */
    site = &twin->sites[twin->pad_site[at]];
    if (!own->state) {
        rt_site_off(twin, site, true);
        return 0;
    }
    if (rt_process_paused()) {
        turn_off(twin, site, true);
        return 0;
    }
    rc = twin->rc && twin->rc->epoch == rt_process_epoch() ? twin->rc : first_hit(twin);
    if (rc)
        record(twin, rc, site);
    turn_off(twin, site, own->lasting);
    if (site->line)
        lines_off(twin, site, own->lasting);
    return 0;
}

#endif
