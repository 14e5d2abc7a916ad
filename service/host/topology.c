/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "topology.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

const char *cpu_kind_to_string(CpuKind kind) {
        switch (kind) {
        case CPU_KIND_NONE:
                return NULL;
        case CPU_KIND_PERFORMANCE:
                return "performance";
        case CPU_KIND_EFFICIENCY:
                return "efficiency";
        case CPU_KIND_LOW_POWER:
                return "low-power";
        }
        return NULL;
}

static const struct { const char *kernel, *word; } cache_types[] = {
        [CACHE_UNIFIED] = { "Unified", "unified" },
        [CACHE_DATA] = { "Data", "data" },
        [CACHE_INSTRUCTION] = { "Instruction", "instruction" },
};

const char *cache_type_to_string(CacheType type) {
        return cache_types[type].word;
}

int cache_type_from_string(const char *word, CacheType *ret) {
        for (size_t i = 0; i < ELEMENTSOF(cache_types); i++)
                if (strcmp(cache_types[i].kernel, word) == 0 || strcmp(cache_types[i].word, word) == 0) {
                        *ret = (CacheType) i;
                        return 0;
                }
        return -EINVAL;
}

static void cell_clear(Cell *cell) {
        cpuset_clear(&cell->cpus);
        free(cell->distances);
        free(cell->pools);
        free(cell->access);
        free(cell->memory_caches);
}

Topology *topology_free(Topology *topology) {
        if (!topology)
                return NULL;

        cpuset_clear(&topology->possible);
        cpuset_clear(&topology->present);
        cpuset_clear(&topology->online);
        cpuset_clear(&topology->isolated);
        for (size_t i = 0; i < topology->n_cpus; i++)
                cpuset_clear(&topology->cpus[i].siblings);
        free(topology->cpus);
        for (size_t i = 0; i < topology->n_caches; i++)
                cpuset_clear(&topology->caches[i].cpus);
        free(topology->caches);
        for (size_t i = 0; i < topology->n_cells; i++)
                cell_clear(topology->cells + i);
        free(topology->cells);
        findings_clear(&topology->findings);
        free(topology);
        return NULL;
}

const Cpu *topology_find_cpu(const Topology *topology, uint32_t id) {
        size_t low = 0, high = topology->n_cpus;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const Cpu *cpu = topology->cpus + middle;

                if (cpu->id == id)
                        return cpu;
                if (cpu->id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}

const Cell *topology_find_cell(const Topology *topology, uint32_t id) {
        for (size_t i = 0; i < topology->n_cells; i++)
                if (topology->cells[i].id == id)
                        return topology->cells + i;
        return NULL;
}

int cell_sockets(const Topology *topology, const Cell *cell, CpuSet *ret) {
        _cleanup_cpuset_ CpuSet sockets = {};
        uint32_t last = ID_NONE;

        CPUSET_FOREACH(id, &cell->cpus) {
                const Cpu *cpu = topology_find_cpu(topology, id);
                int r;

                if (!cpu || cpu->socket == ID_NONE || cpu->socket == last)
                        continue;
                last = cpu->socket;
                r = cpuset_add(&sockets, cpu->socket);
                if (r < 0)
                        return r;
        }

        *ret = TAKE(sockets);
        return 0;
}

/* Everything of a CPU up to its siblings is plain numbers without padding that
 * was not zeroed: snapshots are made by calloc(). */
static bool cpu_equal(const Cpu *a, const Cpu *b) {
        return memcmp(a, b, offsetof(Cpu, siblings)) == 0 && cpuset_equal(&a->siblings, &b->siblings);
}

static bool cache_equal(const Cache *a, const Cache *b) {
        return memcmp(a, b, offsetof(Cache, cpus)) == 0 && cpuset_equal(&a->cpus, &b->cpus);
}

static bool array_equal(const void *a, size_t n_a, const void *b, size_t n_b, size_t size) {
        return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * size) == 0);
}

static bool page_sizes_equal(const Cell *a, const Cell *b) {
        if (a->n_pools != b->n_pools)
                return false;
        for (size_t i = 0; i < a->n_pools; i++)
                if (a->pools[i].size_bytes != b->pools[i].size_bytes)
                        return false;
        return true;
}

