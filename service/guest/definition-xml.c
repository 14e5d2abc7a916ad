/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reads a domain's XML into a definition. What is asked of threads (definition-cputune.c)
 * is checked against the guest's vCPUs when both are known, whatever stood first. */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "guest/definition-read.h"
#include "guest/definition-write.h"
#include "guest/name.h"

/* libvirt's and QEMU's guests have less: 128 cells. */
#define CELLS_MAX 1024u

static void reading_clear(Reading *reading) {
        reading_clear_wishes(reading);
        definition_free(reading->definition);
}

static int read_name(Reading *reading, const XmlElement *element) {
        _cleanup_free_ char *text = NULL;
        int r;

        if (reading->definition->name)
                return reading_refuse(reading, element, "a second <name>");
        r = xml_get_text(element, &text);
        if (r < 0)
                return r;
        if (!guest_name_is_valid(text))
                return reading_refuse(reading, element, "\"%.64s\" is no name of a guest: 1 to %u bytes of printable UTF-8, no \"/\", no \".\" at its start",
                                      text, GUEST_NAME_MAX);
        reading->definition->name = TAKE_PTR(text);
        return 0;
}

/* Hyphens at their places, or none. */
static int uuid_from_text(const char *text, char ret[static 37]) {
        char uuid[37];
        size_t n = 0;
        bool hyphens = strlen(text) == 36;

        if (!hyphens && strlen(text) != 32)
                return -EINVAL;
        for (; n < 36; n++)
                if (n == 8 || n == 13 || n == 18 || n == 23) {
                        uuid[n] = '-';
                        if (hyphens && *text++ != '-')
                                return -EINVAL;
                } else {
                        if (!isxdigit((unsigned char) *text))
                                return -EINVAL;
                        uuid[n] = (char) tolower((unsigned char) *text++);
                }
        uuid[36] = 0;
        memcpy(ret, uuid, sizeof uuid);
        return 0;
}

static int read_uuid(Reading *reading, const XmlElement *element) {
        _cleanup_free_ char *text = NULL;
        int r;

        if (*reading->definition->uuid)
                return reading_refuse(reading, element, "a second <uuid>");
        r = xml_get_text(element, &text);
        if (r < 0)
                return r;
        if (uuid_from_text(text, reading->definition->uuid) < 0)
                return reading_refuse(reading, element, "\"%.64s\" is no UUID: 32 hexadecimal digits, as in 12345678-1234-1234-1234-123456789abc", text);
        if (strcmp(reading->definition->uuid, "00000000-0000-0000-0000-000000000000") == 0)
                return reading_refuse(reading, element, "a UUID of zeroes alone says nothing; leave out <uuid> for a guest that has none");
        return 0;
}

static int read_maximum(Reading *reading) {
        _cleanup_free_ char *text = NULL;
        Definition *definition = reading->definition;
        uint64_t maximum, current;
        int r;

        r = xml_get_text(reading->vcpu, &text);
        if (r < 0)
                return r;
        if (reading_number_from_text(text, VCPU_MAX, &maximum) < 0 || maximum == 0)
                return reading_refuse(reading, reading->vcpu, "<vcpu>%.32s</vcpu>: a guest can have 1 to %u vCPUs", text, VCPU_MAX);
        definition->maximum = (uint32_t) maximum;
        r = reading_set(reading, reading->vcpu, "cpuset", &definition->tuning.default_cpus);
        if (r >= 0)
                r = reading_number(reading, reading->vcpu, "current", 1, maximum, &current);
        if (r <= 0)
                return r;
        definition->chosen = true;
        return cpuset_add_range(&definition->enabled, 0, (uint32_t) current - 1);
}

typedef struct VcpuBits {
        uint64_t seen[WORDS];
        uint64_t enabled[WORDS];
        uint64_t fixed[WORDS];
} VcpuBits;

/* One <vcpu> of <vcpus>. */
static int read_vcpu(Reading *reading, const XmlElement *element, VcpuBits *bits) {
        const Definition *definition = reading->definition;
        bool on, hotpluggable;
        uint64_t order;
        uint32_t id;
        int r;

        r = reading_require_id(reading, element, "id", &id);
        if (r >= 0)
                r = reading_yes(reading, element, "enabled", true, &on);
        if (r >= 0)
                r = reading_yes(reading, element, "hotpluggable", true, &hotpluggable);
        if (r >= 0)
                r = reading_number(reading, element, "order", 1, VCPU_MAX, &order);
        if (r < 0)
                return r;
        if (id >= definition->maximum)
                return reading_refuse(reading, element, "there is no vCPU %u; <vcpu> says that the guest can have 0-%u", id, definition->maximum - 1);
        if (bits_have(bits->seen, id))
                return reading_refuse(reading, element, "vCPU %u stands there twice", id);
        if (!on && !hotpluggable)
                return reading_refuse(reading, element, "vCPU %u is neither enabled nor hotpluggable: it could never be there", id);
        bits_set(bits->seen, id, id, true);
        bits_set(bits->enabled, id, id, on);
        bits_set(bits->fixed, id, id, !hotpluggable);
        return 0;
}

