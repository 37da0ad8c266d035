/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides once for each file name whether its code is measured. A decision takes a few system calls
 * (for the canonical path), so it is kept in this interpreter's dict, and for absolute names in the
 * segment as well, where the next process finds it.
 */
#include "file.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"

/* Far above what a file system allows. Longer names are made up: each process decides on its
 * own. */
#define SHARED_MAX (16 * PATH_MAX)

int rt_sys_path_entry(void *arg, unsigned i, char *buf, size_t size)
{
    const bool library = i == RT_LIBRARY;
    PyObject *path = PySys_GetObject(library ? "_stdlib_dir" : "path"), *item = path;
    const char *text;

    (void)arg;
    if (!path)
        return 0;
    if (!library) {
        if (!PyList_Check(path) || (Py_ssize_t)i >= PyList_GET_SIZE(path))
            return 0;
        item = PyList_GET_ITEM(path, i);
    }
    text = PyUnicode_Check(item) ? PyUnicode_AsUTF8(item) : NULL;
    if (!text || strlen(text) >= size) {
        PyErr_Clear();
        text = "";
    }
    strcpy(buf, text);
    return 1;
}

/* A str in the file system's encoding, as new bytes. NULL: it is no str or cannot be encoded. */
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

/* Publishes where a package of source_pkgs lies: other processes may not have imported it. */
static void publish_package(const char *module, const char *canonical)
{
    const char *package = module ? rt_rules_package(rt_process_rules(), module) : NULL;
    size_t name_len, len = strlen(canonical);
    const char *base;
    unsigned up = 0;
    struct seg_entry *entry;
    char *key;

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
    if (!len)
        return;
    key = malloc(name_len + 1 + len);
    if (!key) {
        seg_lose(rt_process_seg(), SEG_LOST_TRACER, 1);
        return;
    }
    memcpy(key, package, name_len);
    key[name_len] = 0;
    memcpy(key + name_len + 1, canonical, len);
    seg_intern(rt_process_seg(), SEG_KIND_PACKAGE, key, name_len + 1 + len, NULL, 0, &entry);
    free(key);
}

/* What a decision is about: text in the encoding of the file system. */
struct question {
    const char *name, *dunder_file, *module; /* NULL: none */
};

/* Buffers for one decision. On the heap: a thread of the program may have 32 KiB of stack. */
struct desk {
    char *canonical; /* size bytes */
    size_t size, key_len;
    char key[]; /* the three texts of the question, each with its \0 */
};

static struct desk *desk_for(const struct question *question)
{
    const char *text[] = {question->name, question->dunder_file, question->module};
    size_t len[3], key_len = 0, longer;
    struct desk *desk;

    for (int i = 0; i < 3; i++) {
        len[i] = text[i] ? strlen(text[i]) : 0;
        key_len += len[i] + 1;
    }
    longer = len[0] > len[1] ? len[0] : len[1];
    desk = malloc(sizeof *desk + key_len + RT_CANON_SIZE(longer));
    if (!desk)
        return NULL;
    desk->key_len = 0;
    for (int i = 0; i < 3; i++) {
        if (len[i])
            memcpy(desk->key + desk->key_len, text[i], len[i]);
        desk->key_len += len[i];
        desk->key[desk->key_len++] = 0;
    }
    desk->canonical = desk->key + key_len;
    desk->size = RT_CANON_SIZE(longer);
    return desk;
}

/* Decides what no process has decided. False: it failed, or there is no room; counted as lost. */
static bool file_answer(const struct question *question, struct desk *desk, struct seg_entry **file)
{
    int measured =
        rt_rules_decide(rt_process_rules(), question->name, question->dunder_file, question->module,
                        rt_sys_path_entry, NULL, desk->canonical, desk->size);
    bool answered = measured >= 0 || measured == RT_CANON_GONE;

    if (!answered)
        seg_lose(rt_process_seg(), measured == RT_CANON_LONG ? SEG_LOST_LIMIT : SEG_LOST_TRACER, 1);
    else if (measured > 0)
        answered = !seg_file(rt_process_seg(), desk->canonical, strlen(desk->canonical), file);
    publish_package(question->module, desk->canonical); /* it was imported, measured or not */
    return answered;
}

