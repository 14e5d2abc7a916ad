/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The command line, read by the table of verbs and options.
 *
 * Options may stand anywhere, so one is looked up among those of all verbs
 * first, and whether the verb has it is asked when the verb is known. An option
 * takes an argument with all verbs or with none; make-verbs.py sees to that. */

#include <errno.h>
#include <string.h>

#include "ctl.h"
#include "suggest.h"

const Verb *verb_find(const char *name) {
        for (const Verb *v = verb_table; v->name; v++)
                if (strcmp(v->name, name) == 0)
                        return v;
        return NULL;
}

static int option_find(const char *name, size_t length) {
        for (int i = 0; i < _OPTION_MAX; i++)
                if (strlen(option_table[i].name) == length && strncmp(option_table[i].name, name, length) == 0)
                        return i;
        return -ENOENT;
}

static int option_find_short(char name) {
        for (int i = 0; i < _OPTION_MAX; i++)
                if (option_table[i].short_name && option_table[i].short_name == name)
                        return i;
        return -ENOENT;
}

static ExitCode fail_unknown_option(Ctl *ctl, const char *name) {
        Suggestion s;

        suggestion_init(&s, name);
        for (int i = 0; i < _OPTION_MAX; i++)
                suggestion_offer(&s, option_table[i].name);
        if (s.best)
                return ctl_fail(ctl, CTL_USAGE, "There is no option '%s'.\nDid you mean '%s'?", name, s.best);
        return ctl_fail(ctl, CTL_USAGE, "There is no option '%s'.\n'berthctl --help' shows those there are.", name);
}

ExitCode fail_unknown_verb(const Ctl *ctl, const char *name) {
        Suggestion s;

        suggestion_init(&s, name);
        for (const Verb *v = verb_table; v->name; v++)
                suggestion_offer(&s, v->name);
        if (s.best)
                return ctl_fail(ctl, CTL_USAGE, "There is no verb '%s'.\nDid you mean '%s'?", name, s.best);
        return ctl_fail(ctl, CTL_USAGE, "There is no verb '%s'.\n'berthctl --help' shows those there are.", name);
}

/* Takes one argument that starts with a dash, and @next if it is its value. */
static ExitCode option_take(Ctl *ctl, const char *word, const char *next, bool *ret_took_next) {
        const char *value = NULL;
        int id;

        *ret_took_next = false;
        if (word[1] == '-') {
                size_t length = strcspn(word, "=");
                id = option_find(word, length);
                if (id < 0) {
                        _cleanup_free_ char *name = strndup(word, length);
                        return fail_unknown_option(ctl, name ?: word);
                }
                if (word[length] == '=')
                        value = word + length + 1;
                if (value && !option_table[id].argument)
                        return ctl_fail(ctl, CTL_USAGE, "The option %s takes no value, but '%s' was given.",
                                        option_table[id].name, value);
        } else {
                id = option_find_short(word[1]);
                if (id < 0)
                        return fail_unknown_option(ctl, word);
                if (word[2]) {
                        if (!option_table[id].argument)
                                return ctl_fail(ctl, CTL_USAGE, "'%s': the option -%c takes no value.",
                                                word, word[1]);
                        value = word + 2;
                }
        }

        if (!option_table[id].argument)
                value = "";
        else if (!value) {
                if (!next)
                        return ctl_fail(ctl, CTL_USAGE, "The option %s needs a value: %s=%s",
                                        option_table[id].name, option_table[id].name, option_table[id].argument);
                value = next;
                *ret_took_next = true;
        }
        ctl->option_values[id] = value;
        return CTL_DONE;
}

static ExitCode json_mode_parse(Ctl *ctl) {
        static const char *const names[] = {
                [JSON_OFF] = "off",
                [JSON_SHORT] = "short",
                [JSON_PRETTY] = "pretty",
        };
        const char *value = ctl->option_values[OPTION_JSON];

        if (!value)
                return CTL_DONE;
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (strcmp(names[i], value) == 0) {
                        ctl->json = i;
                        return CTL_DONE;
                }
        return ctl_fail(ctl, CTL_USAGE, "--json=%s: it can be short, pretty or off.", value);
}

static ExitCode timeout_parse(Ctl *ctl) {
        const char *value = ctl->option_values[OPTION_TIMEOUT];
        char *end;

        if (!value)
                return CTL_DONE;
        /* The locale's decimal point is never in force here: only its characters are. */
        double seconds = *value >= '0' && *value <= '9' ? strtod(value, &end) : 0;
        if (!(seconds >= 0.001 && seconds <= 86400) || *end)
                return ctl_fail(ctl, CTL_USAGE, "--timeout=%s: it is a number of seconds, from 0.001 to 86400.",
                                value);
        ctl->timeout_usec = seconds * 1000000;
        return CTL_DONE;
}

static ExitCode arguments_check(Ctl *ctl) {
        const Verb *v = ctl->verb;

        for (int i = 0; i < _OPTION_MAX; i++)
                if (ctl->option_values[i] && !((v->options | option_common) & UINT64_C(1) << i))
                        return ctl_fail(ctl, CTL_USAGE,
                                        "The verb '%s' has no option %s.\n'berthctl %s --help' shows those it has.",
                                        v->name, option_table[i].name, v->name);
        if (ctl_option(ctl, OPTION_ADDRESS) && ctl_option(ctl, OPTION_HOST))
                return ctl_fail(ctl, CTL_USAGE, "--address and --host exclude each other.");
        if (ctl_option(ctl, OPTION_HELP))
                return CTL_DONE;
        if (ctl->n_arguments < v->least)
                return ctl_fail(ctl, CTL_USAGE, "'%s' needs more: berthctl %s %s", v->name, v->name, v->arguments);
        if (ctl->n_arguments > v->most)
                return ctl_fail(ctl, CTL_USAGE, "'%s' is too much: berthctl %s%s%s",
                                ctl->arguments[v->most], v->name, *v->arguments ? " " : "", v->arguments);
        return CTL_DONE;
}

ExitCode arguments_parse(Ctl *ctl, int argc, char *argv[]) {
        bool only_arguments = false;
        unsigned n = 0;
        ExitCode e;

        /* What is no option moves to the front, in its order. */
        for (int i = 1; i < argc; i++) {
                bool took_next;

                if (only_arguments || argv[i][0] != '-' || !argv[i][1]) {
                        argv[1 + n++] = argv[i];
                        continue;
                }
                if (strcmp(argv[i], "--") == 0) {
                        only_arguments = true;
                        continue;
                }
                e = option_take(ctl, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &took_next);
                if (e != CTL_DONE)
                        return e;
                i += took_next;
        }

        ctl->verb = verb_table;
        if (n > 0) {
                ctl->verb = verb_find(argv[1]);
                if (!ctl->verb)
                        return fail_unknown_verb(ctl, argv[1]);
                ctl->verb_named = true;
                ctl->arguments = argv + 2;
                ctl->n_arguments = n - 1;
        }

        e = json_mode_parse(ctl);
        if (e == CTL_DONE)
                e = timeout_parse(ctl);
        if (e == CTL_DONE)
                e = arguments_check(ctl);
        return e;
}
