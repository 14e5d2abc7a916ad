/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is read out of a text, up to limits. */

#include <errno.h>
#include <glib.h>

#include "lib/cleanup.h"
#include "lib/text.h"

static void numbers_are_digits_up_to_a_limit(void) {
        static const struct { const char *text; uint64_t max; int result; uint64_t number; const char *rest; } rows[] = {
                { "0", 0, 0, 0, "" },
                { "7-9", 9, 0, 7, "-9" },
                { "007 ", 7, 0, 7, " " },
                { "65535", 65535, 0, 65535, "" },
                { "65536", 65535, -ERANGE, 0, NULL },
                { "1", 0, -ERANGE, 0, NULL },
                /* A limit below the digit itself. */
                { "9", 4, -ERANGE, 0, NULL },
                { "5", 4, -ERANGE, 0, NULL },
                { "10", 4, -ERANGE, 0, NULL },
                { "18446744073709551615", UINT64_MAX, 0, UINT64_MAX, "" },
                { "18446744073709551616", UINT64_MAX, -ERANGE, 0, NULL },
                { "99999999999999999999999999", UINT64_MAX, -ERANGE, 0, NULL },
                { "", 9, -EINVAL, 0, NULL },
                { "-1", 9, -EINVAL, 0, NULL },
                { "+1", 9, -EINVAL, 0, NULL },
                { " 1", 9, -EINVAL, 0, NULL },
                { "x", 9, -EINVAL, 0, NULL },
                { "\xff", 9, -EINVAL, 0, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const char *p = rows[i].text;
                uint64_t number = 12345;

                g_assert_cmpint(text_take_number(&p, rows[i].max, &number), ==, rows[i].result);
                g_assert_cmpuint(number, ==, rows[i].result == 0 ? rows[i].number : 12345);
                g_assert_cmpstr(p, ==, rows[i].rest ?: rows[i].text);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/text/numbers-are-digits-up-to-a-limit", numbers_are_digits_up_to_a_limit);
        return g_test_run();
}
