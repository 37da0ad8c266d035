/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the map of the runtime costs beside liburcu's hash table, in instructions: finding, adding
 * and forgetting 200 keys, as many as the records of a test's context, in 1,000 contexts.
 *
 *     valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect=FUNCTION bench_map
 *
 * FUNCTION is one of those below; divide what it says was collected by 200,000.
 */
#define RCU_FLAVOR_BP
#include <stdlib.h>
#include <urcu-bp.h>
#include <urcu/rculfhash.h>

#include "map.h"

#define KEYS 200u
#define CONTEXTS 1000u

struct node {
    struct cds_lfht_node node;
    uint64_t key;
    int64_t value;
};

static struct rt_map map;
static struct cds_lfht *table;
int64_t bench_map_sum; /* so that nothing is optimised away */

/* File, space and number of a record. */
static uint64_t key_of(uint32_t i)
{
    return (uint64_t)(i / 3 + 1) << 32 | i % 3;
}

__attribute__((noinline)) void map_add(void)
{
    for (uint32_t i = 0; i < KEYS; i++)
        if (rt_map_set(&map, key_of(i), i))
            abort();
}

__attribute__((noinline)) void map_find(void)
{
    for (uint32_t i = 0; i < KEYS; i++)
        bench_map_sum += *rt_map_get(&map, key_of(i));
}

__attribute__((noinline)) void map_forget(void)
{
    rt_map_clear(&map);
}

static unsigned long hash(uint64_t key)
{
    return (unsigned long)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static int same(struct cds_lfht_node *node, const void *key)
{
    return caa_container_of(node, struct node, node)->key == *(const uint64_t *)key;
}

__attribute__((noinline)) void lfht_add(void)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        struct node *node = malloc(sizeof *node);

        if (!node)
            abort();
        cds_lfht_node_init(&node->node);
        node->key = key_of(i);
        node->value = i;
        rcu_read_lock();
        cds_lfht_add_unique(table, hash(node->key), same, &node->key, &node->node);
        rcu_read_unlock();
    }
}

__attribute__((noinline)) void lfht_find(void)
{
    struct cds_lfht_iter iter;

    for (uint32_t i = 0; i < KEYS; i++) {
        uint64_t key = key_of(i);

        rcu_read_lock();
        cds_lfht_lookup(table, hash(key), same, &key, &iter);
        bench_map_sum += caa_container_of(cds_lfht_iter_get_node(&iter), struct node, node)->value;
        rcu_read_unlock();
    }
}

/* Nobody else reads it, so nobody has to be waited for. */
__attribute__((noinline)) void lfht_forget(void)
{
    struct cds_lfht_iter iter;
    struct node *node;

    rcu_read_lock();
    cds_lfht_for_each_entry(table, &iter, node, node)
    {
        cds_lfht_del(table, &node->node);
        free(node);
    }
    rcu_read_unlock();
}

int main(void)
{
    table = cds_lfht_new_flavor(512, 512, 512, 0, &urcu_bp_flavor, NULL);
    for (uint32_t context = 0; table && context < CONTEXTS; context++) {
        map_add();
        map_find();
        map_forget();
        lfht_add();
        lfht_find();
        lfht_forget();
    }
    return table ? 0 : 1;
}
