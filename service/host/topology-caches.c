/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Caches: the kernel describes each once for every CPU that shares it. Each is
 * read once, at the first of its CPUs, and the others' folders of the same index
 * are passed over: on a machine of 256 CPUs with a last-level cache for each
 * eight of them that is most of the reading. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "topology-read.h"

/* More than any machine has; a mask of them is kept for each CPU. */
#define INDEXES_MAX 32u
#define PATH_BYTES 96

/* Tells of CPUs that share a cache and are not there. */
static int check_present(TopologyReader *reader, uint32_t cpu, unsigned index, const CpuSet *shared) {
        _cleanup_cpuset_ CpuSet extra = {};
        _cleanup_free_ char *list = NULL;
        char subject[32];
        int r;

        r = cpuset_and_not(shared, &reader->topology->present, &extra);
        if (r < 0 || cpuset_is_empty(&extra))
                return r;
        list = cpuset_to_list(&extra);
        if (!list)
                return -ENOMEM;
        snprintf(subject, sizeof subject, "cpu%u", cpu);
        findings_add(&reader->topology->findings, "cpu-not-present", SEVERITY_WARNS,
                     "those CPUs are left out there; report it to whoever makes this kernel or recorded this host",
                     subject, "cache %u of CPU %u names CPUs that are not present: %s", index, cpu, list);
        return 0;
}

/* Reads one. Returns 1 if it is whole, 0 if a part of it is missing or senseless,
 * -ENOENT if there is no such index. */
static int read_cache(TopologyReader *reader, uint32_t cpu, unsigned index, Cache *ret) {
        _cleanup_cpuset_ CpuSet shared = {};
        char path[PATH_BYTES], type[32];
        Cache cache = { .cell = ID_NONE };
        const char *part = "level";
        int r;

#define PART(name) \
        (part = (name), snprintf(path, sizeof path, CPU_FOLDER "/cpu%u/cache/index%u/%s", cpu, index, part), \
         path + sizeof CPU_FOLDER)

        r = sysfs_read_u32(reader->cpu_fd, PART("level"), &cache.level);
        if (r == -ENOENT)
                return r;
        if (r >= 0) {
                r = (int) sysfs_read(reader->cpu_fd, PART("type"), type, sizeof type);
                if (r >= 0)
                        r = cache_type_from_string(type, &cache.type);
        }
        if (r >= 0)
                r = sysfs_read_size(reader->cpu_fd, PART("size"), &cache.size_bytes);
        /* The map before the list: there were kernels on which only it was right. */
        if (r >= 0) {
                r = sysfs_read_cpuset(reader->cpu_fd, NULL, PART("shared_cpu_map"), &shared);
                if (r == -ENOENT)
                        r = sysfs_read_cpuset(reader->cpu_fd, PART("shared_cpu_list"), NULL, &shared);
        }
        if (r >= 0)
                r = cpuset_and(&shared, &reader->topology->online, &cache.cpus);
        if (r >= 0 && !cpuset_contains(&cache.cpus, cpu))
                r = -EINVAL;
        if (r >= 0)
                r = sysfs_read_id(reader->cpu_fd, PART("id"), &cache.id);
#undef PART
        if (r >= 0)
                r = check_present(reader, cpu, index, &shared);
        if (r < 0) {
                cpuset_clear(&cache.cpus);
                return topology_tolerate(reader, path, r);
        }

        *ret = cache;
        return 1;
}

static int compare_caches(const void *a, const void *b) {
        const Cache *x = a, *y = b;

        if (x->level != y->level)
                return x->level < y->level ? -1 : 1;
        if (x->type != y->type)
                return x->type < y->type ? -1 : 1;
        if (x->cpus.ranges[0].first != y->cpus.ranges[0].first)
                return x->cpus.ranges[0].first < y->cpus.ranges[0].first ? -1 : 1;
        return 0;
}

int topology_read_caches(TopologyReader *reader) {
        Topology *topology = reader->topology;
        _cleanup_free_ uint32_t *known = NULL;
        size_t n_allocated = 0;
        int r;

        known = calloc(topology->n_cpus, sizeof *known);
        if (!known)
                return -ENOMEM;

        for (size_t i = 0; i < topology->n_cpus; i++) {
                if (!topology->cpus[i].online)
                        continue;

                for (unsigned index = 0; index < INDEXES_MAX; index++) {
                        Cache cache;

                        if (known[i] & UINT32_C(1) << index)
                                continue;
                        r = read_cache(reader, topology->cpus[i].id, index, &cache);
                        if (r == -ENOENT)
                                break;
                        if (r < 0)
                                return r;
                        if (r == 0)
                                continue;

                        if (topology->n_caches >= n_allocated) {
                                Cache *caches;

                                n_allocated = n_allocated ? 2 * n_allocated : 16;
                                caches = reallocarray(topology->caches, n_allocated, sizeof *caches);
                                if (!caches) {
                                        cpuset_clear(&cache.cpus);
                                        return -ENOMEM;
                                }
                                topology->caches = caches;
                        }
                        topology->caches[topology->n_caches++] = cache;

                        CPUSET_FOREACH(id, &cache.cpus) {
                                const Cpu *cpu = topology_find_cpu(topology, id);

                                known[cpu - topology->cpus] |= UINT32_C(1) << index;
                        }
                }
        }

        if (topology->n_caches > 0)
                qsort(topology->caches, topology->n_caches, sizeof *topology->caches, compare_caches);
        return 0;
}
