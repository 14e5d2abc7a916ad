/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* CPUs, cores, dies and sockets out of small trees: what is told, what is absent,
 * and what contradicts itself. */

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "machine.h"

static void assert_findings(const Topology *topology, const char *wanted) {
        g_autofree char *text = findings_to_string(&topology->findings);

        g_assert_cmpstr(text, ==, wanted);
}

static void a_plain_machine_is_read(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 2, .cores = 2, .threads = 2, .cells = TRUE });
        topology = machine_read(tree);
        assert_findings(topology, "");
        assert_cpuset(&topology->possible, "0-7");
        assert_cpuset(&topology->present, "0-7");
        assert_cpuset(&topology->online, "0-7");
        assert_cpuset(&topology->isolated, "");
        g_assert_cmpuint(topology->n_cpus, ==, 8);
        g_assert_cmpuint(topology->n_sockets, ==, 2);
        g_assert_cmpuint(topology->n_dies, ==, 0);
        g_assert_cmpuint(topology->n_cores, ==, 4);
        g_assert_true(topology->smt_active);
        g_assert_true(topology->numa);
        g_assert_cmpuint(topology->n_cells, ==, 2);
        g_assert_cmpuint(topology->n_caches, ==, 0);
        g_assert_cmpuint(topology->base_page_bytes, ==, 4096);

        {
                const Cpu *cpu = topology_find_cpu(topology, 7);

                g_assert_true(cpu->online);
                g_assert_false(cpu->isolated);
                g_assert_cmpuint(cpu->socket, ==, 1);
                g_assert_cmpuint(cpu->package, ==, 1);
                g_assert_cmpuint(cpu->core, ==, 1);
                g_assert_cmpuint(cpu->cell, ==, 1);
                g_assert_cmpuint(cpu->die, ==, ID_NONE);
                g_assert_cmpuint(cpu->cluster, ==, ID_NONE);
                g_assert_cmpuint(cpu->book, ==, ID_NONE);
                g_assert_cmpuint(cpu->drawer, ==, ID_NONE);
                g_assert_cmpuint(cpu->capacity, ==, 0);
                g_assert_cmpuint(cpu->max_khz, ==, 0);
                g_assert_cmpint(cpu->kind, ==, CPU_KIND_NONE);
                assert_cpuset(&cpu->siblings, "6-7");
        }
        g_assert_null(topology_find_cpu(topology, 8));
        g_assert_null(topology_find_cpu(topology, UINT32_MAX));
        g_assert_null(topology_find_cell(topology, 2));
}

static void a_tree_without_cpus_is_no_host(void) {
        static const struct { const char *path, *text; } rows[] = {
                { "proc/meminfo", "MemTotal: 1 kB\n" },         /* no sys/ */
                { "sys/x", "" },
                { CPU "/x", "" },
                { CPU "/present", "\n" },
                { CPU "/present", "garbage\n" },
                { CPU "/online", "0\n" },
                { CPU "/cpufreq/x", "" },
                { CPU "/cpu0/x", "" },                          /* present, but neither online nor with a topology */
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Tree) tree = tree_new();
                Topology *topology = NULL;

                g_test_message("row %s", rows[i].path);
                tree_write(tree, rows[i].path, rows[i].text);
                g_assert_cmpint(topology_read(tree->fd, 0, &topology), ==, -ENODATA);
                g_assert_null(topology);
        }
}

static void the_cpu_folder_must_be_one_and_inside(void) {
        g_autoptr(Tree) file = tree_new(), out = tree_new();
        Topology *topology = NULL;

        tree_write(file, CPU, "");
        g_assert_cmpint(topology_read(file->fd, 0, &topology), ==, -ENOTDIR);
        tree_link(out, CPU, "/" CPU);
        g_assert_cmpint(topology_read(out->fd, 0, &topology), ==, -EXDEV);
        g_assert_null(topology);
}

/* Old kernels have folders and nothing else. */
static void masks_may_be_missing(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 4, .threads = 1 });
        tree_remove(tree, CPU "/possible");
        tree_remove(tree, CPU "/present");
        tree_remove(tree, CPU "/online");
        tree_write(tree, CPU "/cpu1/online", "1\n");
        tree_write(tree, CPU "/cpu2/online", "0\n");            /* its own file says so, whatever else is there */
        tree_remove(tree, CPU "/cpu3/topology");                /* no file, and no topology */
        topology = machine_read(tree);
        assert_findings(topology, "");
        assert_cpuset(&topology->present, "0-3");
        assert_cpuset(&topology->online, "0-1");
        assert_cpuset(&topology->possible, "");
}

