/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <inttypes.h>
#include <string.h>

#include "bus.h"
#include "fields.h"
#include "host.h"

static const Field manager_fields[] = {
        { "Version", json_type_string },
        { "Backends", json_type_array },
        { "Warnings", json_type_array },
        {},
};

static const Field topology_fields[] = {
        { "Arch", json_type_string },         { "Vendor", json_type_string },
        { "Model", json_type_string },        { "Generation", json_type_int },
        { "Warnings", json_type_array },      { "Sockets", json_type_int },
        { "Dies", json_type_int },            { "Cores", json_type_int },
        { "Threads", json_type_int },         { "PossibleCpus", json_type_string },
        { "PresentCpus", json_type_string },  { "OnlineCpus", json_type_string },
        { "IsolatedCpus", json_type_string }, { "SmtActive", json_type_boolean },
        {},
};

static const Field power_fields[] = {
        { "CanSuspendMem", json_type_string },     { "CanSuspendIdle", json_type_string },
        { "CanSuspendDisk", json_type_string },    { "CanSuspendHybrid", json_type_string },
        { "CanSuspendThenDisk", json_type_string }, { "WakeAlarm", json_type_int },
        { "PreparingForSleep", json_type_boolean }, {},
};

static const Field inhibitor_fields[] = {
        { "what", json_type_string }, { "who", json_type_string }, { "why", json_type_string },
        { "mode", json_type_string }, { "uid", json_type_int },    { "pid", json_type_int },
        {},
};

static const Field wake_source_fields[] = {
        { "device", json_type_string, true },   { "kind", json_type_string, true },
        { "enabled", json_type_boolean, true }, { "mac", json_type_string },
        {},
};

static const Field cell_fields[] = {
        { "Id", json_type_int, true },        { "Cpus", json_type_string },
        { "Memory", json_type_int },          { "CacheSize", json_type_int },
        { "Distances", json_type_object },    { "PageSizes", json_type_array },
        { "Sockets", json_type_array },
        {},
};

static const Field cpu_fields[] = {
        { "id", json_type_int, true }, { "online", json_type_boolean, true },
        { "cell", json_type_int },     { "socket", json_type_int },
        { "die", json_type_int },      { "cluster", json_type_int },
        { "core", json_type_int },     { "book", json_type_int },
        { "drawer", json_type_int },   { "siblings", json_type_string },
        { "kind", json_type_string },  { "capacity", json_type_int },
        { "max_khz", json_type_int },  { "isolated", json_type_boolean },
        {},
};

static const Field cache_fields[] = {
        { "level", json_type_int, true }, { "type", json_type_string, true },
        { "size", json_type_int },        { "cpus", json_type_string },
        { "id", json_type_int },          { "cell", json_type_int },
        {},
};

static const Field warning_fields[] = {
        { "code", json_type_string },    { "severity", json_type_string }, { "subject", json_type_string },
        { "message", json_type_string }, { "remedy", json_type_string },   {},
};

void host_clear(Host *host) {
        json_object_put(host->manager);
        json_object_put(host->topology);
        json_object_put(host->power);
        json_object_put(host->cells);
        json_object_put(host->objects);
        *host = HOST_NONE;
}

ExitCode host_fail_malformed(const Ctl *ctl, const char *member, const char *what) {
        return ctl_fail(ctl, CTL_FAILED,
                        "The Berth service's answer to %s is not as it is documented: %s.\n"
                        "Are berthd and berthctl of one version?", member, what);
}

ExitCode host_check_object(const Ctl *ctl, json_object *object, const Field *fields, const char *member) {
        const char *wrong;

        if (fields_check(object, fields, &wrong))
                return CTL_DONE;
        return host_fail_malformed(ctl, member, wrong ?: "an entry");
}

ExitCode host_check_list(const Ctl *ctl, json_object *list, const Field *fields, const char *member) {
        ExitCode e = CTL_DONE;

        for (size_t i = 0; i < list_length(list) && e == CTL_DONE; i++)
                e = host_check_object(ctl, json_object_array_get_idx(list, i), fields, member);
        return e;
}

ExitCode host_check_findings(const Ctl *ctl, json_object *findings, const char *member) {
        return host_check_list(ctl, findings, warning_fields, member);
}

