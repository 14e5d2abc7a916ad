/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* --help, from the table of verbs. */

#include <string.h>

#include "help.h"

static unsigned help_columns(const Terminal *t) {
        return MIN(t->columns, 80u);
}

/* A term and what it means, which starts in column @indent. */
static void put_item(const Terminal *t, const char *term, const char *meaning, unsigned indent) {
        unsigned used = 2 + terminal_width(t, term);

        terminal_printf(t, "  %s", term);
        if (used + 2 > indent) {
                terminal_put(t, "\n");
                used = 0;
        }
        /* The first line has its indent already. */
        _cleanup_free_ char *flowed = NULL;
        size_t size;
        Terminal memory = *t;
        memory.file = open_memstream(&flowed, &size);
        if (!memory.file)
                return;
        terminal_put_wrapped(&memory, meaning, indent, help_columns(t));
        fclose(memory.file);
        fputs(size > used ? flowed + used : "\n", t->file);
}

static void put_heading(const Terminal *t, const char *text) {
        terminal_put(t, "\n");
        terminal_style(t, STYLE_HEADING);
        terminal_put(t, text);
        terminal_style(t, STYLE_NORMAL);
        terminal_put(t, "\n");
}

static void put_options(const Terminal *t, uint64_t options, unsigned indent) {
        for (int i = 0; i < _OPTION_MAX; i++) {
                const Option *o = &option_table[i];
                char term[64], dash[] = { '-', o->short_name, ',', ' ', '\0' };

                if (!(options & UINT64_C(1) << i))
                        continue;
                snprintf(term, sizeof term, "%s%s%s%s", o->short_name ? dash : "    ", o->name,
                         o->argument ? "=" : "", o->argument ?: "");
                put_item(t, term, o->summary, indent);
        }
}

void help_version(const Ctl *ctl) {
        terminal_put(&ctl->terminal, "berthctl " BERTH_VERSION "\n");
}

void help_all(const Ctl *ctl) {
        const Terminal *t = &ctl->terminal;

        terminal_put(t, "berthctl [OPTION...] [VERB [ARGUMENT...]]\n\n");
        char *summary = strdup(program_summary);
        if (summary) {
                summary[0] -= 'a' - 'A';
                terminal_printf(t, "%s.\n", summary);
                free(summary);
        }
        put_heading(t, "Verbs");
        for (const Verb *v = verb_table; v->name; v++) {
                char term[64];
                snprintf(term, sizeof term, "%s%s%s", v->name, *v->arguments ? " " : "", v->arguments);
                put_item(t, term, v->summary, 31);
        }
        put_heading(t, "Options");
        put_options(t, option_common, 31);
        terminal_put(t, "\n'berthctl VERB --help' says more of each; berthctl(1) has all of it.\n");
}

void help_verb(const Ctl *ctl, const Verb *verb) {
        const Terminal *t = &ctl->terminal;

        terminal_printf(t, "berthctl [OPTION...] %s%s%s\n\n", verb->name, *verb->arguments ? " " : "", verb->arguments);
        terminal_put_wrapped(t, verb->description, 0, help_columns(t));
        if (verb->options) {
                put_heading(t, "Options of this verb");
                put_options(t, verb->options, 24);
        }
        if (verb->json) {
                put_heading(t, "JSON");
                terminal_put_wrapped(t, verb->json, 0, help_columns(t));
        }
        if (verb->example) {
                put_heading(t, "Example");
                terminal_printf(t, "$ %s\n%s\n", verb->example, verb->example_output);
        }
        terminal_put(t, "\n'berthctl --help' shows all verbs, and the options that each has.\n");
}
