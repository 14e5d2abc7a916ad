/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Caches: each once, where it is, and of which cell. */

#include <glib.h>
#include <string.h>

#include "machine.h"

/* "L1data 32768 @0-1 cell 0; …" */
static char *caches_to_string(const Topology *topology) {
        GString *text = g_string_new(NULL);

        for (size_t i = 0; i < topology->n_caches; i++) {
                const Cache *cache = topology->caches + i;
                _cleanup_free_ char *cpus = cpuset_to_list(&cache->cpus);

                g_string_append_printf(text, "%sL%u%s %" G_GUINT64_FORMAT " @%s", i > 0 ? "; " : "", cache->level,
                                       cache_type_to_string(cache->type), cache->size_bytes, cpus);
                if (cache->id != ID_NONE)
                        g_string_append_printf(text, " id %u", cache->id);
                if (cache->cell != ID_NONE)
                        g_string_append_printf(text, " cell %u", cache->cell);
        }
        return g_string_free(text, FALSE);
}

static void assert_caches(const Topology *topology, const char *wanted, const char *wanted_findings) {
        g_autofree char *text = caches_to_string(topology);
        g_autofree char *findings = findings_to_string(&topology->findings);

        g_assert_cmpstr(findings, ==, wanted_findings);
        g_assert_cmpstr(text, ==, wanted);
}

static void caches_come_by_level_type_and_first_cpu(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 2, .threads = 1 });
        for (unsigned cpu = 0; cpu < 2; cpu++) {
                const char *own = cpu == 0 ? "0\n" : "1\n";

                machine_write_cache(tree, cpu, 0, 1, "Instruction\n", "64K\n", own);
                machine_write_cache(tree, cpu, 1, 1, "Data\n", "32K\n", own);
                machine_write_cache(tree, cpu, 2, 2, "Unified\n", "1M\n", own);
                machine_write_cache(tree, cpu, 3, 3, "Unified\n", "8192K\n", "0-1\n");
                tree_writef(tree, "5\n", CPU "/cpu%u/cache/index3/id", cpu);
        }
        topology = machine_read(tree);
        assert_caches(topology,
                      "L1data 32768 @0 cell 0; L1data 32768 @1 cell 0; "
                      "L1instruction 65536 @0 cell 0; L1instruction 65536 @1 cell 0; "
                      "L2unified 1048576 @0 cell 0; L2unified 1048576 @1 cell 0; "
                      "L3unified 8388608 @0-1 id 5 cell 0", "");
        g_assert_cmpuint(topology->cells[0].cache_bytes, ==, 8388608);
}

/* What the others' folders of the same cache say is not looked at. */
static void a_cache_is_read_once(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 3, .threads = 1 });
        machine_write_cache(tree, 0, 0, 3, "Unified", "8M", "0-2");
        machine_write_cache(tree, 1, 0, 99, "garbage", "garbage", "garbage");
        tree_write_sparse(tree, CPU "/cpu2/cache/index0/level", 64 * 1024 * 1024);
        topology = machine_read(tree);
        assert_caches(topology, "L3unified 8388608 @0-2 cell 0", "");
}

static void a_map_does_without_a_list(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 2, .threads = 1 });
        machine_write_cache(tree, 0, 0, 2, "Unified", "1M", "");
        tree_remove(tree, CPU "/cpu0/cache/index0/shared_cpu_list");
        tree_write(tree, CPU "/cpu0/cache/index0/shared_cpu_map", "00000000,00000003\n");
        topology = machine_read(tree);
        assert_caches(topology, "L2unified 1048576 @0-1 cell 0", "");
}

static void only_online_cpus_share(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 3, .threads = 1 });
        tree_write(tree, CPU "/online", "1-2\n");
        machine_write_cache(tree, 0, 0, 2, "Unified", "1M", "0-2");
        machine_write_cache(tree, 1, 0, 2, "Unified", "1M", "0-2");
        topology = machine_read(tree);
        assert_caches(topology, "L2unified 1048576 @1-2 cell 0", "");
}

/* One part spoilt: the cache is left out, and the file is told; a part that is
 * missing is not. */
