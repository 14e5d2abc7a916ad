/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus.h"
#include "cpulist.h"
#include "guests.h"

/* A change of a guest: the options that become flags, the guest, and the one line
 * that says what was done. */

enum { CHANGE_FLAGS_MAX = 8 };

typedef struct Change {
        const char *flags[CHANGE_FLAGS_MAX]; /* as the service calls them; end with NULL */
        bool live, config, guest_side, async, dry_run;
        Guest guest;
} Change;

#define CHANGE_NONE ((Change) {})
#define _cleanup_change_ _cleanup_(change_clear)

/* Reads the options, and tells of those that exclude each other; asks nobody. */
ExitCode change_read(const Ctl *ctl, Change *ret);
void change_clear(Change *change);

/* The same for verbs that only show, which have at most three flags. */
ExitCode change_read_flags(const Ctl *ctl, const char *ret_flags[static 4]);

/* Finds the guest that the verb's first argument names. */
ExitCode change_open(Ctl *ctl, Change *change);

/* Whether only what is stored for the guest's next starts is changed. */
bool change_is_stored(const Change *change);

/* A call on the guest's Domain.Vcpus with the flags after its arguments. */
ExitCode change_call(Ctl *ctl, const Change *change, const Call *call, sd_bus_message *m, json_object **ret);

/* "db: vCPU 1 is pinned, now and at its next starts.", or with --dry-run "db: would pin
 * vCPU 1 at its next starts." */
void change_tell(const Ctl *ctl, const Change *change, const char *done, const char *would);

/* On a terminal one more line for a person: what could be done next. */
void hint(const Ctl *ctl, const char *format, ...) _printf_(2, 3);

/* How a live change is kept, where that can be and was not asked for. */
void change_hint_config(const Ctl *ctl, const Change *change);

/* Tells the answer of SetVcpu and its like: which vCPUs came or went, or the job. */
typedef struct PlugWords {
        bool enable;
        const char *already;           /* told if nothing changed */
        const char *after, *after_dry; /* what follows what was done, or would be: "; it has 4 now" */
} PlugWords;
ExitCode change_tell_plugged(const Ctl *ctl, const Change *change, json_object *answer, const PlugWords *words);

/* "vCPU 2" or "vCPUs 2-3": to be freed. */
char *vcpus_format(const char *ids);
bool ids_are_many(const char *ids);

/* One vCPU's number, and lists as people write them; tell what is wrong with them. */
ExitCode vcpu_parse(const Ctl *ctl, const char *text, uint32_t *ret);
ExitCode vcpus_parse(const Ctl *ctl, const char *text, CpuList *ret);
ExitCode on_off_parse(const Ctl *ctl, const char *text, bool *ret);

/* Calls a method of the Manager that takes the guest's object and the flags; with --json
 * shows the object. */
ExitCode change_forget(Ctl *ctl, const Change *change, const char *member);
