/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "topology-xml.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "power.h"
#include "xml/writer.h"

static void write_id(XmlWriter *writer, const char *name, uint32_t id) {
        if (id != ID_NONE)
                xml_attribute(writer, name, "%u", id);
}

static int write_cpus(XmlWriter *writer, const Topology *topology, const CpuSet *cpus) {
        xml_open(writer, "cpus");
        xml_attribute(writer, "num", "%zu", cpuset_count(cpus));
        CPUSET_FOREACH(id, cpus) {
                const Cpu *cpu = ASSERT_PTR(topology_find_cpu(topology, id));

                xml_open(writer, "cpu");
                xml_attribute(writer, "id", "%u", id);
                write_id(writer, "drawer_id", cpu->drawer);
                write_id(writer, "book_id", cpu->book);
                write_id(writer, "socket_id", cpu->socket);
                write_id(writer, "die_id", cpu->die);
                write_id(writer, "cluster_id", cpu->cluster);
                write_id(writer, "core_id", cpu->core);
                if (!cpuset_is_empty(&cpu->siblings)) {
                        _cleanup_free_ char *siblings = cpuset_to_list(&cpu->siblings);

                        if (!siblings)
                                return -ENOMEM;
                        xml_attribute(writer, "siblings", "%s", siblings);
                }
                xml_close(writer);
        }
        xml_close(writer);
        return 0;
}

static void write_pages(XmlWriter *writer, uint64_t size_bytes, uint64_t count) {
        xml_open(writer, "pages");
        xml_attribute(writer, "unit", "KiB");
        xml_attribute(writer, "size", "%" PRIu64, size_bytes >> 10);
        xml_text(writer, "%" PRIu64, count);
        xml_close(writer);
}

static void write_all_pages(XmlWriter *writer, const Topology *topology, const Cell *cell) {
        bool known = cell->memory_known && topology->base_page_bytes > 0;
        uint64_t rest = cell->memory_bytes;

        for (size_t i = 0; i < cell->n_pools; i++) {
                const PagePool *pool = cell->pools + i;

                known = known && pool->total_known && pool->total <= rest / pool->size_bytes;
                if (known)
                        rest -= pool->total * pool->size_bytes;
        }
        if (known)
                write_pages(writer, topology->base_page_bytes, rest / topology->base_page_bytes);
        for (size_t i = 0; i < cell->n_pools; i++)
                if (cell->pools[i].total_known)
                        write_pages(writer, cell->pools[i].size_bytes, cell->pools[i].total);
}

/* A size in the largest unit that it is a whole number of. */
static void write_size(XmlWriter *writer, const char *name, uint64_t bytes) {
        static const char *const units[] = { "B", "KiB", "MiB", "GiB" };
        size_t unit = 0;

        while (unit + 1 < ELEMENTSOF(units) && bytes > 0 && bytes % 1024 == 0) {
                bytes /= 1024;
                unit++;
        }
        xml_attribute(writer, name, "%" PRIu64, bytes);
        xml_attribute(writer, "unit", "%s", units[unit]);
}

static void write_memory_caches(XmlWriter *writer, const Cell *cell) {
        for (size_t i = 0; i < cell->n_memory_caches; i++) {
                const MemoryCache *cache = cell->memory_caches + i;

                xml_open(writer, "cache");
                xml_attribute(writer, "level", "%u", cache->level);
                if (cache->associativity)
                        xml_attribute(writer, "associativity", "%s", cache->associativity);
                if (cache->policy)
                        xml_attribute(writer, "policy", "%s", cache->policy);
                xml_open(writer, "size");
                xml_attribute(writer, "value", "%" PRIu64, cache->size_bytes >> 10);
                xml_attribute(writer, "unit", "KiB");
                xml_close(writer);
                if (cache->line_bytes > 0) {
                        xml_open(writer, "line");
                        xml_attribute(writer, "value", "%u", cache->line_bytes);
                        xml_attribute(writer, "unit", "B");
                        xml_close(writer);
                }
                xml_close(writer);
        }
}

/* With "cpus" of its CPUs. */
static int write_cell(XmlWriter *writer, const Topology *topology, const Cell *cell, const CpuSet *cpus) {
        int r;

        xml_open(writer, "cell");
        xml_attribute(writer, "id", "%u", cell->id);
        if (cell->memory_known) {
                xml_open(writer, "memory");
                xml_attribute(writer, "unit", "KiB");
                xml_text(writer, "%" PRIu64, cell->memory_bytes >> 10);
                xml_close(writer);
        }
        write_all_pages(writer, topology, cell);
        if (cell->n_distances > 0) {
                xml_open(writer, "distances");
                for (size_t i = 0; i < cell->n_distances; i++) {
                        xml_open(writer, "sibling");
                        xml_attribute(writer, "id", "%u", cell->distances[i].cell);
                        xml_attribute(writer, "value", "%u", cell->distances[i].value);
                        xml_close(writer);
                }
                xml_close(writer);
        }
        write_memory_caches(writer, cell);
        r = write_cpus(writer, topology, cpus);
        xml_close(writer);
        return r;
}

