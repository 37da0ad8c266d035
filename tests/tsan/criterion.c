/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner for the stand-in criterion/criterion.h, which explains why there is one. After a data
 * race the child ends with ThreadSanitizer's exit status, which is a failure.
 */
#include "criterion/criterion.h"

#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

static struct criterion_test *tests;
static bool failed;

void criterion_register(struct criterion_test *test)
{
    test->next = tests;
    tests = test;
}

void criterion_check(bool fatal, const char *file, int line, const char *condition,
                     const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s:%d: not so: %s.", file, line, condition);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    failed = true;
    if (fatal)
        exit(1);
}

static const struct criterion_options *suite_options(const struct criterion_test *test)
{
    static const struct criterion_options none;
    for (const struct criterion_test *t = tests; t; t = t->next) {
        if (!t->name && strcmp(t->suite, test->suite) == 0)
            return &t->options;
    }
    return &none;
}

static void run_in_child(const struct criterion_test *test)
{
    const struct criterion_options *suite = suite_options(test);
    void (*init)(void) = test->options.init ? test->options.init : suite->init;
    void (*fini)(void) = test->options.fini ? test->options.fini : suite->fini;
    if (init)
        init();
    test->run();
    if (fini)
        fini();
    exit(failed);
}

static bool passes(const struct criterion_test *test)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        run_in_child(test);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return false;
    if (test->options.signal)
        return WIFSIGNALED(status) && WTERMSIG(status) == test->options.signal;
    return WIFEXITED(status) && WEXITSTATUS(status) == test->options.exit_code;
}

int main(void)
{
    unsigned passing = 0, failing = 0;
    for (const struct criterion_test *test = tests; test; test = test->next) {
        if (!test->name || test->options.disabled)
            continue;
        if (passes(test)) {
            passing++;
        } else {
            failing++;
            fprintf(stderr, "[FAIL] %s::%s\n", test->suite, test->name);
        }
    }
    printf("[====] Synthesis: Tested: %u | Passing: %u | Failing: %u\n", passing + failing, passing,
           failing);
    return failing != 0;
}
