/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What does not agree, collected: a host that is shown wrongly is mostly shown
 * wrongly in several places, and all of them together tell why. */

#include <glib.h>

typedef struct Report Report;

Report *report_new(void);
Report *report_free(Report *report);

/* Adds one disagreement: where it is ("cells[3].cpus"), and what about it. */
G_GNUC_PRINTF(3, 4)
void report_add(Report *report, const char *where, const char *format, ...);

/* Two texts that must be equal; NULL means "not told". */
void report_compare(Report *report, const char *where, const char *expected, const char *seen);

void report_compare_number(Report *report, const char *where, guint64 expected, guint64 seen);

/* Fails the running GTest, with everything that was collected. */
void report_finish(Report *report);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Report, report_free)
