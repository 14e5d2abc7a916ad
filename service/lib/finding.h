/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is worth telling a person though nothing fails: a code that a program
 * can compare, what it is about, one sentence, and what can be done. */

#include <stdbool.h>

#include "cleanup.h"

typedef enum Severity {
        SEVERITY_WARNS,
        SEVERITY_BLOCKS,
} Severity;

const char *severity_to_string(Severity severity);

typedef struct Finding {
        const char *code;       /* a constant, from the list in the interface's documentation */
        Severity severity;
        char *subject;
        char *message;
        const char *remedy;     /* a constant */
} Finding;

typedef struct Findings {
        Finding *items;
        size_t n_items;
        size_t n_dropped;
} Findings;

/* More than these are counted, not kept: a machine of 8,192 CPUs can be wrong in
 * 8,192 places, and a property should stay small. */
#define FINDINGS_MAX 64u

void findings_clear(Findings *findings);
#define _cleanup_findings_ _cleanup_(findings_clear)

/* Adds one; what is no printable UTF-8 in its texts becomes "?". One that cannot be added for lack of memory is dropped. */
void findings_add(Findings *findings, const char *code, Severity severity, const char *remedy,
                  const char *subject, const char *format, ...) _printf_(6, 7);

/* Adds copies of all of them. */
void findings_append(Findings *findings, const Findings *more);

bool findings_equal(const Findings *a, const Findings *b);
