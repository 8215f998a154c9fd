/*
 * All that a C test needs: it says which run it is in, checks, and ends at the first failure.
 *
 *     int main(void)
 *     {
 *         RUN("an empty set has no places");
 *         CHECK_INT(mn_recent_set_count(&set), 0);
 *         return 0;
 *     }
 */
#ifndef MIRROR_TESTS_CHECK_H
#define MIRROR_TESTS_CHECK_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *check_run_name = "(before the first RUN)";

/* Name what follows; a failure is reported under it. Plain text, one line. */
#define RUN(name)                                                                                 \
    do {                                                                                          \
        check_run_name = (name);                                                                  \
        printf("run %s\n", check_run_name);                                                       \
        (void)fflush(stdout);                                                                     \
    } while (0)

#define CHECK(condition)                                                                          \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            check_failed(__FILE__, __LINE__, #condition);                                         \
        }                                                                                         \
    } while (0)

/* Both sides as signed 64-bit integers; the failure shows them. */
#define CHECK_INT(observed, expected)                                                             \
    check_int(__FILE__, __LINE__, #observed, (int64_t)(observed), (int64_t)(expected))

/* Strings that end in a zero byte. */
#define CHECK_TEXT(observed, expected)                                                            \
    check_text(__FILE__, __LINE__, #observed, (observed), (expected))

/* `size` bytes of both sides; the failure shows the first offset that differs. */
#define CHECK_BYTES(observed, expected, size)                                                     \
    check_bytes(__FILE__, __LINE__, #observed, (observed), (expected), (size))

_Noreturn static inline void check_failed(const char *file, int line, const char *what)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "%s:%d: in \"%s\": %s\n", file, line, check_run_name, what);
    abort();
}

static inline void check_int(const char *file, int line, const char *what, int64_t observed,
                             int64_t expected)
{
    if (observed != expected) {
        (void)fprintf(stderr, "observed %" PRId64 ", expected %" PRId64 "\n", observed, expected);
        check_failed(file, line, what);
    }
}

static inline void check_text(const char *file, int line, const char *what, const char *observed,
                              const char *expected)
{
    if (strcmp(observed, expected) != 0) {
        (void)fprintf(stderr, "observed \"%s\", expected \"%s\"\n", observed, expected);
        check_failed(file, line, what);
    }
}

static inline void check_bytes(const char *file, int line, const char *what, const void *observed,
                               const void *expected, size_t size)
{
    const uint8_t *left = observed;
    const uint8_t *right = expected;

    for (size_t offset = 0; offset < size; offset++) {
        if (left[offset] != right[offset]) {
            (void)fprintf(stderr, "at offset %zu: observed %02x, expected %02x\n", offset,
                          left[offset], right[offset]);
            check_failed(file, line, what);
        }
    }
}

#endif
