/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The tree as boxes, as wide as the terminal.
 *
 * Boxes of one parent stand in columns of one width. How many columns is
 * chosen for each parent by the height that it gets, from one column to as many
 * as find room; the lowest wins. So first every node is asked how high it would
 * be at a given width (remembered, as it is asked again and again), then the
 * choice is drawn on a canvas of characters, each with its style, which is
 * printed at the end. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "map.h"

enum {
        BOX_GAP = 1,   /* between boxes side by side */
        FRAME = 4,     /* columns that a box takes beside what is in it */
        WIDTH_MAX = 400,
        COLUMNS_TRIED = 16,
        GUEST_GAP = 2,   /* between guests on one line */
        GUEST_LINES = 4, /* of guests in one box; what does not fit is counted */
        KINDS = 4,
};

/* In characters. */
typedef struct Size {
        unsigned width, height;
} Size;

typedef struct Canvas {
        unsigned width, height;
        struct Glyph {
                uint32_t character;
                uint8_t style;
        } *glyphs;
} Canvas;

/* Layout of a node, with the sizes that were found so far. */
typedef struct Box {
        const MapNode *node;
        char *title; /* with that of an only child */
        struct Box *children;
        size_t n_children;
        char **words; /* a core each, without its kind */
        unsigned word_widths[KINDS]; /* of the longest, by kind */
        Size *sizes; /* by the width that is offered; height 0: not known yet */
} Box;

static size_t kind_index(char kind) {
        return kind == 'P' ? 1 : kind == 'E' ? 2 : kind == 'L' ? 3 : 0;
}

/* Words for cores */

static void cpu_put(FILE *f, const MapCpu *cpu) {
        fprintf(f, "%s%s%u", cpu->offline ? "x" : "", cpu->isolated ? "*" : "", cpu->id);
}

/* "[0 24]"; three and more in a row as "0-7". */
static char *core_word(const MapCore *core) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        if (core->text) {
                fputs(core->text, f);
                fclose(f);
                return text;
        }
        putc('[', f);
        for (size_t i = 0; i < core->n_cpus;) {
                size_t end = i + 1;
                while (end < core->n_cpus && core->cpus[end].id == core->cpus[end - 1].id + 1 &&
                       core->cpus[end].offline == core->cpus[i].offline &&
                       core->cpus[end].isolated == core->cpus[i].isolated)
                        end++;
                if (end - i < 3)
                        end = i + 1;
                if (i > 0)
                        putc(' ', f);
                cpu_put(f, &core->cpus[i]);
                if (end > i + 1)
                        fprintf(f, "-%u", core->cpus[end - 1].id);
                i = end;
        }
        putc(']', f);
        fclose(f);
        return text;
}

/* Life */

static void box_clear(Box *box) {
        for (size_t i = 0; i < box->n_children; i++)
                box_clear(&box->children[i]);
        for (size_t i = 0; box->words && i < box->node->n_cores; i++)
                free(box->words[i]);
        free(box->children);
        free(box->words);
        free(box->sizes);
        free(box->title);
}

