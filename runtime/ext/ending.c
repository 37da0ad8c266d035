/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a run, for the Python code that delivers: who may still write, what was delivered, the
 * keeper. C waits and looks at clocks itself: the measured program may have replaced Python's.
 */
#include "ending.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "delivery.h"
#include "folder.h"
#include "keep.h"
#include "leftover.h"
#include "platform.h"
#include "process.h"
#include "refused.h"
#include "users.h"

static PyObject *raise_status(int status)
{
    if (status == SEG_ERR_SYSTEM)
        return PyErr_SetFromErrno(PyExc_OSError);
    PyErr_SetString(PyExc_OSError, seg_strstatus(status));
    return NULL;
}

/* The segment that this process records into, if it is the one at `path`. */
static seg_t *own_segment(PyObject *path)
{
    seg_t *seg = rt_process_seg();

    return seg && strcmp(seg_path(seg), PyBytes_AS_STRING(path)) == 0 ? seg : NULL;
}

/* -- users -- */

struct pause {
    PyThreadState *thread; /* detached while seg_users_settle runs */
    PyObject *callback;    /* borrowed, or NULL */
    bool failed;
};

static bool pause_in_python(void *arg, unsigned ms)
{
    struct pause *pause = arg;
    bool stop;

    if (!pause->callback)
        seg_users_sleep(NULL, ms);
    PyEval_RestoreThread(pause->thread);
    pause->failed = PyErr_CheckSignals() != 0;
    if (!pause->failed && pause->callback) {
        PyObject *result = PyObject_CallFunction(pause->callback, "d", ms / 1000.0);
        int truth = result ? PyObject_IsTrue(result) : -1;

        Py_XDECREF(result);
        pause->failed = truth < 0;
        stop = truth != 0;
    } else {
        stop = pause->failed;
    }
    pause->thread = PyEval_SaveThread();
    return stop;
}

/* Adds an item to a list, which becomes NULL if that fails. Steals the reference to the item. */
static void append(PyObject **list, PyObject *item)
{
    if (!item || PyList_Append(*list, item))
        Py_CLEAR(*list);
    Py_XDECREF(item);
}

static PyObject *list_of(const struct seg_users *users)
{
    unsigned long long ns = seg_platform_namespace();
    PyObject *list = PyList_New(0);

    for (size_t i = 0; list && i < users->n; i++)
        append(&list, Py_BuildValue("(IKK)", users->user[i].pid,
                                    (unsigned long long)users->user[i].start, ns));
    return list;
}

static unsigned in_ms(double seconds)
{
    if (!(seconds > 0))
        return 0;
    return seconds < UINT_MAX / 1000 ? (unsigned)(seconds * 1000) : UINT_MAX;
}

static PyObject *settle(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"fd", "path", "seconds", "pause", "helpers_of_me", NULL};
    struct seg_users users = {0};
    struct pause pause = {0};
    seg_t *own;
    PyObject *path, *callback = Py_None, *result = NULL;
    double seconds = 0;
    int helpers = 0, status;

    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iO&|dOp:settle", names, &users.fd,
                                     PyUnicode_FSConverter, &path, &seconds, &callback, &helpers))
        return NULL;
    users.path = PyBytes_AS_STRING(path);
    users.helpers_of_me = helpers;
    own = own_segment(path);
    users.mapped = own ? seg_address(own) : NULL;
    pause.callback = callback == Py_None ? NULL : callback;
    pause.thread = PyEval_SaveThread();
    status = seg_users_settle(&users, in_ms(seconds), pause_in_python, &pause);
    PyEval_RestoreThread(pause.thread);
    if (!pause.failed)
        result = status ? raise_status(status) : list_of(&users);
    seg_users_free(&users);
    Py_DECREF(path);
    return result;
}

/* -- delivery -- */

