/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Cells out of small trees: memory, pages, distances, what firmware tells of
 * access, and every way in which they can contradict the rest. */

#include <glib.h>
#include <string.h>

#include "machine.h"

static void assert_findings(const Topology *topology, const char *wanted) {
        g_autofree char *text = findings_to_string(&topology->findings);

        g_assert_cmpstr(text, ==, wanted);
}

static Tree *two_cells(void) {
        Tree *tree = tree_new();

        machine_write(tree, (Shape) { .sockets = 2, .cores = 2, .threads = 1, .cells = TRUE });
        return tree;
}

static void a_cell_is_read_whole(void) {
        g_autoptr(Tree) tree = two_cells();
        _cleanup_(topology_freep) Topology *topology = NULL;
        const Cell *cell;

        tree_write(tree, NODE "/online", "0-1\n");
        tree_write(tree, NODE "/node1/hugepages/hugepages-1048576kB/nr_hugepages", "0\n");
        tree_write(tree, NODE "/node1/hugepages/hugepages-2048kB/nr_hugepages", "8\n");
        topology = machine_read(tree);
        assert_findings(topology, "");
        g_assert_true(topology->numa);
        cell = topology_find_cell(topology, 1);
        assert_cpuset(&cell->cpus, "2-3");
        g_assert_true(cell->memory_known);
        g_assert_cmpuint(cell->memory_bytes, ==, UINT64_C(1) << 30);
        g_assert_cmpuint(cell->cache_bytes, ==, 0);
        g_assert_cmpuint(cell->n_distances, ==, 2);
        g_assert_cmpuint(cell->distances[0].cell, ==, 0);
        g_assert_cmpuint(cell->distances[0].value, ==, 20);
        g_assert_cmpuint(cell->distances[1].cell, ==, 1);
        g_assert_cmpuint(cell->distances[1].value, ==, 10);
        /* Smallest first. */
        g_assert_cmpuint(cell->n_pools, ==, 2);
        g_assert_cmpuint(cell->pools[0].size_bytes, ==, 2 << 20);
        g_assert_true(cell->pools[0].total_known);
        g_assert_cmpuint(cell->pools[0].total, ==, 8);
        g_assert_cmpuint(cell->pools[1].size_bytes, ==, 1 << 30);
        g_assert_cmpuint(cell->n_access, ==, 0);
        g_assert_cmpuint(cell->n_memory_caches, ==, 0);
        for (size_t i = 0; i < topology->n_cpus; i++)
                g_assert_cmpuint(topology->cpus[i].cell, ==, i / 2);
}

/* Without folders for cells there is one, and it stands for everything. */
static void a_machine_without_cells_has_one(void) {
        static const char *const folders[] = { NULL, NODE "/x", NODE "/node", NODE "/node01/x", NODE "/nodes/x" };

        for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
                g_autoptr(Tree) tree = tree_new();
                _cleanup_(topology_freep) Topology *topology = NULL;

                machine_write(tree, (Shape) { .sockets = 2, .cores = 1, .threads = 1 });
                tree_write(tree, "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "3\n");
                if (folders[i])
                        tree_write(tree, folders[i], "");
                topology = machine_read(tree);
                assert_findings(topology, "");
                g_assert_false(topology->numa);
                g_assert_cmpuint(topology->n_cells, ==, 1);
                g_assert_cmpuint(topology->cells[0].id, ==, 0);
                assert_cpuset(&topology->cells[0].cpus, "0-1");
                g_assert_cmpuint(topology->cells[0].memory_bytes, ==, UINT64_C(2) << 30);
                g_assert_cmpuint(topology->cells[0].n_distances, ==, 0);
                g_assert_cmpuint(topology->cells[0].pools[0].total, ==, 3);
                g_assert_cmpuint(topology->cpus[1].cell, ==, 0);
        }
}

