/* SPDX-License-Identifier: Apache-2.0 */
#include "twin_patch.h"

#if RT_BREAKPOINTS

#define Py_BUILD_CORE 1
#undef _PyGC_FINALIZED
#include <internal/pycore_frame.h>
#include <opcode.h>

/* Where the word of a unit is kept: under a patch, or in its place. */
static rt_word *place_of(struct rt_twin *twin, uint32_t unit, uint16_t number)
{
    struct rt_site *site = number == RT_NO_SITE ? NULL : &twin->sites[number];

    return site && site->on ? &site->saved : &rt_twin_words(twin)[unit];
}

/* The other site at the same unit, or NULL: a jump may be a site of both kinds. */
static struct rt_site *sibling(struct rt_twin *twin, struct rt_site *site)
{
    struct rt_site *next;

    if (site->kind == RT_FAR)
        return site->own == RT_NO_SITE ? NULL : &twin->sites[site->own];
    next = site + 1;
    return next < twin->sites + twin->n_sites && next->unit == site->unit ? next : NULL;
}

/* What a debugger sees as the line of a unit. */
static void set_line(const struct rt_twin *twin, const struct rt_site *site, int32_t line)
{
    PyCodeObject *code = twin->code;

    if (code->_co_linearray_entry_size == 2)
        ((int16_t *)code->_co_linearray)[site->unit] = (int16_t)line;
    else
        ((int32_t *)code->_co_linearray)[site->unit] = line;
}

static void hold_looker(struct rt_twin *twin, struct rt_site *site)
{
    rt_word *word = place_of(twin, site->unit - site->looks, site->looker);
    uint8_t plain = rt_op_plain(rt_op(*word));

    site->held = 0;
    if (rt_op(*word) == plain)
        return; /* or the sibling holds it */
    site->held = *word;
    *word = rt_with_op(*word, plain);
}

static void release_looker(struct rt_twin *twin, struct rt_site *site)
{
    struct rt_site *other = sibling(twin, site);

    if (!site->held)
        return;
    if (other && other->on)
        other->held = site->held;
    else
        *place_of(twin, site->unit - site->looks, site->looker) = site->held;
    site->held = 0;
}

static void part_pair(struct rt_twin *twin, const struct rt_site *site)
{
    rt_word *word = place_of(twin, site->unit - 1, site->before);

    if (rt_op(*word) == site->pair)
        *word = rt_with_op(*word, rt_op_plain(site->pair));
}

static void join_pair(struct rt_twin *twin, struct rt_site *site, bool lasting)
{
    rt_word *word = place_of(twin, site->unit - 1, site->before);
    bool stores = rt_op_plain(site->pair) == STORE_FAST;

    if (rt_op(*word) != rt_op_plain(site->pair) || (stores && lasting))
        return;
    *word = rt_with_op(*word, site->pair);
    site->fused |= stores;
}

static void pad_on(struct rt_twin *twin, struct rt_site *site)
{
    rt_word *word = &rt_twin_words(twin)[site->unit];

    if (site->pair)
        part_pair(twin, site);
    site->saved = *word;
    *word = site->patch;
}

static void far_on(struct rt_twin *twin, const struct rt_site *site)
{
    *place_of(twin, site->unit, site->own) = site->patch;
    if (site->patch_1)
        *place_of(twin, site->unit - 1, site->before) = site->patch_1;
}

static void far_off(struct rt_twin *twin, const struct rt_site *site)
{
    *place_of(twin, site->unit, site->own) = site->saved;
    if (site->patch_1)
        *place_of(twin, site->unit - 1, site->before) = site->saved_1;
}

static void site_on(struct rt_twin *twin, struct rt_site *site)
{
    if (site->looks)
        hold_looker(twin, site);
    if (site->kind == RT_PAD)
        pad_on(twin, site);
    else
        far_on(twin, site);
    site->on = true;
}

void rt_site_first_on(struct rt_twin *twin, struct rt_site *site)
{
    if (site->kind == RT_PAD)
        set_line(twin, site, -1);
    site_on(twin, site);
}

/* Whether a frame of a thread stands on the unit before the site, where a pair may be. */
static bool stands_before(const struct rt_twin *twin, const struct rt_site *site)
{
    const _Py_CODEUNIT *at = (const _Py_CODEUNIT *)rt_twin_words(twin) + site->unit - 1;
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Get());

    for (; thread; thread = PyThreadState_Next(thread))
        for (const _PyInterpreterFrame *frame = thread->cframe->current_frame; frame;
             frame = frame->previous)
            if (frame->f_code == twin->code && frame->prev_instr == at)
                return true;
    return false;
}

bool rt_site_on(struct rt_twin *twin, struct rt_site *site)
{
    if (site->on || !site->patch)
        return true;
    if (site->fused) {
        if (stands_before(twin, site))
            return false;
        site->fused = false;
    }
    if (site->kind == RT_PAD && site->quiet)
        set_line(twin, site, -1);
    site_on(twin, site);
    return true;
}

void rt_site_off(struct rt_twin *twin, struct rt_site *site, bool lasting)
{
    if (!site->on)
        return;
    site->on = false;
    if (site->kind == RT_FAR) {
        far_off(twin, site);
    } else {
        rt_twin_words(twin)[site->unit] = site->saved;
        set_line(twin, site, site->shown_line);
        if (site->pair)
            join_pair(twin, site, lasting);
    }
    release_looker(twin, site);
}

#endif