/* Those that are not named are off. */
static int read_vcpus(Reading *reading) {
        _cleanup_cpuset_ CpuSet enabled = {};
        Definition *definition = reading->definition;
        VcpuBits bits = {};
        int r;

        if (definition->maximum == 0)
                return reading_refuse(reading, reading->vcpus, "<vcpus> without a <vcpu> that says how many there can be");
        for (const XmlElement *child = xml_first_child(reading->vcpus); child; child = xml_next(child)) {
                r = xml_is(child, NULL, "vcpu") ? read_vcpu(reading, child, &bits) : reading_ignore(reading, "vcpus", xml_name(child));
                if (r < 0)
                        return r;
        }
        r = bits_to_set(bits.enabled, &enabled);
        if (r >= 0)
                r = bits_to_set(bits.fixed, &definition->fixed);
        if (r < 0)
                return r;
        if (cpuset_is_empty(&enabled))
                return reading_refuse(reading, reading->vcpus, "<vcpus> enables no vCPU; a guest has at least 1");
        if (definition->chosen && cpuset_count(&definition->enabled) != cpuset_count(&enabled))
                return reading_refuse(reading, reading->vcpus, "<vcpus> enables %zu vCPUs, and <vcpu current> says %zu",
                                      cpuset_count(&enabled), cpuset_count(&definition->enabled));
        cpuset_clear(&definition->enabled);
        definition->enabled = TAKE(enabled);
        definition->chosen = true;
        return 0;
}

