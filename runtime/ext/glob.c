/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles a file pattern into the states of a small automaton, and runs it.
 *
 * compile_one tries its cases in the order of coverage.py's table G2RX_TOKENS, which decides what a
 * pattern means where two of them fit.
 */
#include "glob.h"

#include <stdlib.h>
#include <string.h>

#include "utf8.h"

enum kind {
    CHAR,    /* the character lo */
    SEP,     /* a slash or backslash */
    ONE,     /* a character that is no slash */
    CLASS,   /* one of the `hi` RANGEs that follow; lo: negated */
    RANGE,   /* part of a CLASS, never a state */
    STAR,    /* characters that are no slashes */
    REST,    /* characters of one line */
    FOLDERS, /* nothing, or what the UNDER behind it matches */
    UNDER,   /* characters of one line, and then a slash */
};

struct op {
    uint32_t kind, lo, hi;
};

struct rt_glob {
    char *needle; /* every path that matches has this in it */
    uint32_t n;
    struct op op[];
};

static bool is_slash(uint32_t c)
{
    return c == '/' || c == '\\';
}

/* -- compiling -- */

struct source {
    const char *start, *at, *end;
    const char *run, *run_end; /* the plain characters before `at` */
    const char *best, *best_end;
    struct rt_glob *glob;
};

static void emit(struct source *src, uint32_t kind, uint32_t lo, uint32_t hi)
{
    src->glob->op[src->glob->n++] = (struct op){kind, lo, hi};
}

/* Does the rest of the pattern begin with this text? */
static bool sees(const struct source *src, const char *text)
{
    size_t len = strlen(text);

    return (size_t)(src->end - src->at) >= len && !memcmp(src->at, text, len);
}

static const char *skip_stars(const char *at, const char *end)
{
    while (at < end && *at == '*')
        at++;
    return at;
}

/* Does an error begin here: ***, x**, **x or ** / **? */
static bool bad_stars(const struct source *src)
{
    const char *stop = memchr(src->at, '/', (size_t)(src->end - src->at));

    if (!stop)
        stop = src->end;
    for (const char *s = src->at + 1; s + 1 < stop; s++)
        if (s[0] == '*' && s[1] == '*')
            return true;
    return sees(src, "**") && (stop - src->at > 2 || sees(src, "**/**"));
}

/* A class, as Python's `re` reads it; there are no backslashes in it. */
static int compile_class(struct source *src)
{
    const char *stop = memchr(src->at, ']', (size_t)(src->end - src->at));
    const char *at = src->at + 1;
    uint32_t head = src->glob->n;

    if (!stop || memchr(at, '\n', (size_t)(stop - at)))
        return -1;
    emit(src, CLASS, *at == '^', 0);
    at += *at == '^';
    if (at == stop)
        return -1; /* `re` would read on past the bracket, into what coverage.py appended */
    while (at < stop) {
        uint32_t lo = seg_utf8_next(&at, stop), hi = lo;

        if (stop - at > 1 && *at == '-') {
            at++;
            hi = seg_utf8_next(&at, stop);
        }
        if (hi < lo)
            return -1;
        emit(src, RANGE, lo, hi);
    }
    src->glob->op[head].hi = src->glob->n - head - 1;
    src->at = stop + 1;
    return 0;
}

static void compile_char(struct source *src)
{
    if (src->run_end != src->at)
        src->run = src->at;
    emit(src, CHAR, seg_utf8_next(&src->at, src->end), 0);
    src->run_end = src->at;
    if (src->run_end - src->run > src->best_end - src->best) {
        src->best = src->run;
        src->best_end = src->run_end;
    }
}

static void emit_folders(struct source *src)
{
    emit(src, FOLDERS, 0, 0);
    emit(src, UNDER, 0, 0);
}

static int compile_one(struct source *src)
{
    const char *stars = skip_stars(src->at, src->end);

    if (bad_stars(src))
        return -1;
    if (src->at == src->start && stars > src->at && stars < src->end && *stars == '/') {
        emit_folders(src);
        src->at = stars + 1;
        return 0;
    }
    if (*src->at == '/') {
        emit(src, SEP, 0, 0);
        src->at++;
        stars = skip_stars(src->at, src->end);
        if (stars > src->at && (stars == src->end || (stars + 1 == src->end && *stars == '\n'))) {
            emit(src, REST, 0, 0);
            src->at = stars;
        }
        return 0;
    }
    if (sees(src, "**/")) {
        emit_folders(src);
        src->at += 3;
        return 0;
    }
    switch (*src->at) {
    case '*':
        emit(src, STAR, 0, 0);
        break;
    case '?':
        emit(src, ONE, 0, 0);
        break;
    case '[':
        return compile_class(src);
    case ']':
        return -1;
    default:
        compile_char(src);
        return 0;
    }
    src->at++;
    return 0;
}

