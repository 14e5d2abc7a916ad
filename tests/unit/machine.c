/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "machine.h"

#include <string.h>

static void write_number(const Tree *tree, unsigned number, const char *folder, const char *name) {
        g_autofree char *text = g_strdup_printf("%u\n", number);

        tree_writef(tree, text, "%s/%s", folder, name);
}

void machine_write(const Tree *tree, Shape shape) {
        unsigned per_socket = shape.cores * shape.threads, count = shape.sockets * per_socket;
        g_autofree char *all = g_strdup_printf("0-%u\n", count - 1);
        g_autofree char *memory = g_strdup_printf("MemTotal: %u kB\nMemFree: %u kB\n", shape.sockets << 20, shape.sockets << 19);

        tree_write(tree, CPU "/possible", all);
        tree_write(tree, CPU "/present", all);
        tree_write(tree, CPU "/online", all);
        tree_write(tree, "proc/meminfo", memory);
        for (unsigned cpu = 0; cpu < count; cpu++) {
                g_autofree char *folder = g_strdup_printf(CPU "/cpu%u/topology", cpu);
                unsigned first = cpu - cpu % shape.threads;
                g_autofree char *siblings = shape.threads > 1 ? g_strdup_printf("%u-%u\n", first, first + shape.threads - 1) :
                        g_strdup_printf("%u\n", first);

                write_number(tree, cpu / per_socket, folder, "physical_package_id");
                write_number(tree, cpu % per_socket / shape.threads, folder, "core_id");
                tree_writef(tree, siblings, "%s/core_cpus_list", folder);
        }

        for (unsigned cell = 0; shape.cells && cell < shape.sockets; cell++) {
                g_autofree char *folder = g_strdup_printf(NODE "/node%u", cell);
                g_autofree char *cpus = g_strdup_printf("%u-%u\n", cell * per_socket, (cell + 1) * per_socket - 1);
                g_autofree char *meminfo = g_strdup_printf("Node %u MemTotal:  1048576 kB\nNode %u MemFree:    524288 kB\n", cell, cell);
                g_autoptr(GString) distances = g_string_new(NULL);

                for (unsigned to = 0; to < shape.sockets; to++)
                        g_string_append_printf(distances, "%s%u", to > 0 ? " " : "", to == cell ? 10 : 20 + to);
                tree_writef(tree, cpus, "%s/cpulist", folder);
                tree_writef(tree, meminfo, "%s/meminfo", folder);
                tree_writef(tree, distances->str, "%s/distance", folder);
        }
}

void machine_write_cache(const Tree *tree, unsigned cpu, unsigned index, unsigned level,
                         const char *type, const char *size, const char *shared) {
        g_autofree char *folder = g_strdup_printf(CPU "/cpu%u/cache/index%u", cpu, index);

        write_number(tree, level, folder, "level");
        tree_writef(tree, type, "%s/type", folder);
        tree_writef(tree, size, "%s/size", folder);
        tree_writef(tree, shared, "%s/shared_cpu_list", folder);
}

Topology *machine_read(const Tree *tree) {
        Topology *topology = NULL;

        g_assert_cmpint(topology_read(tree->fd, 4096, &topology), ==, 0);
        return topology;
}

char *findings_to_string(const Findings *findings) {
        GString *text = g_string_new(NULL);

        for (size_t i = 0; i < findings->n_items; i++) {
                g_assert_cmpint(findings->items[i].severity, ==, SEVERITY_WARNS);
                g_assert_cmpuint(strlen(findings->items[i].message), >, 0);
                g_assert_cmpuint(strlen(findings->items[i].remedy), >, 0);
                g_string_append_printf(text, "%s%s@%s", i > 0 ? " " : "", findings->items[i].code, findings->items[i].subject);
        }
        return g_string_free(text, FALSE);
}

void assert_cpuset(const CpuSet *set, const char *list) {
        _cleanup_free_ char *text = cpuset_to_list(set);

        g_assert_cmpstr(text, ==, list);
}
