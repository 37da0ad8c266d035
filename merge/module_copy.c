/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The class shmcov._merge.Copy.
 *
 * A Copy may be used from several threads: its lock is held around everything that changes it or
 * takes long, with the GIL released. No Python code runs under the lock.
 */
#include "module.h"

#include <errno.h>

#include "names.h"
#include "platform.h"
#include "process.h"

struct copy {
    PyObject_HEAD
    struct merge *merge;
    PyThread_type_lock lock;
};

static void lock_copy(struct copy *self)
{
    if (PyThread_acquire_lock(self->lock, NOWAIT_LOCK))
        return;
    Py_BEGIN_ALLOW_THREADS
    PyThread_acquire_lock(self->lock, WAIT_LOCK);
    Py_END_ALLOW_THREADS
}

static void unlock_copy(struct copy *self)
{
    PyThread_release_lock(self->lock);
}

/* dict[key] = value. Steals the reference to the value, which may be NULL. */
static int put(PyObject *dict, const char *key, PyObject *value)
{
    int status = value ? PyDict_SetItemString(dict, key, value) : -1;

    Py_XDECREF(value);
    return status;
}

/* Adds an item to a list, which becomes NULL if that fails. Steals the reference to the item. */
static void append(PyObject **list, PyObject *item)
{
    if (!item || PyList_Append(*list, item))
        Py_CLEAR(*list);
    Py_XDECREF(item);
}

static PyObject *number(uint64_t n)
{
    return PyLong_FromUnsignedLongLong(n);
}

static PyObject *context_string(const char *text, size_t len)
{
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)len, "replace");
}

static PyObject *path_string(const char *text, size_t len)
{
    return PyUnicode_DecodeFSDefaultAndSize(text, (Py_ssize_t)len);
}

/* -- Copy: life -- */

static PyObject *raise_segment(struct merge_module *state, int status, int reason)
{
    if (status == SEG_ERR_SYSTEM) {
        PyErr_SetString(state->segment_error, strerror(reason));
        return NULL;
    }
    PyErr_SetString(status == SEG_ERR_VERSION ? state->version_error : state->segment_error,
                    seg_strstatus(status));
    return NULL;
}

static PyObject *copy_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"fd", NULL};
    struct merge_module *state = PyType_GetModuleState(type);
    struct copy *self;
    int fd, status, reason;

    if (!state || !PyArg_ParseTupleAndKeywords(args, kwargs, "i:Copy", names, &fd))
        return NULL;
    self = (struct copy *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->lock = PyThread_allocate_lock();
    if (!self->lock) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    Py_BEGIN_ALLOW_THREADS
    status = merge_open(fd, &self->merge);
    reason = errno;
    Py_END_ALLOW_THREADS
    if (status) {
        Py_DECREF(self);
        return status == SEG_ERR_NOMEM ? PyErr_NoMemory() : raise_segment(state, status, reason);
    }
    return (PyObject *)self;
}

static void copy_dealloc(PyObject *object)
{
    struct copy *self = (struct copy *)object;
    PyTypeObject *type = Py_TYPE(object);

    merge_close(self->merge);
    if (self->lock)
        PyThread_free_lock(self->lock);
    type->tp_free(object);
    Py_DECREF(type);
}

/* -- Copy: what is in the segment -- */

static PyObject *lost_dict(const struct seg_header *header)
{
    PyObject *dict = PyDict_New();

    for (const struct seg_name *lost = seg_lost_names; dict && lost->name; lost++) {
        if (put(dict, lost->name, number(seg_load_relaxed(&header->lost[lost->value]))))
            Py_CLEAR(dict);
    }
    return dict;
}

/* The lossy files. The caller has locked the copy. */
static PyObject *lossy_list(struct seg_copy *copy)
{
    PyObject *list = PyList_New(0);
    struct seg_cursor cursor = {0};
    const struct seg_entry *entry;

    while (list && (entry = seg_copy_next(copy, SEG_KIND_FILE, &cursor))) {
        const struct seg_file *file = (const struct seg_file *)(entry + 1);

        if (seg_load32_relaxed(&file->lossy))
            append(&list, path_string((const char *)seg_entry_key(entry), entry->key_len));
    }
    return list;
}

