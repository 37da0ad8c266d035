/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the parts of runtime/ext that need an interpreter. test_units.py compiles them with
 * the extension's sources, and calls each in a process of its own, with the GIL.
 */
#ifndef UNIT_H
#define UNIT_H

#include "code.h"
#include "compat.h"
#include "context.h"
#include "process.h"
#include "state.h"

/* UNIT(name) { ... return NULL; } is a test; CHECK ends it with a description of the failure. */
#define UNIT(name)                                                        \
    __attribute__((visibility("default"))) const char *unit_##name(void); \
    const char *unit_##name(void)

#define UNIT_TEXT(x) #x
#define UNIT_LINE(x) UNIT_TEXT(x)
#define CHECK(condition)                                             \
    do {                                                             \
        if (!(condition))                                            \
            return __FILE__ ":" UNIT_LINE(__LINE__) ": " #condition; \
    } while (0)

/* A state with a tracer that only counts how often the context was switched. */
extern struct rt_state unit_state;
extern int unit_switched;

/* The process enters a new segment that nobody else uses. */
bool unit_enter(void);

/* The next epoch of the process, in the same segment. */
void unit_next_epoch(void);

/* The entry of a file, or NULL. */
struct seg_entry *unit_file(const char *path);

/* Is the bit set in the static context? */
bool unit_is_set(struct seg_entry *file, enum seg_space space, uint32_t n);

#endif
