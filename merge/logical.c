/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scanner for all that the merge needs to know about a source: where its logical lines begin and
 * end. A tokenizer finds that out too, in a hundred times the time.
 *
 * A logical line goes on over an open bracket, a string of several lines, or a backslash at a
 * line's end; so brackets, strings and comments are all that the scanner has to recognise. Fields
 * of f-strings and t-strings hold expressions, which since 3.12 may hold any string again.
 */
#include "logical.h"

#include <stdbool.h>
#include <string.h>

/* Fields within fields; CPython gives up earlier. */
#define MAX_NESTING 200

struct scan {
    const char *at, *end;
    uint32_t line;
    unsigned nesting;
};

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_newline(const struct scan *s)
{
    return s->at < s->end && (*s->at == '\n' || *s->at == '\r');
}

/* Steps over \n, \r or \r\n. */
static void newline(struct scan *s)
{
    if (*s->at == '\r' && s->end - s->at > 1 && s->at[1] == '\n')
        s->at++;
    s->at++;
    s->line++;
}

static void comment(struct scan *s)
{
    while (s->at < s->end && !is_newline(s))
        s->at++;
}

static void field(struct scan *s);

/* A backslash and what it escapes. */
static void escape(struct scan *s, bool fields, bool raw)
{
    s->at++;
    if (s->at >= s->end)
        return;
    if (is_newline(s)) {
        newline(s);
    } else if (fields && !raw && *s->at == 'N' && s->end - s->at > 1 && s->at[1] == '{') {
        while (s->at < s->end && *s->at != '}' && !is_newline(s))
            s->at++;
    } else if (!fields || (*s->at != '{' && *s->at != '}')) {
        s->at++;
    }
}

/* A string from its quote on. */
static void string(struct scan *s, bool fields, bool raw)
{
    char quote = *s->at;
    bool triple = s->end - s->at > 2 && s->at[1] == quote && s->at[2] == quote;

    s->at += triple ? 3 : 1;
    while (s->at < s->end) {
        if (*s->at == '\\') {
            escape(s, fields, raw);
        } else if (is_newline(s)) {
            if (!triple)
                return; /* not Python */
            newline(s);
        } else if (*s->at == quote) {
            if (!triple) {
                s->at++;
                return;
            }
            if (s->end - s->at > 2 && s->at[1] == quote && s->at[2] == quote) {
                s->at += 3;
                return;
            }
            s->at++;
        } else if (fields && *s->at == '{') {
            s->at++;
            if (s->at < s->end && *s->at == '{')
                s->at++;
            else
                field(s);
        } else {
            s->at++;
        }
    }
}

/* A name, a number, or a string with its prefix. */
static void name_or_string(struct scan *s)
{
    const char *start = s->at;
    bool fields = false, raw = false, prefix;

    while (s->at < s->end && is_name(*s->at))
        s->at++;
    if (s->at >= s->end || (*s->at != '"' && *s->at != '\''))
        return;
    prefix = s->at - start <= 2;
    for (const char *p = start; prefix && p < s->at; p++) {
        prefix = strchr("rRbBuUfFtT", *p) != NULL;
        fields = fields || strchr("fFtT", *p);
        raw = raw || *p == 'r' || *p == 'R';
    }
    string(s, prefix && fields, prefix && raw);
}

/* What follows the colon of a field, up to its closing brace. */
static void format_spec(struct scan *s)
{
    while (s->at < s->end && *s->at != '}') {
        if (is_newline(s)) {
            newline(s);
        } else if (*s->at++ == '{') {
            field(s);
        }
    }
}

/* A field of an f-string, from behind its opening brace to behind its closing one. */
static void field(struct scan *s)
{
    unsigned depth = 0;

    if (++s->nesting > MAX_NESTING)
        s->at = s->end;
    while (s->at < s->end) {
        char c = *s->at;

        if (is_newline(s)) {
            newline(s);
        } else if (c == '#') {
            comment(s);
        } else if (is_name(c) || c == '"' || c == '\'') {
            name_or_string(s);
        } else if (c == ':' && !depth) {
            s->at++;
            format_spec(s);
        } else if (c == '}' && !depth) {
            s->at++;
            break;
        } else {
            depth += c == '(' || c == '[' || c == '{';
            depth -= depth && (c == ')' || c == ']' || c == '}');
            s->at++;
        }
    }
    s->nesting--;
}

size_t merge_count_lines(const char *source, size_t len)
{
    struct scan s = {.at = source, .end = source + len};

    while (s.at < s.end)
        if (is_newline(&s))
            newline(&s);
        else
            s.at++;
    return s.line + 1;
}

/* Ends a logical line: maps its lines to the first, if there are several. */
static void end_line(uint32_t start, uint32_t end, uint32_t *first)
{
    for (uint32_t line = start; start && end != start && line <= end; line++)
        first[line] = start;
}

void merge_logical_lines(const char *source, size_t len, uint32_t *first)
{
    struct scan s = {.at = source, .end = source + len, .line = 1};
    uint32_t start = 0; /* line on which the logical line began; 0: none has */
    unsigned depth = 0;

    memset(first, 0, (merge_count_lines(source, len) + 2) * sizeof *first);
    if (len >= 3 && !memcmp(source, "\xef\xbb\xbf", 3))
        s.at += 3;
    while (s.at < s.end) {
        char c = *s.at;

        if (is_newline(&s)) {
            if (!depth) {
                end_line(start, s.line, first);
                start = 0;
            }
            newline(&s);
        } else if (c == ' ' || c == '\t' || c == '\f') {
            s.at++;
        } else if (c == '#') {
            comment(&s);
        } else if (c == '\\') {
            s.at++;
            if (is_newline(&s))
                newline(&s);
        } else {
            if (!start)
                start = s.line;
            if (is_name(c) || c == '"' || c == '\'') {
                name_or_string(&s);
                continue;
            }
            depth += c == '(' || c == '[' || c == '{';
            depth -= depth && (c == ')' || c == ']' || c == '}');
            s.at++;
        }
    }
    end_line(start, s.line, first);
}
