/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cleanup.h"

typedef struct Terminal {
        FILE *file;
        bool is_tty;
        bool colour;
        bool utf8;
        unsigned columns, rows;
} Terminal;

typedef enum Style {
        STYLE_NORMAL,
        STYLE_HEADING,
        STYLE_FAINT,
        STYLE_WARNING,
        STYLE_PERFORMANCE,
        STYLE_EFFICIENCY,
        STYLE_OFFLINE,
        STYLE_ISOLATED,
        STYLE_GOOD,
        STYLE_BAD,
        _STYLE_MAX,
} Style;

/* What can be shown on @file: colour, its character set and its size. */
void terminal_open(Terminal *ret, FILE *file);

/* Writes @text, which is UTF-8, so that it can do no harm: what would steer the
 * terminal becomes '?', and on one that is not UTF-8 each character that it
 * does not have becomes one that it has. */
void terminal_put(const Terminal *t, const char *text);
void terminal_printf(const Terminal *t, const char *format, ...) _printf_(2, 3);

/* What follows looks like @style, where there is colour. */
void terminal_style(const Terminal *t, Style style);

/* @text, wrapped at words to at most @columns, each line after @indent spaces;
 * blank lines are kept. */
void terminal_put_wrapped(const Terminal *t, const char *text, unsigned indent, unsigned columns);

/* Columns that @text takes when written by terminal_put(). */
unsigned terminal_width(const Terminal *t, const char *text);

/* The first character of @text: stores it, returns its length in bytes (0 at
 * the end). A byte that is no UTF-8 is U+FFFD. */
size_t text_next(const char *text, uint32_t *ret_character);
