/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns the sites of a twin on and off. All of it runs under the GIL, calls no Python and allocates
 * nothing.
 *
 * What always holds: while a site is on, no instruction in front of it looks ahead at it. A pair is
 * taken apart, and an instruction that once specialised would do the work of the next one, or that
 * learns in which direction the next one jumps (COMPARE_OP), is plain and stays so, as a plain
 * instruction learns nothing. Its inline cache is not touched meanwhile, so its form comes back
 * when the site is off.
 *
 * A pair whose first half stores may run other code in its middle: the destructor of what was
 * stored there before. If that code turned the second half's site on, the pair would go on with the
 * patch's argument. So with contexts such pairs are never made across a site; without them a site
 * does not come on while a frame is in the middle (rt_site_on).
 */
#ifndef RT_TWIN_PATCH_H
#define RT_TWIN_PATCH_H

#include "twin_plan.h"

#if RT_BREAKPOINTS

/* What the pads of one twin load: an object, because a frame's stack holds nothing else. Its truth
 * is the hit. */
struct rt_twin {
    PyObject_HEAD
    PyCodeObject *code; /* borrowed: it owns this */
    struct rt_breakpoints *owner;
    struct seg_entry *file; /* NULL: it is not measured in this epoch */
    struct rt_code *rc;     /* owned; NULL: nothing has been hit in this epoch */
    struct rt_link all;     /* of the owner's twins */
    struct rt_link rearm;   /* of those in which something went off since the last switch */
    uint32_t epoch;
    uint32_t n_words, first_pad;
    uint16_t *pad_site;    /* owned; from the first pad on */
    struct rt_site *sites; /* owned */
    uint32_t *arcs;        /* owned */
    uint16_t *off;         /* owned: the sites that went off since the last switch */
    uint32_t n_sites, n_off;
};

/* The code units of a twin. */
static inline rt_word *rt_twin_words(const struct rt_twin *twin)
{
    return (rt_word *)twin->code->co_code_adaptive;
}

/* On for the first time: no frame has run the code. */
void rt_site_first_on(struct rt_twin *twin, struct rt_site *site);

/* On again. False: it stays off, as a frame is in the middle of a pair. */
bool rt_site_on(struct rt_twin *twin, struct rt_site *site);

/* `lasting`: it may come on again at any time. */
void rt_site_off(struct rt_twin *twin, struct rt_site *site, bool lasting);

#endif
#endif
