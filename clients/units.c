/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "units.h"

const char *bytes_format(char buffer[static UNIT_TEXT_MAX], uint64_t bytes) {
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        unsigned unit = 0;

        /* What would be rounded up to 1024 belongs to the next unit. */
        for (double n = bytes; n >= 1023.95 && unit + 1 < ELEMENTS(units); n /= 1024)
                unit++;
        uint64_t one = UINT64_C(1) << (10 * unit);
        uint64_t tenths = (uint64_t) ((double) bytes / (double) one * 10 + 0.5);
        if (tenths % 10 == 0)
                snprintf(buffer, UNIT_TEXT_MAX, "%" PRIu64 " %s", tenths / 10, units[unit]);
        else
                snprintf(buffer, UNIT_TEXT_MAX, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[unit]);
        return buffer;
}

const char *khz_format(char buffer[static UNIT_TEXT_MAX], uint64_t khz) {
        if (khz >= 1000000)
                snprintf(buffer, UNIT_TEXT_MAX, "%.4g GHz", khz / 1e6);
        else
                snprintf(buffer, UNIT_TEXT_MAX, "%.4g MHz", khz / 1e3);
        return buffer;
}

const char *usec_format(char buffer[static UNIT_TEXT_MAX], uint64_t usec) {
        uint64_t seconds = usec / 1000000, minutes = seconds / 60, hours = minutes / 60;

        if (usec == 0)
                snprintf(buffer, UNIT_TEXT_MAX, "0 s");
        else if (usec < 1000)
                snprintf(buffer, UNIT_TEXT_MAX, "%" PRIu64 " us", usec);
        else if (seconds == 0)
                snprintf(buffer, UNIT_TEXT_MAX, "%" PRIu64 " ms", usec / 1000);
        else if (minutes == 0 && usec / 100000 % 10 == 0)
                snprintf(buffer, UNIT_TEXT_MAX, "%" PRIu64 " s", seconds);
        else if (minutes == 0)
                snprintf(buffer, UNIT_TEXT_MAX, "%" PRIu64 ".%" PRIu64 " s", seconds, usec / 100000 % 10);
        else if (hours == 0)
                snprintf(buffer, UNIT_TEXT_MAX, "%" PRIu64 " min %" PRIu64 " s", minutes, seconds % 60);
        else if (hours < 24)
                snprintf(buffer, UNIT_TEXT_MAX, "%" PRIu64 " h %" PRIu64 " min", hours, minutes % 60);
        else
                snprintf(buffer, UNIT_TEXT_MAX, "%" PRIu64 " d %" PRIu64 " h", hours / 24, hours % 24);
        return buffer;
}

int bytes_parse(const char *text, uint64_t *ret_bytes) {
        static const char suffixes[] = "KMGTPE";
        uint64_t n = 0;
        unsigned shift = 0;

        if (*text < '0' || *text > '9')
                return -EINVAL;
        for (; *text >= '0' && *text <= '9'; text++)
                if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *text - '0', &n))
                        return -ERANGE;
        if (*text) {
                char upper = *text >= 'a' && *text <= 'z' ? *text - 'a' + 'A' : *text;
                const char *suffix = strchr(suffixes, upper);
                if (suffix) {
                        shift = 10 * (suffix - suffixes + 1);
                        text++;
                }
                if (strcmp(text, "") != 0 && strcmp(text, "B") != 0 && (!suffix || strcmp(text, "iB") != 0))
                        return -EINVAL;
        }
        if (shift > 0 && n > UINT64_MAX >> shift)
                return -ERANGE;
        *ret_bytes = n << shift;
        return 0;
}

char *count_format(uint64_t n, const char *one) {
        char *text;

        return asprintf(&text, "%" PRIu64 " %s%s", n, one, n == 1 ? "" : "s") < 0 ? NULL : text;
}

char *text_format(const char *format, ...) {
        char *text;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        return r < 0 ? NULL : text;
}
