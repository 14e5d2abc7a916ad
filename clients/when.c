/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Times as people write and read them: those of the clock on their wall.
 *
 * What that shows is not the same as what time it is: in one night of the year an hour
 * is there twice, in another it is not there at all. So what was written is made a time in
 * each way that there is, and counts only if a clock shows just that then. */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "units.h"
#include "when.h"

#define MINUTE UINT64_C(60)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define WEEK (7 * DAY)

/* The last second of the year 9999, in UTC. */
#define LAST_SEC UINT64_C(253402300799)

/* Reading */

/* At least @least and at most @most digits; moves @text behind them. */
static bool digits_take(const char **text, unsigned least, unsigned most, int *ret) {
        unsigned n = 0;
        int value = 0;

        for (; n < most && (*text)[n] >= '0' && (*text)[n] <= '9'; n++)
                value = value * 10 + ((*text)[n] - '0');
        if (n < least)
                return false;
        *text += n;
        *ret = value;
        return true;
}

static bool character_take(const char **text, char c) {
        if (**text != c)
                return false;
        (*text)++;
        return true;
}

/* "07:30" or "07:30:15", and nothing after it. */
static bool clock_read(const char *text, struct tm *tm) {
        tm->tm_sec = 0;
        if (!digits_take(&text, 1, 2, &tm->tm_hour) || !character_take(&text, ':') || !digits_take(&text, 2, 2, &tm->tm_min))
                return false;
        if (character_take(&text, ':') && !digits_take(&text, 2, 2, &tm->tm_sec))
                return false;
        return !*text;
}

/* "2026-12-01" and what separates it from the time of day. */
static bool date_take(const char **text, struct tm *tm) {
        const char *s = *text;

        if (!digits_take(&s, 4, 4, &tm->tm_year) || !character_take(&s, '-') || !digits_take(&s, 2, 2, &tm->tm_mon) ||
            !character_take(&s, '-') || !digits_take(&s, 2, 2, &tm->tm_mday))
                return false;
        if (!character_take(&s, 'T')) {
                if (*s != ' ')
                        return false;
                s += strspn(s, " ");
        }
        tm->tm_year -= 1900;
        tm->tm_mon -= 1;
        *text = s;
        return true;
}

/* When a clock here shows what @wanted has: the first such time after @now, or if all are
 * past the last. */
static bool clock_shows(const struct tm *wanted, time_t now, time_t *ret) {
        bool found = false;

        for (int summer = -1; summer <= 1; summer++) {
                struct tm asked = *wanted, shown;

                asked.tm_isdst = summer;
                time_t t = mktime(&asked);
                if (!localtime_r(&t, &shown) || shown.tm_sec != wanted->tm_sec || shown.tm_min != wanted->tm_min ||
                    shown.tm_hour != wanted->tm_hour || shown.tm_mday != wanted->tm_mday || shown.tm_mon != wanted->tm_mon ||
                    shown.tm_year != wanted->tm_year)
                        continue;
                if (!found || (t > now ? *ret <= now || t < *ret : *ret <= now && t > *ret))
                        *ret = t;
                found = true;
        }
        return found;
}

static int date_parse(const char *text, time_t now, uint64_t *ret_sec) {
        struct tm tm = {};
        time_t t;

        if (!date_take(&text, &tm) || !clock_read(text, &tm))
                return -EINVAL;
        if (!clock_shows(&tm, now, &t) || t < 0)
                return -ENOENT;
        *ret_sec = t;
        return 0;
}

/* Today, tomorrow, or where that night has no such hour the day after. */
static int clock_parse(const char *text, time_t now, uint64_t *ret_sec) {
        struct tm today, clock = {};

        if (!clock_read(text, &clock))
                return -EINVAL;
        if (clock.tm_hour > 23 || clock.tm_min > 59 || clock.tm_sec > 59 || !localtime_r(&now, &today))
                return -ENOENT;
        for (int days = 0; days <= 2; days++) {
                /* Noon is there on every day, and says which that is. */
                struct tm noon = { .tm_year = today.tm_year, .tm_mon = today.tm_mon, .tm_mday = today.tm_mday + days,
                                   .tm_hour = 12, .tm_isdst = -1 };
                time_t t = mktime(&noon);
                struct tm day;

                if (!localtime_r(&t, &day))
                        return -ENOENT;
                day.tm_hour = clock.tm_hour;
                day.tm_min = clock.tm_min;
                day.tm_sec = clock.tm_sec;
                if (clock_shows(&day, now, &t) && t > now) {
                        *ret_sec = t;
                        return 0;
                }
        }
        return -ENOENT;
}

