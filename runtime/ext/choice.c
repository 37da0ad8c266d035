/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On 3.11 the trace function measures, and breakpoints where SHMCOV_TRACER asks for them and
 * nothing speaks against it. What may: a bytecode that we do not know, another tool that runs the
 * frames, and whatever needs to hear of each call.
 */
#define _GNU_SOURCE
#include "choice.h"

#include <stdlib.h>
#include <string.h>

#include "process.h"

#if RT_BREAKPOINTS

/* The number in the first two bytes of 3.11's .pyc files. It changes with the bytecode. */
#define MAGIC 3495

static struct rt_choice traced(const char *why, bool fell_back)
{
    return (struct rt_choice){&rt_tracer_settrace, why, fell_back};
}

/* Why this interpreter's code cannot have breakpoints, or NULL. */
static const char *interpreter_objects(void)
{
    PyInterpreterState *here = PyInterpreterState_Get();

#ifdef Py_DEBUG
    return "a debug build looks up constants by their number, within their size";
#endif
    if (Py_Version >> 16 != PY_VERSION_HEX >> 16 || (PyImport_GetMagicNumber() & 0xffff) != MAGIC)
        return "the bytecode of this interpreter is not known";
    if (_PyInterpreterState_GetEvalFrameFunc(here) != _PyEval_EvalFrameDefault)
        return "another tool has set an eval-frame hook";
    return NULL;
}

struct rt_choice rt_choice_first(void)
{
    const char *asked = rt_secure_getenv("SHMCOV_TRACER"), *objection;

    if (!asked || !*asked)
        return traced("the default; SHMCOV_TRACER=breakpoints costs less", false);
    if (!strcmp(asked, "trace"))
        return traced("SHMCOV_TRACER=trace", false);
    if (strcmp(asked, "breakpoints") != 0)
        return traced("SHMCOV_TRACER takes trace or breakpoints", true);
    objection = interpreter_objects();
    if (objection)
        return traced(objection, true);
    return (struct rt_choice){&rt_tracer_breakpoints, "SHMCOV_TRACER=breakpoints", false};
}

struct rt_choice rt_choice_of(const struct rt_state *state)
{
    struct rt_choice choice = rt_choice_first();

    if (choice.tracer != &rt_tracer_breakpoints)
        return choice;
    if (state->claim)
        return traced("file tracer plug-ins need each call", true);
    if (rt_process_function_contexts())
        return traced("dynamic_context = test_function needs each call", true);
    return choice;
}

bool rt_choice_instead(struct rt_choice *choice)
{
    if (choice->tracer == &rt_tracer_settrace)
        return false;
    *choice = traced("breakpoints did not pass their test at the start", true);
    return true;
}

#else

struct rt_choice rt_choice_first(void)
{
    return (struct rt_choice){&rt_tracer_monitoring, "", false};
}

struct rt_choice rt_choice_of(const struct rt_state *state)
{
    (void)state;
    return rt_choice_first();
}

bool rt_choice_instead(struct rt_choice *choice)
{
    (void)choice;
    return false;
}

#endif

void rt_choice_tell(const struct rt_choice *choice)
{
    static const char prefix[] = SEG_NOTE;
    struct seg_decision none = {0};
    struct seg_entry *entry;
    size_t len = sizeof prefix + strlen(choice->why);
    char *key = choice->fell_back ? malloc(len) : NULL;

    if (!key)
        return;
    memcpy(key, prefix, sizeof prefix);
    memcpy(key + sizeof prefix, choice->why, len - sizeof prefix);
    seg_intern(rt_process_seg(), SEG_KIND_DECISION, key, len, &none, sizeof none, &entry);
    free(key);
}
