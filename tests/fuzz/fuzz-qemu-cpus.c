/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any two documents as the answers of a monitor that tell of CPUs: one a line. */

#include "fuzz.h"

#include "guest/qemu/cpus.h"

static void check_json(JsonObject *object) {
        _cleanup_json_ JsonObject *again = NULL;
        const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);

        HOLDS(text);
        /* A key that came twice is once in it, and so on: it reads, and that is all. */
        HOLDS(json_parse(text, strlen(text), &again) == 0);
}

static void check_table(const VcpuTable *table) {
        uint32_t current = 0;

        for (uint32_t id = 0; id < table->maximum; id++) {
                const Vcpu *vcpu = vcpu_table_find(table, id);
                const PlugUnit *unit = vcpu_table_find_unit(table, id);

                HOLDS(vcpu && vcpu->id == id);
                HOLDS(unit && id >= unit->first && id < unit->first + unit->count);
                current += vcpu->enabled;
        }
        HOLDS(!vcpu_table_find(table, table->maximum));
        HOLDS(current == table->current);
        for (size_t i = 0; i < table->n_units; i++) {
                _cleanup_json_ JsonObject *arguments = NULL;
                const PlugUnit *unit = table->units + i;
                const QemuUnit *data = unit->data;

                (void) qemu_unit_id(unit);
                (void) qemu_unit_arguments(unit, "berth-0", &arguments);
                if (data && data->path)
                        HOLDS(qemu_cpus_find_path(table, data->path));
        }
        for (uint32_t count = 0; count < 4; count++) {
                _cleanup_vcpu_choice_ VcpuChoice choice = {};
                _cleanup_cpuset_ CpuSet set = {};

                if (vcpu_table_choose_count(table, count, NULL, &choice) >= 0)
                        HOLDS(vcpu_choice_to_set(table, &choice, &set) == 0);
        }
        HOLDS(vcpu_table_diff(table, table) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_json_ JsonObject *hotpluggable = NULL, *fast = NULL;
        _cleanup_(vcpu_table_freep) VcpuTable *table = NULL;
        _cleanup_free_ char *text = text_of(data, size);
        _cleanup_error_ Error error = {};
        const char *line = memchr(text, '\n', size);
        size_t first = line ? (size_t) (line - text) : size;
        int r;

        if (json_parse(text, first, &hotpluggable) == 0)
                check_json(hotpluggable);
        if (line && json_parse(line + 1, size - first - 1, &fast) == 0)
                check_json(fast);
        r = qemu_cpus_parse(hotpluggable, fast, &error, &table);
        HOLDS((r < 0) == (error.code != ERROR_NONE));
        if (r >= 0)
                check_table(table);
        return 0;
}
