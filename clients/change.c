/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "change.h"
#include "fields.h"
#include "show.h"
#include "units.h"

/* Options */

static ExitCode exclude(const Ctl *ctl, OptionId a, OptionId b) {
        if (ctl_option(ctl, a) && ctl_option(ctl, b))
                return ctl_fail(ctl, CTL_USAGE, "%s and %s exclude each other.", option_table[a].name, option_table[b].name);
        return CTL_DONE;
}

ExitCode change_read(const Ctl *ctl, Change *ret) {
        static const struct {
                OptionId option;
                const char *flag;
        } flags[] = {
                { OPTION_LIVE, "live" }, { OPTION_CONFIG, "config" }, { OPTION_GUEST, "guest" },
                { OPTION_CORE, "core" }, { OPTION_ASYNC, "async" },   { OPTION_DRY_RUN, "dry-run" },
        };
        Change change = {
                .live = ctl_option(ctl, OPTION_LIVE),
                .config = ctl_option(ctl, OPTION_CONFIG),
                .guest_side = ctl_option(ctl, OPTION_GUEST),
                .async = ctl_option(ctl, OPTION_ASYNC),
                .dry_run = ctl_option(ctl, OPTION_DRY_RUN),
        };
        ExitCode e;
        size_t n = 0;

        e = exclude(ctl, OPTION_CONFIG, OPTION_GUEST);
        if (e == CTL_DONE)
                e = exclude(ctl, OPTION_CORE, OPTION_GUEST);
        if (e != CTL_DONE)
                return e;
        for (size_t i = 0; i < ELEMENTS(flags); i++)
                if (ctl_option(ctl, flags[i].option))
                        change.flags[n++] = flags[i].flag;
        *ret = change;
        return CTL_DONE;
}

ExitCode change_read_flags(const Ctl *ctl, const char *ret_flags[static 4]) {
        Change change = CHANGE_NONE;
        ExitCode e;

        e = exclude(ctl, OPTION_LIVE, OPTION_CONFIG);
        if (e == CTL_DONE)
                e = change_read(ctl, &change);
        if (e == CTL_DONE)
                memcpy(ret_flags, change.flags, 4 * sizeof *ret_flags);
        return e;
}

ExitCode change_open(Ctl *ctl, Change *change) {
        return guest_open(ctl, ctl->arguments[0], &change->guest);
}

void change_clear(Change *change) {
        guest_clear(&change->guest);
}

bool change_is_stored(const Change *change) {
        if (change->live || change->guest_side)
                return false;
        return change->config || !change->guest.runs;
}

/* Arguments */

ExitCode vcpu_parse(const Ctl *ctl, const char *text, uint32_t *ret) {
        uint64_t n;

        if (!number_parse(text, UINT32_MAX, &n))
                return ctl_fail(ctl, CTL_USAGE, "'%s' is no vCPU: a vCPU has a number, from 0 on.", text);
        *ret = n;
        return CTL_DONE;
}

ExitCode vcpus_parse(const Ctl *ctl, const char *text, CpuList *ret) {
        int r = cpulist_parse_loose(text, ret);

        if (r == -ERANGE)
                return ctl_fail(ctl, CTL_USAGE, "'%s' has a number above %d, which no vCPU has.", text, CPU_ID_MAX);
        if (r < 0)
                return ctl_fail(ctl, CTL_USAGE,
                                "'%s' is no list of vCPUs: one looks like 2 or 0,2-4 or 0-7,^3 (all of them but 3).", text);
        return CTL_DONE;
}

ExitCode on_off_parse(const Ctl *ctl, const char *text, bool *ret) {
        bool on = strcmp(text, "on") == 0;

        if (!on && strcmp(text, "off") != 0)
                return ctl_fail(ctl, CTL_USAGE, "'%s' is neither 'on' nor 'off'.", text);
        *ret = on;
        return CTL_DONE;
}

/* The call */

ExitCode change_call(Ctl *ctl, const Change *change, const Call *call, sd_bus_message *m, json_object **ret) {
        int r = sd_bus_message_append_strv(m, (char **) change->flags);

        return r < 0 ? bus_fail_to_ask(ctl, call, r) : bus_call_send(ctl, call, m, ret);
}

/* Words */

bool ids_are_many(const char *ids) {
        return ids[strcspn(ids, ",-")] != '\0';
}

