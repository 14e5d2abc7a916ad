/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whether this host can sleep, for whoever asks, and if not why not.
 *
 * One cause often forbids several targets: what is found is told once, under the names of
 * all targets that it concerns. */

#include <errno.h>
#include <string.h>
#include <time.h>

#include "bus.h"
#include "show.h"
#include "table.h"
#include "when.h"

enum { LABEL = 12 };

typedef struct Target {
        const char *name;
        const char *property; /* with the host's own answer; NULL: it gives none */
} Target;

static const Target targets[] = {
        { "suspend", NULL },
        { "suspend_mem", "CanSuspendMem" },
        { "suspend_idle", "CanSuspendIdle" },
        { "suspend_disk", "CanSuspendDisk" },
        { "suspend_hybrid", "CanSuspendHybrid" },
        { "suspend_then_disk", "CanSuspendThenDisk" },
};

/* Asks for one target: adds to @list an object with "target", "host", "verdict" and "findings". */
static ExitCode target_check(Ctl *ctl, json_object *power, const char *name, const char *property, json_object *list) {
        static const Call call = { BERTH_HOST_PATH, BERTH_POWER, "Check", "saa{sv}", false };
        _cleanup_json_ json_object *answer = NULL;
        const char *host = property ? field_string(power, property) : "";
        ExitCode e;

        e = bus_call(ctl, &call, &answer, "s", name);
        if (e != CTL_DONE)
                return e;
        json_object *verdict = json_object_array_get_idx(answer, 0), *findings = json_object_array_get_idx(answer, 1);
        e = host_check_findings(ctl, findings, call.member);
        if (e != CTL_DONE)
                return e;

        json_object *object = json_object_new_object();
        json_object_object_add(object, "target", json_object_new_string(name));
        if (*host)
                json_object_object_add(object, "host", json_object_new_string(host));
        json_object_object_add(object, "verdict", json_object_get(verdict));
        json_object_object_add(object, "findings", json_object_get(findings));
        json_object_array_add(list, object);
        return CTL_DONE;
}

/* All of them; or the one that was named, of which the service says whether there is such a one. */
static ExitCode targets_check(Ctl *ctl, json_object *power, json_object *list) {
        const char *wanted = ctl->n_arguments > 0 ? ctl->arguments[0] : NULL;
        ExitCode e = CTL_DONE;

        for (size_t i = 0; i < ELEMENTS(targets) && e == CTL_DONE; i++)
                if (!wanted || strcmp(wanted, targets[i].name) == 0)
                        e = target_check(ctl, power, targets[i].name, targets[i].property, list);
        if (e == CTL_DONE && list_length(list) == 0)
                e = target_check(ctl, power, wanted, NULL, list);
        return e;
}

/* The table */

static Style answer_style(const char *answer) {
        if (strcmp(answer, "yes") == 0)
                return STYLE_GOOD;
        return strcmp(answer, "no") == 0 ? STYLE_BAD : STYLE_WARNING;
}

static int target_add(Table *table, json_object *target) {
        const char *host = field_string(target, "host"), *verdict = field_string(target, "verdict");
        int r;

        r = table_add(table, field_string(target, "target"));
        if (r >= 0)
                r = table_add_styled(table, answer_style(host), host);
        if (r >= 0)
                r = table_add_styled(table, answer_style(verdict),
                                     strcmp(verdict, "challenge") == 0 ? "with a password" : verdict);
        return r;
}

static ExitCode show_table(const Ctl *ctl, json_object *list) {
        static const Column columns[] = { { "TARGET" }, { "HOST" }, { "YOU" }, {} };
        _cleanup_table_ Table *table = table_new(columns);
        int r = table ? 0 : -ENOMEM;

        for (size_t i = 0; i < list_length(list) && r >= 0; i++)
                r = target_add(table, json_object_array_get_idx(list, i));
        if (r < 0)
                return fail_no_memory(ctl);
        table_print(table, &ctl->terminal, UINT_MAX);
        return CTL_DONE;
}

