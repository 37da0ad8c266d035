/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calling thread's context and its records.
 */
#include "context.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "state.h"

/* Relaxed: switches are published through `everywhere`. */
static _Atomic bool enabled;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static struct rt_context nobody; /* of threads that have none yet: it has seen nothing */
static RT_THREAD_LOCAL struct rt_context *current = &nobody;
static _Atomic uint32_t last_generation = 1;

/* Threads that are in a context of their own. */
static _Atomic uint32_t owners;

static void set_own(struct rt_context *context, bool own)
{
    if (context->own != own)
        atomic_fetch_add_explicit(&owners, own ? 1 : UINT32_MAX, memory_order_relaxed);
    context->own = own;
}

static void end_of_thread(void *context)
{
    set_own(context, false);
    free(((struct rt_context *)context)->records.slots);
    free(context);
}

static void make_key(void)
{
    pthread_key_create(&key, end_of_thread);
}

/* Never 0, which stands for none. */
static uint32_t next_generation(void)
{
    uint32_t next;

    do
        next = atomic_fetch_add_explicit(&last_generation, 1, memory_order_relaxed) + 1;
    while (!next);
    return next;
}

/* The process's context: id << 32 | generation. Never 0, so a new thread has to catch up. */
static _Atomic uint64_t everywhere = 1;

/* The process's context has changed since the thread looked last. */
static void catch_up(struct rt_context *context, uint64_t now)
{
    context->seen = now;
    if (context->own && context->epoch == rt_process_epoch())
        return;
    context->epoch = rt_process_epoch();
    set_own(context, false);
    context->owner = NULL;
    context->id = (uint32_t)(now >> 32);
    context->generation = (uint32_t)now;
    rt_map_clear(&context->records);
}

RT_SELDOM static struct rt_context *get_slowly(uint64_t now)
{
    if (current == &nobody) {
        struct rt_context *context = calloc(1, sizeof *context);

        if (!context)
            return NULL;
        pthread_once(&once, make_key);
        pthread_setspecific(key, context);
        current = context;
    }
    catch_up(current, now);
    return current;
}

bool rt_context_enabled(void)
{
    return atomic_load_explicit(&enabled, memory_order_relaxed);
}

void rt_context_enable(void)
{
    atomic_store_explicit(&enabled, true, memory_order_relaxed);
}

struct rt_context *rt_context_peek(void)
{
    /* acquire: pairs with the release in switch_all, before which the context got its entry */
    uint64_t now = atomic_load_explicit(&everywhere, memory_order_acquire);

    /* enabled: else rt_context_reset() would have changed `everywhere` */
    return current->seen == now ? current : NULL;
}

struct rt_context *rt_context_get(void)
{
    struct rt_context *context = rt_context_peek();

    if (!context && rt_context_enabled())
        context = get_slowly(atomic_load_explicit(&everywhere, memory_order_acquire));
    return context;
}

static bool ends_with(const char *name, size_t len, const char *end)
{
    size_t n = strlen(end);

    return len > n && !memcmp(name + len - n, end, n);
}

/* Is this a phase of a test that has begun? The names are those of pytest plug-ins. */
static bool is_later_phase(const char *name, size_t len)
{
    return ends_with(name, len, "|run") || ends_with(name, len, "|call") ||
           ends_with(name, len, "|teardown");
}

static int switch_all(const char *name, size_t len, uint64_t *now)
{
    uint32_t id = 0;
    int status = name ? seg_context(rt_process_seg(), name, len, &id) : 0;

    if (status)
        id = 0;
    *now = (uint64_t)id << 32 | next_generation();
    atomic_store_explicit(&everywhere, *now, memory_order_release);
    rt_process_switched(id, !id                         ? SEG_SWITCH_NONE
                            : is_later_phase(name, len) ? SEG_SWITCH_PHASE
                                                        : SEG_SWITCH_TEST);
    return status;
}

static int switch_own(struct rt_context *context, const char *name, size_t len)
{
    uint64_t now;
    int status = switch_all(name, len, &now);

    set_own(context, false);
    catch_up(context, now);
    set_own(context, context->id);
    return status;
}

int rt_context_switch(struct rt_state *state, const char *name, size_t len)
{
    struct rt_context *context = rt_context_get();
    int status = context ? switch_own(context, name, len) : SEG_ERR_NOMEM;

    state->tracer->switched(state);
    return status;
}

int rt_context_everywhere(struct rt_state *state, const char *name, size_t len)
{
    uint64_t now;
    int status = switch_all(name, len, &now);

    state->tracer->switched(state);
    return status;
}

bool rt_context_shared(void)
{
    uint64_t now = atomic_load_explicit(&everywhere, memory_order_relaxed);
    bool ours = current->own && current->generation == (uint32_t)now;

    return atomic_load_explicit(&owners, memory_order_relaxed) == ours;
}

void rt_context_after_fork(void)
{
    atomic_store_explicit(&owners, current->own, memory_order_relaxed);
}

void rt_context_reset(bool record)
{
    uint64_t now;

    atomic_store_explicit(&enabled, record, memory_order_relaxed);
    switch_all(NULL, 0, &now);
}

seg_u8 *rt_context_bits(struct rt_context *context, uint32_t file, enum seg_space space, uint32_t n)
{
    uint32_t number = n >> SEG_RECORD_SHIFT;
    uint64_t wanted = (uint64_t)file << 32 | (uint64_t)space << 31 | number;
    const int64_t *known = rt_map_get(&context->records, wanted);
    seg_u8 *bits;

    if (known)
        return (seg_u8 *)(intptr_t)*known;
    if (seg_record_again(rt_process_seg(), context->id, space, file, number, &bits))
        bits = NULL; /* kept as NULL, so the loss is counted once a generation */
    if (rt_map_set(&context->records, wanted, (intptr_t)bits)) {
        seg_lose(rt_process_seg(), SEG_LOST_SPACE, 1);
        return NULL;
    }
    return bits;
}