char *vcpus_format(const char *ids) {
        return text_format("vCPU%s %s", ids_are_many(ids) ? "s" : "", ids);
}

static const char *when(const Change *change) {
        if (change_is_stored(change))
                return " at its next starts";
        return change->config ? ", now and at its next starts" : "";
}

void change_tell(const Ctl *ctl, const Change *change, const char *done, const char *would) {
        terminal_printf(&ctl->terminal, "%s: %s%s%s.\n", change->guest.name, change->dry_run ? "would " : "",
                        change->dry_run ? would : done, when(change));
}

void hint(const Ctl *ctl, const char *format, ...) {
        const Terminal *t = &ctl->terminal;
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int r;

        if (!t->is_tty || ctl->json != JSON_OFF)
                return;
        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0) {
                text = NULL;
                return;
        }
        terminal_style(t, STYLE_FAINT);
        terminal_put(t, text);
        terminal_style(t, STYLE_NORMAL);
        terminal_put(t, "\n");
}

void change_hint_config(const Ctl *ctl, const Change *change) {
        json_object *features = field_list(change->guest.domain, "Features");

        if (change->live || change->config || change->guest_side || change->dry_run || !change->guest.runs)
                return;
        for (size_t i = 0; i < list_length(features); i++)
                if (strcmp(json_object_get_string(json_object_array_get_idx(features, i)), "config") == 0)
                        hint(ctl, "With --live --config it is so at its next starts, too.");
}

/* What was done to the vCPUs, or would be: to be freed. */
static char *plugged_format(const Change *change, bool enable, const char *ids) {
        _cleanup_free_ char *vcpus = vcpus_format(ids);
        bool stored = change_is_stored(change);

        if (!vcpus)
                return NULL;
        if (change->guest_side)
                return text_format(change->dry_run ? "would have its agent take %s %s" : "its agent took %s %s", vcpus,
                                   enable ? "online" : "offline");
        if (change->dry_run)
                return text_format("would %s %s", stored ? enable ? "enable" : "disable" : enable ? "plug" : "unplug", vcpus);
        return text_format("%s %s %s", vcpus, ids_are_many(ids) ? "are" : "is",
                           stored ? enable ? "enabled" : "disabled" : enable ? "plugged" : "unplugged");
}

ExitCode change_tell_plugged(const Ctl *ctl, const Change *change, json_object *answer, const PlugWords *words) {
        const char *changed = json_object_get_string(json_object_array_get_idx(answer, 0));
        uint64_t job = json_object_get_uint64(json_object_array_get_idx(answer, 1));
        const Terminal *t = &ctl->terminal;

        if (ctl->json != JSON_OFF) {
                _cleanup_json_ json_object *object = json_object_new_object();
                json_object_object_add(object, "changed", json_object_new_string(changed));
                json_object_object_add(object, "job", json_object_new_uint64(job));
                return ctl_print_json(ctl, object);
        }
        if (!*changed) {
                terminal_printf(t, "%s: %s%s.\n", change->guest.name, words->already, when(change));
                return CTL_DONE;
        }
        if (job > 0) {
                terminal_printf(t, "job %" PRIu64 "\n", job);
                hint(ctl, "'berthctl monitor' shows how it ends.");
                return CTL_DONE;
        }
        _cleanup_free_ char *text = plugged_format(change, words->enable, changed);
        if (!text)
                return fail_no_memory(ctl);
        terminal_printf(t, "%s: %s%s%s.\n", change->guest.name, text, when(change),
                        change->dry_run ? words->after_dry : words->after);
        change_hint_config(ctl, change);
        return CTL_DONE;
}

ExitCode change_forget(Ctl *ctl, const Change *change, const char *member) {
        const Call call = { BERTH_PATH, BERTH_MANAGER, member, "", true, NULL, NULL };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_json_ json_object *answer = NULL;
        ExitCode e;
        int r;

        e = bus_call_new(ctl, &call, &m);
        if (e != CTL_DONE)
                return e;
        r = sd_bus_message_append(m, "o", change->guest.path);
        if (r < 0)
                return bus_fail_to_ask(ctl, &call, r);
        e = change_call(ctl, change, &call, m, &answer);
        if (e != CTL_DONE || ctl->json == JSON_OFF)
                return e;
        _cleanup_json_ json_object *object = json_object_new_object();
        json_object_object_add(object, "domain", json_object_new_string(change->guest.path));
        return ctl_print_json(ctl, object);
}
