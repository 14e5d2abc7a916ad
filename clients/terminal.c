/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* All text for people goes through here.
 *
 * It is composed as UTF-8, and turned into what the terminal can show in one
 * place, character by character: so a column is as wide with plain characters
 * as with the real ones, and what is drawn need not know. Text comes from a
 * service that got it from files: none of it may steer the terminal, so control
 * characters are replaced too. */

#include <langinfo.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <wchar.h>

#include "terminal.h"

static unsigned variable_size(const char *name) {
        const char *value = getenv(name);
        char *end;

        if (!value || *value < '0' || *value > '9')
                return 0;
        unsigned long n = strtoul(value, &end, 10);
        return *end || n > 10000 ? 0 : n;
}

void terminal_open(Terminal *ret, FILE *file) {
        const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
        struct winsize size = {};
        Terminal t = {
                .file = file,
                .is_tty = isatty(fileno(file)),
                .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
                .columns = variable_size("COLUMNS"),
                .rows = variable_size("LINES"),
        };

        t.colour = t.is_tty && term && *term && strcmp(term, "dumb") != 0 && (!no_color || !*no_color);
        if (t.is_tty)
                (void) ioctl(fileno(file), TIOCGWINSZ, &size);
        if (t.columns == 0)
                t.columns = size.ws_col > 0 ? size.ws_col : 80;
        if (t.rows == 0)
                t.rows = size.ws_row > 0 ? size.ws_row : 24;
        t.columns = MAX(t.columns, 20u);
        *ret = t;
}

size_t text_next(const char *text, uint32_t *ret_character) {
        const unsigned char *s = (const unsigned char *) text;
        unsigned length = 0;
        uint32_t c;

        if (!*s) {
                *ret_character = 0;
                return 0;
        }
        if (*s < 0x80) {
                *ret_character = *s;
                return 1;
        }
        if (*s >= 0xc2 && *s < 0xe0)
                length = 2, c = *s & 0x1f;
        else if (*s >= 0xe0 && *s < 0xf0)
                length = 3, c = *s & 0x0f;
        else if (*s >= 0xf0 && *s < 0xf5)
                length = 4, c = *s & 0x07;
        else
                goto garbage;
        for (unsigned i = 1; i < length; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        goto garbage;
                c = c << 6 | (s[i] & 0x3f);
        }
        if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || (length == 3 && c < 0x800) ||
            (length == 4 && c < 0x10000))
                goto garbage;
        *ret_character = c;
        return length;

garbage:
        *ret_character = 0xfffd;
        return 1;
}

/* One plain character for one that is not. */
static char plain(uint32_t c) {
        static const struct {
                uint32_t from;
                char to;
        } table[] = {
                { 0x2500, '-' }, { 0x2502, '|' }, { 0x250c, '+' }, { 0x2510, '+' }, { 0x2514, '+' },
                { 0x2518, '+' }, { 0x00b7, '-' }, { 0x00d7, 'x' }, { 0x2192, '>' }, { 0x2013, '-' },
                { 0x2014, '-' }, { 0x2026, '~' }, { 0x2018, '\'' }, { 0x2019, '\'' }, { 0x201c, '"' },
                { 0x201d, '"' },
        };

        for (size_t i = 0; i < ELEMENTS(table); i++)
                if (table[i].from == c)
                        return table[i].to;
        return '?';
}

/* Control characters, and those that turn the direction of writing. */
static bool character_is_harmful(uint32_t c) {
        return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
                (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void terminal_put(const Terminal *t, const char *text) {
        uint32_t c;

        for (size_t n; (n = text_next(text, &c)) > 0; text += n)
                if (c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7f))
                        putc(c, t->file);
                else if (c == 0xa0) /* only keeps words on one line */
                        putc(' ', t->file);
                else if (character_is_harmful(c))
                        putc('?', t->file);
                else if (!t->utf8)
                        putc(plain(c), t->file);
                else if (c == 0xfffd)
                        fputs("\xef\xbf\xbd", t->file);
                else
                        fwrite(text, 1, n, t->file);
}

void terminal_printf(const Terminal *t, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0) {
                text = NULL;
                return;
        }
        terminal_put(t, text);
}

void terminal_style(const Terminal *t, Style style) {
        static const char *const sequences[_STYLE_MAX] = {
                [STYLE_NORMAL] = "0",       [STYLE_HEADING] = "1",     [STYLE_FAINT] = "2",
                [STYLE_WARNING] = "1;33",   [STYLE_PERFORMANCE] = "1", [STYLE_EFFICIENCY] = "32",
                [STYLE_OFFLINE] = "31",     [STYLE_ISOLATED] = "36",
                [STYLE_GOOD] = "32",        [STYLE_BAD] = "1;31",
        };

        if (t->colour)
                fprintf(t->file, "\033[%sm", sequences[style]);
}

unsigned terminal_width(const Terminal *t, const char *text) {
        unsigned width = 0;
        uint32_t c;

        for (size_t n; (n = text_next(text, &c)) > 0; text += n) {
                int w = !t->utf8 || character_is_harmful(c) ? 1 : wcwidth(c);
                width += w < 0 ? 1 : w;
        }
        return width;
}

void terminal_put_wrapped(const Terminal *t, const char *text, unsigned indent, unsigned columns) {
        unsigned column = 0;

        while (*text) {
                if (*text == '\n') {
                        terminal_put(t, "\n");
                        column = 0;
                        text++;
                        continue;
                }
                if (*text == ' ') {
                        text++;
                        continue;
                }

                size_t length = strcspn(text, " \n");
                _cleanup_free_ char *word = strndup(text, length);
                if (!word)
                        return;
                unsigned width = terminal_width(t, word);
                if (column > 0 && column + 1 + width > columns) {
                        terminal_put(t, "\n");
                        column = 0;
                }
                if (column == 0) {
                        terminal_printf(t, "%*s", (int) indent, "");
                        column = indent;
                } else {
                        terminal_put(t, " ");
                        column++;
                }
                terminal_put(t, word);
                column += width;
                text += length;
        }
        if (column > 0)
                terminal_put(t, "\n");
}