static bool sockets_equal(const Topology *before, const Cell *a, const Topology *after, const Cell *b) {
        _cleanup_cpuset_ CpuSet sockets_a = {}, sockets_b = {};

        return cell_sockets(before, a, &sockets_a) >= 0 &&
                cell_sockets(after, b, &sockets_b) >= 0 &&
                cpuset_equal(&sockets_a, &sockets_b);
}

unsigned cell_diff(const Topology *before, const Cell *a, const Topology *after, const Cell *b) {
        unsigned change = 0;

        if (!cpuset_equal(&a->cpus, &b->cpus))
                change |= CELL_CHANGE_CPUS;
        if (a->memory_bytes != b->memory_bytes || a->memory_known != b->memory_known)
                change |= CELL_CHANGE_MEMORY;
        if (a->cache_bytes != b->cache_bytes)
                change |= CELL_CHANGE_CACHE;
        if (!array_equal(a->distances, a->n_distances, b->distances, b->n_distances, sizeof *a->distances))
                change |= CELL_CHANGE_DISTANCES;
        if (!page_sizes_equal(a, b))
                change |= CELL_CHANGE_PAGE_SIZES;
        if (!sockets_equal(before, a, after, b))
                change |= CELL_CHANGE_SOCKETS;
        if (!array_equal(a->pools, a->n_pools, b->pools, b->n_pools, sizeof *a->pools) ||
            !array_equal(a->access, a->n_access, b->access, b->n_access, sizeof *a->access) ||
            !array_equal(a->memory_caches, a->n_memory_caches, b->memory_caches, b->n_memory_caches, sizeof *a->memory_caches))
                change |= CELL_CHANGE_OTHER;

        return change;
}

static bool lists_equal(const Topology *a, const Topology *b) {
        if (a->n_cpus != b->n_cpus || a->n_caches != b->n_caches)
                return false;
        for (size_t i = 0; i < a->n_cpus; i++)
                if (!cpu_equal(a->cpus + i, b->cpus + i))
                        return false;
        for (size_t i = 0; i < a->n_caches; i++)
                if (!cache_equal(a->caches + i, b->caches + i))
                        return false;
        for (size_t i = 0; i < a->n_cells; i++) {
                const Cell *cell = topology_find_cell(b, a->cells[i].id);

                if (cell && cell_diff(a, a->cells + i, b, cell) != 0)
                        return false;
        }
        return true;
}

static bool cells_equal(const Topology *a, const Topology *b) {
        /* The one that stands for everything is not that which has its number. */
        if (a->n_cells != b->n_cells || a->numa != b->numa)
                return false;
        for (size_t i = 0; i < a->n_cells; i++)
                if (a->cells[i].id != b->cells[i].id)
                        return false;
        return true;
}

unsigned topology_diff(const Topology *before, const Topology *after) {
        const struct { bool same; TopologyChange change; } parts[] = {
                { before->n_sockets == after->n_sockets, TOPOLOGY_CHANGE_SOCKETS },
                { before->n_dies == after->n_dies, TOPOLOGY_CHANGE_DIES },
                { before->n_cores == after->n_cores, TOPOLOGY_CHANGE_CORES },
                { cpuset_count(&before->online) == cpuset_count(&after->online), TOPOLOGY_CHANGE_THREADS },
                { cpuset_equal(&before->possible, &after->possible), TOPOLOGY_CHANGE_POSSIBLE },
                { cpuset_equal(&before->present, &after->present), TOPOLOGY_CHANGE_PRESENT },
                { cpuset_equal(&before->online, &after->online), TOPOLOGY_CHANGE_ONLINE },
                { cpuset_equal(&before->isolated, &after->isolated), TOPOLOGY_CHANGE_ISOLATED },
                { before->smt_active == after->smt_active, TOPOLOGY_CHANGE_SMT },
                { findings_equal(&before->findings, &after->findings), TOPOLOGY_CHANGE_FINDINGS },
                { cells_equal(before, after), TOPOLOGY_CHANGE_CELLS },
                { lists_equal(before, after), TOPOLOGY_CHANGE_LISTS },
        };
        unsigned change = 0;

        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                if (!parts[i].same)
                        change |= parts[i].change;
        return change;
}
