/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Times as people write and read them, in the time zones that make it hard. */

#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <time.h>

#include "when.h"

/* Sun 2026-11-22 17:30:00 UTC, 18:30 in Berlin. */
#define NOW G_GUINT64_CONSTANT(1795368600)
#define MIDNIGHT (NOW - 17 * 3600 - 1800)
#define DAY 86400
#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

static void zone_set(const char *zone) {
        g_setenv("TZ", zone, TRUE);
        tzset();
}

typedef struct Row {
        const char *text;
        guint64 now;
        int r;
        guint64 sec;
} Row;

static void rows_check(const char *zone, const Row *rows, size_t n) {
        zone_set(zone);
        for (size_t i = 0; i < n; i++) {
                guint64 sec = 77;
                int r = when_parse(rows[i].text, rows[i].now, &sec);

                g_test_message("%s", rows[i].text);
                g_assert_cmpint(r, ==, rows[i].r);
                g_assert_cmpuint(sec, ==, rows[i].r < 0 ? 77 : rows[i].sec);
        }
}

static void test_clock_is_the_next_such_time(void) {
        static const Row utc[] = {
                { "17:31", NOW, 0, NOW + 60 },
                { "17:30", NOW, 0, NOW + DAY },       /* it is that now */
                { "17:30:01", NOW, 0, NOW + 1 },
                { "07:30", NOW, 0, MIDNIGHT + DAY + 7 * 3600 + 1800 },
                { "7:30", NOW, 0, MIDNIGHT + DAY + 7 * 3600 + 1800 },
                { "00:00", NOW, 0, MIDNIGHT + DAY },
                { "23:59:59", NOW, 0, MIDNIGHT + DAY - 1 },
                { "24:00", NOW, -ENOENT },
                { "23:60", NOW, -ENOENT },
                { "23:59:60", NOW, -ENOENT },
                { "99:99", NOW, -ENOENT },
        };
        static const Row berlin[] = {
                { "18:31", NOW, 0, NOW + 60 },
                { "17:31", NOW, 0, NOW + DAY - 3600 + 60 },
        };

        rows_check("UTC", utc, G_N_ELEMENTS(utc));
        rows_check(BERLIN, berlin, G_N_ELEMENTS(berlin));
}

/* Clocks in Berlin went from 02:00 to 03:00 on 2026-03-29 at 01:00 UTC (1774746000), and from 03:00
 * back to 02:00 on 2026-10-25 at 01:00 UTC (1792890000). */
static void test_hours_that_are_missing_or_there_twice(void) {
        static const Row rows[] = {
                { "2026-03-29 01:59:59", NOW, 0, 1774745999 },
                { "2026-03-29 02:30", NOW, -ENOENT },
                { "2026-03-29 03:00", NOW, 0, 1774746000 },
                /* Said in the evening before, it is the day after. */
                { "02:30", 1774746000 - 6 * 3600, 0, 1774746000 + DAY - 1800 },
                /* The first of the two; between them the second; after them the last that was. */
                { "02:30", 1792890000 - 6 * 3600, 0, 1792890000 - 1800 },
                { "02:30", 1792890000 - 900, 0, 1792890000 + 1800 },
                { "02:30", 1792890000 + 2700, 0, 1792890000 + 1800 + DAY },
                { "2026-10-25 02:30", 1792890000 - 6 * 3600, 0, 1792890000 - 1800 },
                { "2026-10-25 02:30", 1792890000 - 900, 0, 1792890000 + 1800 },
                { "2026-10-25 02:30", NOW, 0, 1792890000 + 1800 },
                { "2026-10-25 03:00", NOW, 0, 1792890000 + 3600 },
        };

        rows_check(BERLIN, rows, G_N_ELEMENTS(rows));
}

static void test_days(void) {
        static const Row rows[] = {
                { "2026-12-01 07:30", NOW, 0, 1796110200 },
                { "2026-12-01T07:30", NOW, 0, 1796110200 },
                { "2026-12-01   07:30:05", NOW, 0, 1796110205 },
                { "2020-01-01 00:00", NOW, 0, 1577836800 }, /* the service says that it is past */
                { "1970-01-01 00:00", NOW, 0, 0 },
                { "2028-02-29 00:00", NOW, 0, 1835395200 },
                { "9999-12-31 23:59:59", NOW, 0, G_GUINT64_CONSTANT(253402300799) },
                { "1969-12-31 23:59:59", NOW, -ENOENT },
                { "0000-00-00 00:00", NOW, -ENOENT },
                { "2026-02-29 00:00", NOW, -ENOENT },
                { "2026-13-01 00:00", NOW, -ENOENT },
                { "2026-12-32 00:00", NOW, -ENOENT },
                { "2026-12-01 24:00", NOW, -ENOENT },
                { "2026-12-01 07:60", NOW, -ENOENT },
        };

        rows_check("UTC", rows, G_N_ELEMENTS(rows));
}

