/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/definition-write.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void definition_write_set(XmlWriter *writer, const char *attribute, const CpuSet *set) {
        _cleanup_free_ char *list = NULL;

        if (cpuset_is_empty(set))
                return;
        list = cpuset_to_list(set);
        xml_attribute(writer, attribute, "%s", list ?: "");
}

static void write_pin(XmlWriter *writer, const ThreadTuning *item) {
        switch (item->role) {
        case THREAD_ROLE_VCPU:
                xml_open(writer, "vcpupin");
                xml_attribute(writer, "vcpu", "%u", item->id);
                break;
        case THREAD_ROLE_EMULATOR:
                xml_open(writer, "emulatorpin");
                break;
        case THREAD_ROLE_IOTHREAD:
                xml_open(writer, "iothreadpin");
                xml_attribute(writer, "iothread", "%u", item->id);
                break;
        case THREAD_ROLE_VHOST:
        case _THREAD_ROLE_MAX:
                return;
        }
        definition_write_set(writer, "cpuset", &item->cpus);
        xml_close(writer);
}

static void write_scheduler(XmlWriter *writer, const ThreadTuning *item) {
        switch (item->role) {
        case THREAD_ROLE_VCPU:
                xml_open(writer, "vcpusched");
                xml_attribute(writer, "vcpus", "%u", item->id);
                break;
        case THREAD_ROLE_EMULATOR:
                xml_open(writer, "emulatorsched");
                break;
        case THREAD_ROLE_IOTHREAD:
                xml_open(writer, "iothreadsched");
                xml_attribute(writer, "iothreads", "%u", item->id);
                break;
        case THREAD_ROLE_VHOST:
        case _THREAD_ROLE_MAX:
                return;
        }
        xml_attribute(writer, "scheduler", "%s", scheduler_policy_to_string(item->policy));
        if (item->policy == SCHEDULER_FIFO || item->policy == SCHEDULER_RR)
                xml_attribute(writer, "priority", "%i", item->priority);
        xml_close(writer);
}

static bool item_is_written(const ThreadTuning *item, uint32_t maximum) {
        return item->role != THREAD_ROLE_VCPU || item->id < maximum;
}

void definition_write_tuning(XmlWriter *writer, const Tuning *tuning, uint32_t maximum) {
        bool any = false;

        for (size_t i = 0; i < tuning->n_items; i++)
                any |= item_is_written(tuning->items + i, maximum);
        if (!any)
                return;
        xml_open(writer, "cputune");
        for (size_t i = 0; i < tuning->n_items; i++)
                if (tuning->items[i].pinned && item_is_written(tuning->items + i, maximum))
                        write_pin(writer, tuning->items + i);
        for (size_t i = 0; i < tuning->n_items; i++)
                if (tuning->items[i].scheduled && item_is_written(tuning->items + i, maximum))
                        write_scheduler(writer, tuning->items + i);
        xml_close(writer);
}

void definition_write_cells(XmlWriter *writer, const DefinedCell *cells, size_t n) {
        if (n == 0)
                return;
        xml_open(writer, "cpu");
        xml_open(writer, "numa");
        for (size_t i = 0; i < n; i++) {
                xml_open(writer, "cell");
                xml_attribute(writer, "id", "%u", cells[i].id);
                definition_write_set(writer, "cpus", &cells[i].vcpus);
                xml_close(writer);
        }
        xml_close(writer);
        xml_close(writer);
}

/* Those that are to be enabled need no list if they are the first ones. */
static bool needs_list(const Definition *definition, const CpuSet *enabled) {
        if (!cpuset_is_empty(&definition->fixed))
                return true;
        return definition->chosen && (enabled->n_ranges != 1 || enabled->ranges[0].first != 0);
}

static void write_vcpus(XmlWriter *writer, const Definition *definition, const CpuSet *enabled) {
        xml_open(writer, "vcpu");
        definition_write_set(writer, "cpuset", &definition->tuning.default_cpus);
        if (definition->chosen)
                xml_attribute(writer, "current", "%zu", cpuset_count(enabled));
        xml_text(writer, "%u", definition->maximum);
        xml_close(writer);
        if (!needs_list(definition, enabled))
                return;

        xml_open(writer, "vcpus");
        for (uint32_t id = 0; id < definition->maximum; id++) {
                bool on = cpuset_contains(enabled, id);

                xml_open(writer, "vcpu");
                xml_attribute(writer, "id", "%u", id);
                xml_attribute(writer, "enabled", "%s", on ? "yes" : "no");
                xml_attribute(writer, "hotpluggable", "%s", on && cpuset_contains(&definition->fixed, id) ? "no" : "yes");
                xml_close(writer);
        }
        xml_close(writer);
}

static void write_metadata(XmlWriter *writer, const Definition *definition) {
        if (definition->run_pid <= 0 && !definition->ignored)
                return;
        xml_open(writer, "metadata");
        if (definition->ignored) {
                xml_open(writer, "berth:ignored");
                xml_attribute(writer, "xmlns:berth", "%s", BERTH_NAMESPACE);
                xml_text(writer, "%s", definition->ignored);
                xml_close(writer);
        }
        if (definition->run_pid > 0) {
                xml_open(writer, "berth:run");
                xml_attribute(writer, "xmlns:berth", "%s", BERTH_NAMESPACE);
                xml_attribute(writer, "pid", "%i", (int) definition->run_pid);
                xml_attribute(writer, "start", "%" PRIu64, definition->run_start_ticks);
                xml_attribute(writer, "boot", "%s", definition->run_boot);
                definition_write_set(writer, "cpus", &definition->run_base_cpus);
                /* With how many a guest starts is not known of a run, but this may be asked. */
                if (definition->maximum == 0)
                        definition_write_set(writer, "default", &definition->tuning.default_cpus);
                xml_close(writer);
        }
        xml_close(writer);
}

int definition_to_xml(const Definition *definition, char **ret) {
        _cleanup_(xml_writer_freep) XmlWriter *writer = NULL;
        _cleanup_cpuset_ CpuSet enabled = {};
        _cleanup_free_ char *text = NULL;
        int r;

        if (definition->chosen)
                r = cpuset_copy(&definition->enabled, &enabled);
        else
                r = definition->maximum > 0 ? cpuset_add_range(&enabled, 0, definition->maximum - 1) : 0;
        if (r >= 0)
                r = xml_writer_new(&writer);
        if (r < 0)
                return r;
        xml_open(writer, "domain");
        if (definition->name)
                xml_element(writer, "name", "%s", definition->name);
        if (*definition->uuid)
                xml_element(writer, "uuid", "%s", definition->uuid);
        write_metadata(writer, definition);
        if (definition->maximum > 0)
                write_vcpus(writer, definition, &enabled);
        definition_write_tuning(writer, &definition->tuning, definition->maximum > 0 ? definition->maximum : VCPU_MAX);
        definition_write_cells(writer, definition->cells, definition->n_cells);
        r = xml_writer_finish(writer, &text);
        if (r < 0)
                return r;
        if (strlen(text) > DEFINITION_MAX)
                return -EFBIG;

        *ret = TAKE_PTR(text);
        return 0;
}
