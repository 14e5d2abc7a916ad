/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
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
        { "pending", json_type_string },        { "cpus", json_type_string },
        { "guest_online", json_type_boolean },
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

/* Of two pairs of guest and path. Numbers in names go by their value: vm2 comes before vm10. */
static int pair_compare(const void *a, const void *b) {
        json_object *x = json_object_array_get_idx(*(json_object *const *) a, 0);
        json_object *y = json_object_array_get_idx(*(json_object *const *) b, 0);
        int d = strverscmp(field_string(x, "Name"), field_string(y, "Name"));

        return d != 0 ? d : strcmp(field_string(x, "Uuid"), field_string(y, "Uuid"));
}

ExitCode guests_take(const Ctl *ctl, json_object *objects, json_object **ret, json_object **ret_paths) {
        _cleanup_json_ json_object *pairs = json_object_new_array();

        json_object_object_foreach(objects, path, interfaces) {
                json_object *guest, *pair;
                ExitCode e;

                e = guest_from_interfaces(ctl, interfaces, &guest);
                if (e != CTL_DONE)
                        return e;
                if (!guest)
                        continue;
                pair = json_object_new_array();
                json_object_array_add(pair, guest);
                json_object_array_add(pair, json_object_new_string(path));
                json_object_array_add(pairs, pair);
        }
        json_object_array_sort(pairs, pair_compare);
        *ret = json_object_new_array();
        if (ret_paths)
                *ret_paths = json_object_new_array();
        for (size_t i = 0; i < list_length(pairs); i++) {
                json_object *pair = json_object_array_get_idx(pairs, i);
                json_object_array_add(*ret, json_object_get(json_object_array_get_idx(pair, 0)));
                if (ret_paths)
                        json_object_array_add(*ret_paths, json_object_get(json_object_array_get_idx(pair, 1)));
        }
        return CTL_DONE;
}

ExitCode guest_take(const Ctl *ctl, json_object *objects, const char *path, json_object **ret) {
        json_object *interfaces = NULL;

        json_object_object_get_ex(objects, path, &interfaces);
        return guest_from_interfaces(ctl, interfaces, ret);
}

/* What is not UTF-8 would cost us the bus. */
static ExitCode name_check_utf8(const Ctl *ctl, const char *name) {
        uint32_t c;

        for (size_t n, at = 0; (n = text_next(name + at, &c)) > 0; at += n)
                if (n == 1 && c == 0xfffd)
                        return ctl_fail(ctl, CTL_USAGE, "'%s' is no name of a guest: it is not UTF-8.", name);
        return CTL_DONE;
}

ExitCode guest_name_check(const Ctl *ctl, const char *name) {
        enum { NAME_MAX_BYTES = 240 };
        ExitCode e;

        e = name_check_utf8(ctl, name);
        if (e != CTL_DONE)
                return e;
        for (const char *c = name; *c; c++)
                if ((unsigned char) *c < 0x20 || *c == 0x7f || *c == '/')
                        return ctl_fail(ctl, CTL_USAGE, "'%s' is no name for a guest: it has no '/' in it, "
                                        "and nothing that cannot be printed.", name);
        if (!*name || *name == '.' || strlen(name) > NAME_MAX_BYTES)
                return ctl_fail(ctl, CTL_USAGE,
                                "'%.32s%s' is no name for a guest: it has 1 to %d bytes, and does not start with '.'.",
                                name, strlen(name) > 32 ? "…" : "", NAME_MAX_BYTES);
        return CTL_DONE;
}

ExitCode guest_find_path(Ctl *ctl, const char *name, json_object **ret) {
        static const Call call = { .path = BERTH_PATH, .interface = BERTH_MANAGER, .member = "GetDomain", .reply = "o" };
        ExitCode e;

        e = name_check_utf8(ctl, name);
        return e == CTL_DONE ? bus_call(ctl, &call, ret, "s", name) : e;
}

