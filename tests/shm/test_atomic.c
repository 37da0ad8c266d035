/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bits that several threads and processes set at once.
 */
#include "support.h"

#define BITS (1u << 20)
#define WORKERS 2u
#define TOGETHER 256u /* bits after which they wait for each other */

Test(atomic, each_bit_is_its_own)
{
    static const uint32_t numbers[] = {0, 1, 7, 8, 31, 32, 63, 64, 127, 128, 511};
    static const size_t n = sizeof numbers / sizeof *numbers;
    seg_u8 bits[64];
    uint8_t plain[64];

    for (size_t i = 0; i < n; i++) {
        memset(bits, 0, sizeof bits);
        memset(plain, 0, sizeof plain);
        cr_assert(seg_bit_set(bits, numbers[i]));
        cr_assert_not(seg_bit_set(bits, numbers[i]));
        for (uint32_t bit = 0; bit < 512; bit++)
            cr_assert_eq(seg_bit_test(bits, bit), bit == numbers[i]);
        plain[numbers[i] / 8] = (uint8_t)(1 << numbers[i] % 8);
        cr_assert_arr_eq(bits, plain, sizeof plain);
    }
}

struct contest {
    seg_u8 bits[BITS / 8];
    seg_u64 firsts;
    struct gate gate;
};

/* Everybody sets every bit. */
static void set_all(void *arg, int number)
{
    struct contest *contest = arg;

    (void)number;
    for (uint32_t bit = 0; bit < BITS; bit++) {
        if (bit % TOGETHER == 0)
            pass_gate(&contest->gate, WORKERS);
        if (seg_bit_set(contest->bits, bit))
            seg_add_relaxed(&contest->firsts, 1);
    }
}

/* Each sets bits of its own, in bytes that it shares with all others. */
static void set_own(void *arg, int number)
{
    struct contest *contest = arg;

    for (uint32_t bit = (uint32_t)number; bit < BITS; bit += WORKERS) {
        if (bit % TOGETHER < WORKERS)
            pass_gate(&contest->gate, WORKERS);
        if (seg_bit_set(contest->bits, bit))
            seg_add_relaxed(&contest->firsts, 1);
    }
}

static void check_all_set(struct contest *contest)
{
    uint32_t missing = 0;

    for (uint32_t bit = 0; bit < BITS; bit++)
        missing += !seg_bit_test(contest->bits, bit);
    cr_assert_eq(missing, 0, "%u bits are lost", missing);
    cr_assert_eq(seg_load_relaxed(&contest->firsts), BITS);
}

Test(atomic, one_thread_is_the_first)
{
    struct contest *contest = shared_memory(sizeof *contest);

    run_threads(WORKERS, set_all, contest);
    check_all_set(contest);
}

Test(atomic, no_bit_of_a_thread_is_lost)
{
    struct contest *contest = shared_memory(sizeof *contest);

    run_threads(WORKERS, set_own, contest);
    check_all_set(contest);
}

Test(atomic, one_process_is_the_first)
{
    struct contest *contest = shared_memory(sizeof *contest);

    run_children(WORKERS, set_all, contest);
    check_all_set(contest);
}

Test(atomic, no_bit_of_a_process_is_lost)
{
    struct contest *contest = shared_memory(sizeof *contest);

    run_children(WORKERS, set_own, contest);
    check_all_set(contest);
}
