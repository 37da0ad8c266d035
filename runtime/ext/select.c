/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the rules of a segment, and applies them in coverage.py's order. Functions name the one of
 * inorout.py that they follow; where the two differ, ours has a bug.
 */
#include "select.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "canon.h"
#include "glob.h"
#include "utf8.h"

struct text {
    const char *s; /* ends with \0 */
    size_t len;
};

struct rt_rules {
    struct rt_folders *folders;
    struct text *texts; /* of all kinds, kind after kind */
    char *bytes;
    uint32_t first[SEG_RULE_KINDS + 1]; /* index of the kind's first text */
    struct rt_glob **globs;             /* by text; NULL: not a pattern */
};

/* Buffers for one decision. On the heap: a thread of the program may have 32 KiB of stack. */
struct desk {
    char entry[PATH_MAX], entry_canonical[PATH_MAX]; /* of sys.path; a longer one does not exist */
    struct rt_glob_room glob;
    char names[]; /* rt_rules_decide's own */
};

/* What a decision is about. */
struct subject {
    const struct rt_rules *rules;
    struct desk *desk;
    const char *path;   /* compared with folders: canonical */
    const char *name;   /* compared with patterns: the same, or a plug-in's name for it */
    struct text module; /* s is NULL: unknown */
    rt_sys_path_fn *sys_path;
    void *arg;
};

