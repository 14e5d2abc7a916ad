/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* query-hotpluggable-cpus lists the slots of the machine: which device goes there, with
 * which properties, how many vCPUs it brings, and its path if it is there.
 * query-cpus-fast lists the vCPUs that run: path, thread, and an index.
 *
 * A vCPU's id is its place among the slots, as libvirt counts too. QEMU prepends each
 * slot to its answer, so that the last of them is vCPU 0; should a later QEMU append
 * them, the properties of the first and of the last slot tell. QEMU's cpu-index is not
 * the id: it is that of the slot on most machines, but nobody promises it.
 *
 * A vCPU belongs to the slot that has its path, or with several threads the path of
 * which it is "/thread[N]". Where a slot has no path yet, the properties tell, which
 * both answers give. They are not compared otherwise: the path names one object.
 *
 * Where a device may be removed: what was given an id is at /machine/peripheral/<id>.
 * What the machine made itself is at /machine/unattached, what was added without an id
 * at /machine/peripheral-anon; device_del has no name for either. */

#include "cpus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guest/qemu/cpu-entries.h"

#define PERIPHERAL "/machine/peripheral/"
#define ANONYMOUS "/machine/peripheral-anon/"

static const char reason_first[] = "it is the guest's first, which always stays";
static const char reason_boot[] = "it is there since the guest's start, without an id to remove it by";
static const char reason_anonymous[] = "it was added without an id to remove it by";
static const char reason_machine[] = "this machine can neither add nor remove vCPUs";
static const char reason_s390[] = "QEMU cannot remove vCPUs on s390x";

static void qemu_unit_free(void *data) {
        QemuUnit *unit = data;

        if (!unit)
                return;
        free(unit->driver);
        free(unit->slot);
        free(unit->path);
        free(unit);
}

static inline void qemu_unit_freep(QemuUnit **unit) {
        qemu_unit_free(*unit);
}

static QemuUnit *unit_data(const PlugUnit *unit) {
        return unit->data;
}

/* A unit under a name, to find it by. */
typedef struct UnitName {
        const char *name;
        size_t length;
        PlugUnit *unit;
} UnitName;

typedef struct Parser {
        Error *error;
        VcpuTable *table;
        RunningCpu *cpus;
        size_t n_cpus;
        UnitName *paths;
        size_t n_paths;
        UnitName *slots;        /* those without a path */
        size_t n_slots;
        bool strays;            /* a vCPU runs that is in no unit */
} Parser;

static void parser_clear(Parser *parser) {
        vcpu_table_free(parser->table);
        free(parser->cpus);
        free(parser->paths);
        free(parser->slots);
}

static int compare_names(const void *a, const void *b) {
        const UnitName *x = a, *y = b;
        int order = memcmp(x->name, y->name, x->length < y->length ? x->length : y->length);

        if (order != 0)
                return order;
        return x->length < y->length ? -1 : x->length > y->length;
}

static PlugUnit *find_name(const UnitName *names, size_t n, const char *name, size_t length) {
        UnitName wanted = { .name = name, .length = length };
        const UnitName *found = n > 0 ? bsearch(&wanted, names, n, sizeof *names, compare_names) : NULL;

        return found ? found->unit : NULL;
}

/* Compares where two slots sit, by the properties that both have; from the largest
 * thing that a machine is made of to the smallest. */
static int compare_places(JsonObject *a, JsonObject *b) {
        static const char *const names[] = {
                "drawer-id", "book-id", "socket-id", "die-id", "cluster-id", "module-id", "core-id", "thread-id",
        };
        JsonObject *x, *y;

        if (json_get_object(a, "props", &x) < 0 || json_get_object(b, "props", &y) < 0)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                uint32_t m, n;

                if (json_get_u32(x, names[i], &m) >= 0 && json_get_u32(y, names[i], &n) >= 0 && m != n)
                        return m < n ? -1 : 1;
        }
        return 0;
}

/* What can be removed: a name after /machine/peripheral/, and nothing below it. */
static const char *id_of_path(const char *path) {
        const char *id;

        if (!path || strncmp(path, PERIPHERAL, strlen(PERIPHERAL)) != 0)
                return NULL;
        id = path + strlen(PERIPHERAL);
        return *id && !strchr(id, '/') ? id : NULL;
}

