/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* CPUs, and how they make up cores, dies and sockets.
 *
 * Old kernels have no lists of CPUs, only a folder for each; and folders of CPUs
 * that are offline hold next to nothing. A socket is known by its number
 * together with those of its book and drawer (s390 counts anew in each), or
 * where it has no number by the set of CPUs that are in it. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "topology-read.h"

#define PATH_BYTES 96

/* More threads than any core has; a longer list is taken for nonsense. */
#define SIBLINGS_MAX 64u

/* Which socket a CPU is in. "first" is the lowest CPU of its socket where that has
 * no number. */
typedef struct SocketKey {
        uint32_t drawer, book, socket, first;
        Cpu *cpu;
} SocketKey;

static int compare_numbers(uint32_t a, uint32_t b) {
        return a < b ? -1 : a > b;
}

static int compare_sockets(const void *a, const void *b) {
        const SocketKey *x = a, *y = b;

        return compare_numbers(x->drawer, y->drawer) ?: compare_numbers(x->book, y->book) ?:
                compare_numbers(x->socket, y->socket) ?: compare_numbers(x->first, y->first);
}

static int compare_dies(const void *a, const void *b) {
        const SocketKey *x = a, *y = b;

        return compare_numbers(x->cpu->package, y->cpu->package) ?: compare_numbers(x->cpu->die, y->cpu->die);
}

/* Numbers the sockets of online CPUs, and counts their dies. */
static void count_sockets(Topology *topology, SocketKey *keys, size_t n_keys) {
        qsort(keys, n_keys, sizeof *keys, compare_sockets);
        for (size_t i = 0; i < n_keys; i++) {
                if (i > 0 && compare_sockets(keys + i - 1, keys + i) != 0)
                        topology->n_sockets++;
                keys[i].cpu->package = topology->n_sockets;
        }
        topology->n_sockets++;

        qsort(keys, n_keys, sizeof *keys, compare_dies);
        for (size_t i = 0; i < n_keys; i++)
                if (keys[i].cpu->die != ID_NONE && (i == 0 || compare_dies(keys + i - 1, keys + i) != 0))
                        topology->n_dies++;
}

/* The CPUs that run, where the kernel has no list: those whose own file says so,
 * and those without such a file that have a topology. */
static int find_online(TopologyReader *reader, CpuSet *ret) {
        _cleanup_cpuset_ CpuSet online = {};
        int r;

        CPUSET_FOREACH(id, &reader->topology->present) {
                char path[PATH_BYTES];
                uint32_t value;

                snprintf(path, sizeof path, "cpu%u/online", id);
                r = sysfs_read_u32(reader->cpu_fd, path, &value);
                if (r < 0) {
                        _cleanup_close_ int fd = -1;

                        snprintf(path, sizeof path, "cpu%u/topology", id);
                        fd = sysfs_open_dir(reader->cpu_fd, path);
                        value = fd >= 0;
                }
                if (value == 1) {
                        r = cpuset_add(&online, id);
                        if (r < 0)
                                return r;
                }
        }

        *ret = TAKE(online);
        return 0;
}

static int read_mask(TopologyReader *reader, const char *name, CpuSet *ret) {
        char path[PATH_BYTES];
        int r;

        r = sysfs_read_cpuset(reader->cpu_fd, name, NULL, ret);
        snprintf(path, sizeof path, CPU_FOLDER "/%s", name);
        if (r < 0) {
                int q = topology_tolerate(reader, path, r);

                return q < 0 ? q : -ENODATA;
        }
        return 0;
}

