/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* NUMA cells. A machine whose kernel has no folders for them has one, 0, that
 * stands for everything. Cells may have memory only, or CPUs only, and their
 * numbers may have gaps; the columns of a row of distances follow the cells that
 * are online. */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/sysfs.h"
#include "meminfo.h"
#include "topology-read.h"

#define PATH_BYTES 128

static const char report[] = "report it to whoever makes this kernel or recorded this host";

/* The files of the only cell are relative to the root. */
static int tolerate_in_cell(TopologyReader *reader, const char *path, int error) {
        char whole[2 * PATH_BYTES + sizeof NODE_FOLDER];

        if (!reader->topology->numa)
                return topology_tolerate(reader, path, error);
        snprintf(whole, sizeof whole, NODE_FOLDER "/%s", path);
        return topology_tolerate(reader, whole, error);
}

static int read_memory(TopologyReader *reader, int dir_fd, const char *path, Cell *cell) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = sysfs_read_text(dir_fd, path, &text);
        if (r >= 0) {
                r = meminfo_find(text, "MemTotal", &cell->memory_bytes);
                cell->memory_known = r >= 0;
        }
        if (r >= 0)
                return 0;
        return tolerate_in_cell(reader, path, r);
}

static int compare_pools(const void *a, const void *b) {
        const PagePool *x = a, *y = b;

        return x->size_bytes < y->size_bytes ? -1 : x->size_bytes > y->size_bytes;
}

/* The pools of huge pages below a folder. */
static int read_pools(TopologyReader *reader, int dir_fd, const char *folder, Cell *cell) {
        _cleanup_closedir_ DIR *dir = NULL;
        struct dirent *entry;
        int fd, r;

        fd = sysfs_open_dir(dir_fd, folder);
        if (fd < 0)
                return fd == -ENOENT ? 0 : tolerate_in_cell(reader, folder, fd);
        dir = fdopendir(fd);
        if (!dir) {
                (void) close(fd);
                return -ENOMEM;
        }

        while ((entry = readdir(dir))) {
                char path[PATH_BYTES];
                uint64_t size_kib;
                PagePool pool = {};
                PagePool *pools;
                int end = 0;

                /* Without a sign, a blank or a zero at its start, as the kernel writes it. */
                if (sscanf(entry->d_name, "hugepages-%" SCNu64 "kB%n", &size_kib, &end) != 1 ||
                    end == 0 || entry->d_name[end] || size_kib > UINT64_MAX >> 10 ||
                    !strchr("123456789", entry->d_name[strlen("hugepages-")]))
                        continue;
                if (snprintf(path, sizeof path, "%s/%s/nr_hugepages", folder, entry->d_name) >= (int) sizeof path)
                        continue;

                pools = reallocarray(cell->pools, cell->n_pools + 1, sizeof *pools);
                if (!pools)
                        return -ENOMEM;
                cell->pools = pools;
                memset(pools + cell->n_pools, 0, sizeof *pools);
                pool.size_bytes = size_kib << 10;
                r = sysfs_read_u64(dir_fd, path, &pool.total);
                pools[cell->n_pools].size_bytes = pool.size_bytes;
                pools[cell->n_pools].total = r < 0 ? 0 : pool.total;
                pools[cell->n_pools].total_known = r >= 0;
                cell->n_pools++;
                if (r < 0) {
                        r = tolerate_in_cell(reader, path, r);
                        if (r < 0)
                                return r;
                }
        }

        if (cell->n_pools > 0)
                qsort(cell->pools, cell->n_pools, sizeof *cell->pools, compare_pools);
        return 0;
}

static int read_distances(TopologyReader *reader, const CpuSet *ids, Cell *cell) {
        _cleanup_free_ Distance *distances = NULL;
        _cleanup_free_ char *text = NULL;
        char path[PATH_BYTES], subject[32];
        size_t count = cpuset_count(ids), n = 0;
        char *token, *state = NULL;
        int r;

        snprintf(path, sizeof path, "node%u/distance", cell->id);
        r = sysfs_read_text(reader->node_fd, path, &text);
        if (r < 0)
                return tolerate_in_cell(reader, path, r);

        distances = calloc(count, sizeof *distances);
        if (!distances)
                return -ENOMEM;
        for (token = strtok_r(text, " \t\n", &state); token; token = strtok_r(NULL, " \t\n", &state)) {
                uint64_t value;

                if (number_parse_u64(token, &value) < 0 || value > UINT32_MAX)
                        return tolerate_in_cell(reader, path, -EINVAL);
                if (n < count)
                        distances[n].value = (uint32_t) value;
                n++;
        }
        if (n != count) {
                snprintf(subject, sizeof subject, "cell%u", cell->id);
                findings_add(&reader->topology->findings, "distance-row-short", SEVERITY_WARNS, report, subject,
                             "the row of distances of cell %u has %zu numbers for %zu cells, and is not used",
                             cell->id, n, count);
                return 0;
        }

        n = 0;
        CPUSET_FOREACH(id, ids)
                distances[n++].cell = id;
        cell->distances = TAKE_PTR(distances);
        cell->n_distances = count;
        return 0;
}