static PyObject *delivered(PyObject *module, PyObject *fd)
{
    struct seg_delivery delivery;
    int number = PyObject_AsFileDescriptor(fd), status;

    (void)module;
    if (number < 0)
        return NULL;
    status = seg_delivery_read(number, &delivery);
    if (status)
        return raise_status(status);
    if (!delivery.done)
        Py_RETURN_NONE;
    return Py_BuildValue("(KK)", (unsigned long long)delivery.hits,
                         (unsigned long long)delivery.to);
}

static PyObject *set_delivered(PyObject *module, PyObject *args)
{
    unsigned long long hits, to;
    int fd, status;

    (void)module;
    if (!PyArg_ParseTuple(args, "iKK:set_delivered", &fd, &hits, &to))
        return NULL;
    status = seg_delivery_write(fd, hits, to);
    return status ? raise_status(status) : Py_NewRef(Py_None);
}

static PyObject *set_delivered_here(PyObject *module, PyObject *args)
{
    PyObject *path;
    unsigned long long hits, to;
    seg_t *seg;

    (void)module;
    if (!PyArg_ParseTuple(args, "O&KK:set_delivered_here", PyUnicode_FSConverter, &path, &hits,
                          &to))
        return NULL;
    seg = own_segment(path);
    Py_DECREF(path);
    if (seg)
        seg_delivery_put(seg, hits, to);
    return PyBool_FromLong(seg != NULL);
}

static PyObject *target(PyObject *module, PyObject *arg)
{
    PyObject *path;
    uint64_t to;

    (void)module;
    if (!PyUnicode_FSConverter(arg, &path))
        return NULL;
    to = seg_delivery_target(PyBytes_AS_STRING(path));
    Py_DECREF(path);
    return PyLong_FromUnsignedLongLong(to);
}