static void test_spans_and_seconds(void) {
        static const Row rows[] = {
                { "8h", NOW, 0, NOW + 8 * 3600 },
                { "+8h", NOW, 0, NOW + 8 * 3600 },
                { "90min", NOW, 0, NOW + 90 * 60 },
                { "90m", NOW, 0, NOW + 90 * 60 },
                { "90s", NOW, 0, NOW + 90 },
                { "90 s", NOW, 0, NOW + 90 },
                { "1h30min", NOW, 0, NOW + 5400 },
                { "1h 30 min", NOW, 0, NOW + 5400 },
                { "1w2d3h4m5s", NOW, 0, NOW + 7 * DAY + 2 * DAY + 3 * 3600 + 4 * 60 + 5 },
                { "0s", NOW, 0, NOW },
                { "@0", NOW, 0, 0 },
                { "@1796110200", NOW, 0, 1796110200 },
                { "@253402300799", NOW, 0, G_GUINT64_CONSTANT(253402300799) },
                { "@253402300800", NOW, -ERANGE },
                { "@18446744073709551617", NOW, -ERANGE },
                { "253402300799s", NOW, -ERANGE },
                { "99999999999999999999w", NOW, -ERANGE },
                { "30500568904943w", NOW, -ERANGE }, /* 2^64 seconds, and a little */
                { "9999999999w99999999999999999999s", NOW, -ERANGE },
        };

        rows_check("UTC", rows, G_N_ELEMENTS(rows));
}

static void test_garbage_is_no_time(void) {
        static const char *const rows[] = {
                "", " ", "+", "@", "-", "now", "tomorrow", "noon", "8", "+8", "8x", "8 ", "h", "8hh", "8H", "8h8h", "8m8h", "8min8m",
                "-8h", "+-8h", "++8h", "8.5h", "1e3s", "0x10s", "8h,30min", "8h:30", "8hours", "@-1", "@+1", "@ 1", "@1 ", "@1s",
                "@1.5", "@0x10", "7:3", "7:300", "007:30", ":30", "07:", "07:30:", "07:30:5", "07:30:555", "07.30", "07:30 ", " 07:30",
                "07:30Z", "+07:30", "07:30 pm", "-07:30", "2026-12-01", "2026-12-01 ", "2026-12-01T", "2026-12-01t07:30",
                "2026-12-0107:30", "2026-12-1 07:30", "26-12-01 07:30", "02026-12-01 07:30", "2026-12-01 07:30 ", "2026-12-01 8h",
                "2026-12-01 07", "2026/12/01 07:30", "2026-12-01T 07:30", "-2026-12-01 07:30", "1.12.2026 07:30",
                "2026-12-01 07:30 2026-12-01 07:30", "07:30 07:30", "\xff", "8\xc2\xb5s", "８h", "07:30\n", "\t8h",
        };

        zone_set("UTC");
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *shown = g_strescape(rows[i], NULL);
                guint64 sec = 77;

                g_test_message("\"%s\"", shown);
                g_assert_cmpint(when_parse(rows[i], NOW, &sec), ==, -EINVAL);
                g_assert_cmpuint(sec, ==, 77);
        }
}

static void test_times_are_told_in_words(void) {
        static const struct {
                const char *zone;
                guint64 at;
                const char *text;
        } rows[] = {
                { "UTC", NOW + 60, "today, Sun 2026-11-22 at 17:31 UTC, in 1 min 0 s" },
                { "UTC", NOW + 5, "today, Sun 2026-11-22 at 17:30:05 UTC, in 5 s" },
                { "UTC", NOW, "today, Sun 2026-11-22 at 17:30 UTC, in 0 s" },
                { "UTC", NOW - 60, "today, Sun 2026-11-22 at 17:29 UTC, 1 min 0 s ago" },
                { "UTC", NOW + 8 * 3600, "tomorrow, Mon 2026-11-23 at 01:30 UTC, in 8 h 0 min" },
                { "UTC", NOW + 2 * DAY, "Tue 2026-11-24 at 17:30 UTC, in 2 d 0 h" },
                { "UTC", NOW - DAY, "Sat 2026-11-21 at 17:30 UTC, 1 d 0 h ago" },
                { "UTC", NOW + 365 * DAY, "Mon 2027-11-22 at 17:30 UTC, in 365 d 0 h" },
                { BERLIN, NOW + 8 * 3600, "tomorrow, Mon 2026-11-23 at 02:30 CET, in 8 h 0 min" },
                { BERLIN, NOW + 5 * 3600 + 1800, "tomorrow, Mon 2026-11-23 at 00:00 CET, in 5 h 30 min" },
                { BERLIN, NOW + 5 * 3600 + 1799, "today, Sun 2026-11-22 at 23:59:59 CET, in 5 h 29 min" },
                { "UTC", 0, "Thu 1970-01-01 at 00:00 UTC, 20779 d 17 h ago" },
                { "UTC", G_GUINT64_CONSTANT(253402300800), "@253402300800" },
                { "UTC", G_MAXUINT64, "@18446744073709551615" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                zone_set(rows[i].zone);
                char *text = when_format(rows[i].at, NOW);

                g_assert_cmpstr(text, ==, rows[i].text);
                free(text);
        }
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/client/when/" #name, test_##name)
        ADD(clock_is_the_next_such_time);
        ADD(hours_that_are_missing_or_there_twice);
        ADD(days);
        ADD(spans_and_seconds);
        ADD(garbage_is_no_time);
        ADD(times_are_told_in_words);
        return g_test_run();
}