/* A cell without an id has the number of its place, as libvirt gives it. */
static int read_cell(Reading *reading, const XmlElement *element, CpuSet *seen) {
        _cleanup_cpuset_ CpuSet vcpus = {}, twice = {};
        Definition *definition = reading->definition;
        uint64_t id = definition->n_cells;
        DefinedCell *cells;
        size_t at;
        int r;

        r = reading_number(reading, element, "id", 0, CELLS_MAX - 1, &id);
        if (r >= 0)
                r = reading_set(reading, element, "cpus", &vcpus);
        if (r >= 0)
                r = cpuset_and(seen, &vcpus, &twice);
        if (r < 0)
                return r;
        if (definition->n_cells >= CELLS_MAX)
                return reading_refuse(reading, element, "there are more than %u cells", CELLS_MAX);
        if (!cpuset_is_empty(&twice))
                return reading_refuse(reading, element, "vCPU %u is on two cells", twice.ranges[0].first);
        for (size_t i = 0; i < vcpus.n_ranges; i++) {
                r = cpuset_add_range(seen, vcpus.ranges[i].first, vcpus.ranges[i].last);
                if (r < 0)
                        return r;
        }

        for (at = definition->n_cells; at > 0 && definition->cells[at - 1].id >= id; at--)
                if (definition->cells[at - 1].id == id)
                        return reading_refuse(reading, element, "cell %" PRIu64 " stands there twice", id);
        cells = reallocarray(definition->cells, definition->n_cells + 1, sizeof *cells);
        if (!cells)
                return -ENOMEM;
        definition->cells = cells;
        memmove(cells + at + 1, cells + at, (definition->n_cells - at) * sizeof *cells);
        cells[at] = (DefinedCell) { .id = (uint32_t) id, .vcpus = TAKE(vcpus) };
        definition->n_cells++;

        for (const XmlElement *child = xml_first_child(element); child; child = xml_next(child)) {
                r = reading_ignore(reading, "cpu/numa/cell", xml_name(child));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_numa(Reading *reading, const XmlElement *numa) {
        _cleanup_cpuset_ CpuSet seen = {};

        for (const XmlElement *child = xml_first_child(numa); child; child = xml_next(child)) {
                int r = xml_is(child, NULL, "cell") ? read_cell(reading, child, &seen) : reading_ignore(reading, "cpu/numa", xml_name(child));

                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_cpu(Reading *reading, const XmlElement *cpu) {
        const XmlElement *numa = NULL;

        for (const XmlElement *child = xml_first_child(cpu); child; child = xml_next(child)) {
                int r;

                if (xml_is(child, NULL, "numa")) {
                        if (numa)
                                return reading_refuse(reading, child, "a second <numa>");
                        numa = child;
                        r = read_numa(reading, child);
                } else
                        r = reading_ignore(reading, "cpu", xml_name(child));
                if (r < 0)
                        return r;
        }
        return 0;
}

/* What is kept of a run. */
static int read_run(Reading *reading, const XmlElement *element) {
        Definition *definition = reading->definition;
        _cleanup_free_ char *boot = NULL;
        uint64_t pid = 0, ticks = 0;
        int r;

        if (definition->run_pid > 0)
                return reading_refuse(reading, element, "a second <run>");
        r = reading_number(reading, element, "pid", 1, INT32_MAX, &pid);
        if (r > 0)
                r = reading_number(reading, element, "start", 0, UINT64_MAX, &ticks);
        if (r > 0)
                r = xml_get_attribute(element, "boot", &boot);
        if (r < 0)
                return r;
        if (pid == 0 || !boot || uuid_from_text(boot, definition->run_boot) < 0)
                return reading_refuse(reading, element, "<run> does not name a run: \"pid\", \"start\" and \"boot\" do");
        definition->run_pid = (pid_t) pid;
        definition->run_start_ticks = ticks;
        r = reading_set(reading, element, "cpus", &definition->run_base_cpus);
        if (r >= 0 && cpuset_is_empty(&definition->tuning.default_cpus))
                r = reading_set(reading, element, "default", &definition->tuning.default_cpus);
        return r < 0 ? r : 0;
}

static int read_ignored(Reading *reading, const XmlElement *element) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = xml_get_text(element, &text);
        if (r < 0)
                return r;
        if (reading->definition->ignored || *text == 0 || strlen(text) > IGNORED_MAX + 100)
                return 0;
        reading->definition->ignored = TAKE_PTR(text);
        return 0;
}

static int read_metadata(Reading *reading, const XmlElement *metadata) {
        for (const XmlElement *child = xml_first_child(metadata); child; child = xml_next(child)) {
                int r;

                if (xml_is(child, BERTH_NAMESPACE, "run"))
                        r = read_run(reading, child);
                else if (xml_is(child, BERTH_NAMESPACE, "ignored"))
                        r = read_ignored(reading, child);
                else
                        r = reading_ignore(reading, "metadata", xml_name(child));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_cells(Reading *reading, const XmlElement *cpu) {
        const Definition *definition = reading->definition;

        for (size_t i = 0; i < definition->n_cells && definition->maximum > 0; i++) {
                const CpuSet *vcpus = &definition->cells[i].vcpus;

                if (!cpuset_is_empty(vcpus) && vcpus->ranges[vcpus->n_ranges - 1].last >= definition->maximum)
                        return reading_refuse(reading, cpu, "cell %u has a vCPU %u; <vcpu> says that the guest can have 0-%u",
                                              definition->cells[i].id, vcpus->ranges[vcpus->n_ranges - 1].last, definition->maximum - 1);
        }
        return 0;
}

static int read_domain(Reading *reading, const XmlElement *domain) {
        enum { NAME, UUID, VCPU, VCPUS, CPUTUNE, CPU, METADATA, N_KNOWN };
        static const char *const known[N_KNOWN] = { "name", "uuid", "vcpu", "vcpus", "cputune", "cpu", "metadata" };
        const XmlElement *found[N_KNOWN] = {};
        int r = 0;

        if (!xml_is(domain, NULL, "domain"))
                return reading_refuse(reading, domain, "the document is a <%.32s>, and has to be a <domain>", xml_name(domain));
        for (const XmlElement *child = xml_first_child(domain); child; child = xml_next(child)) {
                size_t i = 0;

                while (i < N_KNOWN && !xml_is(child, NULL, known[i]))
                        i++;
                if (i == N_KNOWN)
                        r = reading_ignore(reading, NULL, xml_name(child));
                else if (found[i])
                        r = reading_refuse(reading, child, "a second <%s>; the first is in line %u", known[i], xml_line(found[i]));
                else
                        found[i] = child;
                if (r < 0)
                        return r;
        }
        reading->vcpu = found[VCPU];
        reading->vcpus = found[VCPUS];

        if (found[NAME])
                r = read_name(reading, found[NAME]);
        if (r >= 0 && found[UUID])
                r = read_uuid(reading, found[UUID]);
        if (r >= 0 && found[METADATA])
                r = read_metadata(reading, found[METADATA]);
        if (r >= 0 && found[VCPU])
                r = read_maximum(reading);
        if (r >= 0 && found[VCPUS])
                r = read_vcpus(reading);
        if (r >= 0 && found[CPUTUNE])
                r = reading_cputune(reading, found[CPUTUNE]);
        if (r >= 0 && found[CPU])
                r = read_cpu(reading, found[CPU]);
        if (r >= 0 && found[CPU])
                r = check_cells(reading, found[CPU]);
        return r < 0 ? r : reading_keep_wishes(reading);
}

int definition_parse(const char *xml, size_t length, Error *error, Definition **ret) {
        _cleanup_(xml_document_freep) XmlDocument *document = NULL;
        _cleanup_(reading_clear) Reading reading = { .error = error };
        int r;

        r = xml_document_parse(xml, length, DEFINITION_MAX, error, &document);
        if (r >= 0)
                r = definition_new(NULL, "", &reading.definition);
        if (r >= 0)
                r = read_domain(&reading, xml_document_root(document));
        if (r < 0)
                return r;

        *ret = TAKE_PTR(reading.definition);
        return 0;
}
