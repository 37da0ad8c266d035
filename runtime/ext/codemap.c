/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First sight: what a code object sets, be it lines and arcs of a measured file, what a plug-in
 * records, or a context that it begins.
 */
#include "codemap.h"

#include "claimed.h"
#include "file.h"
#include "function_context.h"
#include "naming.h"
#include "process.h"

struct rt_code *rt_codemap_add(struct rt_state *state, PyCodeObject *code, bool *wanted)
{
    uint32_t epoch = rt_process_epoch();
    struct rt_code *rc = NULL;
    bool plugin = state->claim && rt_claimed(state, code, &rc);
    struct seg_entry *file = plugin ? NULL : rt_file_of(state, code);
    bool test = rt_process_function_contexts() && rt_function_may_begin(code), complete = false;

    *wanted = false;
    rt_naming_occasion();
    if (epoch != rt_process_epoch()) {
        rt_code_free(rc);
        return NULL; /* Python code that the look-up ran changed the segment */
    }
    if (file)
        rc = rt_code_make(file, code, RT_MONITORING && rt_process_branches(), &complete);
    else if (!rc && (test || state->tracer->sees_all))
        rc = rt_code_unmeasured(test);
    if (!rc)
        return NULL;
    if (!rc->shared) {
        rc->test = test;
        rc->slow = test || rc->claim;
    }
    if (rt_codemap_put(state, code, rc)) {
        rt_code_free(rc);
        return rt_codemap_get(state, code);
    }
    *wanted = !complete || rt_context_enabled();
    return rc;
}