static struct seg_entry *file_decide(const struct question *question)
{
    struct desk *desk = desk_for(question);
    /* Is the answer the same in every process, and the key not too long for the segment? */
    bool anywhere = question->name[0] == '/' && desk && desk->key_len <= SHARED_MAX;
    struct seg_entry *file = NULL, *known = NULL;
    struct seg_decision decision = {0};

    if (!desk) {
        seg_lose(rt_process_seg(), SEG_LOST_TRACER, 1);
        return NULL;
    }
    if (anywhere)
        known = seg_find(rt_process_seg(), SEG_KIND_DECISION, desk->key, desk->key_len);
    if (known) {
        memcpy(&decision, seg_entry_value(known), sizeof decision);
        file = decision.entry ? seg_entry_at(rt_process_seg(), decision.entry) : NULL;
    } else if (!file_answer(question, desk, &file)) {
        file = NULL;
    } else if (anywhere) {
        decision.file = file ? file->id : 0;
        decision.entry = file ? seg_entry_offset(rt_process_seg(), file) : 0;
        seg_intern(rt_process_seg(), SEG_KIND_DECISION, desk->key, desk->key_len, &decision,
                   sizeof decision, &known);
    }
    free(desk);
    return file;
}

void rt_file_lossy(struct seg_entry *file)
{
    /* relaxed: it leads nowhere */
    seg_store32_relaxed(&((struct seg_file *)seg_entry_value(file))->lossy, 1);
}

static void main_began(PyObject *globals)
{
    PyObject *name = globals ? PyDict_GetItemString(globals, "__name__") : NULL;
    struct seg_decision none = {0};
    struct seg_entry *entry;

    if (name && PyUnicode_Check(name) && !PyUnicode_CompareWithASCIIString(name, "__main__"))
        seg_intern(rt_process_seg(), SEG_KIND_DECISION, SEG_MAIN_BEGAN, sizeof SEG_MAIN_BEGAN,
                   &none, sizeof none, &entry);
}

void rt_file_main_began(void)
{
    main_began(PyEval_GetGlobals() /* borrowed */);
}

/* Those of the code that is being entered: borrowed, or NULL. */
static PyObject *globals_of_code(const struct rt_state *state)
{
#if RT_BREAKPOINTS
    if (state->entering)
        return state->entering;
#endif
    (void)state;
    return PyEval_GetGlobals();
}

static struct seg_entry *file_first_sight(struct rt_state *state, PyObject *filename)
{
    PyObject *globals = globals_of_code(state), *address = NULL;
    PyObject *name = encoded(filename), *dunder_file = NULL, *module = NULL;
    struct seg_entry *file = NULL;

    main_began(globals);
    if (globals) {
        dunder_file = encoded(PyDict_GetItemString(globals, "__file__"));
        module = module_name(globals);
    }
    if (name)
        file = file_decide(&(struct question){
            PyBytes_AS_STRING(name),
            dunder_file ? PyBytes_AS_STRING(dunder_file) : NULL,
            module ? PyBytes_AS_STRING(module) : NULL,
        });
    address = file ? PyLong_FromVoidPtr(file) : Py_NewRef(Py_None);
    if (!address || PyDict_SetItem(state->decisions, filename, address))
        PyErr_Clear();
    Py_XDECREF(address);
    Py_XDECREF(name);
    Py_XDECREF(dunder_file);
    Py_XDECREF(module);
    return file;
}

struct seg_entry *rt_file_of(struct rt_state *state, PyCodeObject *code)
{
    PyObject *known;

    if (state->decisions_epoch != rt_process_epoch()) {
        state->decisions_epoch = rt_process_epoch();
        PyDict_Clear(state->decisions);
    }
    known = PyDict_GetItemWithError(state->decisions, code->co_filename);
    if (known)
        return known == Py_None ? NULL : PyLong_AsVoidPtr(known);
    if (PyErr_Occurred())
        PyErr_Clear();
    return file_first_sight(state, code->co_filename);
}
