/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tracer of 3.12 and later: sys.monitoring, with callbacks in C.
 *
 * PY_START is on for all code and disabled when it first fires. Code of a measured file is armed
 * then, with local events that are each disabled once their hit cannot recur; complete code is
 * never armed. After that the code runs as if no tool listened.
 *
 * Armed with what (docs/tracers.md says why):
 *   LINE         short code
 *   INSTRUCTION  code in which a jump leads back into its line (LINE can never be disabled
 *                there), long code where LINE is quadratic, and code with branches on 3.12 and
 *                3.13, whose instructions imply most of the arcs
 *   BRANCH_LEFT, BRANCH_RIGHT   code with branches, 3.14 and later
 *   BRANCH       3.12 and 3.13: code with a critical arc
 *   PY_RETURN    a generator on one line, with branches
 *
 * With contexts an event has to fire again in every context. It is disabled at its first hit in
 * one, and the next switch restores its site (sites.h), so a switch costs as much as has run since
 * the last one. Where single sites cannot be restored, events stay enabled until a code object has
 * fired so often in one context that disabling pays (FIRES_PER_LINE); then the next switch re-arms
 * it (docs/contexts.md).
 */
#include "claimed.h"
#include "code.h"
#include "codemap.h"
#include "context.h"
#include "function_context.h"
#include "listener.h"
#include "monitors.h"
#include "process.h"
#include "rearm.h"
#include "sites.h"
#include "state.h"

#if RT_MONITORING

#include <stdlib.h>
#include <string.h>

/* The events that a code object may fire in one context, for each of its lines, before they are
 * disabled: disabling and re-arming costs about as much. */
#define FIRES_PER_LINE 32

enum event { LINE, INSTRUCTION, BRANCH, SIDES, RESUMED, RETURNED, TEST, EVENTS };

struct monitoring {
    PyObject *disable;          /* sys.monitoring.DISABLE */
    PyObject *set_local_events; /* the function */
    PyObject *tool;             /* our tool id, an int */
    long tool_number;           /* the same */
    PyObject *set_events;       /* the function */
    PyObject *restart_events;   /* the function */
    unsigned long event[EVENTS];
    unsigned long start_only, always;    /* global events: without and with test functions */
    unsigned long claimed[2], thrown[2]; /* of plug-ins' code, and the global part of it, by whether
                                            arcs are recorded */
    bool listens_to_exceptions;          /* `thrown` is on */
    /* Contexts only: */
    struct rt_rearm rearm;     /* the re-arm list */
    uint32_t rearm_generation; /* in which all of it was disabled; 0: it is empty */
    bool contexts_differ;      /* threads are in different contexts: nothing is disabled */
    /* Whether CPython's structures are as expected: */
    enum probed { UNPROBED, USABLE, UNUSABLE } monitors, sites;
};

/* An int among the arguments of a callback. */
static int32_t number_of(PyObject *value)
{
    const PyLongObject *integer = (PyLongObject *)value;

    return (int32_t)(PyUnstable_Long_IsCompact(integer) ? PyUnstable_Long_CompactValue(integer)
                                                        : PyLong_AsLong(value));
}

/* The same if it is positive and one digit; else 0. In the place of number_of() this saves a tenth
 * of what most lines cost. */
static int32_t digit_of(PyObject *value)
{
    const PyLongObject *integer = (PyLongObject *)value;

    return PyUnstable_Long_IsCompact(integer) && !(integer->long_value.lv_tag & _PyLong_SIGN_MASK)
               ? (int32_t)integer->long_value.ob_digit[0]
               : 0;
}

/* The same for an offset, in code units. */
static uint32_t unit_of(PyObject *offset)
{
    return (uint32_t)number_of(offset) / 2;
}

static struct monitoring *mon_of(const struct rt_state *state)
{
    return state->tracer_state;
}

static PyObject *mon_disable(const struct rt_state *state)
{
    return Py_NewRef(mon_of(state)->disable);
}

/* The events for the lines and arcs of a code object if each is disabled at its first hit. `kept`:
 * no other tool can take INSTRUCTION events away. Otherwise these are used only for arcs that have
 * no other event. */
