/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <inttypes.h>
#include <string.h>

#include "bus.h"
#include "guests.h"
#include "host.h"

static const Field domain_fields[] = {
        { "Name", json_type_string, true }, { "Uuid", json_type_string }, { "Backend", json_type_string },
        { "State", json_type_string },      { "Pid", json_type_int },     { "Warnings", json_type_array },
        {},
};

static const Field vcpus_fields[] = {
        { "Maximum", json_type_int }, { "Current", json_type_int }, { "Sparse", json_type_boolean }, {},
};

/* A priority may be below zero, so that it is none of these. */
static const Field vcpu_fields[] = {
        { "id", json_type_int, true },          { "state", json_type_string, true },
        { "hotpluggable", json_type_boolean },  { "reason", json_type_string },
        { "unit", json_type_string },           { "cell", json_type_int },
        { "order", json_type_int },             { "thread", json_type_int },
        { "effective_cpus", json_type_string }, { "scheduler", json_type_string },
        { "host_cpu", json_type_int },          { "cpu_time_usec", json_type_int },
        { "wait_usec", json_type_int },         {},
};

/* A guest of an object's interfaces, or NULL if they are no guest's. */
static ExitCode guest_from_interfaces(const Ctl *ctl, json_object *interfaces, json_object **ret) {
        _cleanup_json_ json_object *guest = NULL;
        json_object *domain, *vcpus;
        ExitCode e;

        if (!json_object_object_get_ex(interfaces, BERTH_DOMAIN, &domain)) {
                *ret = NULL;
                return CTL_DONE;
        }
        e = host_check_object(ctl, domain, domain_fields, OBJECTS_MEMBER);
        if (e == CTL_DONE)
                e = host_check_warnings(ctl, domain, OBJECTS_MEMBER);
        if (e != CTL_DONE)
                return e;
        guest = json_object_new_object();
        json_object_object_foreach(domain, key, value)
                json_object_object_add(guest, key, json_object_get(value));
        if (json_object_object_get_ex(interfaces, BERTH_VCPUS, &vcpus)) {
                e = host_check_object(ctl, vcpus, vcpus_fields, OBJECTS_MEMBER);
                if (e != CTL_DONE)
                        return e;
                json_object_object_add(guest, "Vcpus", json_object_get(vcpus));
        }
        *ret = TAKE(guest);
        return CTL_DONE;
}

/* Numbers in names go by their value: vm2 comes before vm10. */
static int guest_compare(const void *a, const void *b) {
        json_object *x = *(json_object *const *) a, *y = *(json_object *const *) b;
        int d = strverscmp(field_string(x, "Name"), field_string(y, "Name"));

        return d != 0 ? d : strcmp(field_string(x, "Uuid"), field_string(y, "Uuid"));
}

ExitCode guests_take(const Ctl *ctl, json_object *objects, json_object **ret) {
        _cleanup_json_ json_object *guests = json_object_new_array();

        json_object_object_foreach(objects, path, interfaces) {
                json_object *guest;
                ExitCode e;
                (void) path;

                e = guest_from_interfaces(ctl, interfaces, &guest);
                if (e != CTL_DONE)
                        return e;
                if (guest)
                        json_object_array_add(guests, guest);
        }
        json_object_array_sort(guests, guest_compare);
        *ret = TAKE(guests);
        return CTL_DONE;
}

ExitCode guest_take(const Ctl *ctl, json_object *objects, const char *path, json_object **ret) {
        json_object *interfaces = NULL;

        json_object_object_get_ex(objects, path, &interfaces);
        return guest_from_interfaces(ctl, interfaces, ret);
}

ExitCode guest_list_vcpus(Ctl *ctl, const char *path, json_object **ret) {
        const Call call = { path, BERTH_VCPUS, "ListVcpus", "aa{sv}", false };
        _cleanup_json_ json_object *vcpus = NULL;
        ExitCode e;

        e = bus_call(ctl, &call, &vcpus, "as", 0);
        if (e == CTL_DONE)
                e = host_check_list(ctl, vcpus, vcpu_fields, call.member);
        for (size_t i = 0; i < list_length(vcpus) && e == CTL_DONE; i++) {
                json_object *priority;
                if (json_object_object_get_ex(json_object_array_get_idx(vcpus, i), "priority", &priority) &&
                    !json_object_is_type(priority, json_type_int))
                        e = host_fail_malformed(ctl, call.member, "priority");
        }
        if (e == CTL_DONE)
                *ret = TAKE(vcpus);
        return e;
}

char *guest_name_format(json_object *guest) {
        char *name = strdup(field_string(guest, "Name"));

        for (char *c = name; c && *c; c++)
                if (*c == '\n' || *c == '\t')
                        *c = ' ';
        return name;
}

char *guest_vcpus_format(json_object *guest) {
        json_object *vcpus = NULL;
        uint64_t current, maximum;
        char *text;
        int r;

        json_object_object_get_ex(guest, "Vcpus", &vcpus);
        maximum = field_number_or(vcpus, "Maximum", 0);
        if (!field_number(vcpus, "Current", &current) || (current == 0 && maximum == 0))
                return strdup("");
        r = maximum > 0 ? asprintf(&text, "%" PRIu64 " of %" PRIu64, current, maximum)
                        : asprintf(&text, "%" PRIu64, current);
        return r < 0 ? NULL : text;
}

void guest_add_warnings(json_object *guest, json_object *list) {
        json_object *warnings = field_list(guest, "Warnings");
        _cleanup_free_ char *name = guest_name_format(guest);

        for (size_t i = 0; name && i < list_length(warnings); i++) {
                json_object *warning = json_object_array_get_idx(warnings, i), *named = json_object_new_object();
                const char *subject = field_string(warning, "subject");
                _cleanup_free_ char *text = NULL;

                json_object_object_foreach(warning, key, value)
                        json_object_object_add(named, key, json_object_get(value));
                if (!*subject)
                        text = strdup(name);
                else if (!strstr(subject, name) && asprintf(&text, "%s, %s", name, subject) < 0)
                        text = NULL;
                if (text)
                        json_object_object_add(named, "subject", json_object_new_string(text));
                json_object_array_add(list, named);
        }
}
