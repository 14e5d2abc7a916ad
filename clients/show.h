/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host.h"
#include "table.h"

/* What more than one verb shows. */

/* A word for a cache, "L1d" or "L3": to be freed. */
char *cache_name(json_object *cache);

/* Prints the table of cells, at most @max_rows of them. */
ExitCode show_cells(const Ctl *ctl, const Terminal *t, const Host *host, unsigned max_rows);

/* Prints the table of guests with their UUIDs, at most @max_rows of them. */
ExitCode show_guests(const Ctl *ctl, const Terminal *t, json_object *guests, unsigned max_rows);

/* Instead of the UUID where each guest's vCPUs may run, as @lists of them say (one for
 * each guest that is shown). */
ExitCode show_guests_placed(const Ctl *ctl, const Terminal *t, json_object *guests, json_object *lists, const Host *host,
                            unsigned max_rows);

/* Fills the next place with the scheduler of a vCPU or thread, and its priority: "fifo 50". */
int table_add_scheduler(Table *table, json_object *thread);

/* Prints at most @max of the findings in @warnings (may be NULL), each with its remedy. */
void show_warnings(const Terminal *t, json_object *warnings, size_t max);

/* The same of those that say why something cannot be done. */
void show_reasons(const Terminal *t, json_object *findings);

/* "label  text", the text wrapped beside its label to at most @columns. */
void show_wrapped(const Terminal *t, const char *label, unsigned width, const char *text, unsigned columns);

/* "label  value", the label in @width columns; nothing if @value is NULL or empty. */
void show_line(const Terminal *t, const char *label, unsigned width, const char *value);

/* A list of numbers as "0, 1": to be freed. */
char *numbers_format(json_object *list);

/* Prints a document as it is; with --json as the value of "Xml". */
ExitCode show_xml(const Ctl *ctl, json_object *xml);

ExitCode fail_no_memory(const Ctl *ctl);