/* Takes from "set" what is not in "among", and says so. */
static int restrict_to(TopologyReader *reader, CpuSet *set, const CpuSet *among, const char *subject, const char *what) {
        _cleanup_cpuset_ CpuSet extra = {}, rest = {};
        _cleanup_free_ char *list = NULL;
        int r;

        r = cpuset_and_not(set, among, &extra);
        if (r < 0 || cpuset_is_empty(&extra))
                return r;
        r = cpuset_and(set, among, &rest);
        if (r < 0)
                return r;
        list = cpuset_to_list(&extra);
        if (!list)
                return -ENOMEM;

        findings_add(&reader->topology->findings, "cpu-not-present", SEVERITY_WARNS,
                     "those CPUs are left out there; report it to whoever makes this kernel or recorded this host",
                     subject, "%s names CPUs that are not present: %s", what, list);
        cpuset_clear(set);
        *set = TAKE(rest);
        return 0;
}

static int read_masks(TopologyReader *reader) {
        Topology *topology = reader->topology;
        int r;

        r = read_mask(reader, "present", &topology->present);
        if (r == -ENODATA)
                r = sysfs_list_numbered(reader->cpu_fd, ".", "cpu", &topology->present);
        if (r < 0)
                return r;
        if (cpuset_is_empty(&topology->present))
                return -ENODATA;

        r = read_mask(reader, "online", &topology->online);
        if (r == -ENODATA)
                r = find_online(reader, &topology->online);
        if (r >= 0)
                r = restrict_to(reader, &topology->online, &topology->present, "online", "the list of online CPUs");
        if (r < 0)
                return r;
        if (cpuset_is_empty(&topology->online))
                return -ENODATA;

        r = read_mask(reader, "possible", &topology->possible);
        if (r < 0 && r != -ENODATA)
                return r;
        r = read_mask(reader, "isolated", &topology->isolated);
        if (r < 0 && r != -ENODATA)
                return r;
        return restrict_to(reader, &topology->isolated, &topology->present, "isolated", "the list of isolated CPUs");
}

static int read_id(TopologyReader *reader, uint32_t cpu, const char *name, uint32_t *ret) {
        char path[PATH_BYTES], whole[PATH_BYTES + sizeof CPU_FOLDER];
        int r;

        snprintf(path, sizeof path, "cpu%u/topology/%s", cpu, name);
        r = sysfs_read_id(reader->cpu_fd, path, ret);
        if (r >= 0)
                return 0;
        snprintf(whole, sizeof whole, CPU_FOLDER "/%s", path);
        return topology_tolerate(reader, whole, r);
}

/* One of the sets in a CPU's topology, by its newer or older name, as a list or
 * as a mask. Absent is empty. */
static int read_set(TopologyReader *reader, uint32_t cpu, const char *name, const char *older, CpuSet *ret) {
        const char *names[] = { name, older };
        char list[PATH_BYTES], mask[PATH_BYTES], whole[PATH_BYTES + sizeof CPU_FOLDER];
        int r = -ENOENT;

        for (size_t i = 0; i < ELEMENTSOF(names) && r == -ENOENT; i++) {
                snprintf(list, sizeof list, "cpu%u/topology/%s_list", cpu, names[i]);
                snprintf(mask, sizeof mask, "cpu%u/topology/%s", cpu, names[i]);
                r = sysfs_read_cpuset(reader->cpu_fd, list, mask, ret);
        }
        if (r >= 0)
                return 0;
        snprintf(whole, sizeof whole, CPU_FOLDER "/%s", mask);
        return topology_tolerate(reader, whole, r);
}

static int read_siblings(TopologyReader *reader, Cpu *cpu) {
        _cleanup_cpuset_ CpuSet all = {};
        char subject[32];
        int r;

        r = read_set(reader, cpu->id, "core_cpus", "thread_siblings", &all);
        if (r < 0 || cpuset_is_empty(&all))
                return r;
        if (cpuset_count(&all) > SIBLINGS_MAX) {
                char path[PATH_BYTES + sizeof CPU_FOLDER];

                snprintf(path, sizeof path, CPU_FOLDER "/cpu%u/topology", cpu->id);
                return topology_tolerate(reader, path, -EINVAL);
        }
        snprintf(subject, sizeof subject, "cpu%u", cpu->id);
        r = restrict_to(reader, &all, &reader->topology->present, subject, "its core");
        if (r < 0)
                return r;
        return cpuset_and(&all, &reader->topology->online, &cpu->siblings);
}

