/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form of the fuzz targets' inputs: a byte, then changes of CHANGE bytes each. Mutations keep
 * these borders: an additional byte would turn all that follows into other changes.
 */
#ifndef FUZZ_CHANGES_H
#define FUZZ_CHANGES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef FUZZ_STANDALONE

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size_t n = size > 1 ? (size - 1) / CHANGE : 0,
           room = max_size > 1 ? (max_size - 1) / CHANGE : 0;
    size_t which = n > 0 ? seed / 8 % n : 0;
    uint8_t *at = data + 1 + which * CHANGE;

    if (size == 0)
        data[0] = 0;
    switch (seed % 8) {
    case 0:
        LLVMFuzzerMutate(data, 1, 1);
        break;
    case 1:
        if (n > 0)
            memmove(at, at + CHANGE, (--n - which) * CHANGE);
        break;
    case 2:
    case 3: /* one more, like another or by chance */
        if (n == room)
            break;
        if (n > 0)
            memmove(at + CHANGE, at, (n - which) * CHANGE);
        else
            memset(at, 0, CHANGE);
        n++;
        /* fall through */
    default:
        if (n > 0) {
            size_t len = LLVMFuzzerMutate(at, CHANGE, CHANGE);

            memset(at + len, 0, CHANGE - len);
        }
    }
    return 1 + n * CHANGE;
}

#endif

#endif
