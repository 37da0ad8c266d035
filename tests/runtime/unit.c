/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int unit_switched;

static void count_switch(struct rt_state *state)
{
    (void)state;
    unit_switched++;
}

static const struct rt_tracer counting = {.name = "counting", .switched = count_switch};

struct rt_state unit_state = {.tracer = &counting};

bool unit_enter(void)
{
    char folder[] = "/tmp/shmcov-unit-XXXXXX";
    struct seg_plan plan = {.size = 4 << 20};
    char *path = NULL;
    seg_t *seg;
    int fd;

    plan.folder = mkdtemp(folder);
    if (!plan.folder || seg_create(&plan, &seg, &path, &fd))
        return false;
    atomic_store_explicit(&rt_process.seg, seg, memory_order_release);
    close(fd);
    seg_remove(path); /* with its folder */
    free(path);
    unit_next_epoch();
    return true;
}

void unit_next_epoch(void)
{
    atomic_fetch_add_explicit(&rt_process.epoch, 1, memory_order_release);
}

struct seg_entry *unit_file(const char *path)
{
    struct seg_entry *file;

    return seg_file(rt_process_seg(), path, strlen(path), &file) ? NULL : file;
}

bool unit_is_set(struct seg_entry *file, enum seg_space space, uint32_t n)
{
    seg_u8 *bits;

    return !seg_chunk(rt_process_seg(), file, space, n >> SEG_CHUNK_SHIFT, &bits) &&
           seg_bit_test(bits, n & (SEG_CHUNK_BITS - 1));
}