static void the_only_cell_tells_where_it_was_read(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 1, .threads = 1 });
        tree_write(tree, "proc/meminfo", "MemTotal: lots kB\n");
        tree_write(tree, "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "-1\n");
        topology = machine_read(tree);
        assert_findings(topology, "unreadable@proc/meminfo unreadable@sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
        g_assert_false(topology->cells[0].memory_known);
        g_assert_false(topology->cells[0].pools[0].total_known);
}

static void a_folder_of_pages_may_be_none(void) {
        g_autoptr(Tree) tree = tree_new(), cells = two_cells();
        _cleanup_(topology_freep) Topology *topology = NULL, *numa = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 1, .threads = 1 });
        tree_link(tree, "sys/kernel/mm/hugepages", "hugepages");
        topology = machine_read(tree);
        assert_findings(topology, "unreadable@sys/kernel/mm/hugepages");
        tree_link(cells, NODE "/node0/hugepages", "/sys/kernel/mm/hugepages");
        numa = machine_read(cells);
        assert_findings(numa, "unreadable@" NODE "/node0/hugepages");
}

static void the_folder_of_cells_may_lead_out(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 1, .threads = 1 });
        tree_link(tree, NODE, "/" NODE);
        topology = machine_read(tree);
        assert_findings(topology, "unreadable@" NODE);
        g_assert_false(topology->numa);
        g_assert_cmpuint(topology->n_cells, ==, 1);
}

/* Numbers may have gaps; folders of cells that are offline are none. */
static void ids_are_sparse_and_only_online_cells_count(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 3, .threads = 1 });
        tree_write(tree, NODE "/online", "0,33,72\n");
        tree_write(tree, NODE "/possible", "0-1023\n");
        tree_write(tree, NODE "/node0/cpulist", "0\n");
        tree_write(tree, NODE "/node33/cpulist", "1\n");
        tree_write(tree, NODE "/node72/cpulist", "2\n");
        tree_write(tree, NODE "/node72/distance", "40 50 10\n");
        tree_write(tree, NODE "/node5/cpulist", "1\n");
        topology = machine_read(tree);
        assert_findings(topology, "");
        g_assert_cmpuint(topology->n_cells, ==, 3);
        g_assert_cmpuint(topology->cells[2].id, ==, 72);
        g_assert_cmpuint(topology->cells[2].distances[1].cell, ==, 33);
        g_assert_cmpuint(topology->cells[2].distances[1].value, ==, 50);
        g_assert_null(topology_find_cell(topology, 5));
        g_assert_cmpuint(topology->cpus[1].cell, ==, 33);
}

static void a_senseless_list_of_cells_is_told(void) {
        g_autoptr(Tree) tree = two_cells();
        _cleanup_(topology_freep) Topology *topology = NULL;

        tree_write(tree, NODE "/online", "zero\n");
        topology = machine_read(tree);
        assert_findings(topology, "unreadable@" NODE "/online");
        g_assert_cmpuint(topology->n_cells, ==, 2);
}

static void cells_may_lack_cpus_or_memory(void) {
        g_autoptr(Tree) tree = two_cells();
        _cleanup_(topology_freep) Topology *topology = NULL;

        tree_remove(tree, NODE "/node1/meminfo");
        tree_remove(tree, NODE "/node1/distance");
        tree_write(tree, NODE "/node2/cpulist", "\n");
        tree_write(tree, NODE "/node2/meminfo", "Node 2 MemTotal: 2048 kB\n");
        tree_remove(tree, NODE "/node0/distance");
        topology = machine_read(tree);
        assert_findings(topology, "");
        g_assert_false(topology->cells[1].memory_known);
        assert_cpuset(&topology->cells[2].cpus, "");
        g_assert_cmpuint(topology->cells[2].memory_bytes, ==, 2048 << 10);
        g_assert_cmpuint(topology->cells[2].cache_bytes, ==, 0);
}

static void cpus_come_from_a_mask_where_there_is_no_list(void) {
        g_autoptr(Tree) tree = two_cells();
        _cleanup_(topology_freep) Topology *topology = NULL;

        tree_remove(tree, NODE "/node0/cpulist");
        tree_remove(tree, NODE "/node1/cpulist");
        tree_write(tree, NODE "/node0/cpumap", "00000003\n");
        tree_write(tree, NODE "/node1/cpumap", "0000000c\n");
        topology = machine_read(tree);
        assert_findings(topology, "");
        assert_cpuset(&topology->cells[1].cpus, "2-3");
}

