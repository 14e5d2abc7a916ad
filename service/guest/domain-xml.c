/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* <domain> as clients are shown it. What is for reading ("state", "cell", "pin",
 * "scheduler" of a <vcpu>) stands beside what a definition is made of, so that what is
 * shown can be given back to be stored. */

#include <errno.h>
#include <string.h>

#include "guest/backend.h"
#include "guest/definition-write.h"
#include "guest/definition.h"
#include "guest/domain.h"

/* What is written: of the run or of what is stored. */
typedef struct View {
        const char *uuid;
        const VcpuTable *table;         /* NULL if not known */
        VcpuTable *owned;
        const Tuning *tuning;
} View;

static void view_clear(View *view) {
        vcpu_table_free(view->owned);
}

/* Returns -ENODATA if nothing is stored. */
static int view_fill(View *view, const Domain *domain, bool config) {
        const Definition *definition = domain->definition;
        int r;

        if (!config && domain_is_running(domain)) {
                view->uuid = domain->uuid;
                view->table = domain->vcpus_of_run ? domain->vcpus : NULL;
                view->tuning = &domain->live;
                return 0;
        }
        if (!definition)
                return -ENODATA;
        r = domain_stored_table(domain, definition, &view->owned);
        if (r < 0 && r != -ENODATA)
                return r;
        view->uuid = definition->uuid;
        view->table = view->owned;
        view->tuning = &definition->tuning;
        return 0;
}

static void write_vcpu(XmlWriter *writer, const View *view, const Vcpu *vcpu) {
        const ThreadTuning *tuned = tuning_find(view->tuning, THREAD_ROLE_VCPU, vcpu->id);
        const CpuSet *pin = tuning_cpus(view->tuning, THREAD_ROLE_VCPU, vcpu->id);

        xml_open(writer, "vcpu");
        xml_attribute(writer, "id", "%u", vcpu->id);
        xml_attribute(writer, "state", "%s", vcpu->enabled ? "enabled" : "disabled");
        xml_attribute(writer, "enabled", "%s", vcpu->enabled ? "yes" : "no");
        xml_attribute(writer, "hotpluggable", "%s", vcpu->hotpluggable || !vcpu->enabled ? "yes" : "no");
        if (vcpu->order > 0)
                xml_attribute(writer, "order", "%u", vcpu->order);
        if (vcpu->cell != ID_NONE)
                xml_attribute(writer, "cell", "%u", vcpu->cell);
        if (pin)
                definition_write_set(writer, "pin", pin);
        if (tuned && tuned->scheduled)
                xml_attribute(writer, "scheduler", "%s", scheduler_policy_to_string(tuned->policy));
        xml_close(writer);
}

static void write_vcpus(XmlWriter *writer, const View *view) {
        xml_open(writer, "vcpus");
        for (uint32_t id = 0; view->table && id < view->table->maximum; id++)
                write_vcpu(writer, view, view->table->vcpus + id);
        xml_close(writer);
}

static int compare_cells(const void *a, const void *b) {
        const DefinedCell *x = a, *y = b;

        return x->id < y->id ? -1 : x->id > y->id;
}

/* vCPUs come with the cell that they are on; here each cell has its vCPUs. */
static int write_cells_of_table(XmlWriter *writer, const VcpuTable *table) {
        DefinedCell *cells = NULL;
        size_t n = 0;
        int r = 0;

        for (size_t i = 0; i < table->n_units && r >= 0; i++) {
                const PlugUnit *unit = table->units + i;
                size_t at = 0;

                if (unit->cell == ID_NONE)
                        continue;
                while (at < n && cells[at].id != unit->cell)
                        at++;
                if (at == n) {
                        DefinedCell *more = reallocarray(cells, n + 1, sizeof *more);

                        if (!more) {
                                r = -ENOMEM;
                                break;
                        }
                        cells = more;
                        cells[n++] = (DefinedCell) { .id = unit->cell };
                }
                r = cpuset_add_range(&cells[at].vcpus, unit->first, unit->first + unit->count - 1);
        }
        if (n > 0)
                qsort(cells, n, sizeof *cells, compare_cells);
        if (r >= 0)
                definition_write_cells(writer, cells, n);
        for (size_t i = 0; i < n; i++)
                cpuset_clear(&cells[i].vcpus);
        free(cells);
        return r;
}

static int write_domain(XmlWriter *writer, const Domain *domain, const View *view) {
        uint32_t maximum = view->table ? view->table->maximum : 0;

        xml_open(writer, "domain");
        xml_attribute(writer, "type", "%s", domain->backend->name);
        xml_element(writer, "name", "%s", domain->name);
        if (*view->uuid)
                xml_element(writer, "uuid", "%s", view->uuid);
        if (maximum > 0) {
                xml_open(writer, "vcpu");
                definition_write_set(writer, "cpuset", &view->tuning->default_cpus);
                xml_attribute(writer, "current", "%u", view->table->current);
                xml_text(writer, "%u", maximum);
                xml_close(writer);
                write_vcpus(writer, view);
        }
        definition_write_tuning(writer, view->tuning, maximum > 0 ? maximum : VCPU_MAX);
        return maximum > 0 ? write_cells_of_table(writer, view->table) : 0;
}

static int view_to_xml(const Domain *domain, bool config, bool whole, char **ret) {
        _cleanup_(xml_writer_freep) XmlWriter *writer = NULL;
        _cleanup_(view_clear) View view = {};
        int r;

        r = view_fill(&view, domain, config);
        if (r >= 0)
                r = xml_writer_new(&writer);
        if (r >= 0 && whole)
                r = write_domain(writer, domain, &view);
        else if (r >= 0)
                write_vcpus(writer, &view);
        if (r < 0)
                return r;
        return xml_writer_finish(writer, ret);
}

int domain_to_xml(const Domain *domain, bool config, char **ret) {
        return view_to_xml(domain, config, true, ret);
}

int domain_vcpus_to_xml(const Domain *domain, bool config, char **ret) {
        return view_to_xml(domain, config, false, ret);
}
