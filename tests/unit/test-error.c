/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Errors with a name and a sentence. */

#include <errno.h>
#include <glib.h>

#include "lib/error.h"

static void every_code_is_a_negative_errno(void) {
        for (int code = ERROR_NONE + 1; code < _ERROR_CODE_MAX; code++) {
                _cleanup_error_ Error error = {};
                int r;

                r = error_set(&error, (ErrorCode) code, "cell %u has no %s", 7u, "pages");
                g_test_message("code %i", code);
                g_assert_cmpint(r, <, 0);
                g_assert_cmpint(error.code, ==, code);
                g_assert_cmpstr(error.message, ==, "cell 7 has no pages");
                /* The same to who does not ask for the sentence. */
                g_assert_cmpint(error_set(NULL, (ErrorCode) code, "unheard"), ==, r);
        }
}

static void the_errno_means_the_same(void) {
        static const struct { ErrorCode code; int result; } rows[] = {
                { ERROR_INVALID_ARGS, -EINVAL },
                { ERROR_ACCESS_DENIED, -EACCES },
                { ERROR_NO_MEMORY, -ENOMEM },
                { ERROR_NO_SUCH_CELL, -ENOENT },
                { ERROR_NOT_SUPPORTED, -EOPNOTSUPP },
                { ERROR_BUSY, -EBUSY },
                { ERROR_TIMED_OUT, -ETIMEDOUT },
                { ERROR_RESOURCE_EXHAUSTED, -ENOSPC },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                g_assert_cmpint(error_set(NULL, rows[i].code, "x"), ==, rows[i].result);
}

static void a_cleared_error_can_be_set_again(void) {
        Error error = {};

        error_clear(&error);
        g_assert_cmpint(error.code, ==, ERROR_NONE);
        error_set(&error, ERROR_BUSY, "%s", "%s%n");
        g_assert_cmpstr(error.message, ==, "%s%n");
        error_clear(&error);
        g_assert_cmpint(error.code, ==, ERROR_NONE);
        g_assert_null(error.message);
        error_set(&error, ERROR_TIMED_OUT, "again");
        g_assert_cmpint(error.code, ==, ERROR_TIMED_OUT);
        error_clear(&error);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/error/every-code-is-a-negative-errno", every_code_is_a_negative_errno);
        g_test_add_func("/error/the-errno-means-the-same", the_errno_means_the_same);
        g_test_add_func("/error/a-cleared-error-can-be-set-again", a_cleared_error_can_be_set_again);
        return g_test_run();
}