static void unit_set_removable(PlugUnit *unit, bool s390) {
        const QemuUnit *data = unit_data(unit);

        unit->removable = false;
        if (!data->driver)
                unit->reason = reason_machine;
        else if (!unit->plugged)
                unit->removable = true;
        else if (unit->first == 0)
                unit->reason = reason_first;
        else if (data->path && strncmp(data->path, ANONYMOUS, strlen(ANONYMOUS)) == 0)
                unit->reason = reason_anonymous;
        else if (!id_of_path(data->path))
                unit->reason = reason_boot;
        else if (s390)
                unit->reason = reason_s390;
        else
                unit->removable = true;
}

/* One slot becomes a unit. */
static int read_unit(Parser *parser, JsonObject *entry, size_t number, uint32_t count) {
        _cleanup_(qemu_unit_freep) QemuUnit *data = NULL;
        const char *driver, *path = NULL;
        JsonObject *props;
        PlugUnit *unit;
        uint32_t cell;
        int r;

        data = calloc(1, sizeof *data);
        if (!data)
                return -ENOMEM;
        r = json_get_string(entry, "type", &driver);
        if (r < 0 || !*driver)
                return cpu_refuse_value(parser->error, HOTPLUGGABLE, number, entry, "type", "the name of a device");
        r = json_get_object(entry, "props", &props);
        if (r < 0)
                return cpu_refuse_value(parser->error, HOTPLUGGABLE, number, entry, "props", "an object");
        r = cpu_read_props(props, HOTPLUGGABLE, number, parser->error, &data->slot, &cell);
        if (r < 0)
                return r;
        r = cpu_get_path(entry, HOTPLUGGABLE, number, parser->error, &path);
        if (r < 0)
                return r;

        data->cell = cell;
        data->driver = strdup(driver);
        data->path = path ? strdup(path) : NULL;
        if (!data->driver || (path && !data->path))
                return -ENOMEM;
        unit = vcpu_table_add_unit(parser->table, count, cell, data);
        assert(unit);   /* the counts were added up before */
        unit->plugged = path;
        TAKE_PTR(data);
        return 0;
}

/* Sorted by name; two units may not have the same. */
static int sort_names(UnitName *names, size_t n, const char *what, Error *error) {
        qsort(names, n, sizeof *names, compare_names);
        for (size_t i = 1; i < n; i++)
                if (compare_names(names + i - 1, names + i) == 0)
                        return error_set(error, ERROR_BACKEND_FAILED, "QEMU's answer to %s contradicts itself: two entries have the %s \"%.100s\"",
                                         HOTPLUGGABLE, what, names[i].name);
        return 0;
}

static int read_units(Parser *parser, JsonObject *hotpluggable) {
        size_t n = json_object_array_length(hotpluggable), n_all = 0;
        bool reversed;
        int r;

        /* Everything is counted before anything is allocated. */
        for (size_t i = 0; i < n; i++) {
                JsonObject *entry = json_object_array_get_idx(hotpluggable, i);
                uint32_t count;

                if (!json_object_is_type(entry, json_type_object))
                        return error_set(parser->error, ERROR_BACKEND_FAILED, "QEMU's answer to %s: entry %zu is no object", HOTPLUGGABLE, i);
                r = json_get_u32(entry, "vcpus-count", &count);
                if (r < 0 || count == 0 || count > VCPU_MAX)
                        return cpu_refuse_value(parser->error, HOTPLUGGABLE, i, entry, "vcpus-count", "a number from 1 to 65536");
                n_all += count;
        }
        if (n_all > VCPU_MAX)
                return error_set(parser->error, ERROR_BACKEND_FAILED, "QEMU's answer to %s has %zu vCPUs; at most %u are taken",
                                 HOTPLUGGABLE, n_all, VCPU_MAX);
        r = vcpu_table_new(n, n_all, qemu_unit_free, &parser->table);
        if (r < 0)
                return r;

        reversed = compare_places(json_object_array_get_idx(hotpluggable, 0), json_object_array_get_idx(hotpluggable, n - 1)) >= 0;
        for (size_t i = 0; i < n; i++) {
                size_t number = reversed ? n - 1 - i : i;
                JsonObject *entry = json_object_array_get_idx(hotpluggable, number);
                uint32_t count = 0;

                (void) json_get_u32(entry, "vcpus-count", &count);
                r = read_unit(parser, entry, number, count);
                if (r < 0)
                        return r;
        }

        /* Every slot once, and every path once; kept are the slots without a path. */
        parser->paths = calloc(n, sizeof *parser->paths);
        parser->slots = calloc(n, sizeof *parser->slots);
        if (!parser->paths || !parser->slots)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                PlugUnit *unit = parser->table->units + i;
                const QemuUnit *data = unit_data(unit);

                parser->slots[parser->n_slots++] = (UnitName) { data->slot, strlen(data->slot), unit };
                if (data->path)
                        parser->paths[parser->n_paths++] = (UnitName) { data->path, strlen(data->path), unit };
        }
        r = sort_names(parser->slots, parser->n_slots, "place", parser->error);
        if (r < 0)
                return r;
        r = sort_names(parser->paths, parser->n_paths, "path", parser->error);
        if (r < 0)
                return r;
        parser->n_slots = 0;
        for (size_t i = 0; i < n; i++)
                if (!parser->slots[i].unit->plugged)
                        parser->slots[parser->n_slots++] = parser->slots[i];
        return 0;
}