/* What each initiator gets from each cell. Where firmware tells it for
 * initiators with CPUs (class 1), guests are concerned by those alone. */
static void write_interconnects(XmlWriter *writer, const Topology *topology) {
        bool open = false;

        for (unsigned bandwidths = 0; bandwidths < 2; bandwidths++)
                for (size_t i = 0; i < topology->n_cells; i++) {
                        const Cell *cell = topology->cells + i;
                        uint32_t class = 0;

                        for (size_t j = 0; j < cell->n_access; j++)
                                if (cell->access[j].class == 1)
                                        class = 1;
                        for (size_t j = 0; j < cell->n_access; j++) {
                                const MemoryAccess *access = cell->access + j;
                                const struct { const char *type; uint64_t value; } values[] = {
                                        { "read", bandwidths ? (uint64_t) access->read_bandwidth_mbs << 10 : access->read_latency_ns },
                                        { "write", bandwidths ? (uint64_t) access->write_bandwidth_mbs << 10 : access->write_latency_ns },
                                };

                                if (access->class != class)
                                        continue;
                                for (size_t k = 0; k < ELEMENTSOF(values); k++) {
                                        if (values[k].value == 0)
                                                continue;
                                        if (!open)
                                                xml_open(writer, "interconnects");
                                        open = true;
                                        xml_open(writer, bandwidths ? "bandwidth" : "latency");
                                        xml_attribute(writer, "initiator", "%u", access->initiator);
                                        xml_attribute(writer, "target", "%u", cell->id);
                                        xml_attribute(writer, "type", "%s", values[k].type);
                                        xml_attribute(writer, "value", "%" PRIu64, values[k].value);
                                        if (bandwidths)
                                                xml_attribute(writer, "unit", "KiB");
                                        xml_close(writer);
                                }
                        }
                }
        if (open)
                xml_close(writer);
}

/* The CPUs of each socket, by our own numbers of these. */
typedef struct SocketCpus {
        CpuSet *sets;
        size_t n;
} SocketCpus;

static void socket_cpus_clear(SocketCpus *sockets) {
        for (size_t i = 0; i < sockets->n; i++)
                cpuset_clear(sockets->sets + i);
        free(sockets->sets);
}

static int socket_cpus_collect(const Topology *topology, SocketCpus *ret) {
        _cleanup_(socket_cpus_clear) SocketCpus sockets = {};

        sockets.sets = calloc(topology->n_sockets, sizeof *sockets.sets);
        if (!sockets.sets)
                return -ENOMEM;
        sockets.n = topology->n_sockets;
        for (size_t i = 0; i < topology->n_cpus; i++) {
                int r;

                if (!topology->cpus[i].online)
                        continue;
                r = cpuset_add(sockets.sets + topology->cpus[i].package, topology->cpus[i].id);
                if (r < 0)
                        return r;
        }

        *ret = TAKE(sockets);
        return 0;
}

/* Socket by socket, each with the cells that it has a CPU in, and in them those CPUs;
 * cells without CPUs after them. */
