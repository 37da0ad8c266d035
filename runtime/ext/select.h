/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files are measured: coverage.py's should_trace (inorout.py), on the rules of a segment.
 *
 * This file and its two helpers (glob, canon) are plain C: they know neither Python nor segments,
 * only struct seg_rule. docs/selection.md describes the rules.
 *
 * Text goes in and comes out as Python's file system encoding gives it (PyUnicode_EncodeFSDefault).
 *
 * Guarantees: after rt_rules_load the rules are constant; any number of threads may ask at once, in
 * a forked child too. A decision needs little stack (docs/selection.md) and some heap, and a folder
 * that is seen for the first time is remembered.
 */
#ifndef RT_SELECT_H
#define RT_SELECT_H

#include <stddef.h>

#include "canon.h"
#include "rules.h"

struct rt_rules;

/* Writes entry `i` of sys.path into buf: 1, or 0 after the last. An entry that is no string or does
 * not fit becomes the empty string. Entry RT_LIBRARY is the folder of this interpreter's standard
 * library. */
#define RT_LIBRARY UINT_MAX
typedef int rt_sys_path_fn(void *arg, unsigned i, char *buf, size_t size);

/* Reads rules, whose bytes may go away afterwards. 0, or -1: damaged, a pattern that is an error,
 * or no memory. */
int rt_rules_load(struct seg_rules plan, struct rt_rules **out);
void rt_rules_free(struct rt_rules *rules);

/* The decision for a canonical path. `name` is what patterns are compared with: for Python files
 * the path itself. `module` is the frame's __name__, or its __spec__.name for a __main__ that
 * `python -m` started; NULL: not a string. "__main__" and NULL are replaced by a name made from the
 * file's, as in coverage.py. `path` (may be NULL) is searched for virtual environments. 1:
 * measured, 0: not, or RT_CANON_NO_MEMORY. */
int rt_rules_match(const struct rt_rules *rules, const char *canonical, const char *name,
                   const char *module, rt_sys_path_fn *path, void *arg);

/* The decision for a code object: its co_filename, and from the globals of its frame str(__file__)
 * (NULL: none) and the module as above. `path` (may be NULL) is searched for relative names and
 * virtual environments. 1: measured, 0: not, or an enum rt_canon_status; `size` should be
 * RT_CANON_SIZE of the longer name. The canonical name, if one was found, is written in either
 * case, else canonical is "". The answer for a relative name depends on the current folder and
 * sys.path, so it is valid in this process only. */
int rt_rules_decide(const struct rt_rules *rules, const char *co_filename, const char *dunder_file,
                    const char *module, rt_sys_path_fn *path, void *arg, char *canonical,
                    size_t size);

/* The text of the first rule of a kind, or NULL. */
const char *rt_rules_text(const struct rt_rules *rules, enum seg_rule_kind kind);

/* The source package that this module name belongs to, or NULL. */
const char *rt_rules_package(const struct rt_rules *rules, const char *module);

#endif
