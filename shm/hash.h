/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash function for bytes, in the intern table and in a process's own tables.
 */
#ifndef SEG_HASH_H
#define SEG_HASH_H

#include <stddef.h>
#include <stdint.h>

/* The seed separates kinds of keys: in the intern table it is the enum seg_kind. */
uint64_t seg_hash(uint32_t seed, const void *bytes, size_t len);

#endif
