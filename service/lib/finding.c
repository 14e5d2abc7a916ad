/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

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
        text_make_printable(about);
        text_make_printable(message);

        items[findings->n_items++] = (Finding) {
                .code = code,
                .severity = severity,
                .subject = TAKE_PTR(about),
                .message = TAKE_PTR(message),
                .remedy = remedy,
        };
}

void findings_append(Findings *findings, const Findings *more) {
        for (size_t i = 0; i < more->n_items; i++) {
                const Finding *finding = more->items + i;

                findings_add(findings, finding->code, finding->severity, finding->remedy, finding->subject, "%s", finding->message);
        }
        findings->n_dropped += more->n_dropped;
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