static void garbage_in_a_mask_is_told_and_passed_over(void) {
        static const char *const names[] = { "present", "online", "possible", "isolated" };
        static const char *const texts[] = { "garbage", "0-", "-1", "0-99999999", "\xff" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                for (size_t j = 0; j < ELEMENTSOF(texts); j++) {
                        g_autoptr(Tree) tree = tree_new();
                        _cleanup_(topology_freep) Topology *topology = NULL;
                        g_autofree char *finding = g_strdup_printf("unreadable@" CPU "/%s", names[i]);

                        machine_write(tree, (Shape) { .sockets = 1, .cores = 2, .threads = 1 });
                        tree_writef(tree, texts[j], CPU "/%s", names[i]);
                        topology = machine_read(tree);
                        assert_findings(topology, finding);
                        assert_cpuset(&topology->present, "0-1");
                        assert_cpuset(&topology->online, "0-1");
                        assert_cpuset(&topology->isolated, "");
                        assert_cpuset(&topology->possible, i == 2 ? "" : "0-1");
                }
}

static void a_mask_names_only_what_is_present(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 2, .threads = 2 });
        tree_write(tree, CPU "/online", "0-5\n");
        tree_write(tree, CPU "/isolated", "3-9\n");
        tree_write(tree, CPU "/cpu1/topology/core_cpus_list", "0-1,77\n");
        topology = machine_read(tree);
        assert_findings(topology, "cpu-not-present@online cpu-not-present@isolated cpu-not-present@cpu1");
        assert_cpuset(&topology->online, "0-3");
        assert_cpuset(&topology->isolated, "3");
        g_assert_true(topology->cpus[3].isolated);
        g_assert_false(topology->cpus[2].isolated);
        assert_cpuset(&topology->cpus[1].siblings, "0-1");
}

static void more_cpus_may_be_possible_than_present(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 2, .threads = 1 });
        tree_write(tree, CPU "/possible", "0-111\n");
        topology = machine_read(tree);
        assert_findings(topology, "");
        assert_cpuset(&topology->possible, "0-111");
        g_assert_cmpuint(topology->n_cpus, ==, 2);
}

/* Of an offline CPU little is told: it counts nowhere. */
static void an_offline_cpu_is_listed_and_counts_nowhere(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 2, .cores = 1, .threads = 2, .cells = TRUE });
        tree_write(tree, CPU "/online", "0-1\n");
        tree_remove(tree, CPU "/cpu2/topology");
        tree_remove(tree, CPU "/cpu3/topology");
        tree_link(tree, CPU "/cpu2/node1", "../../node/node1");
        tree_link(tree, CPU "/cpu3/node7", "../../node/node7");         /* a cell that is none */
        topology = machine_read(tree);
        assert_findings(topology, "");
        g_assert_cmpuint(topology->n_cpus, ==, 4);
        g_assert_cmpuint(topology->n_sockets, ==, 1);
        g_assert_cmpuint(topology->n_cores, ==, 1);
        g_assert_false(topology->cpus[2].online);
        g_assert_cmpuint(topology->cpus[2].socket, ==, ID_NONE);
        g_assert_cmpuint(topology->cpus[2].package, ==, ID_NONE);
        g_assert_cmpuint(topology->cpus[2].cell, ==, 1);
        g_assert_cmpuint(topology->cpus[3].cell, ==, ID_NONE);
        assert_cpuset(&topology->cpus[2].siblings, "");
        assert_cpuset(&topology->cells[1].cpus, "");
}

static void an_offline_sibling_shares_no_core(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 1, .threads = 2 });
        tree_write(tree, CPU "/online", "0\n");
        topology = machine_read(tree);
        assert_cpuset(&topology->cpus[0].siblings, "0");
        g_assert_false(topology->smt_active);
}

