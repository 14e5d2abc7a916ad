/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "terminal.h"

typedef struct Column {
        const char *title;
        bool right; /* aligned there, as numbers are */
        bool wraps; /* where the terminal is too narrow: after commas and spaces */
} Column;

typedef struct Table Table;

/* A table with these columns, ended by one without a title. @columns must outlive it. */
Table *table_new(const Column *columns);
Table *table_free(Table *table);
static inline void table_freep(Table **t) {
        table_free(*t);
}
#define _cleanup_table_ _cleanup_(table_freep)

/* Fills the next place, row by row. NULL is an empty one. -ENOMEM. */
int table_add(Table *table, const char *text);
int table_add_styled(Table *table, Style style, const char *text);
int table_addf(Table *table, const char *format, ...) _printf_(2, 3);

/* Prints the first @max_rows rows under their titles. Columns that are empty in
 * all rows of the table are left out. On a terminal no line gets longer than it
 * is wide, as far as the columns that may wrap can help. */
void table_print(const Table *table, const Terminal *t, unsigned max_rows);
