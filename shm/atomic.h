/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words that several processes share, and the few operations on them.
 *
 * A shared word is a wrapper type, so that it can only be touched through the functions here, and
 * each use spells out its order. C11 atomics that are lock-free are address-free (C11 7.17.5 note),
 * which is what makes them work between processes that map the same page.
 *
 * Orders in use:
 *   _relaxed  bits and counters: nobody follows one to other memory
 *   _acquire  reading an offset that leads to an entry; pairs with the _release that published it
 *   _release  publishing an entry after all of its bytes are written
 */
#ifndef SEG_ATOMIC_H
#define SEG_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    _Atomic uint8_t v;
} seg_u8;
typedef struct {
    _Atomic uint32_t v;
} seg_u32;
typedef struct {
    _Atomic uint64_t v;
} seg_u64;

_Static_assert(sizeof(seg_u8) == 1 && sizeof(seg_u32) == 4 && sizeof(seg_u64) == 8,
               "atomics add no bytes");
_Static_assert(ATOMIC_CHAR_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2 &&
                   ATOMIC_LLONG_LOCK_FREE == 2,
               "only lock-free atomics work between processes");

static inline uint64_t seg_load_relaxed(const seg_u64 *w)
{
    return atomic_load_explicit(&w->v, memory_order_relaxed);
}

static inline uint64_t seg_load_acquire(const seg_u64 *w)
{
    return atomic_load_explicit(&w->v, memory_order_acquire);
}

static inline void seg_store_relaxed(seg_u64 *w, uint64_t value)
{
    atomic_store_explicit(&w->v, value, memory_order_relaxed);
}

static inline void seg_store_release(seg_u64 *w, uint64_t value)
{
    atomic_store_explicit(&w->v, value, memory_order_release);
}

static inline uint64_t seg_add_relaxed(seg_u64 *w, uint64_t n)
{
    return atomic_fetch_add_explicit(&w->v, n, memory_order_relaxed);
}

/* Publishes `desired` if the word is still *expected; else *expected becomes the word (acquire). */
static inline bool seg_cas_release(seg_u64 *w, uint64_t *expected, uint64_t desired)
{
    return atomic_compare_exchange_strong_explicit(&w->v, expected, desired, memory_order_release,
                                                   memory_order_acquire);
}

static inline bool seg_cas_relaxed(seg_u64 *w, uint64_t *expected, uint64_t desired)
{
    return atomic_compare_exchange_strong_explicit(&w->v, expected, desired, memory_order_relaxed,
                                                   memory_order_relaxed);
}

static inline uint32_t seg_load32_relaxed(const seg_u32 *w)
{
    return atomic_load_explicit(&w->v, memory_order_relaxed);
}

static inline void seg_store32_relaxed(seg_u32 *w, uint32_t value)
{
    atomic_store_explicit(&w->v, value, memory_order_relaxed);
}

static inline uint32_t seg_add32_relaxed(seg_u32 *w, uint32_t n)
{
    return atomic_fetch_add_explicit(&w->v, n, memory_order_relaxed);
}

static inline bool seg_cas32_relaxed(seg_u32 *w, uint32_t *expected, uint32_t desired)
{
    return atomic_compare_exchange_strong_explicit(&w->v, expected, desired, memory_order_relaxed,
                                                   memory_order_relaxed);
}

/* Is bit n of a bitmap set? Relaxed: a bit leads nowhere. */
static inline bool seg_bit_test(const seg_u8 *bits, uint32_t n)
{
    return atomic_load_explicit(&bits[n / 8].v, memory_order_relaxed) >> (n % 8) & 1;
}

/* Sets bit n of a bitmap; true if this call set it. Looks first: a line that is set already stays
 * shared in every core's cache, where a read-modify-write would take it away from the others. */
static inline bool seg_bit_set(seg_u8 *bits, uint32_t n)
{
    uint8_t mask = (uint8_t)(1u << (n % 8));

    if (__builtin_expect(atomic_load_explicit(&bits[n / 8].v, memory_order_relaxed) & mask, 0))
        return false;
    return !(atomic_fetch_or_explicit(&bits[n / 8].v, mask, memory_order_relaxed) & mask);
}

#endif
