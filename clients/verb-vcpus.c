/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One guest's vCPUs: a line about the guest, a row for each vCPU, and below them
 * which cannot be plugged or unplugged, those with one reason together. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bus.h"
#include "change.h"
#include "guests.h"
#include "show.h"
#include "table.h"
#include "units.h"

/* "web: running, 2 of 8 vCPUs, process 4711, UUID ..." */
static void show_guest(const Terminal *t, json_object *guest) {
        _cleanup_free_ char *name = guest_name_format(guest), *count = guest_vcpus_format(guest);
        const char *state = field_string(guest, "State"), *uuid = field_string(guest, "Uuid");
        uint64_t pid = field_number_or(guest, "Pid", 0);
        json_object *vcpus = NULL;
        const char *before = ": ";

        json_object_object_get_ex(guest, "Vcpus", &vcpus);
        terminal_style(t, STYLE_HEADING);
        terminal_put(t, name ?: "");
        terminal_style(t, STYLE_NORMAL);
        if (*state) {
                terminal_printf(t, "%s%s", before, state);
                before = ", ";
        }
        if (count && *count) {
                terminal_printf(t, "%s%s vCPU%s%s", before, count, strcmp(count, "1") == 0 ? "" : "s",
                                field_boolean(vcpus, "Sparse") ? " (not the first ones)" : "");
                before = ", ";
        }
        if (pid > 0) {
                terminal_printf(t, "%sprocess %" PRIu64, before, pid);
                before = ", ";
        }
        if (*uuid)
                terminal_printf(t, "%sUUID %s", before, uuid);
        terminal_put(t, "\n");
}

static int add_number(Table *table, json_object *vcpu, const char *key) {
        uint64_t n;

        return field_number(vcpu, key, &n) ? table_addf(table, "%" PRIu64, n) : table_add(table, NULL);
}

static int add_time(Table *table, json_object *vcpu, const char *key) {
        char buffer[UNIT_TEXT_MAX];
        uint64_t n;

        return table_add(table, field_number(vcpu, key, &n) ? usec_format(buffer, n) : NULL);
}

/* A unit is told where it is more than the vCPU itself. */
static int add_unit(Table *table, json_object *vcpu) {
        const char *unit = field_string(vcpu, "unit");
        char own[24];

        snprintf(own, sizeof own, "%" PRIu64, field_number_or(vcpu, "id", 0));
        return table_add(table, strcmp(unit, own) == 0 ? NULL : unit);
}

static int add_guest_online(Table *table, json_object *vcpu) {
        if (!json_object_object_get_ex(vcpu, "guest_online", NULL))
                return table_add(table, NULL);
        return table_add(table, field_boolean(vcpu, "guest_online") ? "online" : "offline");
}

static int vcpu_add(Table *table, json_object *vcpu) {
        int r;

        r = add_number(table, vcpu, "id");
        if (r >= 0)
                r = table_add(table, field_string(vcpu, "state"));
        if (r >= 0)
                r = table_add(table, field_string(vcpu, "pending"));
        if (r >= 0)
                r = add_guest_online(table, vcpu);
        if (r >= 0)
                r = add_number(table, vcpu, "cell");
        if (r >= 0)
                r = add_unit(table, vcpu);
        if (r >= 0)
                r = add_number(table, vcpu, "thread");
        if (r >= 0)
                r = table_add(table, field_string(vcpu, "cpus"));
        if (r >= 0)
                r = table_add(table, field_string(vcpu, "effective_cpus"));
        if (r >= 0)
                r = add_number(table, vcpu, "host_cpu");
        if (r >= 0)
                r = add_time(table, vcpu, "cpu_time_usec");
        if (r >= 0)
                r = add_time(table, vcpu, "wait_usec");
        if (r >= 0)
                r = table_add_scheduler(table, vcpu);
        return r;
}

static ExitCode show_vcpus(const Ctl *ctl, json_object *vcpus) {
        static const Column columns[] = {
                { "VCPU", .right = true },   { "STATE" },
                { "PENDING" },               { "IN GUEST" },
                { "CELL", .right = true },   { "UNIT", .wraps = true },
                { "THREAD", .right = true }, { "PIN", .wraps = true },
                { "CPUS", .wraps = true },
                { "HOST CPU", .right = true }, { "TIME", .right = true },
                { "WAIT", .right = true },   { "SCHEDULER" },
                {},
        };
        _cleanup_table_ Table *table = table_new(columns);
        int r = table ? 0 : -ENOMEM;

        for (size_t i = 0; i < list_length(vcpus) && r >= 0; i++)
                r = vcpu_add(table, json_object_array_get_idx(vcpus, i));
        if (r < 0)
                return fail_no_memory(ctl);
        table_print(table, &ctl->terminal, UINT32_MAX);
        return CTL_DONE;
}