static void siblings_come_by_any_of_their_names(void) {
        static const struct { const char *name, *text; } rows[] = {
                { "core_cpus_list", "0-1\n" },
                { "core_cpus", "3\n" },
                { "thread_siblings_list", "0-1\n" },
                { "thread_siblings", "00000000,00000003\n" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Tree) tree = tree_new();
                _cleanup_(topology_freep) Topology *topology = NULL;

                g_test_message("row %s", rows[i].name);
                machine_write(tree, (Shape) { .sockets = 1, .cores = 1, .threads = 2 });
                for (unsigned cpu = 0; cpu < 2; cpu++) {
                        g_autofree char *old = g_strdup_printf(CPU "/cpu%u/topology/core_cpus_list", cpu);

                        tree_remove(tree, old);
                        tree_writef(tree, rows[i].text, CPU "/cpu%u/topology/%s", cpu, rows[i].name);
                }
                topology = machine_read(tree);
                assert_findings(topology, "");
                assert_cpuset(&topology->cpus[1].siblings, "0-1");
                g_assert_cmpuint(topology->n_cores, ==, 1);
                g_assert_true(topology->smt_active);
        }
}

static void siblings_that_nobody_tells_are_none(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 2, .threads = 1 });
        tree_remove(tree, CPU "/cpu0/topology/core_cpus_list");
        tree_remove(tree, CPU "/cpu1/topology/core_cpus_list");
        topology = machine_read(tree);
        assert_findings(topology, "");
        assert_cpuset(&topology->cpus[0].siblings, "");
        g_assert_cmpuint(topology->n_cores, ==, 2);
        g_assert_false(topology->smt_active);
}

static void siblings_that_disagree_are_told(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 2, .threads = 1 });
        tree_write(tree, CPU "/cpu0/topology/core_cpus_list", "0-1\n");
        topology = machine_read(tree);
        assert_findings(topology, "siblings-disagree@cpu0");
        assert_cpuset(&topology->cpus[0].siblings, "0-1");
        assert_cpuset(&topology->cpus[1].siblings, "1");
}

/* Never -1 and never 65535. */
static void an_id_may_be_none(void) {
        static const struct { const char *text, *findings; uint32_t id; } rows[] = {
                { "-1\n", "", ID_NONE },
                { "65535\n", "", ID_NONE },
                { "4294967295\n", "", ID_NONE },
                { "0\n", "", 0 },
                { "4096\n", "", 4096 },
                { "", "unreadable@" CPU "/cpu0/topology/die_id", ID_NONE },
                { "-2\n", "unreadable@" CPU "/cpu0/topology/die_id", ID_NONE },
                { "many\n", "unreadable@" CPU "/cpu0/topology/die_id", ID_NONE },
                { "99999999999\n", "unreadable@" CPU "/cpu0/topology/die_id", ID_NONE },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Tree) tree = tree_new();
                _cleanup_(topology_freep) Topology *topology = NULL;

                g_test_message("row \"%s\"", rows[i].text);
                machine_write(tree, (Shape) { .sockets = 1, .cores = 1, .threads = 1 });
                tree_write(tree, CPU "/cpu0/topology/die_id", rows[i].text);
                topology = machine_read(tree);
                assert_findings(topology, rows[i].findings);
                g_assert_cmpuint(topology->cpus[0].die, ==, rows[i].id);
                g_assert_cmpuint(topology->n_dies, ==, rows[i].id == ID_NONE ? 0 : 1);
        }
}

/* Whatever stands where a value should be is told with its path, and the rest
 * of the machine is served. */
static void what_cannot_be_read_is_told(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 4, .threads = 1 });
        tree_remove(tree, CPU "/cpu0/topology/core_id");
        tree_folder(tree, CPU "/cpu0/topology/core_id");
        tree_remove(tree, CPU "/cpu1/topology/core_id");
        tree_write_sparse(tree, CPU "/cpu1/topology/core_id", 64 * 1024 * 1024);
        tree_remove(tree, CPU "/cpu2/topology/core_id");
        tree_link(tree, CPU "/cpu2/topology/core_id", "/etc/hostname");
        tree_write(tree, CPU "/cpu3/cpu_capacity", "strong\n");
        topology = machine_read(tree);
        assert_findings(topology,
                        "unreadable@" CPU "/cpu0/topology/core_id unreadable@" CPU "/cpu1/topology/core_id "
                        "unreadable@" CPU "/cpu2/topology/core_id unreadable@" CPU "/cpu3/cpu_capacity");
        g_assert_nonnull(strstr(topology->findings.items[1].message, "far too long"));
        g_assert_nonnull(strstr(topology->findings.items[2].message, "leads out"));
        g_assert_nonnull(strstr(topology->findings.items[3].message, "makes no sense"));
        g_assert_cmpuint(topology->n_cores, ==, 4);
        g_assert_cmpuint(topology->cpus[3].core, ==, 3);
}