static PyObject *rules_list(const struct seg_copy *copy)
{
    struct seg_rules rules = seg_copy_rules(copy);
    const struct seg_rule *rule;
    PyObject *list = PyList_New(0);

    while (list && (rule = seg_rule_next(&rules))) {
        append(&list,
               Py_BuildValue("(IN)", rule->kind, path_string(seg_rule_text(rule), rule->len)));
    }
    return list;
}

PyDoc_STRVAR(info_doc, "info()\n--\n\nThe header and the plan of the segment.");

static PyObject *copy_info(PyObject *object, PyObject *Py_UNUSED(args))
{
    struct copy *self = (struct copy *)object;
    struct seg_copy *copy = merge_copy(self->merge);
    const struct seg_header *header = seg_copy_header(copy);
    size_t len;
    const char *context = merge_static_context(self->merge, &len);
    PyObject *dict = PyDict_New(), *lossy;
    uint64_t damaged;

    if (!dict)
        return NULL;
    lock_copy(self);
    lossy = lossy_list(copy);
    damaged = copy->damaged;
    unlock_copy(self);
    if (put(dict, "lossy", lossy) || put(dict, "flags", number(header->flags)) ||
        put(dict, "version", number(header->version)) ||
        put(dict, "fingerprint", number(header->fingerprint)) ||
        put(dict, "uid", number(header->uid)) || put(dict, "created", number(header->created)) ||
        put(dict, "supervisor",
            Py_BuildValue("(IKK)", header->supervisor_pid,
                          (unsigned long long)header->supervisor_start,
                          (unsigned long long)header->supervisor_ns)) ||
        put(dict, "size", number(header->size)) ||
        put(dict, "used", number(seg_load_relaxed(&header->bump))) ||
        put(dict, "allocated", number(copy->allocated)) || put(dict, "damaged", number(damaged)) ||
        put(dict, "lost", lost_dict(header)) ||
        put(dict, "context", context_string(context, len)) || put(dict, "rules", rules_list(copy)))
        Py_CLEAR(dict);
    return dict;
}

static PyObject *state_string(const struct seg_process *row)
{
    return PyUnicode_FromString(seg_name_of(seg_state_names, seg_load32_relaxed(&row->state)));
}

static PyObject *alive_object(const struct seg_process *row)
{
    enum seg_life life = seg_life(row->pid, row->start, row->ns);

    return life == SEG_LIFE_UNKNOWN ? Py_NewRef(Py_None) : PyBool_FromLong(life == SEG_LIFE_ALIVE);
}

/* What people call processes, by id, or NULL. */
static PyObject *names_dict(struct seg_copy *copy)
{
    PyObject *dict = PyDict_New();
    struct seg_cursor cursor = {0};
    const struct seg_entry *entry;

    while (dict && (entry = seg_copy_next(copy, SEG_KIND_NAME, &cursor))) {
        PyObject *id = number(entry->id);
        PyObject *name = context_string((const char *)seg_entry_key(entry), entry->key_len);

        if (!id || !name || PyDict_SetItem(dict, id, name))
            Py_CLEAR(dict);
        Py_XDECREF(id);
        Py_XDECREF(name);
    }
    return dict;
}

/* None for 0, and for what came after the table was copied. */
static PyObject *name_object(PyObject *names, uint32_t id)
{
    PyObject *key = number(id);
    PyObject *name = key ? PyDict_GetItemWithError(names, key) : NULL; /* borrowed */

    Py_XDECREF(key);
    if (PyErr_Occurred())
        return NULL;
    return Py_NewRef(name ? name : Py_None);
}

static PyObject *context_object(const struct merge *m, uint32_t id)
{
    size_t len;
    const char *name = merge_context(m, id, &len);

    return name ? context_string(name, len) : Py_NewRef(Py_None);
}