static unsigned long mon_once_events(const struct monitoring *m, const struct rt_code *rc,
                                     bool kept)
{
    unsigned long events = 0;
    bool instruction = rc->inner_target || rc->only_instruction ||
                       (!RT_LINE_LINEAR && rc->units > RT_LINE_MAX_UNITS) ||
                       (!RT_BRANCH_SIDES && rc->n_branches);

    if (RT_BRANCH_SIDES && rc->n_branches)
        events = m->event[SIDES];
    if (!RT_BRANCH_SIDES && (kept ? rc->critical : rc->n_branches))
        events = m->event[BRANCH];
    if (rc->return_arc != RT_NO_ARC)
        events |= m->event[RETURNED];
    if (!kept && rc->only_instruction)
        events |= m->event[INSTRUCTION];
    return events | m->event[kept && instruction ? INSTRUCTION : LINE];
}

/* The same with contexts. For lines it is always LINE, as fewer of them fire. `implied`:
 * INSTRUCTION can be restricted to units that imply arcs (rt_sites_find). */
static unsigned long mon_lasting_events(const struct monitoring *m, const struct rt_code *rc,
                                        bool implied)
{
    unsigned long events = m->event[LINE];

    if (rc->n_branches && RT_BRANCH_SIDES)
        events |= m->event[SIDES];
    if (!RT_BRANCH_SIDES && (implied ? rc->critical : rc->n_branches))
        events |= m->event[BRANCH];
    if (implied ? rc->n_implied : rc->only_instruction)
        events |= m->event[INSTRUCTION];
    if (rc->generator && rt_process_branches())
        events |= m->event[RESUMED];
    if (rc->return_arc != RT_NO_ARC)
        events |= m->event[RETURNED];
    return events;
}