static int read_numbers(TopologyReader *reader, Cpu *cpu) {
        const struct { const char *name; uint32_t *field; } ids[] = {
                { "physical_package_id", &cpu->socket },
                { "die_id", &cpu->die },
                { "cluster_id", &cpu->cluster },
                { "core_id", &cpu->core },
                { "book_id", &cpu->book },
                { "drawer_id", &cpu->drawer },
        };
        const struct { const char *name; uint32_t *field; } numbers[] = {
                { "cpu_capacity", &cpu->capacity },
                { "cpufreq/cpuinfo_max_freq", &cpu->max_khz },
        };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
                *ids[i].field = ID_NONE;
                r = read_id(reader, cpu->id, ids[i].name, ids[i].field);
                if (r < 0)
                        return r;
        }

        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                char path[PATH_BYTES];

                snprintf(path, sizeof path, "cpu%u/%s", cpu->id, numbers[i].name);
                r = sysfs_read_u32(reader->cpu_fd, path, numbers[i].field);
                if (r < 0 && r != -ENOENT) {
                        char whole[PATH_BYTES + sizeof CPU_FOLDER];

                        snprintf(whole, sizeof whole, CPU_FOLDER "/%s", path);
                        r = topology_tolerate(reader, whole, r);
                        if (r < 0)
                                return r;
                }
        }

        return 0;
}

static int read_socket_key(TopologyReader *reader, Cpu *cpu, SocketKey *ret) {
        _cleanup_cpuset_ CpuSet cpus = {};
        SocketKey key = { cpu->drawer, cpu->book, cpu->socket, ID_NONE, cpu };
        int r;

        if (cpu->socket == ID_NONE) {
                r = read_set(reader, cpu->id, "package_cpus", "core_siblings", &cpus);
                if (r < 0)
                        return r;
                key.first = cpuset_is_empty(&cpus) ? ID_NONE : cpus.ranges[0].first;
        }

        *ret = key;
        return 0;
}

/* Two threads of one core must name each other. */
static void check_siblings(Topology *topology) {
        for (size_t i = 0; i < topology->n_cpus; i++) {
                const Cpu *cpu = topology->cpus + i;

                CPUSET_FOREACH(id, &cpu->siblings) {
                        const Cpu *other = topology_find_cpu(topology, id);
                        char subject[32];

                        if (!other || cpuset_equal(&cpu->siblings, &other->siblings))
                                continue;
                        snprintf(subject, sizeof subject, "cpu%u", cpu->id);
                        findings_add(&topology->findings, "siblings-disagree", SEVERITY_WARNS,
                                     "each CPU is shown with what its own file says; report it to whoever makes this kernel or recorded this host",
                                     subject, "CPU %u says that it shares a core with CPU %u, whose own list differs",
                                     cpu->id, other->id);
                        break;
                }
        }
}

int topology_read_cpus(TopologyReader *reader) {
        Topology *topology = reader->topology;
        _cleanup_free_ SocketKey *sockets = NULL;
        size_t n_sockets = 0, count;
        int r;

        r = read_masks(reader);
        if (r < 0)
                return r;

        count = cpuset_count(&topology->present);
        topology->cpus = calloc(count, sizeof *topology->cpus);
        sockets = calloc(count, sizeof *sockets);
        if (!topology->cpus || !sockets)
                return -ENOMEM;

        CPUSET_FOREACH(id, &topology->present) {
                Cpu *cpu = topology->cpus + topology->n_cpus++;

                cpu->id = id;
                cpu->cell = cpu->package = ID_NONE;
                cpu->online = cpuset_contains(&topology->online, id);
                cpu->isolated = cpuset_contains(&topology->isolated, id);
                r = read_numbers(reader, cpu);
                if (r < 0)
                        return r;
                if (!cpu->online)
                        continue;

                r = read_siblings(reader, cpu);
                if (r >= 0)
                        r = read_socket_key(reader, cpu, sockets + n_sockets++);
                if (r < 0)
                        return r;
                if (cpuset_is_empty(&cpu->siblings) || cpu->siblings.ranges[0].first == id)
                        topology->n_cores++;
                if (cpuset_count(&cpu->siblings) > 1)
                        topology->smt_active = true;
        }

        count_sockets(topology, sockets, n_sockets);
        check_siblings(topology);

        return 0;
}