/* A machine that is wrong everywhere fills the list and no more. */
static void findings_are_limited(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 100, .threads = 1 });
        for (unsigned cpu = 0; cpu < 100; cpu++)
                tree_writef(tree, "x", CPU "/cpu%u/topology/die_id", cpu);
        topology = machine_read(tree);
        g_assert_cmpuint(topology->findings.n_items, ==, FINDINGS_MAX);
        g_assert_cmpuint(topology->findings.n_dropped, ==, 100 - FINDINGS_MAX);
        g_assert_cmpuint(topology->n_cores, ==, 100);
}

/* s390 counts sockets anew in each book, and books in each drawer. */
static void a_socket_is_known_by_drawer_book_and_number(void) {
        static const struct { unsigned drawer, book, socket, package; } rows[] = {
                { 0, 0, 0, 0 },
                { 0, 0, 1, 1 },
                { 0, 1, 0, 2 },
                { 1, 0, 0, 3 },
                { 1, 0, 0, 3 },
        };
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = ELEMENTSOF(rows), .threads = 1 });
        for (unsigned i = 0; i < ELEMENTSOF(rows); i++) {
                g_autofree char *drawer = g_strdup_printf("%u\n", rows[i].drawer);
                g_autofree char *book = g_strdup_printf("%u\n", rows[i].book);
                g_autofree char *socket = g_strdup_printf("%u\n", rows[i].socket);

                tree_writef(tree, drawer, CPU "/cpu%u/topology/drawer_id", i);
                tree_writef(tree, book, CPU "/cpu%u/topology/book_id", i);
                tree_writef(tree, socket, CPU "/cpu%u/topology/physical_package_id", i);
        }
        topology = machine_read(tree);
        g_assert_cmpuint(topology->n_sockets, ==, 4);
        for (unsigned i = 0; i < ELEMENTSOF(rows); i++) {
                g_assert_cmpuint(topology->cpus[i].package, ==, rows[i].package);
                g_assert_cmpuint(topology->cpus[i].drawer, ==, rows[i].drawer);
                g_assert_cmpuint(topology->cpus[i].book, ==, rows[i].book);
        }
}

/* Without a number, sockets are told apart by who is in them. */
static void a_socket_without_a_number_is_known_by_its_cpus(void) {
        static const char *const names[] = { "package_cpus_list", "core_siblings_list" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                g_autoptr(Tree) tree = tree_new();
                _cleanup_(topology_freep) Topology *topology = NULL;

                machine_write(tree, (Shape) { .sockets = 1, .cores = 4, .threads = 1 });
                for (unsigned cpu = 0; cpu < 4; cpu++) {
                        tree_writef(tree, "-1\n", CPU "/cpu%u/topology/physical_package_id", cpu);
                        tree_writef(tree, cpu < 2 ? "0-1\n" : "2-3\n", CPU "/cpu%u/topology/%s", cpu, names[i]);
                }
                topology = machine_read(tree);
                g_assert_cmpuint(topology->n_sockets, ==, 2);
                g_assert_cmpuint(topology->cpus[1].package, ==, 0);
                g_assert_cmpuint(topology->cpus[2].package, ==, 1);
                g_assert_cmpuint(topology->cpus[2].socket, ==, ID_NONE);
        }
}

/* Die 0 of one socket is not that of the other. */
static void dies_count_within_their_socket(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 2, .cores = 4, .threads = 1 });
        for (unsigned cpu = 0; cpu < 8; cpu++)
                tree_writef(tree, cpu % 4 < 2 ? "0\n" : "1\n", CPU "/cpu%u/topology/die_id", cpu);
        tree_write(tree, CPU "/cpu5/topology/cluster_id", "36\n");
        topology = machine_read(tree);
        g_assert_cmpuint(topology->n_dies, ==, 4);
        g_assert_cmpuint(topology->n_sockets, ==, 2);
        g_assert_cmpuint(topology->cpus[6].die, ==, 1);
        g_assert_cmpuint(topology->cpus[5].cluster, ==, 36);
}