static PyObject *spill(PyObject *module, PyObject *arg)
{
    PyObject *path, *result;
    seg_t *seg;
    int fd, status;

    (void)module;
    if (!PyUnicode_FSConverter(arg, &path))
        return NULL;
    seg = own_segment(path);
    Py_DECREF(path);
    if (!seg)
        Py_RETURN_NONE;
    fd = seg_platform_file();
    if (fd < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    status = seg_spill(seg, fd);
    result = status ? raise_status(status) : PyLong_FromLong(fd);
    if (!result)
        close(fd);
    return result;
}

/* -- segments by name -- */

static PyObject *remove_segment(PyObject *module, PyObject *arg)
{
    PyObject *path;
    PyObject *result;
    int status;

    (void)module;
    if (!PyUnicode_FSConverter(arg, &path))
        return NULL;
    status = seg_remove(PyBytes_AS_STRING(path));
    result = status && errno != ENOENT ? raise_status(status) : Py_NewRef(Py_None);
    Py_DECREF(path);
    return result;
}

static PyObject *leftover_path(PyObject *module, PyObject *arg)
{
    PyObject *path, *result;
    char left[512];

    (void)module;
    if (!PyUnicode_FSConverter(arg, &path))
        return NULL;
    result = seg_leftover_path(PyBytes_AS_STRING(path), left, sizeof left) == SEG_OK
                 ? PyUnicode_DecodeFSDefault(left)
                 : Py_NewRef(arg);
    Py_DECREF(path);
    return result;
}

static PyObject *set_aside(PyObject *module, PyObject *arg)
{
    PyObject *path;
    int status;

    if (!PyUnicode_FSConverter(arg, &path))
        return NULL;
    status = seg_set_aside(PyBytes_AS_STRING(path));
    Py_DECREF(path);
    return status == SEG_OK ? leftover_path(module, arg) : Py_NewRef(arg);
}

static PyObject *sweep(PyObject *module, PyObject *noargs)
{
    PyThreadState *thread = PyEval_SaveThread();

    (void)module, (void)noargs;
    seg_sweep();
    PyEval_RestoreThread(thread);
    Py_RETURN_NONE;
}

static void add_path(void *arg, const char *path)
{
    PyObject **list = arg; /* NULL: an exception */

    if (*list)
        append(list, PyUnicode_DecodeFSDefault(path));
}

static PyObject *segments(PyObject *module, PyObject *left)
{
    PyObject *list = PyList_New(0);

    (void)module;
    seg_folder_each(left == Py_True ? SEG_LEFT : SEG_LIVE, add_path, &list);
    return list;
}

static PyObject *open_segment(PyObject *module, PyObject *args)
{
    PyObject *path, *result = NULL;
    char why[128];
    int writable, fd, status;

    (void)module;
    if (!PyArg_ParseTuple(args, "O&p:open_segment", PyUnicode_FSConverter, &path, &writable))
        return NULL;
    status = seg_access_open(PyBytes_AS_STRING(path), writable ? O_RDWR : O_RDONLY, &fd);
    if (status == SEG_OK) {
        result = PyLong_FromLong(fd);
    } else if (status == SEG_ERR_ACCESS) {
        seg_access_why(PyBytes_AS_STRING(path), why, sizeof why);
        PyErr_SetString(PyExc_ValueError, why);
    } else {
        raise_status(status);
    }
    Py_DECREF(path);
    return result;
}

static PyObject *name_of(PyObject *module, PyObject *arg)
{
    PyObject *path, *result;
    char *name;

    (void)module;
    if (!PyUnicode_FSConverter(arg, &path))
        return NULL;
    name = seg_name_for(PyBytes_AS_STRING(path));
    result = name ? PyUnicode_DecodeFSDefault(name) : PyErr_NoMemory();
    free(name);
    Py_DECREF(path);
    return result;
}

static PyObject *alive(PyObject *module, PyObject *args)
{
    unsigned long long start, ns;
    unsigned int pid;

    (void)module;
    if (!PyArg_ParseTuple(args, "IKK:alive", &pid, &start, &ns))
        return NULL;
    return PyBool_FromLong(seg_life(pid, start, ns) == SEG_LIFE_ALIVE);
}

/* -- the keeper -- */

/* A keeper answers at once; one that was stopped must not delay the end of a run. */
#define ASK_MS 500u

static void free_strings(char **strings)
{
    for (size_t i = 0; strings && strings[i]; i++)
        free(strings[i]);
    free(strings);
}

/* A sequence of str as execve() takes it, for free_strings(). NULL with an exception. */
static char **strings_of(PyObject *sequence)
{
    PyObject *fast = PySequence_Fast(sequence, "keep() needs sequences of str");
    Py_ssize_t n = fast ? PySequence_Fast_GET_SIZE(fast) : 0;
    char **strings = fast ? calloc((size_t)n + 1, sizeof *strings) : NULL;

    if (fast && !strings)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; strings && i < n; i++) {
        PyObject *bytes;

        if (PyUnicode_FSConverter(PySequence_Fast_GET_ITEM(fast, i), &bytes)) {
            strings[i] = strdup(PyBytes_AS_STRING(bytes));
            Py_DECREF(bytes);
            if (strings[i])
                continue;
            PyErr_NoMemory();
        }
        free_strings(strings);
        strings = NULL;
    }
    Py_XDECREF(fast);
    return strings;
}

static PyObject *keep(PyObject *module, PyObject *args)
{
    PyObject *path = NULL, *arguments, *environment, *result = NULL;
    char **argv = NULL, **envp = NULL;
    struct seg_keeper keeper;
    int error;

    (void)module;
    if (!PyArg_ParseTuple(args, "O&OO:keep", PyUnicode_FSConverter, &path, &arguments,
                          &environment) ||
        !(argv = strings_of(arguments)) || !(envp = strings_of(environment)))
        goto done;
    error =
        argv[0] ? seg_keeper_start(argv[0], PyBytes_AS_STRING(path), argv, envp, &keeper) : EINVAL;
    errno = error;
    result = error ? PyErr_SetFromErrno(PyExc_OSError)
                   : Py_BuildValue("(IK)", keeper.pid, (unsigned long long)keeper.start);
done:
    free_strings(argv);
    free_strings(envp);
    Py_XDECREF(path);
    return result;
}

