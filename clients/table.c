/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "table.h"

enum {
        GAP = 2,
        COLUMNS_MAX = 24,
        WRAPPED_MIN = 8,
};

typedef struct Cell {
        char *text;
        Style style;
} Cell;

struct Table {
        const Column *columns;
        size_t n_columns;
        Cell *cells;
        size_t n_cells, allocated;
};

Table *table_new(const Column *columns) {
        Table *table = calloc(1, sizeof *table);

        if (!table)
                return NULL;
        table->columns = columns;
        while (columns[table->n_columns].title && table->n_columns < COLUMNS_MAX)
                table->n_columns++;
        return table;
}

Table *table_free(Table *table) {
        if (!table)
                return NULL;
        for (size_t i = 0; i < table->n_cells; i++)
                free(table->cells[i].text);
        free(table->cells);
        free(table);
        return NULL;
}

int table_add_styled(Table *table, Style style, const char *text) {
        if (table->n_cells == table->allocated) {
                size_t n = table->allocated > 0 ? table->allocated * 2 : 64;
                Cell *cells = reallocarray(table->cells, n, sizeof *cells);
                if (!cells)
                        return -ENOMEM;
                table->cells = cells;
                table->allocated = n;
        }
        char *copy = strdup(text ?: "");
        if (!copy)
                return -ENOMEM;
        /* A cell is one line, whatever the service has in it. */
        for (char *c = copy; *c; c++)
                if (*c == '\n' || *c == '\t')
                        *c = ' ';
        table->cells[table->n_cells++] = (Cell) { copy, style };
        return 0;
}

int table_add(Table *table, const char *text) {
        return table_add_styled(table, STYLE_NORMAL, text);
}

int table_addf(Table *table, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0) {
                text = NULL;
                return -ENOMEM;
        }
        return table_add(table, text);
}

/* How many bytes of @text go on a line of @width columns, cut after a comma or a
 * space if there is one. */
static size_t line_cut(const Terminal *t, const char *text, unsigned width) {
        size_t bytes = 0, cut = 0;
        uint32_t c;

        for (size_t n; (n = text_next(text + bytes, &c)) > 0; bytes += n) {
                char one[8] = {};
                memcpy(one, text + bytes, n);
                unsigned w = terminal_width(t, one);
                /* A space at the end is not printed. */
                if (w > width && bytes > 0 && c != ' ')
                        return cut > 0 ? cut : bytes;
                width -= MIN(w, width);
                if (c == ',' || c == ' ')
                        cut = bytes + n;
        }
        return bytes;
}

/* Prints the first @length bytes of @text without the spaces at their end, at the
 * side of @width columns where they belong. Returns how many columns are left. */
static unsigned cell_print(const Terminal *t, const char *text, size_t length, Style style, unsigned width, bool right) {
        while (length > 0 && text[length - 1] == ' ')
                length--;
        _cleanup_free_ char *part = strndup(text, length);
        if (!part)
                return width;
        unsigned used = terminal_width(t, part), padding = width > used ? width - used : 0;
        if (right)
                terminal_printf(t, "%*s", (int) padding, "");
        if (style != STYLE_NORMAL)
                terminal_style(t, style);
        terminal_put(t, part);
        if (style != STYLE_NORMAL)
                terminal_style(t, STYLE_NORMAL);
        return right ? 0 : padding;
}

/* One row, of as many lines as its fullest cell needs. No line ends in spaces:
 * they are owed until something follows. */
static void row_print(const Table *table, const Terminal *t, const Cell *cells, const unsigned *widths) {
        const char *rest[COLUMNS_MAX];
        bool more;

        for (size_t i = 0; i < table->n_columns; i++)
                rest[i] = cells[i].text;
        do {
                unsigned owed = 0;

                more = false;
                for (size_t i = 0; i < table->n_columns; i++) {
                        if (widths[i] == 0)
                                continue;
                        size_t length = table->columns[i].wraps ? line_cut(t, rest[i], widths[i]) : strlen(rest[i]);
                        if (length > 0) {
                                terminal_printf(t, "%*s", (int) owed, "");
                                owed = cell_print(t, rest[i], length, cells[i].style, widths[i], table->columns[i].right);
                        } else
                                owed += widths[i];
                        owed += GAP;
                        rest[i] += length;
                        more = more || *rest[i];
                }
                terminal_put(t, "\n");
        } while (more);
}

/* The widths of columns; 0 for one that has nothing in it. */
static void widths_find(const Table *table, const Terminal *t, unsigned *widths) {
        unsigned total = 0, wrapping = 0;

        memset(widths, 0, COLUMNS_MAX * sizeof *widths);
        for (size_t i = 0; i < table->n_cells; i++)
                widths[i % table->n_columns] =
                        MAX(widths[i % table->n_columns], terminal_width(t, table->cells[i].text));
        for (size_t i = 0; i < table->n_columns; i++) {
                if (widths[i] == 0)
                        continue;
                widths[i] = MAX(widths[i], terminal_width(t, table->columns[i].title));
                total += widths[i] + GAP;
        }
        if (!t->is_tty || total <= t->columns + GAP)
                return;

        /* The widest of those that wrap gives, until all fits or none can. */
        for (unsigned excess = total - GAP - t->columns; excess > 0; excess--) {
                size_t widest = SIZE_MAX;
                for (size_t i = 0; i < table->n_columns; i++)
                        if (table->columns[i].wraps && widths[i] > 0 &&
                            (widest == SIZE_MAX || widths[i] > widths[widest]))
                                widest = i;
                wrapping = widest == SIZE_MAX ? 0 : widths[widest];
                if (wrapping <= MAX((unsigned) WRAPPED_MIN, terminal_width(t, table->columns[widest].title)))
                        return;
                widths[widest]--;
        }
}

void table_print(const Table *table, const Terminal *t, unsigned max_rows) {
        unsigned widths[COLUMNS_MAX];
        Cell titles[COLUMNS_MAX];

        widths_find(table, t, widths);
        for (size_t i = 0; i < table->n_columns; i++)
                titles[i] = (Cell) { (char *) table->columns[i].title, STYLE_NORMAL };
        terminal_style(t, STYLE_HEADING);
        row_print(table, t, titles, widths);
        terminal_style(t, STYLE_NORMAL);

        size_t rows = table->n_cells / table->n_columns;
        for (size_t i = 0; i < rows && i < max_rows; i++)
                row_print(table, t, table->cells + i * table->n_columns, widths);
}
