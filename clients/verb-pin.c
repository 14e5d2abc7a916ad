/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Where threads of a guest may run.
 *
 * Several vCPUs are one call, which pins all of them or none. What else there is
 * has calls of its own: so it stands alone on the command line, which would
 * promise too much otherwise. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "change.h"
#include "fields.h"
#include "show.h"
#include "units.h"

enum { GROUPS_TOLD = 3 }; /* more pins than these are counted */

typedef enum TargetKind {
        TARGET_VCPUS,
        TARGET_EMULATOR,
        TARGET_IOTHREAD,
} TargetKind;

/* One word of the command line: threads, and the CPUs that they get. */
typedef struct Group {
        TargetKind kind;
        CpuList vcpus;
        uint32_t iothread;
        char *cpus; /* in the kernel's format; empty: no pin */
} Group;

typedef struct Pins {
        Group *groups;
        size_t n_groups;
        CpuList vcpus; /* of all groups */
        unsigned n_vcpus;
} Pins;

static void pins_clear(Pins *pins) {
        for (size_t i = 0; i < pins->n_groups; i++)
                free(pins->groups[i].cpus);
        free(pins->groups);
}

/* The command line */

static ExitCode target_parse(const Ctl *ctl, const char *text, Group *group) {
        static const char iothread[] = "iothread:";
        uint64_t n;

        if (strcmp(text, "emulator") == 0) {
                group->kind = TARGET_EMULATOR;
                return CTL_DONE;
        }
        if (strncmp(text, iothread, strlen(iothread)) == 0) {
                if (!number_parse(text + strlen(iothread), UINT32_MAX, &n))
                        return ctl_fail(ctl, CTL_USAGE, "'%s' is no iothread: one looks like iothread:1; "
                                        "'berthctl threads' shows them.", text);
                group->kind = TARGET_IOTHREAD;
                group->iothread = n;
                return CTL_DONE;
        }
        group->kind = TARGET_VCPUS;
        int r = cpulist_parse_loose(text, &group->vcpus);
        if (r < 0)
                return ctl_fail(ctl, CTL_USAGE,
                                "'%s' is nothing that can be pinned: that is a vCPU or a list of them, like 2 or 0-3,^1, "
                                "'emulator', or an iothread, like iothread:1.", text);
        return CTL_DONE;
}

static ExitCode cpus_parse(const Ctl *ctl, const char *text, Group *group) {
        CpuList list;

        if (strcmp(text, "none") == 0)
                group->cpus = strdup("");
        else {
                int r = cpulist_parse_loose(text, &list);
                if (r == -ERANGE)
                        return ctl_fail(ctl, CTL_USAGE, "'%s' has a number above %d, which no CPU has.", text, CPU_ID_MAX);
                if (r < 0)
                        return ctl_fail(ctl, CTL_USAGE,
                                        "'%s' is no list of CPUs: one looks like 2 or 0,2-4 or 0-7,^3 (all of them but 3); "
                                        "'none' takes a pin away.", text);
                group->cpus = cpulist_format(&list);
        }
        return group->cpus ? CTL_DONE : fail_no_memory(ctl);
}

static ExitCode group_add(const Ctl *ctl, Pins *pins, const char *target, const char *cpus) {
        Group *group = &pins->groups[pins->n_groups];
        CpuList twice;
        ExitCode e;

        e = target_parse(ctl, target, group);
        if (e == CTL_DONE)
                e = cpus_parse(ctl, cpus, group);
        if (e != CTL_DONE)
                return e;
        pins->n_groups++;
        if (group->kind != TARGET_VCPUS)
                return CTL_DONE;
        memcpy(&twice, &pins->vcpus, sizeof twice);
        cpulist_intersect(&twice, &group->vcpus);
        if (cpulist_count(&twice) > 0)
                return ctl_fail(ctl, CTL_USAGE, "vCPU %u comes twice.", cpulist_first(&twice));
        cpulist_add_all(&pins->vcpus, &group->vcpus);
        pins->n_vcpus += cpulist_count(&group->vcpus);
        return CTL_DONE;
}

static ExitCode pins_parse(const Ctl *ctl, Pins *pins) {
        char **words = ctl->arguments + 1;
        size_t n = ctl->n_arguments - 1;
        ExitCode e = CTL_DONE;

        pins->groups = calloc(n, sizeof *pins->groups);
        if (!pins->groups)
                return fail_no_memory(ctl);
        if (n == 2 && !strchr(words[0], '=') && !strchr(words[1], '='))
                return group_add(ctl, pins, words[0], words[1]);
        for (size_t i = 0; i < n && e == CTL_DONE; i++) {
                size_t length = strcspn(words[i], "=");

                if (!words[i][length])
                        return ctl_fail(ctl, CTL_USAGE,
                                        "'%s' is no pin: one looks like 0=4-7; '=none' takes one away.", words[i]);
                _cleanup_free_ char *target = strndup(words[i], length);
                e = target ? group_add(ctl, pins, target, words[i] + length + 1) : fail_no_memory(ctl);
        }
        for (size_t i = 0; i < n && e == CTL_DONE; i++)
                if (n > 1 && pins->groups[i].kind != TARGET_VCPUS)
                        return ctl_fail(ctl, CTL_USAGE,
                                        "'%s' stands alone: only vCPUs are pinned several at once, all or none.", words[i]);
        return e;
}

/* The call */

