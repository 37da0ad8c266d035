/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays that double.
 */
#ifndef SEG_GROW_H
#define SEG_GROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static inline bool seg_grow(void *array, size_t *cap, size_t need, size_t size)
{
    size_t room = *cap != 0 ? *cap : 16;
    void *items, *bigger;

    if (need <= *cap)
        return true;
    while (room < need)
        room *= 2;
    memcpy(&items, array, sizeof items);
    bigger = realloc(items, room * size);
    if (bigger == NULL)
        return false;
    memcpy(array, &bigger, sizeof bigger);
    *cap = room;
    return true;
}

/* Makes room for `need` items in a malloc'd array that has room for `cap`; array and cap are
 * variables. False: no memory, and the array is as it was. */
#define SEG_GROW(array, cap, need) seg_grow(&(array), &(cap), (need), sizeof *(array))

#endif
