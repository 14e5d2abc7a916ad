/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#define FIELDS_MAX 8u

static int level_max = LOG_INFO;

void log_set_level(int level) {
        level_max = level;
}

int log_level_from_string(const char *word, int *ret_level) {
        static const struct { const char *word; int level; } levels[] = {
                { "err", LOG_ERR },
                { "warning", LOG_WARNING },
                { "notice", LOG_NOTICE },
                { "info", LOG_INFO },
                { "debug", LOG_DEBUG },
        };

        for (size_t i = 0; i < ELEMENTSOF(levels); i++)
                if (strcmp(levels[i].word, word) == 0) {
                        *ret_level = levels[i].level;
                        return 0;
                }

        return -EINVAL;
}

/* Whether standard error is a stream to the journal: systemd tells its device
 * and inode in $JOURNAL_STREAM, and a redirection since shows in both. */
static bool stderr_is_journal(void) {
        static int known = -1;

        if (known < 0) {
                const char *stream = getenv("JOURNAL_STREAM");
                uintmax_t device, inode;
                struct stat st;

                known = stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
                        fstat(STDERR_FILENO, &st) >= 0 &&
                        st.st_dev == device && st.st_ino == inode;
        }

        return known;
}

static void log_line(int level, const char *const *fields, const char *text) {
        char *parts[FIELDS_MAX + 2] = {};
        struct iovec iovec[FIELDS_MAX + 2];
        size_t n = 0;

        if (!stderr_is_journal()) {
                fprintf(stderr, "berthd: %s\n", text);
                return;
        }

        if (asprintf(parts + n, "MESSAGE=%s", text) >= 0)
                n++;
        if (asprintf(parts + n, "PRIORITY=%i", level) >= 0)
                n++;
        for (size_t i = 0; fields && fields[i] && i < 2 * FIELDS_MAX; i += 2)
                if (fields[i + 1] && asprintf(parts + n, "%s=%s", fields[i], fields[i + 1]) >= 0)
                        n++;

        for (size_t i = 0; i < n; i++)
                iovec[i] = (struct iovec) { .iov_base = parts[i], .iov_len = strlen(parts[i]) };
        (void) sd_journal_sendv(iovec, (int) n);
        for (size_t i = 0; i < n; i++)
                free(parts[i]);
}

static void log_va(int level, const char *const *fields, const char *format, va_list ap) {
        _cleanup_free_ char *text = NULL;

        if (level > level_max)
                return;
        if (vasprintf(&text, format, ap) < 0) {
                text = NULL;
                return;
        }
        log_line(level, fields, text);
}

void log_message(int level, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        log_va(level, NULL, format, ap);
        va_end(ap);
}

void log_fields(int level, const char *const *fields, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        log_va(level, fields, format, ap);
        va_end(ap);
}
