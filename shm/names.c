/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of names. Where layout.h counts an enum's values, a table is checked to be complete.
 */
#include "names.h"

#include "layout.h"

#define COMPLETE(names, n) \
    _Static_assert(sizeof(names) / sizeof *(names) == (n) + 1, "a name for each value, and NULL")

#define NAME(prefix, name)  \
    {                       \
        prefix##name, #name \
    }

#define FLAG(name) NAME(SEG_FLAG_, name)
const struct seg_name seg_flag_names[] = {
    FLAG(BRANCH),   FLAG(TEST_FUNCTION), FLAG(CONTEXTS), FLAG(NO_ADOPT), FLAG(OWNED), FLAG(HOLD),
    FLAG(QUALNAME), FLAG(KEPT),          FLAG(OTHERS),   FLAG(COMMAND),  {0, NULL},
};

#define RULE(name) NAME(SEG_RULE_, name)
const struct seg_name seg_rule_names[] = {
    RULE(SOURCE_DIR),   RULE(SOURCE_PKG), RULE(INCLUDE),          RULE(OMIT),
    RULE(STDLIB_DIR),   RULE(THIRD_DIR),  RULE(THIRD_SOURCE),     RULE(NEVER_DIR),
    RULE(COVER_PYLIB),  RULE(CONTEXT),    RULE(SOURCE_PKG_THIRD), RULE(VENV_THIRD),
    RULE(FILE_TRACERS), RULE(OWNER),      RULE(COMMAND),          RULE(FOLDER),
    RULE(DATA_FILE),    {0, NULL},
};
COMPLETE(seg_rule_names, SEG_RULE_KINDS - 1);

const struct seg_name seg_kind_names[] = {
    {SEG_KIND_FILE, "file"},       {SEG_KIND_CONTEXT, "context"},
    {SEG_KIND_CODE, "code"},       {SEG_KIND_DECISION, "decision"},
    {SEG_KIND_PACKAGE, "package"}, {SEG_KIND_TRACER, "tracer"},
    {SEG_KIND_NAME, "name"},       {0, NULL},
};
COMPLETE(seg_kind_names, SEG_KINDS - 1);

const struct seg_name seg_state_names[] = {
    {SEG_PROCESS_ATTACHED, "attached"},
    {SEG_PROCESS_DONE, "done"},
    {SEG_PROCESS_LEFT, "left"},
    {0, NULL},
};

const struct seg_name seg_lost_names[] = {
    {SEG_LOST_SPACE, "space"},   {SEG_LOST_MAP, "map"},
    {SEG_LOST_LIMIT, "limit"},   {SEG_LOST_TRACER, "tracer"},
    {SEG_LOST_ATTACH, "attach"}, {SEG_LOST_PLUGIN, "plugin"},
    {SEG_LOST_USER, "user"},     {0, NULL},
};
COMPLETE(seg_lost_names, SEG_LOST_KINDS);

const char *seg_name_of(const struct seg_name *names, uint32_t value)
{
    while (names->name != NULL && names->value != value)
        names++;
    return names->name != NULL ? names->name : "unknown";
}