static void a_cache_with_a_senseless_part_is_left_out(void) {
        static const struct { const char *part, *text; bool told; } rows[] = {
                { "level", "three", true },
                { "level", "-1", true },
                { "level", "", true },
                { "type", "Trace", true },
                { "type", "", true },
                { "type", "a text that is far longer than any type of cache can be", true },
                { "type", NULL, false },
                { "size", "big", true },
                { "size", "32KB", true },
                { "size", "99999999999999999999K", true },
                { "size", NULL, false },
                { "shared_cpu_list", "0-", true },
                { "shared_cpu_list", "1", true },               /* not its own CPU */
                { "shared_cpu_list", "", true },
                { "shared_cpu_list", NULL, false },
                { "id", "many", true },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Tree) tree = tree_new();
                _cleanup_(topology_freep) Topology *topology = NULL;
                g_autofree char *path = g_strdup_printf(CPU "/cpu0/cache/index0/%s", rows[i].part);
                g_autofree char *finding = g_strdup_printf("unreadable@%s", path);

                g_test_message("%s \"%s\"", rows[i].part, rows[i].text);
                machine_write(tree, (Shape) { .sockets = 1, .cores = 2, .threads = 1 });
                machine_write_cache(tree, 0, 0, 1, "Data", "32K", "0");
                machine_write_cache(tree, 0, 1, 2, "Unified", "1M", "0-1");
                if (rows[i].text)
                        tree_write(tree, path, rows[i].text);
                else
                        tree_remove(tree, path);
                topology = machine_read(tree);
                assert_caches(topology, "L2unified 1048576 @0-1 cell 0", rows[i].told ? finding : "");
        }
}

static void a_cache_that_names_an_absent_cpu_is_told(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 2, .threads = 1 });
        machine_write_cache(tree, 0, 0, 3, "Unified", "8M", "0-1,77");
        topology = machine_read(tree);
        g_assert_cmpuint(topology->findings.n_items, ==, 1);
        g_assert_cmpstr(topology->findings.items[0].code, ==, "cpu-not-present");
        g_assert_nonnull(strstr(topology->findings.items[0].message, "77"));
        assert_cpuset(&topology->caches[0].cpus, "0-1");
}

/* More folders than any machine has end somewhere. */
static void indexes_end(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 1, .threads = 1 });
        for (unsigned index = 0; index < 40; index++)
                machine_write_cache(tree, 0, index, index + 1, "Unified", "1K", "0");
        topology = machine_read(tree);
        g_assert_cmpuint(topology->n_caches, ==, 32);
}

/* A socket of two cells with two last-level caches, and one that spans both. */
static void a_cell_has_the_caches_of_its_cpus(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 2, .cores = 4, .threads = 1, .cells = TRUE });
        for (unsigned cpu = 0; cpu < 8; cpu += 2) {
                g_autofree char *pair = g_strdup_printf("%u-%u", cpu, cpu + 1);

                machine_write_cache(tree, cpu, 0, 1, "Data", "32K", pair);
                machine_write_cache(tree, cpu, 1, 3, "Unified", "4M", pair);
                /* A larger one at the highest level, but for code only. */
                machine_write_cache(tree, cpu, 2, 4, "Instruction", "64M", pair);
        }
        topology = machine_read(tree);
        g_assert_cmpuint(topology->cells[0].cache_bytes, ==, 8 << 20);
        g_assert_cmpuint(topology->cells[1].cache_bytes, ==, 8 << 20);

        /* One for all: it is of no cell, and counts whole in each. */
        machine_write_cache(tree, 0, 3, 4, "Unified", "64M", "0-7");
        topology = topology_free(topology);
        topology = machine_read(tree);
        g_assert_cmpuint(topology->n_caches, ==, 13);
        g_assert_cmpuint(topology->caches[8].level, ==, 4);
        g_assert_cmpuint(topology->caches[8].cell, ==, ID_NONE);
        g_assert_cmpuint(topology->cells[0].cache_bytes, ==, 64 << 20);
        g_assert_cmpuint(topology->cells[1].cache_bytes, ==, 64 << 20);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/caches/caches-come-by-level-type-and-first-cpu", caches_come_by_level_type_and_first_cpu);
        g_test_add_func("/caches/a-cache-is-read-once", a_cache_is_read_once);
        g_test_add_func("/caches/a-map-does-without-a-list", a_map_does_without_a_list);
        g_test_add_func("/caches/only-online-cpus-share", only_online_cpus_share);
        g_test_add_func("/caches/a-cache-with-a-senseless-part-is-left-out", a_cache_with_a_senseless_part_is_left_out);
        g_test_add_func("/caches/a-cache-that-names-an-absent-cpu-is-told", a_cache_that_names_an_absent_cpu_is_told);
        g_test_add_func("/caches/indexes-end", indexes_end);
        g_test_add_func("/caches/a-cell-has-the-caches-of-its-cpus", a_cell_has_the_caches_of_its_cpus);
        return g_test_run();
}