/* Turns local events on for one code object. */
static int mon_arm(const struct rt_state *state, PyObject *code, unsigned long events)
{
    struct monitoring *m = mon_of(state);
    PyObject *number = PyLong_FromUnsignedLong(events), *args[3], *result;

    if (!number)
        return -1;
    args[0] = m->tool;
    args[1] = code;
    args[2] = number;
    result = PyObject_Vectorcall(m->set_local_events, args, 3, NULL);
    Py_DECREF(number);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

static int mon_arm_probe(void *state, PyCodeObject *code, unsigned long events)
{
    return mon_arm(state, (PyObject *)code, events);
}

/* SHMCOV_SITES=0: a way out should writing to CPython's structures go wrong. */
static bool may_write(void)
{
    const char *sites = getenv("SHMCOV_SITES");

    return !sites || strcmp(sites, "0");
}

/* Whether other tools can be kept from taking INSTRUCTION events away. */
static bool mon_monitors_usable(const struct rt_state *state)
{
    struct monitoring *m = mon_of(state);

    if (m->monitors == UNPROBED)
        m->monitors = RT_MONITORS && may_write() &&
                              rt_monitors_usable(mon_arm_probe, (void *)state, m->tool_number)
                          ? USABLE
                          : UNUSABLE;
    return m->monitors == USABLE;
}

/* Whether sites can be restored. */
static bool mon_sites_usable(const struct rt_state *state)
{
    struct monitoring *m = mon_of(state);

    if (m->sites == UNPROBED)
        /* The monitors are probed in any case: they are usable without sites. */
        m->sites =
            mon_monitors_usable(state) &&
                    (RT_SITES && rt_sites_usable(mon_arm_probe, (void *)state, m->tool_number))
                ? USABLE
                : UNUSABLE;
    return m->sites == USABLE;
}

/* Arms a code object with these events, and with those for contexts and plug-ins. */
static int mon_arm_with(const struct rt_state *state, PyObject *code, struct rt_code *rc,
                        unsigned long events)
{
    const struct monitoring *m = mon_of(state);
    PyCodeObject *object = (PyCodeObject *)code;

    if (rc->test)
        events |= m->event[TEST];
    if (rc->claim)
        events |= m->claimed[rt_process_branches()];
    if (RT_MONITORS && m->monitors == USABLE)
        rt_monitors_share(object);
    if (mon_arm(state, code, events))
        return -1;
    if (RT_MONITORS && m->monitors == USABLE)
        rt_monitors_settle(object);
    rc->instruction_kept = RT_MONITORS && events & m->event[INSTRUCTION] && m->monitors == USABLE &&
                           rt_monitors_keep(object, m->tool_number);
    rc->unit_wise = rc->instruction_kept && !(events & m->event[LINE]);
    return 0;
}

/* With events that are each disabled at their first hit, for good. */
static int mon_arm_once(const struct rt_state *state, PyObject *code, struct rt_code *rc)
{
    bool kept = mon_monitors_usable(state);

    if (mon_arm_with(state, code, rc, rc->file ? mon_once_events(mon_of(state), rc, kept) : 0))
        return -1;
    if (!kept || !rc->file || rc->instruction_kept ||
        !(mon_once_events(mon_of(state), rc, true) & mon_of(state)->event[INSTRUCTION]))
        return 0;
    return mon_arm_with(state, code, rc, mon_once_events(mon_of(state), rc, false)); /* no memory */
}

/* With events that fire again in every context. */
static int mon_arm_lasting(const struct rt_state *state, PyObject *code, struct rt_code *rc)
{
    struct monitoring *m = mon_of(state);
    bool usable = rc->file && mon_sites_usable(state), implied = usable && rc->n_implied;

    free(rc->sites);
    rc->sites = NULL;
    rc->at_once.generation = 0;
    if (mon_arm_with(state, code, rc, rc->file ? mon_lasting_events(m, rc, implied) : 0))
        return -1;
    if (implied && !rc->instruction_kept) { /* no memory */
        implied = false;
        if (mon_arm_with(state, code, rc, mon_lasting_events(m, rc, implied)))
            return -1;
    }
    rc->instruction_kept = implied;
    if (RT_SITES && usable && (implied || !rc->only_instruction))
        rc->sites = rt_sites_find((PyCodeObject *)code, rc, m->tool_number);
    return 0;
}

/* Sets the global events that the process needs now. Before 3.15 some events for claimed code exist
 * only as global ones. */
static int mon_listen(struct rt_state *state)
{
    struct monitoring *m = mon_of(state);
    unsigned long events = rt_process_function_contexts() ? m->always : m->start_only;
    PyObject *result;

    if (m->listens_to_exceptions)
        events |= m->thrown[rt_process_branches()];
    result =
        PyObject_CallFunction(m->set_events, "Ok", m->tool, rt_process_paused() ? 0ul : events);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

static void mon_listen_to_exceptions(struct rt_state *state)
{
    if (mon_of(state)->listens_to_exceptions)
        return;
    mon_of(state)->listens_to_exceptions = true;
    if (mon_listen(state))
        PyErr_Clear();
}

static void mon_arm_first(struct rt_state *state, PyCodeObject *code, struct rt_code *rc)
{
    rc->armed = true;
    if (rc->claim)
        mon_listen_to_exceptions(state);
    if (!(rt_context_enabled() ? mon_arm_lasting : mon_arm_once)(state, (PyObject *)code, rc))
        return;
    /* e.g. "cannot instrument shim code object" of some Cython modules */
    PyErr_Clear();
    seg_lose(rt_process_seg(), SEG_LOST_TRACER, 1);
}

/* What the code sets; NULL: nothing. */
static struct rt_code *mon_first_sight(struct rt_state *state, PyCodeObject *code)
{
    bool wanted;
    struct rt_code *rc = rt_codemap_add(state, code, &wanted);

    if (wanted)
        mon_arm_first(state, code, rc);
    return rc;
}

/* What a callback returns for claimed code, whose events are never disabled. */
static PyObject *mon_after_call(int status)
{
    return status ? NULL : Py_NewRef(Py_None);
}

/* -- contexts -- */

static void mon_rearm_one(void *arg, PyCodeObject *code)
{
    struct rt_state *state = arg;
    struct rt_code *rc = rt_codemap_get(state, code);

    if (!rc)
        return;
    rc->rearm = false;
    rc->at_once.generation = 0;
    if (RT_SITES && rc->sites && rt_sites_restore(rc->sites, code))
        return;
    if (mon_arm(state, (PyObject *)code, 0) || mon_arm_lasting(state, (PyObject *)code, rc))
        PyErr_Clear();
}

/* Re-arms all that was disabled since the last switch. */
static void mon_rearm(struct rt_state *state)
{
    mon_of(state)->rearm_generation = 0;
    rt_rearm_drain(&mon_of(state)->rearm, mon_rearm_one, state);
}

/* Puts code, of which an event is about to be disabled for this generation, on the re-arm list. If
 * that is not undone site by site, arms it with events that can all be disabled. */
static bool mon_list_for_rearm(struct rt_state *state, PyObject *code, struct rt_code *rc,
                               const struct rt_context *context)
{
    struct monitoring *m = mon_of(state);

    if (rc->rearm)
        return true;
    if (rc->shared || !rt_rearm_add(&m->rearm, (PyCodeObject *)code, rc))
        return false;
    rc->rearm = true;
    m->rearm_generation = context->generation;
    if (!rc->sites &&
        mon_once_events(m, rc, mon_monitors_usable(state)) != mon_lasting_events(m, rc, false) &&
        mon_arm_once(state, code, rc))
        PyErr_Clear();
    return true;
}

/* Counts an event that is not disabled. True: so many have fired that disabling pays. */
static bool mon_fires_too_often(struct rt_code *rc, const struct rt_context *context)
{
    if (rc->generation != context->generation) {
        rc->generation = context->generation;
        rc->left = FIRES_PER_LINE * (rc->n_runs + 1);
    }
    if (!rc->left)
        return true;
    rc->left--;
    return false;
}

/* Slow path: decides whether this event may be disabled until the next switch. */
RT_SELDOM static PyObject *mon_after_hit_slow(struct rt_state *state, PyObject *code,
                                              struct rt_code *rc, const struct rt_context *context)
{
    struct monitoring *m = mon_of(state);

    if (m->contexts_differ)
        Py_RETURN_NONE;
    if (m->rearm_generation && m->rearm_generation != context->generation) {
        /* Another interpreter has switched, while events were disabled here. */
        m->contexts_differ = true;
        mon_rearm(state);
        Py_RETURN_NONE;
    }
    if ((!rc->sites && !mon_fires_too_often(rc, context)) ||
        !mon_list_for_rearm(state, code, rc, context))
        Py_RETURN_NONE;
    return mon_disable(state);
}

/* What a callback returns for an event whose hit cannot recur in this context. */
static PyObject *mon_after_hit(struct rt_state *state, PyObject *code, struct rt_code *rc,
                               const struct rt_context *context)
{
    if (!context ||
        (rc->rearm && rc->sites && mon_of(state)->rearm_generation == context->generation))
        return mon_disable(state);
    return mon_after_hit_slow(state, code, rc, context);
}

static void mon_switched(struct rt_state *state)
{
    struct monitoring *m = mon_of(state);

    m->contexts_differ = !rt_context_shared();
    mon_rearm(state);
}

/* -- frames -- */

static PyObject *mon_on_start(PyObject *self, PyObject *const *args, size_t n, PyObject *names)
{
    struct rt_state *state = rt_listener_state(self);
    PyCodeObject *code = (PyCodeObject *)args[0];
    struct rt_code *rc;
    uint32_t epoch;

    (void)n, (void)names;
    if (rt_process_paused())
        Py_RETURN_NONE;
    epoch = rt_process_epoch();
    rc = rt_codemap_get(state, code);
    if (!rc)
        rc = mon_first_sight(state, code);
    if (epoch != rt_process_epoch())
        Py_RETURN_NONE;
    if (!rc)
        return mon_disable(state);
    if (rt_context_enabled() && !rc->armed) /* it was complete before contexts began */
        mon_arm_first(state, code, rc);
    if (rc->test)
        rt_function_begin(state);
    if (epoch != rt_process_epoch())
        Py_RETURN_NONE;
    if (rc->claim)
        return mon_after_call(rt_claimed_start(state, rc, PyEval_GetFrame(), true));
    if (rc->file && rt_code_enters(rc)) {
        struct rt_context *context = rt_context_get();

        rt_code_enter(rc, context);
        /* With contexts it must fire in each of them. */
        if (rt_context_enabled() && !rc->sites)
            Py_RETURN_NONE;
        if (!rc->test)
            return mon_after_hit(state, args[0], rc, context);
    }
    if (rt_context_enabled() && rc->test)
        Py_RETURN_NONE;
    return mon_disable(state);
}

/* What the code of a local event sets. NULL: nothing now, but the event must fire again: the
 * process is paused, or the frame began in another epoch and the code is looked up at its next
 * start. */
static struct rt_code *mon_code_of_event(const struct rt_state *state, PyObject *code)
{
    return rt_process_paused() ? NULL : rt_codemap_get(state, (PyCodeObject *)code);
}

static PyObject *mon_on_resume(PyObject *self, PyObject *const *args, size_t n, PyObject *names)
{
    struct rt_state *state = rt_listener_state(self);
    struct rt_code *rc = mon_code_of_event(state, args[0]);
    struct rt_context *context;
    uint32_t epoch;

    (void)n, (void)names;
    if (!rc)
        Py_RETURN_NONE;
    if (rc->test) {
        epoch = rt_process_epoch();
        rt_function_begin(state);
        if (epoch != rt_process_epoch())
            Py_RETURN_NONE;
    }
    if (rc->claim)
        return mon_after_call(rt_claimed_start(state, rc, PyEval_GetFrame(), false));
    if (!rc->file || !rt_process_branches())
        Py_RETURN_NONE;
    /* The arc that leaves the line of the yield belongs to the context of whoever resumes it. */
    context = rt_context_get();
    rt_code_line(rc, context, rt_shape_line(rc->runs, rc->n_runs, unit_of(args[1])));
    if (rc->test)
        Py_RETURN_NONE;
    return mon_after_hit(state, args[0], rc, context);
}

static PyObject *mon_on_throw(PyObject *self, PyObject *const *args, size_t n, PyObject *names)
{
    PyObject *result = mon_on_resume(self, args, n, names);

    Py_XDECREF(result);
    return mon_after_call(result ? 0 : -1); /* cannot be disabled before 3.15 */
}

static PyObject *mon_on_leave(PyObject *self, PyObject *const *args, size_t n, PyObject *names)
{
    struct rt_state *state = rt_listener_state(self);
    struct rt_code *rc = mon_code_of_event(state, args[0]);

    (void)n, (void)names;
    if (rc && rc->test)
        rt_function_end(state);
    Py_RETURN_NONE;
}

static PyObject *mon_on_end(PyObject *self, PyObject *const *args, size_t n, PyObject *names)
{
    struct rt_state *state = rt_listener_state(self);
    struct rt_code *rc = rt_codemap_get(state, (PyCodeObject *)args[0]);

    if (rc && rc->claim && rt_claimed_end(state, rc, PyEval_GetFrame()))
        return NULL;
    return mon_on_leave(self, args, n, names);
}

static PyObject *mon_on_return(PyObject *self, PyObject *const *args, size_t n, PyObject *names)
{
    struct rt_state *state = rt_listener_state(self);
    struct rt_code *rc = mon_code_of_event(state, args[0]);
    struct rt_context *context;

    if (!rc || !rc->file || rc->return_arc == RT_NO_ARC)
        return mon_on_end(self, args, n, names);
    context = rt_context_get();
    rt_code_arc(rc, context, rc->return_arc);
    return rc->test ? mon_on_end(self, args, n, names) : mon_after_hit(state, args[0], rc, context);
}

/* -- lines and branches -- */

/* A line is recorded and may be disabled: disables it at all its sites. True: nothing is left for
 * CPython to do. */
static bool mon_line_off(struct rt_code *rc, PyCodeObject *code, const struct rt_context *context,
                         int32_t line)
{
    if (!RT_SITES || !rc->sites || !rt_sites_line_off(rc->sites, code, line))
        return false;
    if (context && rc->recent[SEG_LINES].generation == context->generation)
        rc->at_once = rc->recent[SEG_LINES];
    return true;
}

RT_SELDOM static PyObject *mon_on_line_slow(PyObject *self, PyObject *const *args)
{
    struct rt_state *state = rt_listener_state(self);
    struct rt_code *rc = mon_code_of_event(state, args[0]);
    struct rt_context *context = rt_context_get();
    int32_t line = number_of(args[1]);
    PyObject *result;

    if (!rc)
        Py_RETURN_NONE;
    if (rc->claim)
        return mon_after_call(rt_claimed_line(state, rc, PyEval_GetFrame()));
    if (rc->file)
        rt_code_line(rc, context, line);
    if (rc->unit_wise)
        Py_RETURN_NONE; /* disabled by its last tool, it would take the INSTRUCTION with it */
    result = mon_after_hit(state, args[0], rc, context);
    if (result == mon_of(state)->disable &&
        mon_line_off(rc, (PyCodeObject *)args[0], context, line))
        Py_SETREF(result, Py_NewRef(Py_None));
    return result;
}

/* In most events of a context all is as at the event before: then this does what
 * mon_on_line_slow() would do, and calls nothing. */
static PyObject *mon_on_line(PyObject *self, PyObject *const *args, size_t n, PyObject *names)
{
    PyCodeObject *code = (PyCodeObject *)args[0];
    struct rt_code *rc = rt_codemap_peek(rt_listener_state(self), code);
    const struct rt_context *context = rt_context_peek();

    (void)n, (void)names;
#if RT_SITES
    if (rc && context && !rt_process_paused()) {
        int32_t line = digit_of(args[1]);

        if (line && rt_code_line_at_once(rc, context, line) &&
            rt_sites_next_line_off(rc->sites, code, line))
            Py_RETURN_NONE;
    }
#else
    (void)rc, (void)context;
#endif
    return mon_on_line_slow(self, args);
}

static PyObject *mon_on_instruction(PyObject *self, PyObject *const *args, size_t n,
                                    PyObject *names)
{
    struct rt_state *state = rt_listener_state(self);
    struct rt_code *rc = mon_code_of_event(state, args[0]);
    struct rt_context *context = rt_context_get();
    uint32_t unit = unit_of(args[1]);
    PyObject *result;

    (void)n, (void)names;
    if (!rc)
        Py_RETURN_NONE;
    if (rc->file)
        rt_code_unit(rc, context, unit);
    result = mon_after_hit(state, args[0], rc, context);
    if (RT_MONITORS && rc->unit_wise && result == mon_of(state)->disable)
        rt_monitors_recorded((PyCodeObject *)args[0], mon_of(state)->tool_number, unit);
#if RT_MONITORS && RT_PAIRS
    if (!rt_context_enabled() && rc->instruction_kept && result == mon_of(state)->disable)
        rt_monitors_join((PyCodeObject *)args[0], mon_of(state)->tool_number, unit);
#endif
    if (RT_SITES && rc->sites && result == mon_of(state)->disable &&
        rt_sites_unit_off(rc->sites, (PyCodeObject *)args[0], unit))
        Py_SETREF(result, Py_NewRef(Py_None)); /* it is off already */
    return result;
}

#if RT_BRANCH_SIDES

static PyObject *mon_on_side(PyObject *self, PyObject *const *args, bool right)
{
    struct rt_state *state = rt_listener_state(self);
    struct rt_code *rc = mon_code_of_event(state, args[0]);
    struct rt_context *context = rt_context_get();
    const struct rt_branch *branch;
    uint32_t arc;

    if (!rc)
        Py_RETURN_NONE;
    branch = rt_code_branch(rc, unit_of(args[1]));
    arc = !branch ? RT_NO_ARC : right ? branch->far_arc : branch->near_arc;
    if (arc == RT_NO_ARC)
        return mon_disable(state); /* nothing to record in any context */
    rt_code_arc(rc, context, arc);
    return mon_after_hit(state, args[0], rc, context);
}

static PyObject *mon_on_left(PyObject *self, PyObject *const *args, size_t n, PyObject *names)
{
    (void)n, (void)names;
    return mon_on_side(self, args, false);
}

static PyObject *mon_on_right(PyObject *self, PyObject *const *args, size_t n, PyObject *names)
{
    (void)n, (void)names;
    return mon_on_side(self, args, true);
}

#else

/* One event for both edges: enabled until both arcs are recorded or implied. */
static PyObject *mon_on_branch(PyObject *self, PyObject *const *args, size_t n, PyObject *names)
{
    struct rt_state *state = rt_listener_state(self);
    struct rt_code *rc = mon_code_of_event(state, args[0]);
    struct rt_context *context;
    const struct rt_branch *branch;

    (void)n, (void)names;
    if (!rc)
        Py_RETURN_NONE;
    branch = rt_code_branch(rc, unit_of(args[1]));
    if (!branch)
        return mon_disable(state);
    context = rt_context_get();
    rt_code_arc(rc, context, unit_of(args[2]) == branch->next ? branch->near_arc : branch->far_arc);
    if (((rc->instruction_kept && branch->near_implied) ||
         rt_code_has_arc(rc, context, branch->near_arc)) &&
        ((rc->instruction_kept && branch->far_implied) ||
         rt_code_has_arc(rc, context, branch->far_arc)))
        return mon_after_hit(state, args[0], rc, context);
    Py_RETURN_NONE;
}

#endif

static const struct callback {
    const char *event;
    vectorcallfunc call;
} callbacks[] = {
    {"PY_START", mon_on_start},          {"LINE", mon_on_line},
    {"INSTRUCTION", mon_on_instruction}, {"PY_RESUME", mon_on_resume},
    {"PY_THROW", mon_on_throw},          {"PY_RETURN", mon_on_return},
    {"PY_YIELD", mon_on_leave},          {"PY_UNWIND", mon_on_end},
#if RT_BRANCH_SIDES
    {"BRANCH_LEFT", mon_on_left},        {"BRANCH_RIGHT", mon_on_right},
#else
    {"BRANCH", mon_on_branch},
#endif
};

/* -- start -- */

static int event_bit(PyObject *monitoring, const char *name, unsigned long *bit)
{
    PyObject *events = PyObject_GetAttrString(monitoring, "events"), *value = NULL;

    if (events)
        value = PyObject_GetAttrString(events, name);
    *bit = value ? PyLong_AsUnsignedLong(value) : 0;
    Py_XDECREF(value);
    Py_XDECREF(events);
    return PyErr_Occurred() ? -1 : 0;
}

/* Takes a free tool id, in the order in which others miss it least. 4 is nobody's. 5 is for
 * optimizers, of which none is known; 1 for coverage tools, which can take another; Hypothesis
 * warns if it does not get 3; cProfile needs 2, and debuggers need 0. */
static int take_tool(PyObject *monitoring, struct monitoring *m)
{
    static const long order[] = {4, 5, 1, 3, 2, 0};

    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        PyObject *result = PyObject_CallMethod(monitoring, "use_tool_id", "ls", order[i], "shmcov");

        if (result) {
            Py_DECREF(result);
            m->tool_number = order[i];
            m->tool = PyLong_FromLong(order[i]);
            return m->tool ? 0 : -1;
        }
        if (!PyErr_ExceptionMatches(PyExc_ValueError))
            return -1;
        PyErr_Clear();
    }
    PyErr_SetString(PyExc_RuntimeError, "all tool ids of sys.monitoring are taken by other tools");
    return -1;
}

static int register_callback(PyObject *monitoring, const struct callback *callback, PyObject *tool,
                             PyObject *listener)
{
    PyObject *result;
    unsigned long bit;

    if (event_bit(monitoring, callback->event, &bit))
        return -1;
    result = PyObject_CallMethod(monitoring, "register_callback", "OkO", tool, bit, listener);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

static int register_callbacks(PyObject *monitoring, PyObject *module, const struct monitoring *m)
{
    PyTypeObject *type = rt_listener_type(module);
    int status = type ? 0 : -1;

    for (size_t i = 0; !status && i < sizeof callbacks / sizeof *callbacks; i++) {
        PyObject *listener = rt_listener_new(type, module, callbacks[i].call);

        status = listener ? register_callback(monitoring, &callbacks[i], m->tool, listener) : -1;
        Py_XDECREF(listener);
    }
    Py_XDECREF(type);
    return status;
}

/* The sets of events: where each is, and the names of what is in it. */
static int read_events(PyObject *monitoring, struct monitoring *m)
{
    const struct {
        unsigned long *set;
        const char *names[4];
    } sets[] = {
        {&m->event[LINE], {"LINE"}},
        {&m->event[INSTRUCTION], {"INSTRUCTION"}},
#if RT_BRANCH_SIDES
        {&m->event[SIDES], {"BRANCH_LEFT", "BRANCH_RIGHT"}},
#else
        {&m->event[BRANCH], {"BRANCH"}},
#endif
        {&m->event[RESUMED], {"PY_RESUME"}},
        {&m->event[RETURNED], {"PY_RETURN"}},
        {&m->event[TEST], {"PY_RESUME", "PY_RETURN", "PY_YIELD"}},
        {&m->claimed[0], {"LINE", "PY_RESUME"}},
        {&m->claimed[1], {"LINE", "PY_RESUME", "PY_RETURN"}},
        {&m->thrown[0], {"PY_THROW"}},
        {&m->thrown[1], {"PY_THROW", "PY_UNWIND"}},
        {&m->start_only, {"PY_START"}},
        /* PY_THROW and PY_UNWIND are no local events before 3.15. */
        {&m->always, {"PY_START", "PY_THROW", "PY_UNWIND"}},
    };
    unsigned long bit;

    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        for (const char *const *name = sets[i].names; *name; name++) {
            if (event_bit(monitoring, *name, &bit))
                return -1;
            *sets[i].set |= bit;
        }
    return 0;
}

static int read_functions(PyObject *monitoring, struct monitoring *m)
{
    static const struct {
        const char *name;
        size_t at;
    } functions[] = {
        {"DISABLE", offsetof(struct monitoring, disable)},
        {"set_local_events", offsetof(struct monitoring, set_local_events)},
        {"set_events", offsetof(struct monitoring, set_events)},
        {"restart_events", offsetof(struct monitoring, restart_events)},
    };

    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        PyObject **slot = (PyObject **)((char *)m + functions[i].at);

        *slot = PyObject_GetAttrString(monitoring, functions[i].name);
        if (!*slot)
            return -1;
    }
    return 0;
}

static void mon_forget(void *arg, PyCodeObject *code)
{
    (void)arg, (void)code;
}

/* Enables everything again that any tool has disabled: nothing else brings back the PY_START of
 * code that was not measured before. */
static int mon_restart_events(struct rt_state *state)
{
    PyObject *result = PyObject_CallNoArgs(mon_of(state)->restart_events);

    Py_XDECREF(result);
    return result ? 0 : -1;
}

static int mon_restart(struct rt_state *state)
{
    struct monitoring *m = mon_of(state);

    rt_rearm_drain(&m->rearm, mon_forget, NULL);
    m->rearm_generation = 0;
    m->contexts_differ = false;
    return mon_listen(state) ? -1 : mon_restart_events(state);
}

static int mon_start(PyObject *module, struct rt_state *state)
{
    PyObject *monitoring = PySys_GetObject("monitoring"); /* borrowed */
    struct monitoring *m = PyMem_Calloc(1, sizeof *m);

    if (!m) {
        PyErr_NoMemory();
        return -1;
    }
    state->tracer_state = m;
    if (!monitoring) {
        PyErr_SetString(PyExc_RuntimeError, "sys.monitoring is missing");
        return -1;
    }
    if (rt_rearm_start(&m->rearm) || read_functions(monitoring, m) || read_events(monitoring, m) ||
        take_tool(monitoring, m) || register_callbacks(monitoring, module, m))
        return -1;
    return mon_listen(state);
}

static void mon_clear(struct rt_state *state)
{
    struct monitoring *m = mon_of(state);

    if (!m)
        return;
    Py_CLEAR(m->disable);
    Py_CLEAR(m->set_local_events);
    Py_CLEAR(m->set_events);
    Py_CLEAR(m->restart_events);
    Py_CLEAR(m->tool);
    rt_rearm_end(&m->rearm);
    PyMem_Free(m);
    state->tracer_state = NULL;
}

static int mon_traverse(struct rt_state *state, visitproc visit, void *arg)
{
    struct monitoring *m = mon_of(state);

    if (m) {
        Py_VISIT(m->disable);
        Py_VISIT(m->set_local_events);
        Py_VISIT(m->set_events);
        Py_VISIT(m->restart_events);
        Py_VISIT(m->tool);
        return rt_rearm_traverse(&m->rearm, visit, arg);
    }
    return 0;
}

static void mon_usable(struct rt_state *state, bool *monitors, bool *sites)
{
    *monitors = mon_monitors_usable(state);
    *sites = mon_sites_usable(state);
}

const struct rt_tracer rt_tracer_monitoring = {
    .name = "sys.monitoring",
    .start = mon_start,
    .restart = mon_restart,
    .pause = mon_listen,
    .clear = mon_clear,
    .traverse = mon_traverse,
    .contexts_begin = mon_restart_events,
    .switched = mon_switched,
    .usable = mon_usable,
};

#endif