/* As the PMUs of hybrid x86 machines list them. */
static int read_kinds_of_pmus(TopologyReader *reader) {
        static const struct { const char *path; CpuKind kind; } pmus[] = {
                { "sys/devices/cpu_core/cpus", CPU_KIND_PERFORMANCE },
                { "sys/devices/cpu_atom/cpus", CPU_KIND_EFFICIENCY },
                { "sys/devices/cpu_lowpower/cpus", CPU_KIND_LOW_POWER },
        };
        Topology *topology = reader->topology;
        unsigned found = 0;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(pmus); i++) {
                _cleanup_cpuset_ CpuSet cpus = {};

                r = sysfs_read_cpuset(reader->root_fd, pmus[i].path, NULL, &cpus);
                if (r < 0) {
                        r = topology_tolerate(reader, pmus[i].path, r);
                        if (r < 0)
                                return r;
                        continue;
                }
                found++;
                for (size_t j = 0; j < topology->n_cpus; j++)
                        if (cpuset_contains(&cpus, topology->cpus[j].id))
                                topology->cpus[j].kind = pmus[i].kind;
        }

        return found >= 2;
}

/* By strength: well below the strongest is an efficiency core. Machines of one
 * kind differ a little too (favoured cores are some percent stronger), and so do
 * the large and the largest cores of one Arm chip: not before a fifth is missing
 * in what firmware rates, a quarter in what the scheduler does, is it another
 * kind. */
static bool kinds_by_strength(Topology *topology, const uint32_t *strength, unsigned percent) {
        uint32_t strongest = 0;
        bool differ = false;

        for (size_t i = 0; i < topology->n_cpus; i++)
                if (strength[i] > strongest)
                        strongest = strength[i];
        for (size_t i = 0; i < topology->n_cpus; i++)
                if (strength[i] > 0 && (uint64_t) strength[i] * 100 <= (uint64_t) strongest * percent)
                        differ = true;
        if (!differ)
                return false;

        for (size_t i = 0; i < topology->n_cpus; i++)
                if (strength[i] > 0)
                        topology->cpus[i].kind = (uint64_t) strength[i] * 100 > (uint64_t) strongest * percent ?
                                CPU_KIND_PERFORMANCE : CPU_KIND_EFFICIENCY;
        return true;
}

int topology_read_kinds(TopologyReader *reader) {
        Topology *topology = reader->topology;
        _cleanup_free_ uint32_t *strength = NULL;
        int r;

        r = read_kinds_of_pmus(reader);
        if (r != 0)
                return r < 0 ? r : 0;
        for (size_t i = 0; i < topology->n_cpus; i++)
                topology->cpus[i].kind = CPU_KIND_NONE;

        strength = calloc(topology->n_cpus, sizeof *strength);
        if (!strength)
                return -ENOMEM;
        for (size_t i = 0; i < topology->n_cpus; i++)
                strength[i] = topology->cpus[i].capacity;
        if (kinds_by_strength(topology, strength, 75))
                return 0;

        memset(strength, 0, topology->n_cpus * sizeof *strength);
        for (size_t i = 0; i < topology->n_cpus; i++) {
                char path[PATH_BYTES];

                snprintf(path, sizeof path, "cpu%u/acpi_cppc/highest_perf", topology->cpus[i].id);
                /* A kernel that rates one CPU rates them all. */
                if (sysfs_read_u32(reader->cpu_fd, path, strength + i) == -ENOENT && i == 0)
                        break;
        }
        kinds_by_strength(topology, strength, 80);

        return 0;
}
