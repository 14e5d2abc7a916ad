/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One run of berthctl: what was asked for, where the answer is shown, and the
 * bus it comes from.
 *
 * Two kinds of functions: one that returns an ExitCode has told the person what
 * went wrong, and its caller only passes the code on; one that returns an int
 * returns a negative errno and has told nobody. */

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>
#include <systemd/sd-bus.h>

#include "cleanup.h"
#include "terminal.h"
#include "verbs.h"

typedef enum ExitCode {
        CTL_DONE = 0,
        CTL_FAILED = 1,
        CTL_USAGE = 2,
        CTL_NO_SUCH_OBJECT = 3,
        CTL_NOT_AUTHORIZED = 4,
} ExitCode;

typedef enum JsonMode {
        JSON_OFF,
        JSON_SHORT,
        JSON_PRETTY,
} JsonMode;

typedef struct Ctl {
        const Verb *verb;
        bool verb_named; /* not merely the default */
        char **arguments; /* those of the verb; not ours */
        unsigned n_arguments;
        const char *option_values[_OPTION_MAX]; /* NULL: not given; "" if it takes no argument */

        JsonMode json;
        uint64_t timeout_usec; /* 0: as is usual for the call */

        Terminal terminal;
        sd_bus *bus;
} Ctl;

static inline bool ctl_option(const Ctl *ctl, OptionId id) {
        return ctl->option_values[id] != NULL;
}

/* Reads the command line into @ctl, which is all zero before.
 * Tells what is wrong with it. --help and --version are left to the caller. */
ExitCode arguments_parse(Ctl *ctl, int argc, char *argv[]);

/* Tells that there is no such verb, and which was probably meant. */
ExitCode fail_unknown_verb(const Ctl *ctl, const char *name);

/* Tells on standard error what went wrong, after the name of the program. What
 * follows the first line feed is what to do about it. Returns @code. */
ExitCode ctl_fail(const Ctl *ctl, ExitCode code, const char *format, ...) _printf_(3, 4);

/* Shows @object as the option --json says. */
ExitCode ctl_print_json(const Ctl *ctl, json_object *object);

/* Runs the verb that was asked for, from the command line to the exit code. */
ExitCode ctl_run(int argc, char *argv[]);
