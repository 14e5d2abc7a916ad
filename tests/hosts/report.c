/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "report.h"

/* Enough to see a pattern in. */
enum { SHOWN = 60 };

struct Report {
        GString *text;
        unsigned count;
};

Report *report_new(void) {
        Report *report = g_new0(Report, 1);

        report->text = g_string_new(NULL);
        return report;
}

Report *report_free(Report *report) {
        if (!report)
                return NULL;
        g_string_free(report->text, TRUE);
        g_free(report);
        return NULL;
}

void report_add(Report *report, const char *where, const char *format, ...) {
        va_list arguments;

        if (report->count++ >= SHOWN)
                return;
        g_string_append_printf(report->text, "\n  %s: ", where);
        va_start(arguments, format);
        g_string_append_vprintf(report->text, format, arguments);
        va_end(arguments);
}

void report_compare(Report *report, const char *where, const char *expected, const char *seen) {
        if (g_strcmp0(expected, seen) == 0)
                return;
        report_add(report, where, "expected %s%s%s, is %s%s%s",
                   expected ? "\"" : "", expected ? expected : "nothing", expected ? "\"" : "",
                   seen ? "\"" : "", seen ? seen : "not told", seen ? "\"" : "");
}

void report_compare_number(Report *report, const char *where, guint64 expected, guint64 seen) {
        if (expected != seen)
                report_add(report, where, "expected %" G_GUINT64_FORMAT ", is %" G_GUINT64_FORMAT, expected, seen);
}

void report_finish(Report *report) {
        if (report->count > 0)
                g_test_fail_printf("%u disagreements:%s%s", report->count, report->text->str,
                                   report->count > SHOWN ? "\n  …" : "");
}