/* What was found */

static bool target_has(json_object *target, json_object *finding) {
        json_object *findings = field_list(target, "findings");

        for (size_t i = 0; i < list_length(findings); i++)
                if (json_object_equal(json_object_array_get_idx(findings, i), finding))
                        return true;
        return false;
}

/* A bit for each target in @list that has it. */
static uint32_t targets_with(json_object *list, json_object *finding) {
        uint32_t mask = 0;

        for (size_t i = 0; i < list_length(list); i++)
                if (target_has(json_object_array_get_idx(list, i), finding))
                        mask |= UINT32_C(1) << i;
        return mask;
}

static uint32_t targets_all(json_object *list) {
        return (UINT32_C(1) << list_length(list)) - 1;
}

static void show_names(const Terminal *t, json_object *list, uint32_t mask) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        bool any = false;

        if (!f)
                return;
        for (size_t i = 0; i < list_length(list) && mask != targets_all(list); i++)
                if (mask & UINT32_C(1) << i) {
                        fprintf(f, "%s%s", any ? ", " : "", field_string(json_object_array_get_idx(list, i), "target"));
                        any = true;
                }
        if (!any)
                fputs("All targets", f);
        fclose(f);
        terminal_style(t, STYLE_HEADING);
        terminal_put_wrapped(t, text, 0, MIN(t->columns, 100u));
        terminal_style(t, STYLE_NORMAL);
}

/* What just these targets have in common, as the first of them has it. */
static void show_part(const Terminal *t, json_object *list, json_object *findings, uint32_t mask) {
        _cleanup_json_ json_object *part = json_object_new_array();

        for (size_t i = 0; i < list_length(findings); i++) {
                json_object *finding = json_object_array_get_idx(findings, i);
                if (targets_with(list, finding) == mask)
                        json_object_array_add(part, json_object_get(finding));
        }
        terminal_put(t, "\n");
        if (list_length(list) > 1)
                show_names(t, list, mask);
        show_reasons(t, part);
}

/* A part for each set of targets, in the order in which they come up first; what all have is last,
 * for it says least about any. */
static void show_findings(const Terminal *t, json_object *list) {
        uint32_t seen[64], all = targets_all(list);
        json_object *common = NULL;
        size_t n_seen = 0;

        for (size_t i = 0; i < list_length(list); i++) {
                json_object *findings = field_list(json_object_array_get_idx(list, i), "findings");

                for (size_t j = 0; j < list_length(findings); j++) {
                        uint32_t mask = targets_with(list, json_object_array_get_idx(findings, j));
                        size_t k = 0;

                        if (mask == all) {
                                common = findings;
                                continue;
                        }
                        while (k < n_seen && seen[k] != mask)
                                k++;
                        if (k < n_seen || n_seen == ELEMENTS(seen))
                                continue;
                        seen[n_seen++] = mask;
                        show_part(t, list, findings, mask);
                }
        }
        if (common)
                show_part(t, list, common, all);
}

/* Waking */

typedef struct WakeKind {
        const char *kind, *one, *many;
} WakeKind;

/* The last stands for all that are not known here. */
static const WakeKind wake_kinds[] = {
        { "rtc", "clock", "clocks" },
        { "network", "network card", "network cards" },
        { "usb", "USB device", "USB devices" },
        { "button", "button", "buttons" },
        { "lid", "lid", "lids" },
        { "other", "other device", "other devices" },
};

enum { MACS_MAX = 4 };

static size_t wake_kind_find(const char *kind) {
        size_t i = 0;

        while (i + 1 < ELEMENTS(wake_kinds) && strcmp(wake_kinds[i].kind, kind) != 0)
                i++;
        return i;
}