/* One access class: the initiators that are the nearest, and what they get. */
static int read_access(TopologyReader *reader, uint32_t class, Cell *cell) {
        _cleanup_cpuset_ CpuSet initiators = {};
        MemoryAccess access = { .class = class };
        const struct { const char *name; uint32_t *field; } values[] = {
                { "read_latency", &access.read_latency_ns },
                { "write_latency", &access.write_latency_ns },
                { "read_bandwidth", &access.read_bandwidth_mbs },
                { "write_bandwidth", &access.write_bandwidth_mbs },
        };
        char folder[PATH_BYTES], path[PATH_BYTES * 2];
        int r;

        snprintf(folder, sizeof folder, "node%u/access%u/initiators", cell->id, class);
        r = sysfs_list_numbered(reader->node_fd, folder, "node", &initiators);
        if (r < 0)
                return tolerate_in_cell(reader, folder, r);
        for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                snprintf(path, sizeof path, "%s/%s", folder, values[i].name);
                r = sysfs_read_u32(reader->node_fd, path, values[i].field);
                if (r < 0) {
                        r = tolerate_in_cell(reader, path, r);
                        if (r < 0)
                                return r;
                }
        }

        CPUSET_FOREACH(initiator, &initiators) {
                MemoryAccess *all = reallocarray(cell->access, cell->n_access + 1, sizeof *all);

                if (!all)
                        return -ENOMEM;
                cell->access = all;
                access.initiator = initiator;
                all[cell->n_access++] = access;
        }
        return 0;
}

/* Caches in front of the cell's memory: index N is level N. */
static int read_memory_caches(TopologyReader *reader, Cell *cell) {
        static const char *const associativities[] = { "direct", "full" }, *const policies[] = { "writeback", "writethrough" };
        _cleanup_cpuset_ CpuSet levels = {};
        char folder[PATH_BYTES];
        int r;

        snprintf(folder, sizeof folder, "node%u/memory_side_cache", cell->id);
        r = sysfs_list_numbered(reader->node_fd, folder, "index", &levels);
        if (r < 0)
                return tolerate_in_cell(reader, folder, r);

        CPUSET_FOREACH(level, &levels) {
                uint32_t indexing = ID_NONE, policy = ID_NONE, line = 0;
                char path[PATH_BYTES * 2];
                MemoryCache *all;
                uint64_t size;

                snprintf(path, sizeof path, "%s/index%u/size", folder, level);
                r = sysfs_read_u64(reader->node_fd, path, &size);
                if (r < 0) {
                        r = tolerate_in_cell(reader, path, r);
                        if (r < 0)
                                return r;
                        continue;
                }
                snprintf(path, sizeof path, "%s/index%u/line_size", folder, level);
                (void) sysfs_read_u32(reader->node_fd, path, &line);
                snprintf(path, sizeof path, "%s/index%u/indexing", folder, level);
                (void) sysfs_read_u32(reader->node_fd, path, &indexing);
                snprintf(path, sizeof path, "%s/index%u/write_policy", folder, level);
                (void) sysfs_read_u32(reader->node_fd, path, &policy);

                all = reallocarray(cell->memory_caches, cell->n_memory_caches + 1, sizeof *all);
                if (!all)
                        return -ENOMEM;
                cell->memory_caches = all;
                all += cell->n_memory_caches++;
                memset(all, 0, sizeof *all);
                all->level = level;
                all->size_bytes = size;
                all->line_bytes = line;
                all->associativity = indexing < ELEMENTSOF(associativities) ? associativities[indexing] : NULL;
                all->policy = policy < ELEMENTSOF(policies) ? policies[policy] : NULL;
        }
        return 0;
}