static int compare_entries(const void *a, const void *b) {
        const RunningCpu *x = a, *y = b;

        return x->entry < y->entry ? -1 : x->entry > y->entry;
}

/* A machine that tells no slots: each vCPU is a unit that stays, in the order of QEMU's
 * own index. */
static int make_fixed_units(Parser *parser) {
        int r;

        r = vcpu_table_new(parser->n_cpus, parser->n_cpus, qemu_unit_free, &parser->table);
        if (r < 0)
                return r;
        parser->paths = calloc(parser->n_cpus > 0 ? parser->n_cpus : 1, sizeof *parser->paths);
        if (!parser->paths)
                return -ENOMEM;
        for (size_t i = 0; i < parser->n_cpus; i++) {
                _cleanup_(qemu_unit_freep) QemuUnit *data = NULL;
                RunningCpu *cpu = parser->cpus + i;
                uint32_t cell = ID_NONE;
                PlugUnit *unit;

                data = calloc(1, sizeof *data);
                if (!data)
                        return -ENOMEM;
                if (cpu->props) {
                        r = cpu_read_props(cpu->props, CPUS_FAST, cpu->entry, parser->error, &data->slot, &cell);
                        if (r < 0)
                                return r;
                }
                data->path = strdup(cpu->path);
                if (!data->path)
                        return -ENOMEM;
                /* "/thread[N]" is a part of the name here. */
                cpu->path_length = strlen(cpu->path);
                cpu->place = 0;
                unit = vcpu_table_add_unit(parser->table, 1, cell, data);
                assert(unit);
                unit->plugged = true;
                parser->paths[parser->n_paths++] = (UnitName) { data->path, strlen(data->path), unit };
                TAKE_PTR(data);
        }
        qsort(parser->paths, parser->n_paths, sizeof *parser->paths, compare_names);
        return 0;
}

/* The unit of a vCPU whose path no unit has: a free slot where it says that it sits. It
 * was plugged after the one answer, or unplugged before the other. */
static int find_slot(Parser *parser, const RunningCpu *cpu, PlugUnit **ret) {
        _cleanup_free_ char *slot = NULL;
        PlugUnit *unit = NULL;
        QemuUnit *data;
        uint32_t cell;
        int r;

        *ret = NULL;
        if (!cpu->props)
                return 0;
        r = cpu_read_props(cpu->props, CPUS_FAST, cpu->entry, parser->error, &slot, &cell);
        if (r < 0)
                return r;
        unit = find_name(parser->slots, parser->n_slots, slot, strlen(slot));
        if (!unit)
                return 0;

        data = unit_data(unit);
        if (!data->path) {
                data->path = strndup(cpu->path, cpu->path_length);
                if (!data->path)
                        return -ENOMEM;
                unit->plugged = true;
        } else if (strlen(data->path) != cpu->path_length || memcmp(data->path, cpu->path, cpu->path_length) != 0)
                return error_set(parser->error, ERROR_BACKEND_FAILED, "QEMU's answer to %s contradicts itself: both \"%.100s\" and \"%.100s\" sit at %s",
                                 CPUS_FAST, data->path, cpu->path, data->slot);
        unit->settled = false;
        *ret = unit;
        return 0;
}