static int write_nested(XmlWriter *writer, const Topology *topology) {
        _cleanup_(socket_cpus_clear) SocketCpus sockets = {};
        int r;

        r = socket_cpus_collect(topology, &sockets);
        if (r < 0)
                return r;

        for (size_t socket = 0; socket < sockets.n; socket++) {
                const Cpu *first = ASSERT_PTR(topology_find_cpu(topology, sockets.sets[socket].ranges[0].first));

                xml_open(writer, "socket");
                write_id(writer, "id", first->socket);
                write_id(writer, "book_id", first->book);
                write_id(writer, "drawer_id", first->drawer);
                for (size_t i = 0; i < topology->n_cells; i++) {
                        _cleanup_cpuset_ CpuSet cpus = {};

                        r = cpuset_and(&topology->cells[i].cpus, sockets.sets + socket, &cpus);
                        if (r >= 0 && !cpuset_is_empty(&cpus))
                                r = write_cell(writer, topology, topology->cells + i, &cpus);
                        if (r < 0)
                                return r;
                }
                xml_close(writer);
        }

        for (size_t i = 0; i < topology->n_cells; i++) {
                if (!cpuset_is_empty(&topology->cells[i].cpus))
                        continue;
                r = write_cell(writer, topology, topology->cells + i, &topology->cells[i].cpus);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int write_topology(XmlWriter *writer, const Topology *topology, bool nested) {
        int r = 0;

        xml_open(writer, "topology");
        xml_open(writer, "cells");
        xml_attribute(writer, "num", "%zu", topology->n_cells);
        if (nested)
                r = write_nested(writer, topology);
        else
                for (size_t i = 0; i < topology->n_cells && r >= 0; i++)
                        r = write_cell(writer, topology, topology->cells + i, &topology->cells[i].cpus);
        xml_close(writer);
        write_interconnects(writer, topology);
        xml_close(writer);
        return r;
}

int topology_to_xml(const Host *host, bool nested, char **ret_xml) {
        _cleanup_(xml_writer_freep) XmlWriter *writer = NULL;
        int r;

        r = xml_writer_new(&writer);
        if (r >= 0)
                r = write_topology(writer, host->topology, nested);
        if (r < 0)
                return r;
        return xml_writer_finish(writer, ret_xml);
}

/* Sockets, and how many of each there are in the next larger one: only where
 * every one has the same number. */
static void write_counts(XmlWriter *writer, const Topology *topology) {
        uint32_t threads = (uint32_t) cpuset_count(&topology->online), dies = topology->n_dies;

        if (dies == 0)
                dies = topology->n_sockets;
        if (topology->n_sockets == 0 || topology->n_cores == 0 || dies % topology->n_sockets != 0 ||
            topology->n_cores % dies != 0 || threads % topology->n_cores != 0)
                return;

        xml_open(writer, "topology");
        xml_attribute(writer, "sockets", "%u", topology->n_sockets);
        if (topology->n_dies > 0)
                xml_attribute(writer, "dies", "%u", dies / topology->n_sockets);
        xml_attribute(writer, "cores", "%u", topology->n_cores / dies);
        xml_attribute(writer, "threads", "%u", threads / topology->n_cores);
        xml_close(writer);
}

static void write_cpu(XmlWriter *writer, const Host *host) {
        const Topology *topology = host->topology;

        xml_open(writer, "cpu");
        if (*host->identity.arch)
                xml_element(writer, "arch", "%s", host->identity.arch);
        if (*host->identity.vendor)
                xml_element(writer, "vendor", "%s", host->identity.vendor);
        write_counts(writer, topology);
        if (topology->base_page_bytes > 0) {
                xml_open(writer, "pages");
                xml_attribute(writer, "unit", "KiB");
                xml_attribute(writer, "size", "%" PRIu64, topology->base_page_bytes >> 10);
                xml_close(writer);
        }
        xml_close(writer);
}

/* As libvirt does, from the third level on. */
static int write_caches(XmlWriter *writer, const Topology *topology) {
        static const char *const types[] = {
                [CACHE_UNIFIED] = "both",
                [CACHE_DATA] = "data",
                [CACHE_INSTRUCTION] = "code",
        };
        bool open = false;

        for (size_t i = 0; i < topology->n_caches; i++) {
                const Cache *cache = topology->caches + i;
                _cleanup_free_ char *cpus = NULL;

                if (cache->level < 3)
                        continue;
                cpus = cpuset_to_list(&cache->cpus);
                if (!cpus)
                        return -ENOMEM;
                if (!open)
                        xml_open(writer, "cache");
                open = true;
                xml_open(writer, "bank");
                write_id(writer, "id", cache->id);
                xml_attribute(writer, "level", "%u", cache->level);
                xml_attribute(writer, "type", "%s", types[cache->type]);
                write_size(writer, "size", cache->size_bytes);
                xml_attribute(writer, "cpus", "%s", cpus);
                xml_close(writer);
        }
        if (open)
                xml_close(writer);
        return 0;
}

int capabilities_to_xml(const Host *host, char **ret_xml) {
        _cleanup_(xml_writer_freep) XmlWriter *writer = NULL;
        int r;

        r = xml_writer_new(&writer);
        if (r < 0)
                return r;

        xml_open(writer, "capabilities");
        xml_open(writer, "host");
        if (*host->identity.uuid)
                xml_element(writer, "uuid", "%s", host->identity.uuid);
        write_cpu(writer, host);
        if (host->power)
                power_write_xml(host->power, writer);
        r = write_topology(writer, host->topology, false);
        if (r >= 0)
                r = write_caches(writer, host->topology);
        if (r < 0)
                return r;
        return xml_writer_finish(writer, ret_xml);
}
