/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The code map of free-threaded builds: liburcu's lock-free hash table, by the address of the code
 * object.
 *
 * Guarantees
 *   - rt_codemap_get runs on any number of threads beside rt_codemap_put and beside the death of
 *     other code objects: it is a read-side critical section (urcu-bp: no registration of threads).
 *   - An entry is taken out by the code watcher when its code object is destroyed, and freed after
 *     a grace period. No deallocation waits for one: entries are collected, and the rt_codemap_put
 *     that finds a full batch waits for all of them at once.
 *   - An entry of an earlier epoch (process.h) is replaced but never freed: a callback may be using
 *     it.
 *   - No thread is started: no CDS_LFHT_AUTO_RESIZE, no call_rcu. The table has buckets for the
 *     code of a large program from the start; beyond that its chains get longer.
 *   - A fork finds the table whole: urcu's handlers run around it.
 */
#include "codemap.h"

#include "process.h"

#if RT_FREE_THREADED

#define RCU_FLAVOR_BP
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <urcu-bp.h>
#include <urcu/rculfhash.h>

#define BUCKETS 65536ul
#define BATCH 256

struct node {
    struct cds_lfht_node node;
    PyCodeObject *code; /* borrowed: the node goes with it */
    _Atomic(struct rt_code *) entry;
    struct node *next; /* in `dead` */
};

static struct cds_lfht *map;
static _Atomic(struct node *) dead; /* taken out, waiting for a grace period */
static _Atomic unsigned n_dead;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static unsigned long codemap_hash(const PyCodeObject *code)
{
    return (unsigned long)(((uintptr_t)code >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 16);
}

static int codemap_same(struct cds_lfht_node *node, const void *code)
{
    return caa_container_of(node, struct node, node)->code == code;
}

static struct node *codemap_find(const PyCodeObject *code)
{
    struct cds_lfht_iter iter;
    struct cds_lfht_node *node;

    cds_lfht_lookup(map, codemap_hash(code), codemap_same, code, &iter);
    node = cds_lfht_iter_get_node(&iter);
    return node ? caa_container_of(node, struct node, node) : NULL;
}

static int on_code_event(PyCodeEvent event, PyCodeObject *code)
{
    struct node *node;

    if (event != PY_CODE_EVENT_DESTROY)
        return 0;
    rcu_read_lock();
    node = codemap_find(code);
    if (node && cds_lfht_del(map, &node->node))
        node = NULL;
    rcu_read_unlock();
    if (!node)
        return 0;
    node->next = atomic_load_explicit(&dead, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&dead, &node->next, node, memory_order_release,
                                                  memory_order_relaxed))
        ;
    atomic_fetch_add_explicit(&n_dead, 1, memory_order_relaxed);
    return 0;
}

/* Frees what has been taken out, once there is enough of it to pay for a grace period. */
static void codemap_reap(void)
{
    struct node *node, *next;

    if (atomic_load_explicit(&n_dead, memory_order_relaxed) < BATCH)
        return;
    /* acquire: pairs with the release in on_code_event */
    node = atomic_exchange_explicit(&dead, NULL, memory_order_acquire);
    if (!node)
        return;
    atomic_store_explicit(&n_dead, 0, memory_order_relaxed);
    synchronize_rcu();
    for (; node; node = next) {
        next = node->next;
        /* relaxed: after the grace period nobody else has the node */
        rt_code_free(atomic_load_explicit(&node->entry, memory_order_relaxed));
        free(node);
    }
}

static void make_map(void)
{
    map = cds_lfht_new_flavor(BUCKETS, BUCKETS, BUCKETS, 0, &urcu_bp_flavor, NULL);
    pthread_atfork(urcu_bp_before_fork, urcu_bp_after_fork_parent, urcu_bp_after_fork_child);
}

int rt_codemap_start(struct rt_state *state)
{
    pthread_once(&once, make_map);
    if (!map) {
        PyErr_NoMemory();
        return -1;
    }
    state->extra = PyCode_AddWatcher(on_code_event);
    return state->extra < 0 ? -1 : 0;
}

struct rt_code *rt_codemap_get(const struct rt_state *state, PyCodeObject *code)
{
    struct rt_code *entry;
    struct node *node;

    (void)state;
    rcu_read_lock();
    node = codemap_find(code);
    /* acquire: pairs with the release in rt_codemap_put */
    entry = node ? atomic_load_explicit(&node->entry, memory_order_acquire) : NULL;
    rcu_read_unlock();
    if (entry && entry->epoch != rt_process_epoch())
        return NULL;
    return entry; /* lives as long as `code`, to which the caller has a reference */
}

struct rt_code *rt_codemap_peek(const struct rt_state *state, const PyCodeObject *code)
{
    (void)state, (void)code;
    return NULL;
}

int rt_codemap_put(struct rt_state *state, PyCodeObject *code, struct rt_code *entry)
{
    struct node *node = malloc(sizeof *node), *old;
    struct cds_lfht_node *there;
    struct rt_code *stale;
    bool replaced = false;

    (void)state;
    if (!node)
        return -1;
    codemap_reap();
    node->code = code;
    atomic_init(&node->entry, entry);
    cds_lfht_node_init(&node->node);
    rcu_read_lock();
    there = cds_lfht_add_unique(map, codemap_hash(code), codemap_same, code, &node->node);
    if (there != &node->node) {
        old = caa_container_of(there, struct node, node);
        stale = atomic_load_explicit(&old->entry, memory_order_acquire);
        replaced = stale->epoch != rt_process_epoch() &&
                   atomic_compare_exchange_strong_explicit(
                       &old->entry, &stale, entry, memory_order_release, memory_order_relaxed);
    }
    rcu_read_unlock();
    if (there == &node->node)
        return 0;
    free(node);
    return replaced ? 0 : 1;
}

#endif