ExitCode host_check_warnings(const Ctl *ctl, json_object *properties, const char *member) {
        return host_check_findings(ctl, field_list(properties, "Warnings"), member);
}

static int cell_compare(const void *a, const void *b) {
        uint64_t x = field_number_or(*(json_object *const *) a, "Id", 0);
        uint64_t y = field_number_or(*(json_object *const *) b, "Id", 0);

        return x < y ? -1 : x > y;
}

/* From one object's interfaces takes those that are of the host. */
static ExitCode interfaces_take(const Ctl *ctl, Host *host, json_object *interfaces, const char *member) {
        json_object *properties;
        ExitCode e;

        if (json_object_object_get_ex(interfaces, BERTH_MANAGER, &properties) && !host->manager) {
                e = host_check_object(ctl, properties, manager_fields, member);
                if (e == CTL_DONE)
                        e = host_check_warnings(ctl, properties, member);
                if (e != CTL_DONE)
                        return e;
                host->manager = json_object_get(properties);
        }
        if (json_object_object_get_ex(interfaces, BERTH_TOPOLOGY, &properties) && !host->topology) {
                e = host_check_object(ctl, properties, topology_fields, member);
                if (e == CTL_DONE)
                        e = host_check_warnings(ctl, properties, member);
                if (e != CTL_DONE)
                        return e;
                host->topology = json_object_get(properties);
        }
        if (json_object_object_get_ex(interfaces, BERTH_POWER, &properties) && !host->power) {
                e = host_check_object(ctl, properties, power_fields, member);
                if (e != CTL_DONE)
                        return e;
                host->power = json_object_get(properties);
        }
        if (json_object_object_get_ex(interfaces, BERTH_CELL, &properties)) {
                e = host_check_object(ctl, properties, cell_fields, member);
                if (e != CTL_DONE)
                        return e;
                json_object_array_add(host->cells, json_object_get(properties));
        }
        return CTL_DONE;
}

ExitCode host_get_objects(Ctl *ctl, json_object **ret) {
        static const Call call = { BERTH_PATH, "org.freedesktop.DBus.ObjectManager", OBJECTS_MEMBER, "a{oa{sa{sv}}}", false };

        return bus_call(ctl, &call, ret, NULL);
}

ExitCode host_load(Ctl *ctl, Host *ret) {
        _cleanup_host_ Host host = HOST_NONE;
        ExitCode e;

        e = host_get_objects(ctl, &host.objects);
        if (e != CTL_DONE)
                return e;
        host.cells = json_object_new_array();
        json_object_object_foreach(host.objects, path, interfaces) {
                (void) path;
                e = interfaces_take(ctl, &host, interfaces, OBJECTS_MEMBER);
                if (e != CTL_DONE)
                        return e;
        }
        if (!host.topology)
                return host_fail_malformed(ctl, OBJECTS_MEMBER, "no object has " BERTH_TOPOLOGY);
        if (!host.manager)
                host.manager = json_object_new_object();
        json_object_array_sort(host.cells, cell_compare);
        *ret = host;
        host = HOST_NONE;
        return CTL_DONE;
}

/* The properties of one interface of the host's object. */
static ExitCode properties_load(Ctl *ctl, const char *interface, const Field *fields, json_object **ret) {
        static const Call call = {
                BERTH_HOST_PATH, "org.freedesktop.DBus.Properties", "GetAll", "a{sv}", false
        };
        _cleanup_json_ json_object *properties = NULL;
        ExitCode e;

        e = bus_call(ctl, &call, &properties, "s", interface);
        if (e == CTL_DONE)
                e = host_check_object(ctl, properties, fields, call.member);
        if (e == CTL_DONE)
                e = host_check_warnings(ctl, properties, call.member);
        if (e == CTL_DONE)
                *ret = TAKE(properties);
        return e;
}

ExitCode host_load_topology(Ctl *ctl, json_object **ret) {
        return properties_load(ctl, BERTH_TOPOLOGY, topology_fields, ret);
}

ExitCode host_load_power(Ctl *ctl, json_object **ret) {
        return properties_load(ctl, BERTH_POWER, power_fields, ret);
}

