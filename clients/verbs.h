/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is known of each verb and option. The tables are made from verbs.toml
 * when the program is built; see make-verbs.py. */

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "verb-table.h"

typedef struct Option {
        const char *name;     /* with its dashes */
        char short_name;      /* 0 if there is none */
        const char *argument; /* what it is called in help; NULL if it takes none */
        const char *values;   /* the words it can be, a space between them; NULL if any */
        const char *summary;
} Option;

typedef struct Verb {
        const char *name;
        const char *arguments;
        unsigned least, most;
        uint64_t options; /* its own, a bit each: 1 << OptionId */
        const char *summary;
        const char *description;
        const char *json;
        const char *example;
        const char *example_output;
        int (*run)(struct Ctl *ctl);
} Verb;

extern const char program_summary[];
extern const Option option_table[_OPTION_MAX];
extern const uint64_t option_common; /* those that every verb takes */
extern const Verb verb_table[];      /* ends with one that has no name; the first is the default */

const Verb *verb_find(const char *name);
