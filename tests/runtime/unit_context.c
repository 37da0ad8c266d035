/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context.c: which context a thread is in, and the bits of what runs in it.
 */
#include "unit.h"

#include <pthread.h>
#include <stdint.h>

#define FILE_ID 7

static seg_u8 *bits(uint32_t file, enum seg_space space, uint32_t n)
{
    return rt_context_bits(rt_context_get(), file, space, n);
}

static bool ready(void)
{
    if (!unit_enter())
        return false;
    rt_context_enable();
    return true;
}

/* Runs a function on a new thread, and waits for its end. */
static bool on_a_thread(bool (*check)(void))
{
    pthread_t thread;
    void *result = NULL;

    return !pthread_create(&thread, NULL, (void *(*)(void *))(void (*)(void))check, NULL) &&
           !pthread_join(thread, &result) && (uintptr_t)result & 1;
}

UNIT(context_is_recorded_only_where_enabled)
{
    CHECK(unit_enter());
    CHECK(!rt_context_enabled() && !rt_context_get());
    CHECK(rt_context_switch(&unit_state, "one", 3) == SEG_ERR_NOMEM);
    rt_context_enable();
    CHECK(rt_context_enabled() && rt_context_get());
    rt_context_reset(false);
    CHECK(!rt_context_enabled() && !rt_context_get());
    return NULL;
}

UNIT(context_switch_notifies_the_tracer)
{
    struct rt_context *context;
    uint32_t one, generation;

    CHECK(ready());
    context = rt_context_get();
    CHECK(context && !context->id);
    CHECK(!rt_context_switch(&unit_state, "one", 3) && unit_switched == 1);
    CHECK(rt_context_get() == context && context->id && context->own);
    one = context->id;
    generation = context->generation;
    CHECK(!rt_context_everywhere(&unit_state, "two", 3) && unit_switched == 2);
    CHECK(rt_context_get()->id == one && context->generation == generation); /* its own */
    CHECK(!rt_context_switch(&unit_state, NULL, 0) && unit_switched == 3);
    CHECK(!context->id && !context->own);
    CHECK(!rt_context_everywhere(&unit_state, "two", 3));
    CHECK(rt_context_get()->id && context->id != one && !context->own);
    CHECK(!rt_context_switch(&unit_state, "one", 3));
    CHECK(context->id == one && context->generation != generation);
    return NULL;
}

static bool follows(void)
{
    struct rt_context *context = rt_context_get();

    return context && context->id && !context->own && rt_context_shared() == false;
}

static bool is_static(void)
{
    struct rt_context *context = rt_context_get();

    return context && !context->id;
}

static bool takes_its_own(void)
{
    return !rt_context_switch(&unit_state, "own", 3) && rt_context_shared();
}

UNIT(context_of_a_thread)
{
    CHECK(ready());
    CHECK(on_a_thread(is_static));
    CHECK(!rt_context_switch(&unit_state, "one", 3) && rt_context_shared());
    CHECK(on_a_thread(follows));
    CHECK(!rt_context_switch(&unit_state, NULL, 0) && rt_context_shared());
    CHECK(on_a_thread(is_static));
    CHECK(on_a_thread(takes_its_own)); /* and leaves it when it ends */
    CHECK(rt_context_shared());
    return NULL;
}

static pthread_barrier_t barrier;

static void *owner(void *arg)
{
    rt_context_switch(&unit_state, "own", 3);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return arg;
}

UNIT(context_is_not_shared_with_an_owner)
{
    pthread_t thread;
    bool shared, after_fork;

    CHECK(ready());
    pthread_barrier_init(&barrier, NULL, 2);
    CHECK(!pthread_create(&thread, NULL, owner, NULL));
    pthread_barrier_wait(&barrier);
    shared = rt_context_shared();
    rt_context_after_fork(); /* in a child there is no other thread */
    after_fork = rt_context_shared();
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    CHECK(!shared && after_fork);
    return NULL;
}

UNIT(context_bits_are_found_again)
{
    static seg_u8 *found[1000];
    const uint32_t step = 1 << SEG_RECORD_SHIFT;

    CHECK(ready() && !rt_context_switch(&unit_state, "one", 3));
    for (uint32_t i = 0; i < 1000; i++) /* the table grows */
        CHECK((found[i] = bits(FILE_ID, SEG_LINES, i * step)));
    for (uint32_t i = 0; i < 1000; i++)
        CHECK(bits(FILE_ID, SEG_LINES, i * step + step - 1) == found[i]);
    CHECK(bits(FILE_ID, SEG_ARCS, 0) != found[0]);
    CHECK(bits(FILE_ID + 1, SEG_LINES, 0) != found[0]);
    CHECK(!rt_context_switch(&unit_state, "two", 3));
    CHECK(bits(FILE_ID, SEG_LINES, 0) != found[0]);
    return NULL;
}

UNIT(context_is_static_after_another_segment)
{
    struct rt_context *context;

    CHECK(ready() && !rt_context_switch(&unit_state, "one", 3));
    CHECK(rt_context_get()->own);
    CHECK(unit_enter());
    rt_context_reset(true);
    context = rt_context_get();
    CHECK(context && !context->id && !context->own && context->epoch == rt_process_epoch());
    return NULL;
}