static PyObject *end_keeper(PyObject *module, PyObject *args)
{
    unsigned long long start;
    struct seg_keeper keeper;

    (void)module;
    if (!PyArg_ParseTuple(args, "IK:end_keeper", &keeper.pid, &start))
        return NULL;
    keeper.start = start;
    seg_keeper_end(&keeper);
    Py_RETURN_NONE;
}

static PyObject *ask_keeper(PyObject *module, PyObject *arg)
{
    PyThreadState *thread;
    PyObject *path;

    (void)module;
    if (!PyUnicode_FSConverter(arg, &path))
        return NULL;
    thread = PyEval_SaveThread();
    seg_refused_ask(PyBytes_AS_STRING(path), ASK_MS);
    PyEval_RestoreThread(thread);
    Py_DECREF(path);
    Py_RETURN_NONE;
}

PyMethodDef rt_ending_methods[] = {
    {"settle", (PyCFunction)(void (*)(void))settle, METH_VARARGS | METH_KEYWORDS,
     "settle(fd, path, seconds=0, pause=None, helpers_of_me=False) -> [(pid, start, namespace)]\n\n"
     "Waits until a segment has no other users, and returns those that are left when the time is\n"
     "over. pause(seconds) lets time pass, and returns true to give up. With helpers_of_me\n"
     "processes that end when this one does are not waited for."},
    {"delivered", delivered, METH_O,
     "delivered(fd) -> (hits, target) | None\n\nThe last delivery: how many hits, to where."},
    {"set_delivered", set_delivered, METH_VARARGS,
     "set_delivered(fd, hits, target)\n\nRecords a delivery. fd: open for writing, with an flock."},
    {"set_delivered_here", set_delivered_here, METH_VARARGS,
     "set_delivered_here(path, hits, target) -> bool\n\n"
     "The same for the segment that this process records into. False: that is another one."},
    {"target", target, METH_O,
     "target(path) -> int\n\nIdentifies a data file as it is now; 0: it is not there."},
    {"spill", spill, METH_O,
     "spill(path) -> fd | None\n\n"
     "A copy in memory of the segment that this process records into. None: that is another."},
    {"remove", remove_segment, METH_O,
     "remove(path)\n\nRemoves the name of a segment, and its folder if that is empty. OSError."},
    {"leftover_path", leftover_path, METH_O,
     "leftover_path(path) -> str\n\nThe path of a segment once it is set aside."},
    {"set_aside", set_aside, METH_O,
     "set_aside(path) -> str\n\n"
     "Moves a segment to where no starting process looks, and returns its path."},
    {"sweep", sweep, METH_NOARGS, "sweep()\n\nSets all left-over segments aside."},
    {"segments", segments, METH_O,
     "segments(left) -> [str]\n\nThis user's segments: those that were set aside, or the others."},
    {"open_segment", open_segment, METH_VARARGS,
     "open_segment(path, writable) -> fd\n\n"
     "Opens a segment if this user may trust it. ValueError: why not. OSError."},
    {"name_of", name_of, METH_O,
     "name_of(path) -> str\n\nThe name of a segment, for SHMCOV_SEGMENT."},
    {"alive", alive, METH_VARARGS,
     "alive(pid, start, namespace) -> bool\n\n"
     "Is that process running? False if unknown: it is in another pid namespace."},
    {"keep", keep, METH_VARARGS,
     "keep(path, arguments, environment) -> (pid, start)\n\n"
     "Starts a keeper of this process for the segment at `path`. The first argument is the "
     "program. OSError."},
    {"ask_keeper", ask_keeper, METH_O,
     "ask_keeper(path)\n\n"
     "Returns when all processes that were refused so far are counted in the segment."},
    {"end_keeper", end_keeper, METH_VARARGS, "end_keeper(pid, start)\n\nEnds it."},
    {NULL, NULL, 0, NULL},
};