static int read_cell_cpus(TopologyReader *reader, Cell *cell) {
        Topology *topology = reader->topology;
        _cleanup_cpuset_ CpuSet claimed = {};
        char list[PATH_BYTES], mask[PATH_BYTES], subject[32];
        int r;

        snprintf(list, sizeof list, "node%u/cpulist", cell->id);
        snprintf(mask, sizeof mask, "node%u/cpumap", cell->id);
        r = sysfs_read_cpuset(reader->node_fd, list, mask, &claimed);
        if (r < 0)
                return tolerate_in_cell(reader, list, r);
        r = cpuset_and(&claimed, &topology->online, &cell->cpus);
        if (r < 0)
                return r;

        snprintf(subject, sizeof subject, "cell%u", cell->id);
        CPUSET_FOREACH(id, &claimed)
                if (!topology_find_cpu(topology, id)) {
                        findings_add(&topology->findings, "cpu-not-present", SEVERITY_WARNS, report, subject,
                                     "cell %u claims CPU %u, which is not present", cell->id, id);
                        break;
                }

        CPUSET_FOREACH(id, &cell->cpus) {
                Cpu *cpu = (Cpu *) topology_find_cpu(topology, id);

                if (cpu->cell != ID_NONE) {
                        snprintf(subject, sizeof subject, "cpu%u", id);
                        findings_add(&topology->findings, "cpu-in-two-cells", SEVERITY_WARNS, report, subject,
                                     "both cell %u and cell %u claim CPU %u", cpu->cell, cell->id, id);
                        continue;
                }
                cpu->cell = cell->id;
        }
        return 0;
}

/* The kernel keeps a link to the cell in an offline CPU's folder. */
static void find_cells_of_offline(TopologyReader *reader, const CpuSet *ids) {
        Topology *topology = reader->topology;

        for (size_t i = 0; i < topology->n_cpus; i++) {
                _cleanup_cpuset_ CpuSet links = {};
                char path[PATH_BYTES];

                if (topology->cpus[i].online)
                        continue;
                snprintf(path, sizeof path, "cpu%u", topology->cpus[i].id);
                if (sysfs_list_numbered(reader->cpu_fd, path, "node", &links) >= 0 &&
                    cpuset_count(&links) == 1 && cpuset_contains(ids, links.ranges[0].first))
                        topology->cpus[i].cell = links.ranges[0].first;
        }
}

static int check_homeless(Topology *topology) {
        _cleanup_cpuset_ CpuSet homeless = {};
        _cleanup_free_ char *list = NULL;

        for (size_t i = 0; i < topology->n_cpus; i++)
                if (topology->cpus[i].online && topology->cpus[i].cell == ID_NONE) {
                        int r = cpuset_add(&homeless, topology->cpus[i].id);

                        if (r < 0)
                                return r;
                }
        if (cpuset_is_empty(&homeless))
                return 0;
        list = cpuset_to_list(&homeless);
        if (!list)
                return -ENOMEM;
        findings_add(&topology->findings, "cpu-without-cell", SEVERITY_WARNS, report, "cpus",
                     "these CPUs are online, but no cell claims them: %s", list);
        return 0;
}

static int read_numa_cells(TopologyReader *reader, const CpuSet *ids) {
        Topology *topology = reader->topology;
        int r = 0;

        topology->numa = true;
        topology->cells = calloc(cpuset_count(ids), sizeof *topology->cells);
        if (!topology->cells)
                return -ENOMEM;

        CPUSET_FOREACH(id, ids) {
                Cell *cell = topology->cells + topology->n_cells++;
                char path[PATH_BYTES];

                cell->id = id;
                r = read_cell_cpus(reader, cell);
                if (r >= 0) {
                        snprintf(path, sizeof path, "node%u/meminfo", id);
                        r = read_memory(reader, reader->node_fd, path, cell);
                }
                if (r >= 0) {
                        snprintf(path, sizeof path, "node%u/hugepages", id);
                        r = read_pools(reader, reader->node_fd, path, cell);
                }
                if (r >= 0)
                        r = read_distances(reader, ids, cell);
                for (uint32_t class = 0; class < 2 && r >= 0; class++)
                        r = read_access(reader, class, cell);
                if (r >= 0)
                        r = read_memory_caches(reader, cell);
                if (r < 0)
                        return r;
        }

        find_cells_of_offline(reader, ids);
        return check_homeless(topology);
}