static PyObject *process_dict(const struct merge *m, PyObject *names, const struct seg_process *row)
{
    uint64_t since;
    uint32_t context = seg_process_context(row, &since);
    PyObject *dict = PyDict_New();

    if (!dict)
        return NULL;
    if (put(dict, "pid", number(row->pid)) || put(dict, "parent", number(row->parent)) ||
        put(dict, "start", number(row->start)) || put(dict, "ns", number(row->ns)) ||
        put(dict, "interpreter", number(row->interpreter)) ||
        put(dict, "state", state_string(row)) ||
        put(dict, "forked", PyBool_FromLong(row->forked != 0)) ||
        put(dict, "alive", alive_object(row)) ||
        put(dict, "name", name_object(names, seg_load32_relaxed(&row->name))) ||
        put(dict, "context", context_object(m, context)) ||
        put(dict, "since", PyFloat_FromDouble((double)since / 1e9)) ||
        put(dict, "tests", number(seg_load32_relaxed(&row->tests))))
        Py_CLEAR(dict);
    return dict;
}

PyDoc_STRVAR(processes_doc, "processes()\n--\n\nThe process table, newest first.");

static PyObject *copy_processes(PyObject *object, PyObject *Py_UNUSED(args))
{
    struct copy *self = (struct copy *)object;
    struct seg_copy *copy = merge_copy(self->merge);
    PyObject *list = PyList_New(0), *names;
    const struct seg_process *row;
    uint64_t offset = 0, steps = 0;

    lock_copy(self);
    names = names_dict(copy);
    if (!names)
        Py_CLEAR(list);
    while (list && (row = seg_copy_process(copy, &offset, &steps)))
        append(&list, process_dict(self->merge, names, row));
    unlock_copy(self);
    Py_XDECREF(names);
    return list;
}

PyDoc_STRVAR(hits_doc, "hits()\n--\n\nThe number of hits in the segment.");

static PyObject *copy_hits(PyObject *object, PyObject *Py_UNUSED(args))
{
    struct copy *self = (struct copy *)object;
    uint64_t hits;

    lock_copy(self);
    hits = seg_copy_hits(merge_copy(self->merge));
    unlock_copy(self);
    return number(hits);
}

PyDoc_STRVAR(files_doc, "files()\n--\n\nThe measured files, sorted.");

static PyObject *copy_files(PyObject *object, PyObject *Py_UNUSED(args))
{
    const struct merge *m = ((struct copy *)object)->merge;
    PyObject *list = PyList_New(0);

    for (size_t i = 0; list && i < merge_files(m); i++) {
        size_t len;
        const char *path = merge_file(m, i, &len);
        append(&list, path_string(path, len));
    }
    return list;
}

/* The file with that path. False: none, an exception is set. */
static bool find_file(const struct merge *m, PyObject *path, size_t *file)
{
    PyObject *bytes = NULL;
    bool found;

    if (!PyUnicode_FSConverter(path, &bytes))
        return false;
    found = merge_find_file(m, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes), file);
    Py_DECREF(bytes);
    if (!found)
        PyErr_SetObject(PyExc_KeyError, path);
    return found;
}

PyDoc_STRVAR(tracers_doc, "tracers()\n--\n\nFiles of plug-ins, with the plug-in's name.");

static PyObject *copy_tracers(PyObject *object, PyObject *Py_UNUSED(args))
{
    const struct merge *m = ((struct copy *)object)->merge;
    PyObject *dict = PyDict_New();

    for (size_t i = 0; dict && i < merge_files(m); i++) {
        size_t path_len, len;
        const char *path = merge_file(m, i, &path_len), *tracer = merge_tracer(m, i, &len);
        PyObject *key, *name;

        if (!tracer)
            continue;
        key = path_string(path, path_len);
        name = context_string(tracer, len);
        if (!key || !name || PyDict_SetItem(dict, key, name))
            Py_CLEAR(dict);
        Py_XDECREF(key);
        Py_XDECREF(name);
    }
    return dict;
}

PyDoc_STRVAR(lines_doc, "lines(path, /)\n--\n\nHow many lines of a file ran, in any context.");

static PyObject *copy_lines(PyObject *object, PyObject *path)
{
    struct copy *self = (struct copy *)object;
    uint64_t lines = 0;
    size_t file;

    if (!find_file(self->merge, path, &file))
        return NULL;
    return merge_lines(self->merge, file, &lines) ? PyErr_NoMemory() : number(lines);
}

PyDoc_STRVAR(numbits_doc, "numbits(path, /)\n--\n\n"
                          "The lines of a file that ran, in any context, as coverage.py has them.");