static void offline_cpus_are_not_of_the_cell(void) {
        g_autoptr(Tree) tree = two_cells();
        _cleanup_(topology_freep) Topology *topology = NULL;

        tree_write(tree, CPU "/online", "0-2\n");
        topology = machine_read(tree);
        assert_findings(topology, "");
        assert_cpuset(&topology->cells[1].cpus, "2");
}

static void contradictions_about_cpus_are_told(void) {
        static const struct { const char *first, *second, *findings; uint32_t cell_of_1; } rows[] = {
                { "0-1\n", "1-3\n", "cpu-in-two-cells@cpu1", 0 },               /* each with what it claims */
                { "0\n", "2-3\n", "cpu-without-cell@cpus", ID_NONE },
                { "0-1,9\n", "2-3\n", "cpu-not-present@cell0", 0 },
                { "garbage\n", "2-3\n", "unreadable@" NODE "/node0/cpulist cpu-without-cell@cpus", ID_NONE },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Tree) tree = two_cells();
                _cleanup_(topology_freep) Topology *topology = NULL;

                g_test_message("row %zu", i);
                tree_write(tree, NODE "/node0/cpulist", rows[i].first);
                tree_write(tree, NODE "/node1/cpulist", rows[i].second);
                topology = machine_read(tree);
                assert_findings(topology, rows[i].findings);
                g_assert_cmpuint(topology->cpus[1].cell, ==, rows[i].cell_of_1);
                assert_cpuset(&topology->cells[1].cpus, i == 0 ? "1-3" : "2-3");
        }
}

static void a_row_of_distances_is_whole_or_none(void) {
        static const struct { const char *text, *findings; size_t n; } rows[] = {
                { "10 21\n", "", 2 },
                { "10\t21", "", 2 },
                { "  10   21  \n\n", "", 2 },
                { "0 255\n", "", 2 },
                { "10\n", "distance-row-short@cell0", 0 },
                { "10 21 31\n", "distance-row-short@cell0", 0 },
                { "\n", "distance-row-short@cell0", 0 },
                { "10 far\n", "unreadable@" NODE "/node0/distance", 0 },
                { "10 -1\n", "unreadable@" NODE "/node0/distance", 0 },
                { "10 4294967296\n", "unreadable@" NODE "/node0/distance", 0 },
                { "10,21\n", "unreadable@" NODE "/node0/distance", 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Tree) tree = two_cells();
                _cleanup_(topology_freep) Topology *topology = NULL;

                g_test_message("row \"%s\"", rows[i].text);
                tree_write(tree, NODE "/node0/distance", rows[i].text);
                topology = machine_read(tree);
                assert_findings(topology, rows[i].findings);
                g_assert_cmpuint(topology->cells[0].n_distances, ==, rows[i].n);
                g_assert_cmpuint(topology->cells[1].n_distances, ==, 2);
        }
}

static void memory_that_does_not_add_up_is_told(void) {
        static const struct { const char *machine, *cell, *findings; } rows[] = {
                { "MemTotal: 2097152 kB\n", NULL, "" },
                { "MemTotal: 2330168 kB\n", NULL, "" },                 /* a tenth more, just */
                { "MemTotal: 2330170 kB\n", NULL, "memory-disagrees@memory" },
                { "MemTotal: 1906502 kB\n", NULL, "" },
                { "MemTotal: 1906500 kB\n", NULL, "memory-disagrees@memory" },
                { "MemTotal: 0 kB\n", NULL, "memory-disagrees@memory" },
                { "MemFree: 1 kB\n", NULL, "" },
                { "MemTotal: 1 kB\n", "MemTotal: garbage\n", "unreadable@" NODE "/node0/meminfo" },
                { "MemTotal: 1 kB\n", "MemFree: 1 kB\n", "" },          /* not told for one: nothing to compare */
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Tree) tree = two_cells();
                _cleanup_(topology_freep) Topology *topology = NULL;

                g_test_message("row %zu", i);
                tree_write(tree, "proc/meminfo", rows[i].machine);
                if (rows[i].cell)
                        tree_write(tree, NODE "/node0/meminfo", rows[i].cell);
                topology = machine_read(tree);
                assert_findings(topology, rows[i].findings);
        }
}