static int read_only_cell(TopologyReader *reader) {
        Topology *topology = reader->topology;
        Cell *cell;
        int r;

        topology->cells = cell = calloc(1, sizeof *cell);
        if (!cell)
                return -ENOMEM;
        topology->n_cells = 1;

        r = cpuset_copy(&topology->online, &cell->cpus);
        if (r >= 0)
                r = read_memory(reader, reader->root_fd, "proc/meminfo", cell);
        if (r >= 0)
                r = read_pools(reader, reader->root_fd, "sys/kernel/mm/hugepages", cell);
        for (size_t i = 0; i < topology->n_cpus; i++)
                topology->cpus[i].cell = 0;
        return r;
}

/* A cache is of a cell if all its CPUs are; the last level of a cell are its
 * caches of the highest level for data, each counted whole. */
static void place_caches(Topology *topology) {
        for (size_t i = 0; i < topology->n_caches; i++) {
                Cache *cache = topology->caches + i;
                bool first = true;

                CPUSET_FOREACH(id, &cache->cpus) {
                        uint32_t cell = topology_find_cpu(topology, id)->cell;

                        if (first)
                                cache->cell = cell;
                        else if (cache->cell != cell)
                                cache->cell = ID_NONE;
                        first = false;
                }
        }

        for (size_t i = 0; i < topology->n_cells; i++) {
                Cell *cell = topology->cells + i;
                uint32_t level = 0;

                /* Caches are sorted by level: from the end. */
                for (size_t j = topology->n_caches; j-- > 0;) {
                        const Cache *cache = topology->caches + j;
                        bool here = false;

                        if (cache->type == CACHE_INSTRUCTION)
                                continue;
                        if (cache->level < level)
                                break;
                        for (size_t k = 0; k < cache->cpus.n_ranges && !here; k++)
                                for (size_t l = 0; l < cell->cpus.n_ranges && !here; l++)
                                        here = cache->cpus.ranges[k].first <= cell->cpus.ranges[l].last &&
                                                cell->cpus.ranges[l].first <= cache->cpus.ranges[k].last;
                        if (!here)
                                continue;
                        level = cache->level;
                        cell->cache_bytes += cache->size_bytes;
                }
        }
}

/* Both count the memory that the kernel manages, one by cell and one as a whole;
 * some percent lie between them, not more. */
static int check_memory(TopologyReader *reader) {
        Topology *topology = reader->topology;
        _cleanup_free_ char *text = NULL;
        uint64_t total, sum = 0;
        int r;

        for (size_t i = 0; i < topology->n_cells; i++) {
                if (!topology->cells[i].memory_known)
                        return 0;
                sum += topology->cells[i].memory_bytes;
        }
        r = sysfs_read_text(reader->root_fd, "proc/meminfo", &text);
        if (r < 0)
                return topology_tolerate(reader, "proc/meminfo", r);
        if (meminfo_find(text, "MemTotal", &total) < 0 || (sum > total ? sum - total : total - sum) <= total / 10)
                return 0;

        findings_add(&topology->findings, "memory-disagrees", SEVERITY_WARNS,
                     "compare /proc/meminfo with /sys/devices/system/node/node*/meminfo; memory that was hot-added may be missing in one of them",
                     "memory", "the cells together have %" PRIu64 " MiB of memory, the machine as a whole %" PRIu64 " MiB", sum >> 20, total >> 20);
        return 0;
}

int topology_read_cells(TopologyReader *reader) {
        _cleanup_cpuset_ CpuSet folders = {}, online = {}, ids = {};
        int r;

        r = reader->node_fd < 0 ? -ENOENT : sysfs_list_numbered(reader->node_fd, ".", "node", &folders);
        if (r < 0 && r != -ENOENT)
                return r;
        r = reader->node_fd < 0 ? -ENOENT : sysfs_read_cpuset(reader->node_fd, "online", NULL, &online);
        if (r >= 0)
                r = cpuset_and(&folders, &online, &ids);
        else {
                r = topology_tolerate(reader, NODE_FOLDER "/online", r);
                if (r >= 0)
                        r = cpuset_copy(&folders, &ids);
        }
        if (r < 0)
                return r;

        r = cpuset_is_empty(&ids) ? read_only_cell(reader) : read_numa_cells(reader, &ids);
        if (r < 0)
                return r;
        place_caches(reader->topology);
        return reader->topology->numa ? check_memory(reader) : 0;
}