static PyObject *copy_numbits(PyObject *object, PyObject *path)
{
    struct copy *self = (struct copy *)object;
    PyObject *result = NULL;
    uint8_t *bits;
    size_t file, len;

    if (!find_file(self->merge, path, &file))
        return NULL;
    if (merge_line_bits(self->merge, file, &bits, &len))
        PyErr_NoMemory();
    else
        result = PyBytes_FromStringAndSize((const char *)bits, (Py_ssize_t)len);
    free(bits);
    return result;
}

PyDoc_STRVAR(packages_doc,
             "packages()\n--\n\nSource packages that were imported: (module, folder or file).");

static PyObject *copy_packages(PyObject *object, PyObject *Py_UNUSED(args))
{
    struct copy *self = (struct copy *)object;
    PyObject *list = PyList_New(0);
    struct seg_cursor cursor = {0};
    const struct seg_entry *entry;

    lock_copy(self);
    while (list && (entry = seg_copy_next(merge_copy(self->merge), SEG_KIND_PACKAGE, &cursor))) {
        const char *key = (const char *)seg_entry_key(entry);
        const char *end = entry->key_len ? memchr(key, 0, entry->key_len) : NULL;

        if (!end) {
            merge_copy(self->merge)->damaged++;
            continue;
        }
        append(&list,
               Py_BuildValue("(NN)", context_string(key, (size_t)(end - key)),
                             path_string(end + 1, entry->key_len - (size_t)(end + 1 - key))));
    }
    unlock_copy(self);
    return list;
}

PyDoc_STRVAR(main_began_doc, "main_began()\n--\n\nHas any process run code of __main__?");

static PyObject *copy_main_began(PyObject *object, PyObject *Py_UNUSED(args))
{
    struct copy *self = (struct copy *)object;
    struct seg_cursor cursor = {0};
    const struct seg_entry *entry;
    bool found = false;

    lock_copy(self);
    while (!found && (entry = seg_copy_next(merge_copy(self->merge), SEG_KIND_DECISION, &cursor)))
        found = entry->key_len == sizeof SEG_MAIN_BEGAN &&
                !memcmp(seg_entry_key(entry), SEG_MAIN_BEGAN, sizeof SEG_MAIN_BEGAN);
    unlock_copy(self);
    return PyBool_FromLong(found);
}

PyDoc_STRVAR(notes_doc,
             "notes()\n--\n\nWhat processes of the run have to say to whoever reads its end.");

static PyObject *copy_notes(PyObject *object, PyObject *Py_UNUSED(args))
{
    static const char prefix[] = SEG_NOTE;
    struct copy *self = (struct copy *)object;
    struct seg_cursor cursor = {0};
    const struct seg_entry *entry;
    PyObject *list = PyList_New(0);

    lock_copy(self);
    while (list && (entry = seg_copy_next(merge_copy(self->merge), SEG_KIND_DECISION, &cursor))) {
        const char *key = (const char *)seg_entry_key(entry);

        if (entry->key_len > sizeof prefix && !memcmp(key, prefix, sizeof prefix))
            append(&list,
                   PyUnicode_DecodeUTF8(key + sizeof prefix,
                                        (Py_ssize_t)(entry->key_len - sizeof prefix), "replace"));
    }
    unlock_copy(self);
    return list;
}

/* -- Copy: the multi-line map -- */

PyDoc_STRVAR(multiline_wanted_doc, "multiline_wanted()\n--\n\n"
                                   "Files whose arcs may depend on which lines form a statement.");

static PyObject *copy_multiline_wanted(PyObject *object, PyObject *Py_UNUSED(args))
{
    const struct merge *m = ((struct copy *)object)->merge;
    PyObject *list = PyList_New(0);

    for (size_t i = 0; list && i < merge_files(m); i++) {
        bool wanted;
        size_t len;
        const char *path = merge_file(m, i, &len);

        if (merge_wants_multiline(m, i, &wanted)) {
            Py_DECREF(list);
            return PyErr_NoMemory();
        }
        if (!wanted)
            continue;
        append(&list, path_string(path, len));
    }
    return list;
}

/* A line number; 0: one that no segment has room for; -1 with an exception. */
static long line_of(PyObject *object)
{
    int overflow;
    long line = PyLong_AsLongAndOverflow(object, &overflow);

    if (line == -1 && PyErr_Occurred())
        return -1;
    return overflow || line < 0 || line >= (long)MERGE_MAX_MULTILINE ? 0 : line;
}

