/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/definition.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int definition_new(const char *name, const char *uuid, Definition **ret) {
        _cleanup_(definition_freep) Definition *definition = NULL;

        definition = calloc(1, sizeof *definition);
        if (!definition)
                return -ENOMEM;
        if (name) {
                definition->name = strdup(name);
                if (!definition->name)
                        return -ENOMEM;
        }
        snprintf(definition->uuid, sizeof definition->uuid, "%s", uuid);

        *ret = TAKE_PTR(definition);
        return 0;
}

void definition_clear_run(Definition *definition) {
        definition->run_pid = 0;
        definition->run_start_ticks = 0;
        *definition->run_boot = 0;
        cpuset_clear(&definition->run_base_cpus);
}

Definition *definition_free(Definition *definition) {
        if (!definition)
                return NULL;
        free(definition->name);
        cpuset_clear(&definition->enabled);
        cpuset_clear(&definition->fixed);
        for (size_t i = 0; i < definition->n_cells; i++)
                cpuset_clear(&definition->cells[i].vcpus);
        free(definition->cells);
        tuning_clear(&definition->tuning);
        free(definition->ignored);
        cpuset_clear(&definition->run_base_cpus);
        free(definition);
        return NULL;
}

static int copy_cells(const Definition *definition, Definition *copy) {
        if (definition->n_cells == 0)
                return 0;
        copy->cells = calloc(definition->n_cells, sizeof *copy->cells);
        if (!copy->cells)
                return -ENOMEM;
        for (size_t i = 0; i < definition->n_cells; i++) {
                int r = cpuset_copy(&definition->cells[i].vcpus, &copy->cells[i].vcpus);

                if (r < 0)
                        return r;
                copy->cells[i].id = definition->cells[i].id;
                copy->n_cells++;
        }
        return 0;
}

int definition_copy(const Definition *definition, Definition **ret) {
        _cleanup_(definition_freep) Definition *copy = NULL;
        int r;

        r = definition_new(definition->name, definition->uuid, &copy);
        if (r < 0)
                return r;
        copy->maximum = definition->maximum;
        copy->chosen = definition->chosen;
        copy->run_pid = definition->run_pid;
        copy->run_start_ticks = definition->run_start_ticks;
        memcpy(copy->run_boot, definition->run_boot, sizeof copy->run_boot);
        if (definition->ignored) {
                copy->ignored = strdup(definition->ignored);
                if (!copy->ignored)
                        return -ENOMEM;
        }
        r = cpuset_copy(&definition->enabled, &copy->enabled);
        if (r >= 0)
                r = cpuset_copy(&definition->fixed, &copy->fixed);
        if (r >= 0)
                r = cpuset_copy(&definition->run_base_cpus, &copy->run_base_cpus);
        if (r >= 0)
                r = copy_cells(definition, copy);
        if (r >= 0)
                r = tuning_copy(&definition->tuning, &copy->tuning);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(copy);
        return 0;
}

/* The cell of each vCPU; ID_NONE where it has none. */
static uint32_t *cells_of_vcpus(const Definition *definition) {
        uint32_t *cells = calloc(definition->maximum, sizeof *cells);

        if (!cells)
                return NULL;
        for (uint32_t id = 0; id < definition->maximum; id++)
                cells[id] = ID_NONE;
        for (size_t i = 0; i < definition->n_cells; i++)
                CPUSET_FOREACH(id, &definition->cells[i].vcpus)
                        if (id < definition->maximum)
                                cells[id] = definition->cells[i].id;
        return cells;
}

int definition_to_table(const Definition *definition, VcpuTable **ret) {
        _cleanup_(vcpu_table_freep) VcpuTable *table = NULL;
        _cleanup_free_ uint32_t *cells = NULL;
        uint32_t order = 0;
        int r;

        if (definition->maximum == 0)
                return -ENODATA;
        r = vcpu_table_new(definition->maximum, definition->maximum, NULL, &table);
        if (r < 0)
                return r;
        cells = cells_of_vcpus(definition);
        if (!cells)
                return -ENOMEM;
        for (uint32_t id = 0; id < definition->maximum; id++) {
                PlugUnit *unit = ASSERT_PTR(vcpu_table_add_unit(table, 1, cells[id], NULL));

                if (definition->chosen && !cpuset_contains(&definition->enabled, id))
                        continue;
                unit->plugged = true;
                unit->order = ++order;
                if (cpuset_contains(&definition->fixed, id)) {
                        unit->removable = false;
                        unit->reason = "it is defined as not hotpluggable";
                }
                vcpu_table_enable(table, id, 0);
        }
        r = vcpu_table_finish(table);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(table);
        return 0;
}

/* Copies a table with other vCPUs enabled. Nothing of it is known to any hypervisor. */
static int table_with_enabled(const VcpuTable *table, const CpuSet *enabled, const CpuSet *fixed, VcpuTable **ret) {
        _cleanup_(vcpu_table_freep) VcpuTable *copy = NULL;
        uint32_t order = 0;
        int r;

        r = vcpu_table_new(table->n_units, table->maximum, NULL, &copy);
        if (r < 0)
                return r;
        for (size_t i = 0; i < table->n_units; i++) {
                const PlugUnit *unit = table->units + i;
                PlugUnit *added = vcpu_table_add_unit(copy, unit->count, unit->cell, NULL);

                added->plugged = cpuset_contains(enabled, unit->first);
                added->order = added->plugged ? ++order : 0;
                added->removable = !cpuset_contains(fixed, unit->first);
                added->reason = added->removable ? NULL : "it is stored as not hotpluggable";
                for (uint32_t id = unit->first; added->plugged && id < unit->first + unit->count; id++)
                        vcpu_table_enable(copy, id, 0);
        }
        r = vcpu_table_finish(copy);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(copy);
        return 0;
}

int domain_stored_table(const Domain *domain, const Definition *definition, VcpuTable **ret) {
        _cleanup_cpuset_ CpuSet now = {}, none = {};
        bool chosen = definition && definition->chosen;
        int r;

        if (!domain->vcpus_of_run || (definition && definition->maximum != 0 && definition->maximum != domain->vcpus->maximum))
                return definition ? definition_to_table(definition, ret) : -ENODATA;

        r = vcpu_table_enabled(domain->vcpus, &now);
        if (r < 0)
                return r;
        return table_with_enabled(domain->vcpus, chosen ? &definition->enabled : &now, definition ? &definition->fixed : &none, ret);
}
