/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *severity_to_string(Severity severity) {
        switch (severity) {
        case SEVERITY_WARNS:
                return "warns";
        case SEVERITY_BLOCKS:
                return "blocks";
        }
        return NULL;
}

void findings_clear(Findings *findings) {
        for (size_t i = 0; i < findings->n_items; i++) {
                free(findings->items[i].subject);
                free(findings->items[i].message);
        }
        free(findings->items);
        *findings = (Findings) {};
}

/* How many bytes the UTF-8 character at "p" has; 0 if there is none, or one that
 * would do something to a terminal. */
static size_t character_length(const unsigned char *p) {
        static const struct { unsigned char first, last, low, high; size_t length; } forms[] = {
                { 0x20, 0x7e, 0, 0, 1 },
                { 0xc2, 0xdf, 0x80, 0xbf, 2 },
                { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
                { 0xe1, 0xec, 0x80, 0xbf, 3 },
                { 0xed, 0xed, 0x80, 0x9f, 3 },
                { 0xee, 0xef, 0x80, 0xbf, 3 },
                { 0xf0, 0xf0, 0x90, 0xbf, 4 },
                { 0xf1, 0xf3, 0x80, 0xbf, 4 },
                { 0xf4, 0xf4, 0x80, 0x8f, 4 },
        };

        for (size_t i = 0; i < ELEMENTSOF(forms); i++) {
                if (p[0] < forms[i].first || p[0] > forms[i].last)
                        continue;
                if (forms[i].length > 1 && (p[1] < forms[i].low || p[1] > forms[i].high))
                        return 0;
                for (size_t j = 2; j < forms[i].length; j++)
                        if ((p[j] & 0xc0) != 0x80)
                                return 0;
                return forms[i].length;
        }
        return 0;
}

/* A finding may quote a file, and a bus closes the connection of who sends it
 * other text than UTF-8. */
static void make_printable(char *text) {
        for (char *p = text; *p;) {
                size_t n = character_length((const unsigned char *) p);

                if (n == 0)
                        *p = '?';
                p += n > 0 ? n : 1;
        }
}

void findings_add(Findings *findings, const char *code, Severity severity, const char *remedy,
                  const char *subject, const char *format, ...) {
        _cleanup_free_ char *message = NULL, *about = NULL;
        Finding *items;
        va_list ap;
        int n;

        if (findings->n_items >= FINDINGS_MAX) {
                findings->n_dropped++;
                return;
        }

        va_start(ap, format);
        n = vasprintf(&message, format, ap);
        va_end(ap);
        if (n < 0) {
                message = NULL;
                return;
        }
        about = strdup(subject);
        items = reallocarray(findings->items, findings->n_items + 1, sizeof *items);
        if (items)
                findings->items = items;
        if (!about || !items)
                return;
        make_printable(about);
        make_printable(message);

        items[findings->n_items++] = (Finding) {
                .code = code,
                .severity = severity,
                .subject = TAKE_PTR(about),
                .message = TAKE_PTR(message),
                .remedy = remedy,
        };
}

bool findings_equal(const Findings *a, const Findings *b) {
        if (a->n_items != b->n_items || a->n_dropped != b->n_dropped)
                return false;
        for (size_t i = 0; i < a->n_items; i++)
                if (strcmp(a->items[i].code, b->items[i].code) != 0 ||
                    strcmp(a->items[i].subject, b->items[i].subject) != 0 ||
                    strcmp(a->items[i].message, b->items[i].message) != 0)
                        return false;
        return true;
}