/* Whether a vCPU stays as it is, and why. One of which that is not told is not fixed. */
static bool vcpu_fixed(json_object *vcpu, const char **ret_reason) {
        if (!json_object_object_get_ex(vcpu, "hotpluggable", NULL) || field_boolean(vcpu, "hotpluggable"))
                return false;
        *ret_reason = field_string(vcpu, "reason");
        return true;
}

/* The vCPUs from the one at @first on that are fixed for its reason, as "0-3,8". To be freed. */
static char *fixed_format(json_object *vcpus, size_t first, const char *reason) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        uint64_t start = UINT64_MAX, end = 0;
        const char *other;

        if (!f)
                return NULL;
        for (size_t i = first; i < list_length(vcpus); i++) {
                json_object *vcpu = json_object_array_get_idx(vcpus, i);
                uint64_t id = field_number_or(vcpu, "id", 0);

                if (!vcpu_fixed(vcpu, &other) || strcmp(other, reason) != 0)
                        continue;
                if (start != UINT64_MAX && id == end + 1) {
                        end = id;
                        continue;
                }
                if (start != UINT64_MAX)
                        fprintf(f, end > start ? "-%" PRIu64 "," : ",", end);
                fprintf(f, "%" PRIu64, id);
                start = end = id;
        }
        if (end > start)
                fprintf(f, "-%" PRIu64, end);
        fclose(f);
        return text;
}

static ExitCode show_fixed(const Ctl *ctl, json_object *vcpus) {
        static const Column columns[] = { { "FIXED", .wraps = true }, { "BECAUSE", .wraps = true }, {} };
        _cleanup_table_ Table *table = table_new(columns);
        _cleanup_json_ json_object *reasons = json_object_new_object(); /* those that were shown */
        int r = table ? 0 : -ENOMEM;

        for (size_t i = 0; i < list_length(vcpus) && r >= 0; i++) {
                const char *reason;

                if (!vcpu_fixed(json_object_array_get_idx(vcpus, i), &reason) ||
                    json_object_object_get_ex(reasons, reason, NULL))
                        continue;
                json_object_object_add(reasons, reason, NULL);
                _cleanup_free_ char *ids = fixed_format(vcpus, i, reason);
                r = ids ? table_add(table, ids) : -ENOMEM;
                if (r >= 0)
                        r = table_add(table, *reason ? reason : "no reason is told");
        }
        if (r < 0)
                return fail_no_memory(ctl);
        if (json_object_object_length(reasons) > 0) {
                terminal_put(&ctl->terminal, "\n");
                table_print(table, &ctl->terminal, UINT32_MAX);
        }
        return CTL_DONE;
}

/* The guest of that name or UUID, and where its object is; both of new references. */
static ExitCode guest_find(Ctl *ctl, const char *name, json_object **ret_guest, json_object **ret_path) {
        _cleanup_json_ json_object *path = NULL, *objects = NULL, *guest = NULL;
        ExitCode e;

        e = guest_find_path(ctl, name, &path);
        if (e == CTL_DONE)
                e = host_get_objects(ctl, &objects);
        if (e == CTL_DONE)
                e = guest_take(ctl, objects, json_object_get_string(path), &guest);
        if (e != CTL_DONE)
                return e;
        if (!guest)
                return ctl_fail(ctl, CTL_NO_SUCH_OBJECT, "The guest '%s' has just gone.", name);
        *ret_guest = TAKE(guest);
        *ret_path = TAKE(path);
        return CTL_DONE;
}

static ExitCode show_all(const Ctl *ctl, json_object *guest, json_object *vcpus) {
        _cleanup_json_ json_object *warnings = json_object_new_array();
        const Terminal *t = &ctl->terminal;
        ExitCode e = CTL_DONE;

        show_guest(t, guest);
        if (list_length(vcpus) > 0) {
                terminal_put(t, "\n");
                e = show_vcpus(ctl, vcpus);
                if (e == CTL_DONE)
                        e = show_fixed(ctl, vcpus);
        } else
                terminal_put(t, "It has not told its vCPUs yet.\n");
        guest_add_warnings(guest, warnings);
        if (list_length(warnings) > 0)
                terminal_put(t, "\n");
        show_warnings(t, warnings, SIZE_MAX);
        return e;
}

int verb_vcpus(Ctl *ctl) {
        _cleanup_json_ json_object *guest = NULL, *path = NULL, *vcpus = NULL;
        const char *flags[4];
        ExitCode e;

        e = change_read_flags(ctl, flags);
        if (e == CTL_DONE)
                e = guest_find(ctl, ctl->arguments[0], &guest, &path);
        if (e == CTL_DONE)
                e = guest_list_vcpus(ctl, json_object_get_string(path), flags, &vcpus);
        if (e != CTL_DONE)
                return e;
        if (ctl->json == JSON_OFF)
                return show_all(ctl, guest, vcpus);
        _cleanup_json_ json_object *whole = json_object_new_object();
        json_object_object_add(whole, "Domain", json_object_get(guest));
        json_object_object_add(whole, "Vcpus", json_object_get(vcpus));
        return ctl_print_json(ctl, whole);
}