/* A number that is too large stays so, but is never much more than ten times LAST_SEC: so many
 * weeks, and all that can stand after them, are seconds that fit 64 bits. */
static bool number_take(const char **text, uint64_t *ret) {
        const char *s = *text;
        uint64_t n = 0;

        for (; *s >= '0' && *s <= '9'; s++)
                n = n > LAST_SEC ? n : n * 10 + (uint64_t) (*s - '0');
        if (s == *text)
                return false;
        *text = s;
        *ret = n;
        return true;
}

static int seconds_parse(const char *text, uint64_t *ret_sec) {
        uint64_t n;

        if (!number_take(&text, &n) || *text)
                return -EINVAL;
        if (n > LAST_SEC)
                return -ERANGE;
        *ret_sec = n;
        return 0;
}

static int span_parse(const char *text, uint64_t now_sec, uint64_t *ret_sec) {
        static const struct {
                const char *name;
                uint64_t seconds;
        } units[] = {
                { "w", WEEK }, { "d", DAY }, { "h", HOUR }, { "min", MINUTE }, { "m", MINUTE }, { "s", 1 },
        };
        uint64_t n, sum = now_sec, last = UINT64_MAX;

        do {
                size_t unit = 0, length;

                if (!number_take(&text, &n))
                        return -EINVAL;
                text += strspn(text, " ");
                length = strspn(text, "abcdefghijklmnopqrstuvwxyz");
                while (unit < ELEMENTS(units) && (strlen(units[unit].name) != length || strncmp(units[unit].name, text, length) != 0))
                        unit++;
                if (unit == ELEMENTS(units) || units[unit].seconds >= last)
                        return -EINVAL;
                last = units[unit].seconds;
                text += length;
                text += strspn(text, " ");
                sum += n * last;
        } while (*text);
        if (sum > LAST_SEC)
                return -ERANGE;
        *ret_sec = sum;
        return 0;
}

int when_parse(const char *text, uint64_t now_sec, uint64_t *ret_sec) {
        int r;

        if (*text == '@')
                return seconds_parse(text + 1, ret_sec);
        if (*text == '+')
                return span_parse(text + 1, now_sec, ret_sec);
        r = clock_parse(text, (time_t) now_sec, ret_sec);
        if (r == -EINVAL)
                r = date_parse(text, (time_t) now_sec, ret_sec);
        return r == -EINVAL ? span_parse(text, now_sec, ret_sec) : r;
}

/* Showing */

/* "today, ", "tomorrow, " or nothing. */
static const char *day_name(const struct tm *at, time_t now) {
        struct tm today, tomorrow;

        if (!localtime_r(&now, &today))
                return "";
        struct tm noon = { .tm_year = today.tm_year, .tm_mon = today.tm_mon, .tm_mday = today.tm_mday + 1,
                           .tm_hour = 12, .tm_isdst = -1 };
        time_t t = mktime(&noon);
        if (at->tm_year == today.tm_year && at->tm_yday == today.tm_yday)
                return "today, ";
        if (localtime_r(&t, &tomorrow) && at->tm_year == tomorrow.tm_year && at->tm_yday == tomorrow.tm_yday)
                return "tomorrow, ";
        return "";
}

char *when_format(uint64_t at_sec, uint64_t now_sec) {
        char day[64], clock[64], span[UNIT_TEXT_MAX];
        time_t at = (time_t) at_sec;
        bool past = at_sec < now_sec;
        struct tm tm;

        if (at_sec > LAST_SEC || !localtime_r(&at, &tm) || strftime(day, sizeof day, "%a %Y-%m-%d", &tm) == 0 ||
            strftime(clock, sizeof clock, tm.tm_sec == 0 ? "%H:%M %Z" : "%H:%M:%S %Z", &tm) == 0)
                return text_format("@%" PRIu64, at_sec);
        usec_format(span, (past ? now_sec - at_sec : at_sec - now_sec) * 1000000);
        return text_format("%s%s at %s, %s%s%s", day_name(&tm, (time_t) now_sec), day, clock, past ? "" : "in ", span,
                           past ? " ago" : "");
}
