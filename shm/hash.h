/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one hash of bytes: of the intern table, and of tables that a process has for itself.
 */
#ifndef SEG_HASH_H
#define SEG_HASH_H

#include <stddef.h>
#include <stdint.h>

/* The same bytes under another seed have another hash; in the intern table it is the kind. */
uint64_t seg_hash(uint32_t seed, const void *bytes, size_t len);

#endif