/* A dict from line to first line as an array, or NULL with an exception. Nobody else may have a
 * reference to the dict. */
static uint32_t *first_lines(PyObject *lines, size_t *n)
{
    uint32_t *first = NULL;
    long last = 0;

    for (int round = 0; round < 2; round++) { /* the length, then the lines */
        PyObject *key, *value;                /* borrowed */
        Py_ssize_t at = 0;

        while (PyDict_Next(lines, &at, &key, &value)) {
            long line = line_of(key), begin = line_of(value);

            if (line < 0 || begin < 0)
                goto fail;
            if (round)
                first[line] = (uint32_t)begin;
            last = line > last ? line : last;
            last = begin > last ? begin : last;
        }
        if (!round && !(first = PyMem_Calloc((size_t)last + 1, sizeof *first))) {
            PyErr_NoMemory();
            goto fail;
        }
    }
    *n = (size_t)last + 1;
    return first;
fail:
    PyMem_Free(first);
    return NULL;
}

PyDoc_STRVAR(set_multiline_doc, "set_multiline(path, first_line, /)\n--\n\n"
                                "Give a file its multi-line map.");

static PyObject *copy_set_multiline(PyObject *object, PyObject *args)
{
    struct copy *self = (struct copy *)object;
    PyObject *path, *lines; /* borrowed */
    uint32_t *first;
    size_t file, n;
    int status;

    if (!PyArg_ParseTuple(args, "OO!:set_multiline", &path, &PyDict_Type, &lines) ||
        !find_file(self->merge, path, &file) || !(lines = PyDict_Copy(lines)))
        return NULL;
    first = first_lines(lines, &n);
    Py_DECREF(lines);
    if (!first)
        return NULL;
    lock_copy(self);
    status = merge_set_multiline(self->merge, file, first, n);
    unlock_copy(self);
    PyMem_Free(first);
    return status ? PyErr_NoMemory() : Py_NewRef(Py_None);
}

/* -- Copy: write -- */

/* The names in UTF-8; NULL for a name that has none or that `relative` leaves out. They live as
 * long as `keep`. */
static const char **stored_names(PyObject *relative, PyObject *paths, PyObject *keep)
{
    Py_ssize_t n = PyList_GET_SIZE(paths);
    const char **names = PyMem_Calloc((size_t)n + 1, sizeof *names);

    if (!names) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *path = PyList_GET_ITEM(paths, i); /* borrowed */
        PyObject *name =
            relative == Py_None ? Py_NewRef(path) : PyObject_CallOneArg(relative, path);
        int kept = name ? PyList_Append(keep, name) : -1;

        Py_XDECREF(name);
        if (!kept && name == Py_None)
            continue;
        if (!kept && !(names[i] = PyUnicode_AsUTF8(name)) &&
            !PyErr_ExceptionMatches(PyExc_UnicodeError))
            kept = -1;
        if (kept) {
            PyMem_Free(names);
            return NULL;
        }
        PyErr_Clear();
    }
    return names;
}

/* The plug-in of each path in the mapping, or NULL. They live as long as `keep`. */
static const char **tracer_names(PyObject *mapping, PyObject *paths, PyObject *keep)
{
    Py_ssize_t n = PyList_GET_SIZE(paths);
    const char **names = PyMem_Calloc((size_t)n + 1, sizeof *names);
    bool failed = !names;

    if (!names)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < n && !failed && mapping != Py_None; i++) {
        PyObject *name = PyObject_GetItem(mapping, PyList_GET_ITEM(paths, i));

        if (!name && PyErr_ExceptionMatches(PyExc_KeyError))
            PyErr_Clear();
        else
            failed = !name || PyList_Append(keep, name) || !(names[i] = PyUnicode_AsUTF8(name));
        Py_XDECREF(name);
    }
    if (failed) {
        PyMem_Free(names);
        return NULL;
    }
    return names;
}