static bool has(const struct rt_rules *rules, enum seg_rule_kind kind)
{
    return rules->first[kind] != rules->first[kind + 1];
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* -- loading -- */

static int count_rules(struct seg_rules plan, uint32_t *first)
{
    const struct seg_rule *rule;

    while ((rule = seg_rule_next(&plan)))
        first[rule->kind + 1]++;
    for (unsigned kind = 1; kind <= SEG_RULE_KINDS; kind++)
        first[kind] += first[kind - 1];
    return plan.left ? -1 : 0;
}

static int fill(struct rt_rules *rules, struct seg_rules plan)
{
    uint32_t next[SEG_RULE_KINDS];
    char *to = rules->bytes;
    const struct seg_rule *rule;

    memcpy(next, rules->first, sizeof next);
    while ((rule = seg_rule_next(&plan))) {
        uint32_t i = next[rule->kind]++;

        memcpy(to, seg_rule_text(rule), rule->len);
        to[rule->len] = 0;
        rules->texts[i] = (struct text){to, rule->len};
        if ((rule->kind == SEG_RULE_INCLUDE || rule->kind == SEG_RULE_OMIT) &&
            rt_glob_compile(to, rule->len, &rules->globs[i]))
            return -1;
        to += rule->len + 1;
    }
    return 0;
}

int rt_rules_load(struct seg_rules plan, struct rt_rules **out)
{
    struct rt_rules *rules = calloc(1, sizeof *rules);
    size_t n;

    *out = NULL;
    if (!rules)
        return -1;
    if (count_rules(plan, rules->first))
        goto fail;
    n = rules->first[SEG_RULE_KINDS];
    rules->texts = calloc(n + 1, sizeof *rules->texts);
    rules->globs = calloc(n + 1, sizeof *rules->globs);
    rules->bytes = malloc(plan.left + 1); /* a rule's header is longer than the zero it becomes */
    rules->folders = rt_folders_new();
    if (!rules->texts || !rules->globs || !rules->bytes || !rules->folders || fill(rules, plan))
        goto fail;
    *out = rules;
    return 0;
fail:
    rt_rules_free(rules);
    return -1;
}

void rt_rules_free(struct rt_rules *rules)
{
    if (!rules)
        return;
    for (uint32_t i = 0; rules->globs && i < rules->first[SEG_RULE_KINDS]; i++)
        rt_glob_free(rules->globs[i]);
    rt_folders_free(rules->folders);
    free(rules->globs);
    free(rules->texts);
    free(rules->bytes);
    free(rules);
}

const char *rt_rules_text(const struct rt_rules *rules, enum seg_rule_kind kind)
{
    return has(rules, kind) ? rules->texts[rules->first[kind]].s : NULL;
}

/* -- matchers -- */

/* TreeMatcher: the path itself, or below it. */
static bool under(const char *path, const char *root, size_t len)
{
    return !strncmp(path, root, len) && (!path[len] || path[len] == '/');
}

static bool in_tree(const struct rt_rules *rules, enum seg_rule_kind kind, const char *path)
{
    for (uint32_t i = rules->first[kind]; i < rules->first[kind + 1]; i++)
        if (under(path, rules->texts[i].s, rules->texts[i].len))
            return true;
    return false;
}

/* GlobMatcher */
static bool in_globs(const struct subject *subject, enum seg_rule_kind kind)
{
    const struct rt_rules *rules = subject->rules;

    for (uint32_t i = rules->first[kind]; i < rules->first[kind + 1]; i++)
        if (rt_glob_match(rules->globs[i], subject->name, &subject->desk->glob))
            return true;
    return false;
}

/* ModuleMatcher: the module itself, or below its dot. */
static const char *in_modules(const struct rt_rules *rules, enum seg_rule_kind kind,
                              struct text module)
{
    if (!module.len)
        return NULL;
    for (uint32_t i = rules->first[kind]; i < rules->first[kind + 1]; i++) {
        const struct text *package = &rules->texts[i];

        if (module.len >= package->len && !memcmp(module.s, package->s, package->len) &&
            (module.len == package->len || module.s[package->len] == '.'))
            return package->s;
    }
    return NULL;
}

const char *rt_rules_package(const struct rt_rules *rules, const char *module)
{
    return in_modules(rules, SEG_RULE_SOURCE_PKG, (struct text){module, strlen(module)});
}

/* -- third-party code: _add_third_party_paths, set_matchers_depending_on_syspath -- */

/* The part of third_paths that the supervisor cannot know: entries of a process's own sys.path that
 * lie in a virtual environment. */
static bool in_sys_path_venv(const struct subject *subject, const char *path)
{
    struct desk *desk = subject->desk;
    char *canonical = desk->entry_canonical;

    if (!has(subject->rules, SEG_RULE_VENV_THIRD) || !subject->sys_path)
        return false;
    for (unsigned i = 0; subject->sys_path(subject->arg, i, desk->entry, sizeof desk->entry); i++)
        if (rt_folder_in_venv(subject->rules->folders, desk->entry, canonical,
                              sizeof desk->entry_canonical) &&
            under(path, canonical, strlen(canonical)))
            return true;
    return false;
}

/* The supervisor knows the standard library of its own interpreter; this may be another. Mostly it
 * is the same, which costs no canonical path. */
static bool in_own_library(const struct subject *subject, const char *path)
{
    struct desk *desk = subject->desk;
    char *canonical = desk->entry_canonical;

    return subject->sys_path &&
           subject->sys_path(subject->arg, RT_LIBRARY, desk->entry, sizeof desk->entry) &&
           desk->entry[0] && !in_tree(subject->rules, SEG_RULE_STDLIB_DIR, desk->entry) &&
           !rt_canonical(subject->rules->folders, desk->entry, canonical,
                         sizeof desk->entry_canonical) &&
           under(path, canonical, strlen(canonical));
}

static bool third_party(const struct subject *subject, const char *path)
{
    return in_tree(subject->rules, SEG_RULE_THIRD_DIR, path) || in_sys_path_venv(subject, path);
}

/* Does the path end as that of a module with this name would? */
static bool lies_as_named(const char *path, struct text module)
{
    const char *base = base_name(path), *dot = strrchr(base, '.'), *tail;
    const char *end = !strncmp(base, "__init__.", 9) ? base - 1 : dot ? dot : base + strlen(base);

    if (end - path <= (ptrdiff_t)module.len)
        return false;
    tail = end - module.len;
    for (size_t i = 0; i < module.len; i++)
        if (tail[i] != (module.s[i] == '.' ? '/' : module.s[i]))
            return false;
    return tail[-1] == '/';
}

static bool source_in_third(const struct subject *subject)
{
    const struct rt_rules *rules = subject->rules;

    if (in_tree(rules, SEG_RULE_THIRD_SOURCE, subject->path) ||
        (in_modules(rules, SEG_RULE_SOURCE_PKG_THIRD, subject->module) &&
         lies_as_named(subject->path, subject->module)))
        return true;
    for (uint32_t i = rules->first[SEG_RULE_SOURCE_DIR]; i < rules->first[SEG_RULE_SOURCE_DIR + 1];
         i++) {
        const struct text *folder = &rules->texts[i];

        if (under(subject->path, folder->s, folder->len) && third_party(subject, folder->s))
            return true;
    }
    return false;
}

/* -- the decision: check_include_omit_etc -- */

static bool encodable(const char *path)
{
    const char *end = path + strlen(path);

    while (path < end)
        if (seg_utf8_is_bad(seg_utf8_next(&path, end)))
            return false;
    return true;
}

static bool measured(const struct subject *subject)
{
    const struct rt_rules *rules = subject->rules;
    const char *path = subject->path;

    if (!encodable(subject->name))
        return false;
    if (has(rules, SEG_RULE_SOURCE_DIR) || has(rules, SEG_RULE_SOURCE_PKG)) {
        if (!in_modules(rules, SEG_RULE_SOURCE_PKG, subject->module) &&
            !in_tree(rules, SEG_RULE_SOURCE_DIR, path))
            return false;
        if (third_party(subject, path) && !source_in_third(subject))
            return false;
    } else if (has(rules, SEG_RULE_INCLUDE)) {
        if (!in_globs(subject, SEG_RULE_INCLUDE))
            return false;
    } else {
        if (in_tree(rules, SEG_RULE_NEVER_DIR, path) || third_party(subject, path))
            return false;
        if (!has(rules, SEG_RULE_COVER_PYLIB) &&
            (in_tree(rules, SEG_RULE_STDLIB_DIR, path) || in_own_library(subject, path)))
            return false;
    }
    return !in_globs(subject, SEG_RULE_OMIT);
}

static bool ends_with(const char *s, size_t len, const char *suffix)
{
    size_t n = strlen(suffix);

    return len >= n && !memcmp(s + len - n, suffix, n);
}

/* name_for_module: the part that remains once the caller has looked at __name__ and __spec__. */
static struct text module_of(const char *canonical, const char *module)
{
    static const char *const suffixes[] = {".pyc", ".py", ".so"};
    const char *base = base_name(canonical);
    size_t len = strlen(base);

    if (module && strcmp(module, "__main__"))
        return (struct text){module, strlen(module)};
    for (unsigned i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (ends_with(base, len, suffixes[i]))
            return (struct text){base, len - strlen(suffixes[i])};
    return (struct text){module, module ? strlen(module) : 0};
}

int rt_rules_match(const struct rt_rules *rules, const char *canonical, const char *name,
                   const char *module, rt_sys_path_fn *path, void *arg)
{
    struct subject subject = {.rules = rules,
                              .desk = malloc(sizeof *subject.desk),
                              .path = canonical,
                              .name = name,
                              .module = module_of(canonical, module),
                              .sys_path = path,
                              .arg = arg};
    int answer = subject.desk ? measured(&subject) : RT_CANON_NO_MEMORY;

    free(subject.desk);
    return answer;
}

/* -- from a code object to a canonical path: should_trace, canonical_filename -- */

static bool exists(const char *path)
{
    struct stat st;

    return !stat(path, &st);
}

/* Is a relative name, which does not exist in the current folder, below an entry of sys.path? Then
 * `found`, which has room for an entry and the name, is the path. */
static bool find_relative(const char *name, rt_sys_path_fn *path, void *arg, char *found)
{
    size_t name_len = strlen(name);

    if (exists(name) || !path)
        return false;
    for (unsigned i = 0; path(arg, i, found, PATH_MAX); i++) {
        size_t len = strlen(found);
        bool slash = len && found[len - 1] != '/';

        if (!len)
            continue;
        if (slash)
            found[len++] = '/';
        memcpy(found + len, name, name_len + 1);
        if (exists(found))
            return true;
    }
    return false;
}

/* source_for_file: the .py of a .pyc. */
static void source_of(const char *file, char *source)
{
    size_t len = strlen(file);

    if (ends_with(file, len, ".pyc") || ends_with(file, len, ".pyo"))
        len--;
    memcpy(source, file, len);
    source[len] = 0;
}

/* The name to make canonical; NULL: it is not that of a file. */
static const char *name_of(const struct subject *subject, const char *co_filename,
                           const char *dunder_file, char *source, char *found)
{
    const char *name = co_filename;

    if (dunder_file[0]) {
        source_of(dunder_file, source);
        if (!co_filename[0] || !strcmp(base_name(co_filename), base_name(source)))
            name = source;
    }
    if (!name[0] || name[0] == '<' || !strncmp(name, "memory:", 7))
        return NULL;
    if (name[0] != '/' && find_relative(name, subject->sys_path, subject->arg, found))
        name = found;
    return name;
}

int rt_rules_decide(const struct rt_rules *rules, const char *co_filename, const char *dunder_file,
                    const char *module, rt_sys_path_fn *path, void *arg, char *canonical,
                    size_t size)
{
    struct subject subject = {
        .rules = rules, .path = canonical, .name = canonical, .sys_path = path, .arg = arg};
    size_t name_len = strlen(co_filename), source_len;
    const char *name;
    int answer = 0;

    canonical[0] = 0;
    if (co_filename[0] == '<')
        return 0;
    if (!dunder_file)
        dunder_file = "";
    source_len = strlen(dunder_file);
    if (name_len < source_len)
        name_len = source_len;
    subject.desk = malloc(sizeof *subject.desk + source_len + 1 + PATH_MAX + name_len + 1);
    if (!subject.desk)
        return RT_CANON_NO_MEMORY;
    name = name_of(&subject, co_filename, dunder_file, subject.desk->names,
                   subject.desk->names + source_len + 1);
    if (!name)
        goto done;
    answer = rt_canonical(rules->folders, name, canonical, size);
    if (answer) {
        canonical[0] = 0;
        goto done;
    }
    subject.module = module_of(canonical, module);
    answer = measured(&subject);
done:
    free(subject.desk);
    return answer;
}