int rt_glob_compile(const char *pattern, size_t len, struct rt_glob **out)
{
    static const char anywhere[] = "**/";
    bool anchored = memchr(pattern, '/', len) || memchr(pattern, '\\', len);
    size_t prefix = anchored ? 0 : sizeof anywhere - 1, total = prefix + len;
    struct source src = {0};
    char *text;

    *out = NULL;
    if (total + 2 > RT_GLOB_STATES)
        return -1;
    text = malloc(total + 1);
    /* No byte makes more than one operation, but for "* /", which makes two of two. */
    src.glob = malloc(sizeof *src.glob + (total + 2) * sizeof src.glob->op[0]);
    if (!text || !src.glob)
        goto fail;
    memcpy(text, anywhere, prefix);
    for (size_t i = 0; i < len; i++)
        text[prefix + i] = pattern[i];
    for (size_t i = 0; i < total; i++)
        if (text[i] == '\\')
            text[i] = '/';
    src.start = src.at = src.best = src.best_end = text;
    src.end = text + total;
    src.glob->needle = NULL;
    src.glob->n = 0;
    while (src.at < src.end)
        if (compile_one(&src))
            goto fail;
    src.glob->needle = strndup(src.best, (size_t)(src.best_end - src.best));
    if (!src.glob->needle)
        goto fail;
    free(text);
    *out = src.glob;
    return 0;
fail:
    free(text);
    free(src.glob);
    return -1;
}

void rt_glob_free(struct rt_glob *glob)
{
    if (glob)
        free(glob->needle);
    free(glob);
}

/* -- matching -- */

static void set_alive(uint64_t *alive, uint32_t state)
{
    alive[state / 64] |= UINT64_C(1) << state % 64;
}

/* Makes a state alive, and those that it leads to without a character. */
static void enter(const struct rt_glob *glob, uint64_t *alive, uint32_t state)
{
    for (;; state++) {
        set_alive(alive, state);
        if (state == glob->n)
            return;
        switch (glob->op[state].kind) {
        case STAR:
        case REST:
            break;
        case FOLDERS:
            set_alive(alive, ++state); /* UNDER leads nowhere without a character */
            break;
        default:
            return;
        }
    }
}

static bool in_class(const struct op *op, uint32_t c)
{
    for (uint32_t i = 1; i <= op->hi; i++)
        if (c >= op[i].lo && c <= op[i].hi)
            return !op->lo;
    return op->lo;
}

/* Makes the states alive that a state leads to by the character c. */
static void step(const struct rt_glob *glob, uint64_t *next, uint32_t state, uint32_t c)
{
    const struct op *op = &glob->op[state];

    switch (op->kind) {
    case CHAR:
        if (c == op->lo)
            enter(glob, next, state + 1);
        break;
    case SEP:
        if (is_slash(c))
            enter(glob, next, state + 1);
        break;
    case ONE:
        if (!is_slash(c))
            enter(glob, next, state + 1);
        break;
    case CLASS:
        if (in_class(op, c))
            enter(glob, next, state + 1 + op->hi);
        break;
    case STAR:
        if (!is_slash(c))
            enter(glob, next, state);
        break;
    case REST:
        if (c != '\n')
            enter(glob, next, state);
        break;
    case UNDER:
        if (c != '\n')
            enter(glob, next, state);
        if (is_slash(c))
            enter(glob, next, state + 1);
        break;
    default:
        break;
    }
}

bool rt_glob_match(const struct rt_glob *glob, const char *path, struct rt_glob_room *room)
{
    const char *end = path + strlen(path);
    uint64_t *alive = room->sets[0], *next = room->sets[1];
    size_t words = glob->n / 64 + 1;

    if (!strstr(path, glob->needle))
        return false;
    memset(alive, 0, words * sizeof *alive);
    enter(glob, alive, 0);
    while (path < end) {
        uint32_t c = seg_utf8_next(&path, end);
        uint64_t any = 0, *swap = alive;

        memset(next, 0, words * sizeof *next);
        for (size_t w = 0; w < words; w++)
            for (uint64_t left = alive[w]; left; left &= left - 1) {
                uint32_t state = (uint32_t)(w * 64 + (unsigned)__builtin_ctzll(left));

                if (state < glob->n)
                    step(glob, next, state, c);
            }
        for (size_t w = 0; w < words; w++)
            any |= next[w];
        if (!any)
            return false;
        alive = next;
        next = swap;
    }
    return alive[glob->n / 64] >> glob->n % 64 & 1;
}
