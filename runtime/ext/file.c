/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides once for each file name whether its code is measured. A decision costs a few system
 * calls (the canonical path), so it is kept twice: in this interpreter's dict, and for absolute
 * names in the segment, where the next process finds it.
 */
#include "file.h"

#include <limits.h>
#include <string.h>

#include "process.h"

#define KEY_MAX (3 * PATH_MAX)

int rt_sys_path_entry(void *arg, unsigned i, char *buf, size_t size)
{
    PyObject *path = PySys_GetObject("path"), *item;
    const char *text;

    (void)arg;
    if (!path || !PyList_Check(path) || (Py_ssize_t)i >= PyList_GET_SIZE(path))
        return 0;
    item = PyList_GET_ITEM(path, i);
    text = PyUnicode_Check(item) ? PyUnicode_AsUTF8(item) : NULL;
    if (!text || strlen(text) >= size) {
        PyErr_Clear();
        text = "";
    }
    strcpy(buf, text);
    return 1;
}

/* A str of the frame's globals in the file system's encoding, as a new bytes object, or NULL. */
static PyObject *encoded(PyObject *value)
{
    PyObject *bytes = value && PyUnicode_Check(value) ? PyUnicode_EncodeFSDefault(value) : NULL;

    if (!bytes)
        PyErr_Clear();
    return bytes;
}

/* The module's name: __spec__.name for a __main__ that was found by name (python -m). New, or NULL.
 */
static PyObject *module_name(PyObject *globals)
{
    PyObject *name = PyDict_GetItemString(globals, "__name__"), *spec, *real, *bytes;

    if (!name || !PyUnicode_Check(name))
        return NULL;
    if (PyUnicode_CompareWithASCIIString(name, "__main__"))
        return encoded(name);
    spec = PyDict_GetItemString(globals, "__spec__");
    if (!spec || spec == Py_None)
        return encoded(name);
    real = PyObject_GetAttrString(spec, "name");
    if (!real)
        PyErr_Clear();
    bytes = encoded(real ? real : name);
    Py_XDECREF(real);
    return bytes;
}

/* Tells the supervisor where a package named in source_pkgs lies: only this process may have
 * imported it. */
static void publish_package(const char *module, const char *canonical)
{
    const char *package = module ? rt_rules_package(rt_process.rules, module) : NULL;
    char key[2 * PATH_MAX];
    size_t name_len, len = strlen(canonical);
    const char *base;
    unsigned up = 0;
    struct seg_entry *entry;

    if (!package)
        return;
    name_len = strlen(package);
    for (const char *p = module + name_len; *p; p++)
        up += *p == '.';
    base = strrchr(canonical, '/');
    if (base && !strncmp(base, "/__init__.", 10))
        up++;
    for (; up && len; up--)
        while (len && canonical[--len] != '/')
            ;
    if (!len || name_len + 1 + len > sizeof key)
        return;
    memcpy(key, package, name_len);
    key[name_len] = 0;
    memcpy(key + name_len + 1, canonical, len);
    seg_intern(rt_process.seg, SEG_KIND_PACKAGE, key, name_len + 1 + len, NULL, 0, &entry);
}

static size_t join_key(char *key, const char *a, const char *b, const char *c)
{
    const char *part[3] = {a, b ? b : "", c ? c : ""};
    size_t at = 0;

    for (int i = 0; i < 3; i++) {
        size_t len = strlen(part[i]) + 1;

        if (at + len > KEY_MAX)
            return 0;
        memcpy(key + at, part[i], len);
        at += len;
    }
    return at;
}

static struct seg_entry *decide(const char *name, const char *dunder_file, const char *module)
{
    char key[KEY_MAX], canonical[PATH_MAX];
    size_t key_len = name[0] == '/' ? join_key(key, name, dunder_file, module) : 0;
    struct seg_entry *file = NULL, *known;
    struct seg_decision decision = {0};

    if (key_len) {
        known = seg_find(rt_process.seg, SEG_KIND_DECISION, key, key_len);
        if (known) {
            memcpy(&decision, seg_entry_value(known), sizeof decision);
            return decision.entry ? seg_entry_at(rt_process.seg, decision.entry) : NULL;
        }
    }
    if (rt_rules_decide(rt_process.rules, name, dunder_file, module, rt_sys_path_entry, NULL,
                        canonical, sizeof canonical)) {
        if (seg_file(rt_process.seg, canonical, strlen(canonical), &file))
            return NULL; /* counted */
        decision.file = file->id;
        decision.entry = seg_entry_offset(rt_process.seg, file);
    }
    publish_package(module, canonical); /* that it was imported counts, measured or not */
    if (key_len)
        seg_intern(rt_process.seg, SEG_KIND_DECISION, key, key_len, &decision, sizeof decision,
                   &known);
    return file;
}

void rt_file_lossy(struct seg_entry *file)
{
    /* relaxed: it leads nowhere */
    seg_store32_relaxed(&((struct seg_file *)seg_entry_value(file))->lossy, 1);
}

void rt_file_main_began(void)
{
    PyObject *globals = PyEval_GetGlobals() /* borrowed */;
    PyObject *name = globals ? PyDict_GetItemString(globals, "__name__") : NULL;
    struct seg_decision none = {0};
    struct seg_entry *entry;

    if (name && PyUnicode_Check(name) && !PyUnicode_CompareWithASCIIString(name, "__main__"))
        seg_intern(rt_process.seg, SEG_KIND_DECISION, SEG_MAIN_BEGAN, sizeof SEG_MAIN_BEGAN, &none,
                   sizeof none, &entry);
}

static struct rt_file *first_seen(struct rt_state *state, PyObject *filename)
{
    PyObject *globals = PyEval_GetGlobals() /* borrowed */, *address = NULL;
    PyObject *name = encoded(filename), *dunder_file = NULL, *module = NULL;
    struct seg_entry *entry = NULL;
    struct rt_file *file = NULL;

    rt_file_main_began();
    if (globals) {
        dunder_file = encoded(PyDict_GetItemString(globals, "__file__"));
        module = module_name(globals);
    }
    if (name)
        entry = decide(PyBytes_AS_STRING(name), dunder_file ? PyBytes_AS_STRING(dunder_file) : NULL,
                       module ? PyBytes_AS_STRING(module) : NULL);
    if (entry)
        file = PyMem_RawCalloc(1, sizeof *file);
    if (file)
        file->entry = entry;
    address = file ? PyLong_FromVoidPtr(file) : Py_NewRef(Py_None);
    if (!address || PyDict_SetItem(state->decisions, filename, address))
        PyErr_Clear();
    Py_XDECREF(address);
    Py_XDECREF(name);
    Py_XDECREF(dunder_file);
    Py_XDECREF(module);
    return file;
}

struct rt_file *rt_file_of(struct rt_state *state, PyCodeObject *code)
{
    PyObject *known;

    if (state->decisions_epoch != rt_process.epoch) {
        state->decisions_epoch = rt_process.epoch;
        PyDict_Clear(state->decisions);
    }
    known = PyDict_GetItemWithError(state->decisions, code->co_filename);
    if (known)
        return known == Py_None ? NULL : PyLong_AsVoidPtr(known);
    if (PyErr_Occurred())
        PyErr_Clear();
    return first_seen(state, code->co_filename);
}