/* Puts each running vCPU where it belongs. */
static int place_running(Parser *parser) {
        uint32_t order = 0;
        int r;

        qsort(parser->cpus, parser->n_cpus, sizeof *parser->cpus, compare_entries);
        for (size_t i = 0; i < parser->n_cpus; i++) {
                const RunningCpu *cpu = parser->cpus + i;
                PlugUnit *unit;

                unit = find_name(parser->paths, parser->n_paths, cpu->path, cpu->path_length);
                if (!unit) {
                        r = find_slot(parser, cpu, &unit);
                        if (r < 0)
                                return r;
                }
                if (!unit) {
                        parser->strays = true;
                        continue;
                }
                if (cpu->place >= unit->count)
                        return error_set(parser->error, ERROR_BACKEND_FAILED, "QEMU's answers contradict each other: \"%.100s\" is a thread of a unit of %u",
                                         cpu->path, unit->count);
                if (parser->table->vcpus[unit->first + cpu->place].enabled)
                        return error_set(parser->error, ERROR_BACKEND_FAILED, "QEMU's answer to %s contradicts itself: two entries are \"%.100s\"",
                                         CPUS_FAST, cpu->path);
                vcpu_table_enable(parser->table, unit->first + cpu->place, cpu->thread);
                if (unit->order == 0)
                        unit->order = ++order;
        }
        return 0;
}

int qemu_cpus_parse(JsonObject *hotpluggable, JsonObject *cpus_fast, Error *error, VcpuTable **ret) {
        _cleanup_(parser_clear) Parser parser = { .error = error };
        bool s390 = false;
        int r;

        r = cpu_check_array(cpus_fast, CPUS_FAST, error);
        if (r < 0)
                return r;
        if (hotpluggable) {
                r = cpu_check_array(hotpluggable, HOTPLUGGABLE, error);
                if (r < 0)
                        return r;
        }

        r = running_cpus_read(cpus_fast, error, &parser.cpus, &parser.n_cpus, &s390);
        if (r < 0)
                return r;
        if (hotpluggable && json_object_array_length(hotpluggable) > 0)
                r = read_units(&parser, hotpluggable);
        else
                r = make_fixed_units(&parser);
        if (r < 0)
                return r;
        r = place_running(&parser);
        if (r < 0)
                return r;

        for (size_t i = 0; i < parser.table->n_units; i++) {
                PlugUnit *unit = parser.table->units + i;

                /* All of its vCPUs run, or none, or it is on its way. */
                for (uint32_t id = unit->first; id < unit->first + unit->count; id++)
                        if (parser.table->vcpus[id].enabled != unit->plugged)
                                unit->settled = false;
                unit_set_removable(unit, s390);
        }
        r = vcpu_table_finish(parser.table);
        if (r < 0)
                return r;
        if (parser.strays)
                parser.table->settled = false;

        *ret = TAKE_PTR(parser.table);
        return 0;
}

const char *qemu_unit_id(const PlugUnit *unit) {
        return id_of_path(unit_data(unit)->path);
}

/* A slot is a text that we have made: names and numbers. */
static int add_slot(JsonObject *arguments, const char *slot) {
        _cleanup_free_ char *text = strdup(slot);
        char *next = text;
        int r = text ? 0 : -ENOMEM;

        for (char *item; r >= 0 && (item = strsep(&next, ",")) && *item;) {
                char *number = strchr(item, '=');

                *number++ = 0;
                r = json_add_i64(arguments, item, strtol(number, NULL, 10));
        }
        return r;
}

int qemu_unit_arguments(const PlugUnit *unit, const char *id, JsonObject **ret) {
        const QemuUnit *data = unit_data(unit);
        _cleanup_json_ JsonObject *arguments = NULL;
        int r;

        if (!data->driver)
                return -EOPNOTSUPP;
        arguments = json_object_new_object();
        if (!arguments)
                return -ENOMEM;
        r = json_add_string(arguments, "driver", data->driver);
        if (r < 0)
                return r;
        r = json_add_string(arguments, "id", id);
        if (r < 0)
                return r;
        r = add_slot(arguments, data->slot);
        if (r >= 0 && data->cell != ID_NONE)
                r = json_add_i64(arguments, "node-id", data->cell);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(arguments);
        return 0;
}

const PlugUnit *qemu_cpus_find_path(const VcpuTable *table, const char *path) {
        for (size_t i = 0; i < table->n_units; i++) {
                const QemuUnit *data = unit_data(table->units + i);
                size_t length = data->path ? strlen(data->path) : 0;

                if (length > 0 && strncmp(path, data->path, length) == 0 && (path[length] == 0 || path[length] == '/'))
                        return table->units + i;
        }
        return NULL;
}