static void folders_that_are_no_pool_are_passed_over(void) {
        static const char *const names[] = {
                "hugepages-kB", "hugepages-2048", "hugepages-2048kBx", "hugepages-0kB", "hugepages--1kB", "hugepages-+2048kB",
                "hugepages- 2048kB", "hugepages-02048kB", "hugepages-2048KB", "hugepages-99999999999999999999kB",
                "hugepages-18446744073709551615kB", "smallpages-4kB", "hugepages-0x800kB",
        };
        g_autoptr(Tree) tree = two_cells();
        _cleanup_(topology_freep) Topology *topology = NULL;

        tree_write(tree, NODE "/node0/hugepages/hugepages-2048kB/nr_hugepages", "many\n");
        tree_write(tree, NODE "/node0/hugepages/hugepages-64kB/nr_hugepages", "1\n");
        tree_folder(tree, NODE "/node0/hugepages/hugepages-16384kB");
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                tree_writef(tree, "1\n", NODE "/node0/hugepages/%s/nr_hugepages", names[i]);
        topology = machine_read(tree);
        assert_findings(topology, "unreadable@" NODE "/node0/hugepages/hugepages-2048kB/nr_hugepages");
        g_assert_cmpuint(topology->cells[0].n_pools, ==, 3);
        g_assert_cmpuint(topology->cells[0].pools[0].size_bytes, ==, 64 << 10);
        g_assert_true(topology->cells[0].pools[0].total_known);
        g_assert_cmpuint(topology->cells[0].pools[1].size_bytes, ==, 2 << 20);
        g_assert_false(topology->cells[0].pools[1].total_known);
        g_assert_cmpuint(topology->cells[0].pools[1].total, ==, 0);
        g_assert_cmpuint(topology->cells[0].pools[2].size_bytes, ==, 16 << 20);
        g_assert_false(topology->cells[0].pools[2].total_known);
}

static void firmware_tells_access(void) {
        g_autoptr(Tree) tree = two_cells();
        _cleanup_(topology_freep) Topology *topology = NULL;
        const Cell *cell;

        tree_write(tree, NODE "/node1/access0/initiators/read_latency", "120\n");
        tree_write(tree, NODE "/node1/access0/initiators/write_latency", "130\n");
        tree_write(tree, NODE "/node1/access0/initiators/read_bandwidth", "0\n");
        tree_link(tree, NODE "/node1/access0/initiators/node0", "../../../node0");
        tree_link(tree, NODE "/node1/access0/initiators/node1", "../../../node1");
        tree_write(tree, NODE "/node1/access1/initiators/write_bandwidth", "fast\n");
        tree_link(tree, NODE "/node1/access1/initiators/node1", "../../../node1");
        tree_folder(tree, NODE "/node0/access0/initiators");
        topology = machine_read(tree);
        assert_findings(topology, "unreadable@" NODE "/node1/access1/initiators/write_bandwidth");
        g_assert_cmpuint(topology->cells[0].n_access, ==, 0);
        cell = topology->cells + 1;
        g_assert_cmpuint(cell->n_access, ==, 3);
        g_assert_cmpuint(cell->access[0].class, ==, 0);
        g_assert_cmpuint(cell->access[0].initiator, ==, 0);
        g_assert_cmpuint(cell->access[0].read_latency_ns, ==, 120);
        g_assert_cmpuint(cell->access[0].write_latency_ns, ==, 130);
        g_assert_cmpuint(cell->access[0].read_bandwidth_mbs, ==, 0);
        g_assert_cmpuint(cell->access[1].initiator, ==, 1);
        g_assert_cmpuint(cell->access[2].class, ==, 1);
        g_assert_cmpuint(cell->access[2].write_bandwidth_mbs, ==, 0);
}