static int box_init(Box *box, const MapNode *node, const Terminal *t) {
        int r;

        box->title = strdup(node->title ?: "");
        if (!box->title)
                return -ENOMEM;
        /* What has only one part is one box with it. */
        while (node->title && node->n_children == 1 && node->n_cores == 0) {
                char *joined;
                node = node->children[0];
                if (asprintf(&joined, "%s%s%s", box->title, *box->title && *node->title ? " · " : "", node->title) < 0)
                        return -ENOMEM;
                free(box->title);
                box->title = joined;
        }
        box->node = node;
        box->sizes = calloc(WIDTH_MAX + 1, sizeof *box->sizes);
        box->words = calloc(MAX(node->n_cores, (size_t) 1), sizeof *box->words);
        box->children = calloc(MAX(node->n_children, (size_t) 1), sizeof *box->children);
        if (!box->sizes || !box->words || !box->children)
                return -ENOMEM;
        for (size_t i = 0; i < node->n_cores; i++) {
                box->words[i] = core_word(&node->cores[i]);
                if (!box->words[i])
                        return -ENOMEM;
                unsigned *width = &box->word_widths[kind_index(node->cores[i].kind)];
                *width = MAX(*width, (unsigned) strlen(box->words[i]));
        }
        for (size_t i = 0; i < node->n_children; i++) {
                box->n_children = i + 1;
                r = box_init(&box->children[i], node->children[i], t);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Characters */

static void put(Canvas *c, unsigned x, unsigned y, uint32_t character, Style style) {
        if (x < c->width && y < c->height)
                c->glyphs[(size_t) y * c->width + x] = (struct Glyph) { character, style };
}

static unsigned put_text(Canvas *c, unsigned x, unsigned y, const char *text, Style style) {
        uint32_t character;

        for (size_t n; (n = text_next(text, &character)) > 0; text += n)
                put(c, x++, y, character, style);
        return x;
}

/* The first @length characters of @text. */
static void put_words(Canvas *c, unsigned x, unsigned y, const char *text, unsigned length) {
        uint32_t character;

        for (size_t n; length > 0 && (n = text_next(text, &character)) > 0; text += n, length--)
                put(c, x++, y, character, STYLE_NORMAL);
}

/* Measuring */

static bool box_has_kinds(const Box *box) {
        return box->node->n_cores > 0 && box->node->cores[0].kind != 0;
}

/* Where a core's word stands; cores come in the order in which they are drawn. */
typedef struct Cursor {
        unsigned column, row, width; /* in characters; the word's width */
        bool started;
} Cursor;

/* Moves on to core @i: words of a kind have one width, each kind starts a row, and
 * stands behind its letter. */
static void cursor_advance(Cursor *at, const Box *box, size_t i, unsigned width) {
        const MapCore *core = &box->node->cores[i];
        unsigned indent = box_has_kinds(box) ? 2 : 0, next = at->column + at->width + 1;
        bool new_kind = i > 0 && core->kind != box->node->cores[i - 1].kind;

        at->width = box->word_widths[kind_index(core->kind)];
        if (!at->started || new_kind || next + at->width > width) {
                at->row += at->started;
                next = indent;
        }
        at->column = next;
        at->started = true;
}

static Size cores_measure(const Box *box, unsigned width) {
        Size size = {};
        Cursor at = {};

        for (size_t i = 0; i < box->node->n_cores; i++) {
                cursor_advance(&at, box, i, width);
                size.width = MAX(size.width, at.column + at.width);
                size.height = at.row + 1;
        }
        return size;
}

static unsigned characters_count(const char *text) {
        unsigned n = 0;
        uint32_t c;

        for (; *text; text += text_next(text, &c))
                n++;
        return n;
}

/* The guests of a box, below its cores: words on lines of @width, or how many did not
 * find room. Drawn at @x and @y if @c is not NULL. */
static Size guests_flow(const Box *box, unsigned width, Canvas *c, unsigned x, unsigned y) {
        const MapNode *node = box->node;
        unsigned column = 0;
        Size size = {};

        for (size_t i = 0; i < node->n_guests; i++) {
                unsigned length = MIN(characters_count(node->guests[i]), width);
                const char *word = node->guests[i];
                char more[40];

                if (size.height == 0 || column + GUEST_GAP + length > width) {
                        if (size.height + 1 == GUEST_LINES && i + 1 < node->n_guests) {
                                snprintf(more, sizeof more, "… and %zu more", node->n_guests - i);
                                word = more;
                                length = MIN(characters_count(more), width);
                                i = node->n_guests - 1;
                        }
                        column = 0;
                        size.height++;
                } else
                        column += GUEST_GAP;
                if (c)
                        put_words(c, x + column, y + size.height - 1, word, length);
                column += length;
                size.width = MAX(size.width, column);
        }
        return size;
}

static unsigned title_width(const Box *box) {
        return characters_count(box->title);
}

static Size box_measure(Box *box, unsigned width);

/* The children in @columns columns: their common width, and all of them together. */
static Size children_measure(Box *box, unsigned width, unsigned columns, unsigned *ret_child_width) {
        unsigned offered = (width + BOX_GAP) / columns, common = 0, row = 0;
        Size size = {};

        offered = offered > BOX_GAP ? offered - BOX_GAP : 1;
        for (size_t i = 0; i < box->n_children; i++) {
                Size s = box_measure(&box->children[i], offered);
                common = MAX(common, s.width);
                row = i % columns == 0 ? s.height : MAX(row, s.height);
                if (i % columns == columns - 1 || i + 1 == box->n_children)
                        size.height += row;
        }
        size.width = columns * (common + BOX_GAP) - BOX_GAP;
        *ret_child_width = common;
        return size;
}

/* The best number of columns: the lowest picture that is not too wide. */
static Size children_choose(Box *box, unsigned width, unsigned *ret_columns, unsigned *ret_child_width) {
        unsigned most = MIN((unsigned) COLUMNS_TRIED, (unsigned) box->n_children);
        Size best = {};

        for (unsigned columns = 1; columns <= most; columns++) {
                unsigned child_width;
                Size s = children_measure(box, width, columns, &child_width);
                if (columns > 1 && (s.width > width || s.height > best.height ||
                                    (s.height == best.height && s.width >= best.width)))
                        continue;
                best = s;
                *ret_columns = columns;
                *ret_child_width = child_width;
        }
        return best;
}

static Size box_measure(Box *box, unsigned width) {
        unsigned offered = MIN(width, (unsigned) WIDTH_MAX), inner = offered > FRAME ? offered - FRAME : 1;
        unsigned columns, child_width;
        Size size;

        if (box->sizes[offered].height > 0)
                return box->sizes[offered];
        if (box->n_children > 0)
                size = children_choose(box, inner, &columns, &child_width);
        else {
                Size guests = guests_flow(box, inner, NULL, 0, 0);
                size = cores_measure(box, inner);
                size.width = MAX(size.width, guests.width);
                size.height += guests.height;
        }
        /* A title that is too long for the frame's line breaks the frame, not the title. */
        size.width = MAX(size.width, title_width(box) + (*box->title ? 2 : 0)) + FRAME;
        size.height += 2;
        box->sizes[offered] = size;
        return size;
}

/* Drawing */

static void put_frame(Canvas *c, unsigned x, unsigned y, Size size) {
        for (unsigned i = 1; i + 1 < size.width; i++) {
                put(c, x + i, y, 0x2500, STYLE_FAINT);
                put(c, x + i, y + size.height - 1, 0x2500, STYLE_FAINT);
        }
        for (unsigned i = 1; i + 1 < size.height; i++) {
                put(c, x, y + i, 0x2502, STYLE_FAINT);
                put(c, x + size.width - 1, y + i, 0x2502, STYLE_FAINT);
        }
        put(c, x, y, 0x250c, STYLE_FAINT);
        put(c, x + size.width - 1, y, 0x2510, STYLE_FAINT);
        put(c, x, y + size.height - 1, 0x2514, STYLE_FAINT);
        put(c, x + size.width - 1, y + size.height - 1, 0x2518, STYLE_FAINT);
}

static Style kind_style(char kind) {
        return kind == 'P' ? STYLE_PERFORMANCE : kind ? STYLE_EFFICIENCY : STYLE_NORMAL;
}

/* A core's word: its marks and the numbers after them in the marks' styles. */
static void put_core(Canvas *c, unsigned x, unsigned y, const char *word, char kind, unsigned width) {
        Style style = kind_style(kind), now = style;

        /* Numbers stand right, brackets at the ends. */
        unsigned padding = width - strlen(word);
        for (; *word; word++) {
                if (*word == 'x')
                        now = STYLE_OFFLINE;
                else if (*word == '*' && now != STYLE_OFFLINE)
                        now = STYLE_ISOLATED;
                else if (*word == ' ' || *word == ']')
                        now = style;
                put(c, x++, y, *word, now);
                if (*word == '[')
                        for (; padding > 0; padding--)
                                put(c, x++, y, ' ', style);
        }
}

static void cores_draw(const Box *box, Canvas *c, unsigned x, unsigned y, unsigned width) {
        Cursor at = {};

        for (size_t i = 0; i < box->node->n_cores; i++) {
                const MapCore *core = &box->node->cores[i];
                cursor_advance(&at, box, i, width);
                if (core->kind && (i == 0 || core->kind != box->node->cores[i - 1].kind))
                        put(c, x, y + at.row, core->kind, kind_style(core->kind));
                if (core->text)
                        put_text(c, x + at.column, y + at.row, box->words[i], STYLE_NORMAL);
                else
                        put_core(c, x + at.column, y + at.row, box->words[i], core->kind, at.width);
        }
}

static void children_draw(Box *box, Canvas *c, unsigned x, unsigned y, unsigned given, unsigned width);

/* @size: what it was given, at least what it takes. @offered: what it was measured with. */
static void box_draw(Box *box, Canvas *c, unsigned x, unsigned y, Size size, unsigned offered) {
        unsigned inner = MIN(offered, (unsigned) WIDTH_MAX);

        inner = inner > FRAME ? inner - FRAME : 1;
        put_frame(c, x, y, size);
        if (*box->title) {
                unsigned end;
                put(c, x + 2, y, ' ', STYLE_NORMAL);
                end = put_text(c, x + 3, y, box->title, STYLE_HEADING);
                put(c, end, y, ' ', STYLE_NORMAL);
        }
        if (box->n_children > 0)
                children_draw(box, c, x + 2, y + 1, size.width - FRAME, inner);
        else {
                cores_draw(box, c, x + 2, y + 1, inner);
                (void) guests_flow(box, inner, c, x + 2, y + 1 + cores_measure(box, inner).height);
        }
}

/* @given and @width: as box_draw()'s size and offered, without the frame. */
static void children_draw(Box *box, Canvas *c, unsigned x, unsigned y, unsigned given, unsigned width) {
        unsigned columns, child_width, offered;

        (void) children_choose(box, width, &columns, &child_width);
        /* What is left over goes to all of them alike. */
        child_width = MAX(child_width, (given + BOX_GAP) / columns - BOX_GAP);
        offered = (width + BOX_GAP) / columns;
        offered = offered > BOX_GAP ? offered - BOX_GAP : 1;
        for (size_t i = 0; i < box->n_children; i += columns) {
                size_t end = MIN(i + columns, box->n_children);
                unsigned height = 0;

                for (size_t j = i; j < end; j++)
                        height = MAX(height, box_measure(&box->children[j], offered).height);
                for (size_t j = i; j < end; j++)
                        box_draw(&box->children[j], c, x + (j - i) * (child_width + BOX_GAP), y,
                                 (Size) { child_width, height }, offered);
                y += height;
        }
}

/* Printing */

static void canvas_print(const Canvas *c, const Terminal *t) {
        for (unsigned y = 0; y < c->height; y++) {
                const struct Glyph *line = &c->glyphs[(size_t) y * c->width];
                unsigned length = c->width;
                uint8_t style = STYLE_NORMAL;

                while (length > 0 && (line[length - 1].character == 0 || line[length - 1].character == ' '))
                        length--;
                for (unsigned x = 0; x < length; x++) {
                        uint32_t ch = line[x].character ?: ' ';
                        char utf8[5] = {};

                        if (line[x].style != style) {
                                terminal_style(t, STYLE_NORMAL);
                                if (line[x].style != STYLE_NORMAL)
                                        terminal_style(t, line[x].style);
                                style = line[x].style;
                        }
                        if (ch < 0x80)
                                utf8[0] = ch;
                        else if (ch < 0x800) {
                                utf8[0] = 0xc0 | ch >> 6;
                                utf8[1] = 0x80 | (ch & 0x3f);
                        } else if (ch < 0x10000) {
                                utf8[0] = 0xe0 | ch >> 12;
                                utf8[1] = 0x80 | (ch >> 6 & 0x3f);
                                utf8[2] = 0x80 | (ch & 0x3f);
                        } else {
                                utf8[0] = 0xf0 | ch >> 18;
                                utf8[1] = 0x80 | (ch >> 12 & 0x3f);
                                utf8[2] = 0x80 | (ch >> 6 & 0x3f);
                                utf8[3] = 0x80 | (ch & 0x3f);
                        }
                        terminal_put(t, utf8);
                }
                if (style != STYLE_NORMAL)
                        terminal_style(t, STYLE_NORMAL);
                terminal_put(t, "\n");
        }
}

typedef struct Marks {
        bool shared, performance, efficiency, low_power, offline, isolated;
        bool guests, bound, floating;
} Marks;

static void marks_find(const MapNode *node, Marks *m) {
        for (size_t i = 0; i < node->n_children; i++)
                marks_find(node->children[i], m);
        for (size_t i = 0; i < node->n_guests; i++) {
                m->guests = true;
                m->bound = m->bound || strstr(node->guests[i], "→");
                m->floating = m->floating || strstr(node->guests[i], " ~");
        }
        for (size_t i = 0; i < node->n_cores; i++) {
                const MapCore *core = &node->cores[i];
                m->shared = m->shared || core->n_cpus > 1;
                m->performance = m->performance || core->kind == 'P';
                m->efficiency = m->efficiency || core->kind == 'E';
                m->low_power = m->low_power || core->kind == 'L';
                for (size_t j = 0; j < core->n_cpus; j++) {
                        m->offline = m->offline || core->cpus[j].offline;
                        m->isolated = m->isolated || core->cpus[j].isolated;
                }
        }
}

static void legend_print(const MapNode *root, const Terminal *t) {
        Marks m = {};

        marks_find(root, &m);
        const struct {
                bool used;
                const char *text;
        } parts[] = {
                { m.shared, "[ ] a core and its CPUs" }, { m.performance, "P performance" },
                { m.efficiency, "E efficiency" },        { m.low_power, "L low power" },
                { m.offline, "x offline" },              { m.isolated, "* isolated" },
                { m.guests, "NAME 0-3 vCPUs of a guest" }, { m.bound, "→ bound to these CPUs" },
                { m.floating, "~ ran there last, may leave" },
        };
        enum { SPACES = 3 };
        size_t column = 0;

        for (size_t i = 0; i < ELEMENTS(parts); i++) {
                size_t width = terminal_width(t, parts[i].text);
                if (!parts[i].used)
                        continue;
                if (column > 0 && column + SPACES + width > t->columns) {
                        terminal_put(t, "\n");
                        column = 0;
                }
                terminal_printf(t, "%*s%s", column > 0 ? SPACES : 0, "", parts[i].text);
                column += (column > 0 ? SPACES : 0) + width;
        }
        if (column > 0)
                terminal_put(t, "\n");
}

int map_draw(MapNode *root, const Terminal *t) {
        _cleanup_(box_clear) Box box = {};
        _cleanup_free_ struct Glyph *glyphs = NULL;
        unsigned columns = 1, child_width = 0, width = MIN(t->columns, (unsigned) WIDTH_MAX);
        Size size;
        int r;

        r = box_init(&box, root, t);
        if (r < 0)
                return r;
        /* The machine itself has no frame. */
        size = box.n_children > 0 ? children_choose(&box, width, &columns, &child_width) : cores_measure(&box, width);
        glyphs = calloc(MAX((size_t) size.width * size.height, (size_t) 1), sizeof *glyphs);
        if (!glyphs)
                return -ENOMEM;
        Canvas canvas = { .width = size.width, .height = size.height, .glyphs = glyphs };
        if (box.n_children > 0)
                children_draw(&box, &canvas, 0, 0, size.width, width);
        else
                cores_draw(&box, &canvas, 0, 0, width);
        canvas_print(&canvas, t);
        legend_print(root, t);
        return 0;
}