static PyObject *counts_dict(const struct merge_counts *counts)
{
    PyObject *dict = PyDict_New();

    if (!dict)
        return NULL;
    if (put(dict, "files", number(counts->files)) ||
        put(dict, "unnamed", number(counts->unnamed)) ||
        put(dict, "contexts", number(counts->contexts)) ||
        put(dict, "line_rows", number(counts->line_rows)) ||
        put(dict, "arc_rows", number(counts->arc_rows)) ||
        put(dict, "lines", number(counts->lines)) ||
        put(dict, "old_files", number(counts->old_files)))
        Py_CLEAR(dict);
    return dict;
}

PyDoc_STRVAR(write_doc, "write(target, *, append=False, touch=(), coverage_version, argv=None, "
                        "when=None, relative=None, tracers=None)\n--\n\n"
                        "Write the data file and return counts.");

static PyObject *copy_write(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"target",   "append",  "touch", "coverage_version", "argv", "when",
                            "relative", "tracers", NULL};
    struct copy *self = (struct copy *)object;
    struct merge_module *state = PyType_GetModuleState(Py_TYPE(object));
    PyObject *touch = NULL, *relative = Py_None, *tracers = Py_None; /* borrowed */
    PyObject *target = NULL, *paths = NULL, *touched = NULL;         /* owned */
    PyObject *keep = NULL, *result = NULL;                           /* owned */
    const char **files = NULL, **touches = NULL, **plugins = NULL;
    struct merge_options options = {0};
    struct merge_counts counts;
    struct merge_error error;
    int append = 0, status;

    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "O&|$pOszzOO:write", names, PyUnicode_FSConverter, &target, &append,
            &touch, &options.version, &options.argv, &options.when, &relative, &tracers))
        return NULL;
    if (!options.version) {
        PyErr_SetString(PyExc_TypeError, "write() needs coverage_version");
        goto out;
    }
    keep = PyList_New(0);
    paths = copy_files(object, NULL);
    touched = touch ? PySequence_List(touch) : PyList_New(0);
    if (!keep || !paths || !touched || !(files = stored_names(relative, paths, keep)) ||
        !(touches = stored_names(relative, touched, keep)) ||
        !(plugins = tracer_names(tracers, touched, keep)))
        goto out;
    options.target = PyBytes_AS_STRING(target);
    options.append = append;
    options.names = files;
    options.touch = touches;
    options.tracers = plugins;
    options.touch_n = (size_t)PyList_GET_SIZE(touched);

    lock_copy(self);
    Py_BEGIN_ALLOW_THREADS
    status = merge_write(self->merge, &options, &counts, &error);
    Py_END_ALLOW_THREADS
    unlock_copy(self);
    result = status ? merge_raise(state, status, &error) : counts_dict(&counts);
out:
    PyMem_Free(files);
    PyMem_Free(touches);
    PyMem_Free(plugins);
    Py_XDECREF(target);
    Py_XDECREF(paths);
    Py_XDECREF(touched);
    Py_XDECREF(keep);
    return result;
}

static PyMethodDef copy_methods[] = {
    {"info", copy_info, METH_NOARGS, info_doc},
    {"processes", copy_processes, METH_NOARGS, processes_doc},
    {"hits", copy_hits, METH_NOARGS, hits_doc},
    {"files", copy_files, METH_NOARGS, files_doc},
    {"tracers", copy_tracers, METH_NOARGS, tracers_doc},
    {"lines", copy_lines, METH_O, lines_doc},
    {"numbits", copy_numbits, METH_O, numbits_doc},
    {"packages", copy_packages, METH_NOARGS, packages_doc},
    {"main_began", copy_main_began, METH_NOARGS, main_began_doc},
    {"notes", copy_notes, METH_NOARGS, notes_doc},
    {"multiline_wanted", copy_multiline_wanted, METH_NOARGS, multiline_wanted_doc},
    {"set_multiline", copy_set_multiline, METH_VARARGS, set_multiline_doc},
    {"write", (PyCFunction)(void (*)(void))copy_write, METH_VARARGS | METH_KEYWORDS, write_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(copy_doc, "Copy(fd)\n--\n\nA private copy of the segment behind a descriptor.");

static PyType_Slot copy_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t)copy_doc},
    {Py_tp_new, copy_new},
    {Py_tp_dealloc, copy_dealloc},
    {Py_tp_methods, copy_methods},
    {0, NULL},
};

PyType_Spec merge_copy_spec = {
    .name = "shmcov._merge.Copy",
    .basicsize = sizeof(struct copy),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = copy_slots,
};