static void caches_before_memory(void) {
        g_autoptr(Tree) tree = two_cells();
        _cleanup_(topology_freep) Topology *topology = NULL;
        const MemoryCache *caches;

        tree_write(tree, NODE "/node0/memory_side_cache/index2/size", "1048576\n");
        tree_write(tree, NODE "/node0/memory_side_cache/index2/line_size", "64\n");
        tree_write(tree, NODE "/node0/memory_side_cache/index2/indexing", "0\n");
        tree_write(tree, NODE "/node0/memory_side_cache/index2/write_policy", "1\n");
        tree_write(tree, NODE "/node0/memory_side_cache/index1/size", "524288\n");
        tree_write(tree, NODE "/node0/memory_side_cache/index1/indexing", "1\n");
        tree_write(tree, NODE "/node0/memory_side_cache/index1/write_policy", "0\n");
        tree_write(tree, NODE "/node0/memory_side_cache/index3/size", "1\n");
        tree_write(tree, NODE "/node0/memory_side_cache/index3/indexing", "2\n");       /* "other" */
        tree_write(tree, NODE "/node0/memory_side_cache/index3/write_policy", "99\n");
        tree_folder(tree, NODE "/node0/memory_side_cache/index4");
        topology = machine_read(tree);
        assert_findings(topology, "");
        g_assert_cmpuint(topology->cells[0].n_memory_caches, ==, 3);
        caches = topology->cells[0].memory_caches;
        g_assert_cmpuint(caches[0].level, ==, 1);
        g_assert_cmpuint(caches[0].size_bytes, ==, 524288);
        g_assert_cmpuint(caches[0].line_bytes, ==, 0);
        g_assert_cmpstr(caches[0].associativity, ==, "full");
        g_assert_cmpstr(caches[0].policy, ==, "writeback");
        g_assert_cmpuint(caches[1].line_bytes, ==, 64);
        g_assert_cmpstr(caches[1].associativity, ==, "direct");
        g_assert_cmpstr(caches[1].policy, ==, "writethrough");
        g_assert_null(caches[2].associativity);
        g_assert_null(caches[2].policy);
}

/* Sub-NUMA clustering: two cells in one socket, and a cell over two sockets. */
static void cells_and_sockets_need_not_agree(void) {
        g_autoptr(Tree) tree = two_cells();
        _cleanup_(topology_freep) Topology *topology = NULL;
        _cleanup_cpuset_ CpuSet first = {}, second = {};

        tree_write(tree, NODE "/node0/cpulist", "0\n");
        tree_write(tree, NODE "/node1/cpulist", "1-3\n");
        topology = machine_read(tree);
        assert_findings(topology, "");
        g_assert_cmpint(cell_sockets(topology, topology->cells, &first), ==, 0);
        assert_cpuset(&first, "0");
        g_assert_cmpint(cell_sockets(topology, topology->cells + 1, &second), ==, 0);
        assert_cpuset(&second, "0-1");
}

static void sockets_without_numbers_are_not_listed(void) {
        g_autoptr(Tree) tree = two_cells();
        _cleanup_(topology_freep) Topology *topology = NULL;
        _cleanup_cpuset_ CpuSet sockets = {};

        for (unsigned cpu = 0; cpu < 4; cpu++)
                tree_writef(tree, "-1\n", CPU "/cpu%u/topology/physical_package_id", cpu);
        topology = machine_read(tree);
        g_assert_cmpint(cell_sockets(topology, topology->cells, &sockets), ==, 0);
        assert_cpuset(&sockets, "");
}

#define TEST(function) { #function, function }

int main(int argc, char **argv) {
        static const struct { const char *name; void (*run)(void); } tests[] = {
                TEST(a_cell_is_read_whole),
                TEST(a_machine_without_cells_has_one),
                TEST(the_only_cell_tells_where_it_was_read),
                TEST(a_folder_of_pages_may_be_none),
                TEST(the_folder_of_cells_may_lead_out),
                TEST(ids_are_sparse_and_only_online_cells_count),
                TEST(a_senseless_list_of_cells_is_told),
                TEST(cells_may_lack_cpus_or_memory),
                TEST(cpus_come_from_a_mask_where_there_is_no_list),
                TEST(offline_cpus_are_not_of_the_cell),
                TEST(contradictions_about_cpus_are_told),
                TEST(a_row_of_distances_is_whole_or_none),
                TEST(memory_that_does_not_add_up_is_told),
                TEST(folders_that_are_no_pool_are_passed_over),
                TEST(firmware_tells_access),
                TEST(caches_before_memory),
                TEST(cells_and_sockets_need_not_agree),
                TEST(sockets_without_numbers_are_not_listed),
        };

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < ELEMENTSOF(tests); i++) {
                g_autofree char *path = g_strdelimit(g_strdup_printf("/cells/%s", tests[i].name), "_", '-');

                g_test_add_func(path, tests[i].run);
        }
        return g_test_run();
}