static void sparse_numbers_are_kept(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        tree_write(tree, CPU "/present", "5,4095\n");
        tree_write(tree, CPU "/online", "5,4095\n");
        tree_write(tree, CPU "/cpu5/topology/physical_package_id", "36\n");
        tree_write(tree, CPU "/cpu4095/topology/physical_package_id", "7\n");
        topology = machine_read(tree);
        g_assert_cmpuint(topology->n_cpus, ==, 2);
        g_assert_cmpuint(topology_find_cpu(topology, 5)->socket, ==, 36);
        g_assert_cmpuint(topology_find_cpu(topology, 4095)->package, ==, 0);
        g_assert_null(topology_find_cpu(topology, 6));
}

static void the_highest_frequency_is_shown(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(topology_freep) Topology *topology = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 2, .threads = 1 });
        tree_write(tree, CPU "/cpu0/cpufreq/cpuinfo_max_freq", "3200000\n");
        tree_write(tree, CPU "/cpu1/cpufreq/cpuinfo_max_freq", "<unknown>\n");
        topology = machine_read(tree);
        g_assert_cmpuint(topology->cpus[0].max_khz, ==, 3200000);
        g_assert_cmpuint(topology->cpus[1].max_khz, ==, 0);
        assert_findings(topology, "unreadable@" CPU "/cpu1/cpufreq/cpuinfo_max_freq");
}

static void words(void) {
        static const struct { const char *word; int result; CacheType type; } types[] = {
                { "Unified", 0, CACHE_UNIFIED }, { "unified", 0, CACHE_UNIFIED },
                { "Data", 0, CACHE_DATA }, { "Instruction", 0, CACHE_INSTRUCTION },
                { "", -EINVAL, CACHE_DATA }, { "DATA", -EINVAL, CACHE_DATA }, { "Trace", -EINVAL, CACHE_DATA },
        };

        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                CacheType type = CACHE_DATA;

                g_assert_cmpint(cache_type_from_string(types[i].word, &type), ==, types[i].result);
                g_assert_cmpint(type, ==, types[i].type);
        }
        g_assert_cmpstr(cache_type_to_string(CACHE_INSTRUCTION), ==, "instruction");
        g_assert_null(cpu_kind_to_string(CPU_KIND_NONE));
        g_assert_cmpstr(cpu_kind_to_string(CPU_KIND_PERFORMANCE), ==, "performance");
        g_assert_cmpstr(cpu_kind_to_string(CPU_KIND_EFFICIENCY), ==, "efficiency");
        g_assert_cmpstr(cpu_kind_to_string(CPU_KIND_LOW_POWER), ==, "low-power");
        g_assert_null(topology_free(NULL));
}

#define TEST(function) { #function, function }

int main(int argc, char **argv) {
        static const struct { const char *name; void (*run)(void); } tests[] = {
                TEST(a_plain_machine_is_read),
                TEST(a_tree_without_cpus_is_no_host),
                TEST(the_cpu_folder_must_be_one_and_inside),
                TEST(masks_may_be_missing),
                TEST(garbage_in_a_mask_is_told_and_passed_over),
                TEST(a_mask_names_only_what_is_present),
                TEST(more_cpus_may_be_possible_than_present),
                TEST(an_offline_cpu_is_listed_and_counts_nowhere),
                TEST(an_offline_sibling_shares_no_core),
                TEST(siblings_come_by_any_of_their_names),
                TEST(siblings_that_nobody_tells_are_none),
                TEST(siblings_that_disagree_are_told),
                TEST(an_id_may_be_none),
                TEST(what_cannot_be_read_is_told),
                TEST(findings_are_limited),
                TEST(a_socket_is_known_by_drawer_book_and_number),
                TEST(a_socket_without_a_number_is_known_by_its_cpus),
                TEST(dies_count_within_their_socket),
                TEST(sparse_numbers_are_kept),
                TEST(the_highest_frequency_is_shown),
                TEST(words),
        };

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < ELEMENTSOF(tests); i++) {
                g_autofree char *path = g_strdelimit(g_strdup_printf("/topology/%s", tests[i].name), "_", '-');

                g_test_add_func(path, tests[i].run);
        }
        return g_test_run();
}