/* " 52:54:00:12:34:56 and 52:54:00:12:34:57" */
static void put_macs(FILE *f, json_object *sources) {
        unsigned n = 0;

        for (size_t i = 0; i < list_length(sources); i++) {
                json_object *source = json_object_array_get_idx(sources, i);
                const char *mac = field_string(source, "mac");

                if (!field_boolean(source, "enabled") || !*mac)
                        continue;
                if (n < MACS_MAX)
                        fprintf(f, "%s%s", n > 0 ? " " : " (", mac);
                n++;
        }
        if (n > 0)
                fprintf(f, "%s)", n > MACS_MAX ? " ..." : "");
}

/* "clock, 2 network cards (52:54:00:12:34:56 52:54:00:12:34:57), 3 USB devices": to be freed. */
static char *wake_sources_format(json_object *sources) {
        unsigned counts[ELEMENTS(wake_kinds)] = {}, armed = 0;
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        for (size_t i = 0; i < list_length(sources); i++) {
                json_object *source = json_object_array_get_idx(sources, i);
                if (field_boolean(source, "enabled")) {
                        counts[wake_kind_find(field_string(source, "kind"))]++;
                        armed++;
                }
        }
        for (size_t i = 0, before = 0; i < ELEMENTS(wake_kinds); i++) {
                if (counts[i] == 0)
                        continue;
                fputs(before++ > 0 ? ", " : "", f);
                if (counts[i] > 1)
                        fprintf(f, "%u ", counts[i]);
                fputs(counts[i] > 1 ? wake_kinds[i].many : wake_kinds[i].one, f);
                if (strcmp(wake_kinds[i].kind, "network") == 0)
                        put_macs(f, sources);
        }
        if (armed == 0)
                fputs("nothing", f);
        if (armed == 0 && list_length(sources) > 0)
                fprintf(f, "; %zu could be armed: 'berthctl wake-sources' shows them", list_length(sources));
        fclose(f);
        return text;
}

static ExitCode show_waking(const Ctl *ctl, json_object *power, json_object *sources) {
        uint64_t alarm = field_number_or(power, "WakeAlarm", 0), now = (uint64_t) time(NULL);
        _cleanup_free_ char *when = NULL, *woken_by = wake_sources_format(sources);
        const Terminal *t = &ctl->terminal;

        if (alarm > 0)
                when = when_format(alarm / 1000000, now);
        if (!woken_by || (alarm > 0 && !when))
                return fail_no_memory(ctl);
        terminal_put(t, "\n");
        show_line(t, "Wake alarm", LABEL, when ?: "none");
        show_wrapped(t, "Woken by", LABEL, woken_by, MAX(t->columns, 40u));
        return CTL_DONE;
}

int verb_power(Ctl *ctl) {
        _cleanup_json_ json_object *power = NULL, *sources = NULL, *list = json_object_new_array();
        bool one = ctl->n_arguments > 0;
        ExitCode e;

        e = host_load_power(ctl, &power);
        if (e == CTL_DONE)
                e = targets_check(ctl, power, list);
        if (e == CTL_DONE && !one)
                e = host_list_wake_sources(ctl, &sources);
        if (e != CTL_DONE)
                return e;

        if (ctl->json != JSON_OFF) {
                if (one)
                        return ctl_print_json(ctl, json_object_array_get_idx(list, 0));
                _cleanup_json_ json_object *all = json_object_new_object();
                json_object_object_add(all, "Power", json_object_get(power));
                json_object_object_add(all, "Targets", json_object_get(list));
                json_object_object_add(all, "WakeSources", json_object_get(sources));
                return ctl_print_json(ctl, all);
        }
        e = show_table(ctl, list);
        if (e != CTL_DONE)
                return e;
        if (field_boolean(power, "PreparingForSleep"))
                terminal_put(&ctl->terminal, "\nThis host is about to sleep.\n");
        show_findings(&ctl->terminal, list);
        return one ? CTL_DONE : show_waking(ctl, power, sources);
}