ExitCode guest_open(Ctl *ctl, const char *name, Guest *ret) {
        _cleanup_json_ json_object *path = NULL, *domain = NULL;
        ExitCode e;

        e = guest_find_path(ctl, name, &path);
        if (e != CTL_DONE)
                return e;
        const Call call = { json_object_get_string(path), "org.freedesktop.DBus.Properties", "GetAll", "a{sv}" };
        e = bus_call(ctl, &call, &domain, "s", BERTH_DOMAIN);
        if (e == CTL_DONE)
                e = host_check_object(ctl, domain, domain_fields, call.member);
        if (e == CTL_DONE)
                e = host_check_warnings(ctl, domain, call.member);
        if (e != CTL_DONE)
                return e;

        Guest guest = {
                .path = strdup(call.path),
                .name = guest_name_format(domain),
                .runs = field_number_or(domain, "Pid", 0) > 0 || strcmp(field_string(domain, "State"), "shutoff") != 0,
                .domain = TAKE(domain),
        };
        if (!guest.path || !guest.name) {
                guest_clear(&guest);
                return ctl_fail(ctl, CTL_FAILED, "There is not enough memory.");
        }
        *ret = guest;
        return CTL_DONE;
}

void guest_clear(Guest *guest) {
        free(guest->path);
        free(guest->name);
        json_object_put(guest->domain);
}

ExitCode guest_check_priorities(const Ctl *ctl, json_object *list, const char *member) {
        for (size_t i = 0; i < list_length(list); i++) {
                json_object *priority;
                if (json_object_object_get_ex(json_object_array_get_idx(list, i), "priority", &priority) &&
                    !json_object_is_type(priority, json_type_int))
                        return host_fail_malformed(ctl, member, "priority");
        }
        return CTL_DONE;
}

static ExitCode vcpus_check(const Ctl *ctl, json_object *vcpus, const char *member) {
        ExitCode e = host_check_list(ctl, vcpus, vcpu_fields, member);

        return e == CTL_DONE ? guest_check_priorities(ctl, vcpus, member) : e;
}

ExitCode guest_list_vcpus(Ctl *ctl, const char *path, const char *const *flags, json_object **ret) {
        const Call call = { path, BERTH_VCPUS, "ListVcpus", "aa{sv}" };
        _cleanup_json_ json_object *vcpus = NULL;
        ExitCode e;

        e = bus_call_flags(ctl, &call, flags, &vcpus);
        if (e == CTL_DONE)
                e = vcpus_check(ctl, vcpus, call.member);
        if (e == CTL_DONE)
                *ret = TAKE(vcpus);
        return e;
}

ExitCode guests_list_vcpus(Ctl *ctl, json_object *paths, size_t max, json_object **ret) {
        _cleanup_json_ json_object *lists = json_object_new_array();

        for (size_t i = 0; i < MIN(list_length(paths), max); i++) {
                const Call call = {
                        json_object_get_string(json_object_array_get_idx(paths, i)), BERTH_VCPUS, "ListVcpus", "aa{sv}"
                };
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                json_object *vcpus = NULL;
                ExitCode e;

                e = bus_try_call(ctl, &call, &vcpus, &error, "as", 0);
                if (e == CTL_DONE)
                        e = vcpus_check(ctl, vcpus, call.member);
                json_object_array_add(lists, vcpus ?: json_object_new_array());
                if (e != CTL_DONE)
                        return e;
        }
        *ret = TAKE(lists);
        return CTL_DONE;
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

int guest_cpus(json_object *vcpus, CpuList *ret) {
        CpuList all = {};

        for (size_t i = 0; i < list_length(vcpus); i++) {
                json_object *vcpu = json_object_array_get_idx(vcpus, i);
                const char *effective = field_string(vcpu, "effective_cpus");
                CpuList cpus;

                if (strcmp(field_string(vcpu, "state"), "enabled") != 0)
                        continue;
                if (cpulist_parse(*effective ? effective : field_string(vcpu, "cpus"), &cpus) < 0)
                        return -EBADMSG;
                cpulist_add_all(&all, &cpus);
        }
        memcpy(ret, &all, sizeof all);
        return 0;
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
