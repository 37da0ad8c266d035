/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fast and well spread, but not safe against chosen keys.
 */
#include "hash.h"

#include <string.h>

/* MurmurHash64A by Austin Appleby (public domain): eight bytes at a time, two multiplications. */
uint64_t seg_hash(uint32_t seed, const void *bytes, size_t len)
{
    const uint64_t m = UINT64_C(0xc6a4a7935bd1e995);
    const uint8_t *at = bytes;
    uint64_t h = seed * UINT64_C(0x9e3779b97f4a7c15) ^ (len * m);
    uint64_t k;

    for (; len >= 8; len -= 8, at += 8) {
        memcpy(&k, at, 8);
        k *= m;
        k ^= k >> 47;
        k *= m;
        h ^= k;
        h *= m;
    }
    if (len > 0) {
        k = 0;
        memcpy(&k, at, len);
        h ^= k;
        h *= m;
    }
    h ^= h >> 47;
    h *= m;
    h ^= h >> 47;
    return h;
}