json_object *host_find_cell(const Host *host, uint64_t id) {
        for (size_t i = 0; i < list_length(host->cells); i++) {
                json_object *cell = json_object_array_get_idx(host->cells, i);
                if (field_number_or(cell, "Id", UINT64_MAX) == id)
                        return cell;
        }
        return NULL;
}

/* A call whose refusal means that the host does not tell: then @ret stays NULL. */
static ExitCode call_if_told(Ctl *ctl, const Call *call, json_object **ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        ExitCode e;

        e = bus_try_call(ctl, call, ret, &error, "uu", UINT32_C(0), UINT32_C(0));
        if (e != CTL_DONE || !sd_bus_error_is_set(&error) ||
            strncmp(error.name, BERTH_ERROR_NO_SUCH, strlen(BERTH_ERROR_NO_SUCH)) == 0 ||
            sd_bus_error_has_name(&error, BERTH_ERROR_NOT_SUPPORTED))
                return e;
        return bus_fail(ctl, call, &error, 0);
}

static uint64_t row_number(json_object *row, size_t i) {
        return json_object_get_uint64(json_object_array_get_idx(row, i));
}

ExitCode host_load_free(Ctl *ctl, Host *host) {
        static const Call memory_call = { BERTH_HOST_PATH, BERTH_CELLS, "GetFreeMemory", "a(ut)", false };
        static const Call pages_call = { BERTH_HOST_PATH, BERTH_CELLS, "GetFreePages", "a(utt)", false };
        _cleanup_json_ json_object *memory = NULL, *pages = NULL;
        ExitCode e;

        e = call_if_told(ctl, &memory_call, &memory);
        if (e == CTL_DONE)
                e = call_if_told(ctl, &pages_call, &pages);
        if (e != CTL_DONE)
                return e;

        /* A cell that came or went between the calls is passed over. */
        for (size_t i = 0; i < list_length(memory); i++) {
                json_object *row = json_object_array_get_idx(memory, i);
                json_object *cell = host_find_cell(host, row_number(row, 0));
                if (cell)
                        json_object_object_add(cell, "FreeMemory", json_object_new_uint64(row_number(row, 1)));
        }
        for (size_t i = 0; i < list_length(pages); i++) {
                json_object *row = json_object_array_get_idx(pages, i);
                json_object *cell = host_find_cell(host, row_number(row, 0)), *list;
                if (!cell)
                        continue;
                list = field_list(cell, "FreePages");
                if (!list) {
                        list = json_object_new_array();
                        json_object_object_add(cell, "FreePages", list);
                }
                json_object *entry = json_object_new_object();
                json_object_object_add(entry, "size", json_object_new_uint64(row_number(row, 1)));
                json_object_object_add(entry, "free", json_object_new_uint64(row_number(row, 2)));
                json_object_array_add(list, entry);
        }
        return CTL_DONE;
}

static ExitCode list_load(Ctl *ctl, const Call *call, const Field *fields, json_object **ret) {
        _cleanup_json_ json_object *list = NULL;
        ExitCode e;

        e = bus_call(ctl, call, &list, NULL);
        if (e == CTL_DONE)
                e = host_check_list(ctl, list, fields, call->member);
        if (e == CTL_DONE)
                *ret = TAKE(list);
        return e;
}

ExitCode host_list_cpus(Ctl *ctl, json_object **ret) {
        static const Call call = { BERTH_HOST_PATH, BERTH_TOPOLOGY, "ListCpus", "aa{sv}", false };

        return list_load(ctl, &call, cpu_fields, ret);
}

ExitCode host_list_caches(Ctl *ctl, json_object **ret) {
        static const Call call = { BERTH_HOST_PATH, BERTH_TOPOLOGY, "ListCaches", "aa{sv}", false };

        return list_load(ctl, &call, cache_fields, ret);
}

ExitCode host_list_inhibitors(Ctl *ctl, json_object **ret) {
        static const Call call = { BERTH_HOST_PATH, BERTH_POWER, "ListInhibitors", "aa{sv}", false };

        return list_load(ctl, &call, inhibitor_fields, ret);
}

ExitCode host_list_wake_sources(Ctl *ctl, json_object **ret) {
        static const Call call = { BERTH_HOST_PATH, BERTH_POWER, "ListWakeSources", "aa{sv}", false };

        return list_load(ctl, &call, wake_source_fields, ret);
}
