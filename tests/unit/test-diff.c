/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What differs between two snapshots: one change to a tree at a time, and
 * exactly the bits that tell of it. */

#include <glib.h>
#include <string.h>

#include "machine.h"

typedef struct Edit {
        const char *name;
        const char *path, *text;        /* what is written; removed where the text is NULL */
        unsigned change;                /* of the machine */
        unsigned cell_change;           /* of cell 1 */
} Edit;

#define LISTS TOPOLOGY_CHANGE_LISTS

static const Edit edits[] = {
        { "nothing", CPU "/modalias", "x", 0, 0 },
        { "the same again", CPU "/online", "0-3\n", 0, 0 },
        { "free memory", NODE "/node1/meminfo", "Node 1 MemTotal: 1048576 kB\nNode 1 MemFree: 1 kB\n", 0, 0 },
        { "offline", CPU "/online", "0-2\n",
          TOPOLOGY_CHANGE_THREADS | TOPOLOGY_CHANGE_ONLINE | TOPOLOGY_CHANGE_CORES | LISTS, CELL_CHANGE_CPUS },
        { "a whole socket offline", CPU "/online", "0-1\n",
          TOPOLOGY_CHANGE_THREADS | TOPOLOGY_CHANGE_ONLINE | TOPOLOGY_CHANGE_CORES | TOPOLOGY_CHANGE_SOCKETS | LISTS,
          CELL_CHANGE_CPUS | CELL_CHANGE_SOCKETS | CELL_CHANGE_CACHE },
        { "plugged in", CPU "/present", "0-4\n", TOPOLOGY_CHANGE_PRESENT | LISTS, 0 },
        { "possible", CPU "/possible", "0-7\n", TOPOLOGY_CHANGE_POSSIBLE, 0 },
        { "isolated", CPU "/isolated", "3\n", TOPOLOGY_CHANGE_ISOLATED | LISTS, 0 },
        { "threads of a core", CPU "/cpu1/topology/core_cpus_list", "1,0\n",
          TOPOLOGY_CHANGE_SMT | TOPOLOGY_CHANGE_CORES | TOPOLOGY_CHANGE_FINDINGS | LISTS, 0 },
        { "a die", CPU "/cpu3/topology/die_id", "0\n", TOPOLOGY_CHANGE_DIES | LISTS, 0 },
        { "a core's number", CPU "/cpu3/topology/core_id", "77\n", LISTS, 0 },
        { "a socket's number", CPU "/cpu3/topology/physical_package_id", "5\n",
          TOPOLOGY_CHANGE_SOCKETS | LISTS, CELL_CHANGE_SOCKETS },
        { "a warning", CPU "/cpu3/topology/cluster_id", "x", TOPOLOGY_CHANGE_FINDINGS, 0 },
        { "strength", CPU "/cpu3/cpu_capacity", "512\n", LISTS, 0 },
        { "a cache's size", CPU "/cpu2/cache/index0/size", "4M", LISTS, CELL_CHANGE_CACHE },
        { "a cache's number", CPU "/cpu2/cache/index0/id", "9", LISTS, 0 },
        { "a cache less", CPU "/cpu2/cache/index0/level", NULL, LISTS, CELL_CHANGE_CACHE },
        { "memory", NODE "/node1/meminfo", "Node 1 MemTotal: 1048000 kB\n", LISTS, CELL_CHANGE_MEMORY },
        { "memory not told", NODE "/node1/meminfo", NULL, LISTS, CELL_CHANGE_MEMORY },
        { "distance", NODE "/node1/distance", "31 10\n", LISTS, CELL_CHANGE_DISTANCES },
        { "a row too short", NODE "/node1/distance", "10\n", LISTS | TOPOLOGY_CHANGE_FINDINGS, CELL_CHANGE_DISTANCES },
        { "more pages", NODE "/node1/hugepages/hugepages-2048kB/nr_hugepages", "8\n", LISTS, CELL_CHANGE_OTHER },
        { "another size of pages", NODE "/node1/hugepages/hugepages-64kB/nr_hugepages", "0\n",
          LISTS, CELL_CHANGE_PAGE_SIZES | CELL_CHANGE_OTHER },
        { "access", NODE "/node1/access0/initiators/read_latency", "99\n", LISTS, CELL_CHANGE_OTHER },
        { "a memory cache", NODE "/node1/memory_side_cache/index1/size", "99\n", LISTS, CELL_CHANGE_OTHER },
        { "a cell more", NODE "/node2/cpulist", "\n",
          TOPOLOGY_CHANGE_CELLS | TOPOLOGY_CHANGE_FINDINGS | LISTS, CELL_CHANGE_DISTANCES },
};

static Tree *start_new(void) {
        Tree *tree = tree_new();

        machine_write(tree, (Shape) { .sockets = 2, .cores = 2, .threads = 1, .cells = TRUE });
        machine_write_cache(tree, 0, 0, 3, "Unified", "8M", "0-1");
        machine_write_cache(tree, 2, 0, 3, "Unified", "8M", "2-3");
        tree_write(tree, NODE "/node1/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
        tree_write(tree, NODE "/node1/access0/initiators/read_latency", "10\n");
        tree_link(tree, NODE "/node1/access0/initiators/node1", "../../../node1");
        return tree;
}

static void each_change_has_its_bits(void) {
        for (size_t i = 0; i < ELEMENTSOF(edits); i++) {
                g_autoptr(Tree) tree = start_new();
                _cleanup_(topology_freep) Topology *before = machine_read(tree), *after = NULL;
                const Edit *edit = edits + i;

                g_test_message("edit: %s", edit->name);
                if (edit->text)
                        tree_write(tree, edit->path, edit->text);
                else
                        tree_remove(tree, edit->path);
                after = machine_read(tree);
                g_assert_cmphex(topology_diff(before, after), ==, edit->change);
                g_assert_cmphex(topology_diff(after, before), ==, edit->change);
                g_assert_cmphex(cell_diff(before, before->cells + 1, after, topology_find_cell(after, 1)), ==, edit->cell_change);
                g_assert_cmphex(topology_diff(after, after), ==, 0);
        }
}

/* A cell that went leaves the others as they were, but for the distances. */
static void a_cell_that_went_is_told(void) {
        g_autoptr(Tree) tree = start_new();
        _cleanup_(topology_freep) Topology *before = NULL, *after = NULL;

        tree_remove(tree, NODE "/node0/distance");
        tree_remove(tree, NODE "/node1/distance");
        tree_write(tree, NODE "/node1/cpulist", "\n");
        tree_write(tree, CPU "/online", "0-1\n");
        tree_write(tree, "proc/meminfo", "MemFree: 1 kB\n");
        before = machine_read(tree);
        tree_remove(tree, NODE "/node1");
        after = machine_read(tree);
        g_assert_cmphex(topology_diff(before, after), ==, TOPOLOGY_CHANGE_CELLS);
        g_assert_cmphex(cell_diff(before, before->cells, after, after->cells), ==, 0);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/diff/each-change-has-its-bits", each_change_has_its_bits);
        g_test_add_func("/diff/a-cell-that-went-is-told", a_cell_that_went_is_told);
        return g_test_run();
}