static int append_vcpus(sd_bus_message *m, const Pins *pins) {
        int r;

        if (pins->n_vcpus == 1)
                return sd_bus_message_append(m, "us", cpulist_first(&pins->vcpus), pins->groups[0].cpus);
        r = sd_bus_message_open_container(m, 'a', "(us)");
        for (size_t i = 0; i < pins->n_groups; i++)
                for (unsigned id = 0; id <= CPU_ID_MAX && r >= 0; id++)
                        if (cpulist_has(&pins->groups[i].vcpus, id))
                                r = sd_bus_message_append(m, "(us)", id, pins->groups[i].cpus);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static ExitCode pin(Ctl *ctl, const Change *change, const Pins *pins) {
        static const char *const members[] = {
                [TARGET_VCPUS] = "Pin",
                [TARGET_EMULATOR] = "PinEmulator",
                [TARGET_IOTHREAD] = "PinIothread",
        };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_json_ json_object *answer = NULL;
        const Group *first = &pins->groups[0];
        const Call call = {
                change->guest.path, BERTH_VCPUS, pins->n_vcpus > 1 ? "PinAll" : members[first->kind], "", true, NULL, NULL,
        };
        ExitCode e;
        int r = 0;

        e = bus_call_new(ctl, &call, &m);
        if (e != CTL_DONE)
                return e;
        switch (first->kind) {
        case TARGET_VCPUS:
                r = append_vcpus(m, pins);
                break;
        case TARGET_EMULATOR:
                r = sd_bus_message_append(m, "s", first->cpus);
                break;
        case TARGET_IOTHREAD:
                r = sd_bus_message_append(m, "us", first->iothread, first->cpus);
                break;
        }
        return r < 0 ? bus_fail_to_ask(ctl, &call, r) : change_call(ctl, change, &call, m, &answer);
}

/* The answer */

/* "vCPUs 0-3", "iothread 1", "the emulator": to be freed. */
static char *target_format(const Group *group, bool *ret_many) {
        *ret_many = false;
        switch (group->kind) {
        case TARGET_VCPUS: {
                _cleanup_free_ char *ids = cpulist_format(&group->vcpus);
                *ret_many = ids && ids_are_many(ids);
                return ids ? vcpus_format(ids) : NULL;
        }
        case TARGET_EMULATOR:
                return strdup("the emulator");
        case TARGET_IOTHREAD:
                return text_format("iothread %" PRIu32, group->iothread);
        }
        return NULL;
}

static void put_group(FILE *f, const Group *group, const char *before, bool dry_run) {
        bool many, unpin = !*group->cpus;
        _cleanup_free_ char *target = target_format(group, &many);
        const char *cpus = ids_are_many(group->cpus) ? "CPUs" : "CPU";

        fputs(before, f);
        if (dry_run && unpin)
                fprintf(f, "unpin %s", target ?: "");
        else if (dry_run)
                fprintf(f, "pin %s to %s %s", target ?: "", cpus, group->cpus);
        else if (unpin)
                fprintf(f, "%s %s not pinned any more", target ?: "", many ? "are" : "is");
        else
                fprintf(f, "%s %s pinned to %s %s", target ?: "", many ? "are" : "is", cpus, group->cpus);
}

/* To be freed. */
static char *pins_format(const Pins *pins, bool dry_run) {
        char *text = NULL;
        size_t size;
        FILE *f;

        if (pins->n_groups > GROUPS_TOLD)
                return text_format(dry_run ? "pin or unpin %u vCPUs" : "%u vCPUs are pinned as asked", pins->n_vcpus);
        f = open_memstream(&text, &size);
        if (!f)
                return NULL;
        for (size_t i = 0; i < pins->n_groups; i++)
                put_group(f, &pins->groups[i], i > 0 ? "; " : "", dry_run);
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

static ExitCode tell_json(const Ctl *ctl, const Pins *pins) {
        static const char *const keys[] = {
                [TARGET_VCPUS] = "vcpus",
                [TARGET_EMULATOR] = "emulator",
                [TARGET_IOTHREAD] = "iothread",
        };
        _cleanup_json_ json_object *object = json_object_new_object();
        json_object *list = json_object_new_array();

        json_object_object_add(object, "pins", list);
        for (size_t i = 0; i < pins->n_groups; i++) {
                const Group *group = &pins->groups[i];
                _cleanup_free_ char *ids = cpulist_format(&group->vcpus);
                json_object *entry = json_object_new_object(), *value = NULL;

                json_object_array_add(list, entry);
                switch (group->kind) {
                case TARGET_VCPUS:
                        value = json_object_new_string(ids ?: "");
                        break;
                case TARGET_EMULATOR:
                        value = json_object_new_boolean(true);
                        break;
                case TARGET_IOTHREAD:
                        value = json_object_new_uint64(group->iothread);
                        break;
                }
                json_object_object_add(entry, keys[group->kind], value);
                json_object_object_add(entry, "cpus", json_object_new_string(group->cpus));
        }
        return ctl_print_json(ctl, object);
}

int verb_pin(Ctl *ctl) {
        _cleanup_change_ Change change = CHANGE_NONE;
        _cleanup_(pins_clear) Pins pins = {};
        ExitCode e;

        e = change_read(ctl, &change);
        if (e == CTL_DONE)
                e = pins_parse(ctl, &pins);
        if (e == CTL_DONE)
                e = change_open(ctl, &change);
        if (e == CTL_DONE)
                e = pin(ctl, &change, &pins);
        if (e != CTL_DONE)
                return e;
        if (ctl->json != JSON_OFF)
                return tell_json(ctl, &pins);
        _cleanup_free_ char *text = pins_format(&pins, change.dry_run);
        if (!text)
                return fail_no_memory(ctl);
        change_tell(ctl, &change, text, text);
        change_hint_config(ctl, &change);
        return CTL_DONE;
}
