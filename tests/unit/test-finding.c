/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Findings: kept up to a limit, compared, and fit for a bus that carries UTF-8
 * only, whatever they quote. */

#include <glib.h>
#include <string.h>

#include "lib/finding.h"

static void add(Findings *findings, const char *code, const char *subject, const char *message) {
        findings_add(findings, code, SEVERITY_WARNS, "look", subject, "%s", message);
}

static void what_is_added_is_kept(void) {
        _cleanup_findings_ Findings findings = {};

        findings_add(&findings, "a-code", SEVERITY_BLOCKS, "mend it", "cell3", "cell %u is %s", 3u, "gone");
        g_assert_cmpuint(findings.n_items, ==, 1);
        g_assert_cmpstr(findings.items[0].code, ==, "a-code");
        g_assert_cmpint(findings.items[0].severity, ==, SEVERITY_BLOCKS);
        g_assert_cmpstr(findings.items[0].subject, ==, "cell3");
        g_assert_cmpstr(findings.items[0].message, ==, "cell 3 is gone");
        g_assert_cmpstr(findings.items[0].remedy, ==, "mend it");
        g_assert_cmpuint(findings.n_dropped, ==, 0);

        findings_clear(&findings);
        g_assert_cmpuint(findings.n_items, ==, 0);
        g_assert_null(findings.items);
        findings_clear(&findings);
}

static void severities_have_words(void) {
        g_assert_cmpstr(severity_to_string(SEVERITY_WARNS), ==, "warns");
        g_assert_cmpstr(severity_to_string(SEVERITY_BLOCKS), ==, "blocks");
        g_assert_null(severity_to_string((Severity) 99));
}

static void too_many_are_counted(void) {
        _cleanup_findings_ Findings findings = {}, other = {};

        for (unsigned i = 0; i < FINDINGS_MAX + 10; i++)
                findings_add(&findings, "code", SEVERITY_WARNS, "", "s", "number %u", i);
        g_assert_cmpuint(findings.n_items, ==, FINDINGS_MAX);
        g_assert_cmpuint(findings.n_dropped, ==, 10);
        g_assert_cmpstr(findings.items[FINDINGS_MAX - 1].message, ==, "number 63");

        /* One that cannot be seen makes a difference too. */
        for (unsigned i = 0; i < FINDINGS_MAX + 9; i++)
                findings_add(&other, "code", SEVERITY_WARNS, "", "s", "number %u", i);
        g_assert_false(findings_equal(&findings, &other));
        add(&other, "code", "s", "another");
        g_assert_true(findings_equal(&findings, &other));
        findings_clear(&findings);
        g_assert_cmpuint(findings.n_dropped, ==, 0);
}

static void equal_is_equal_in_each_part(void) {
        static const struct { const char *code, *subject, *message; bool equal; } rows[] = {
                { "code", "subject", "message", true },
                { "other", "subject", "message", false },
                { "code", "other", "message", false },
                { "code", "subject", "other", false },
        };
        _cleanup_findings_ Findings first = {}, none = {};

        add(&first, "code", "subject", "message");
        g_assert_true(findings_equal(&none, &none));
        g_assert_false(findings_equal(&first, &none));
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_findings_ Findings second = {};

                add(&second, rows[i].code, rows[i].subject, rows[i].message);
                g_assert_cmpint(findings_equal(&first, &second), ==, rows[i].equal);
        }
}

/* A bus closes the connection of who sends it other text. */
static void text_from_outside_becomes_utf8(void) {
        static const struct { const char *text, *kept; } rows[] = {
                { "plain", "plain" },
                { "B\xc3\xbcro \xe2\x9a\x93 \xf0\x9f\x9a\xa2", "B\xc3\xbcro \xe2\x9a\x93 \xf0\x9f\x9a\xa2" },
                { "latin \xfc", "latin ?" },
                { "\xff\xfe", "??" },
                { "cut \xe2\x9a", "cut ??" },
                { "lone \x80 tail", "lone ? tail" },
                { "long slash \xc0\xaf", "long slash ??" },
                { "long \xe0\x80\xaf", "long ???" },
                { "surrogate \xed\xa0\x80", "surrogate ???" },
                { "beyond \xf4\x90\x80\x80", "beyond ????" },
                { "a\tb\nc\x1b[31m", "a?b?c?[31m" },
                { "del \x7f", "del ?" },
                { "", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_findings_ Findings findings = {};

                add(&findings, "code", rows[i].text, rows[i].text);
                g_test_message("row %zu", i);
                g_assert_cmpstr(findings.items[0].message, ==, rows[i].kept);
                g_assert_cmpstr(findings.items[0].subject, ==, rows[i].kept);
                g_assert_true(g_utf8_validate(findings.items[0].message, -1, NULL));
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/finding/what-is-added-is-kept", what_is_added_is_kept);
        g_test_add_func("/finding/severities-have-words", severities_have_words);
        g_test_add_func("/finding/too-many-are-counted", too_many_are_counted);
        g_test_add_func("/finding/equal-is-equal-in-each-part", equal_is_equal_in_each_part);
        g_test_add_func("/finding/text-from-outside-becomes-utf8", text_from_outside_becomes_utf8);
        return g_test_run();
}
