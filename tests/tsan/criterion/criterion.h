/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of Criterion as the tests use, for ThreadSanitizer: Criterion itself cannot start there,
 * because its sandbox maps memory at addresses that ThreadSanitizer reserves
 * ("Could not initialize inheritable arena"). Each test runs in a forked child here as well.
 */
#ifndef TSAN_CRITERION_H
#define TSAN_CRITERION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct criterion_options {
    void (*init)(void);
    void (*fini)(void);
    int signal;
    int exit_code;
    double timeout;
    bool disabled;
    const char *description;
};

struct criterion_test {
    const char *suite;
    const char *name; /* NULL: the options of a suite */
    void (*run)(void);
    struct criterion_options options;
    struct criterion_test *next;
};

void criterion_register(struct criterion_test *test);
void criterion_check(bool fatal, const char *file, int line, const char *condition,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));

#define CRITERION_REGISTER(id, suite_, name_, run_, ...)                        \
    static struct criterion_test id = {                                         \
        .suite = suite_, .name = name_, .run = run_, .options = {__VA_ARGS__}}; \
    __attribute__((constructor)) static void id##_register(void)                \
    {                                                                           \
        criterion_register(&id);                                                \
    }

#define Test(suite, name, ...)                                                                  \
    static void suite##_##name##_run(void);                                                     \
    CRITERION_REGISTER(suite##_##name##_test, #suite, #name, suite##_##name##_run, __VA_ARGS__) \
    static void suite##_##name##_run(void)

#define TestSuite(suite, ...)                                          \
    CRITERION_REGISTER(suite##_suite, #suite, NULL, NULL, __VA_ARGS__) \
    extern int suite##_suite_needs_a_semicolon

#define CRITERION_CHECK(fatal, condition, text, ...)                           \
    do {                                                                       \
        if (!(condition))                                                      \
            criterion_check(fatal, __FILE__, __LINE__, text, " " __VA_ARGS__); \
    } while (0)

#define cr_assert(a, ...) CRITERION_CHECK(true, a, #a, __VA_ARGS__)
#define cr_assert_not(a, ...) CRITERION_CHECK(true, !(a), "!" #a, __VA_ARGS__)
#define cr_assert_eq(a, b, ...) CRITERION_CHECK(true, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...) CRITERION_CHECK(true, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...) CRITERION_CHECK(true, (a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...) CRITERION_CHECK(true, (a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...) CRITERION_CHECK(true, (a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...) CRITERION_CHECK(true, (a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_null(a, ...) CRITERION_CHECK(true, (a) == NULL, #a " is NULL", __VA_ARGS__)
#define cr_assert_not_null(a, ...) \
    CRITERION_CHECK(true, (a) != NULL, #a " is not NULL", __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) \
    CRITERION_CHECK(true, strcmp(a, b) == 0, #a " equals " #b, __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...) \
    CRITERION_CHECK(true, strcmp(a, b) != 0, #a " differs from " #b, __VA_ARGS__)
#define cr_assert_arr_eq(a, b, size, ...) \
    CRITERION_CHECK(true, memcmp(a, b, size) == 0, #a " equals " #b, __VA_ARGS__)
#define cr_assert_arr_neq(a, b, size, ...) \
    CRITERION_CHECK(true, memcmp(a, b, size) != 0, #a " differs from " #b, __VA_ARGS__)
#define cr_assert_fail(...) CRITERION_CHECK(true, false, "fail", __VA_ARGS__)
#define cr_fatal(...) CRITERION_CHECK(true, false, "fail", __VA_ARGS__)

#define cr_expect(a, ...) CRITERION_CHECK(false, a, #a, __VA_ARGS__)
#define cr_expect_not(a, ...) CRITERION_CHECK(false, !(a), "!" #a, __VA_ARGS__)
#define cr_expect_eq(a, b, ...) CRITERION_CHECK(false, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_expect_neq(a, b, ...) CRITERION_CHECK(false, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_expect_null(a, ...) CRITERION_CHECK(false, (a) == NULL, #a " is NULL", __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) \
    CRITERION_CHECK(false, strcmp(a, b) == 0, #a " equals " #b, __VA_ARGS__)
#define cr_fail(...) CRITERION_CHECK(false, false, "fail", __VA_ARGS__)

#define cr_log_info(...) ((void)(fprintf(stderr, __VA_ARGS__), fputc('\n', stderr)))
#define cr_log_warn cr_log_info
#define cr_log_error cr_log_info
#define cr_skip_test(...) exit(0)

#endif
