/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Hosts that contradict themselves, or hold what no kernel writes: a sound
 * recording is damaged in one place, and berthd must say what is wrong, by the
 * codes that org.berth1.Host.Topology.Warnings documents, and show the rest.
 *
 * To be run on a bus of its own, with $BERTHD, $BERTH_SCHEMA and
 * $BERTH_SOURCE_ROOT set. */

#include <string.h>

#include "daemon.h"
#include "expect.h"
#include "tree.h"

#define CPU "sys/devices/system/cpu/"
#define NODE "sys/devices/system/node/"

#define MIB (G_GUINT64_CONSTANT(1) << 20)

/* Both have cells 0 and 1; the first has 4 of them with two CPUs each (0 and 4,
 * 1 and 5, …), the second 2 sockets, 4 dies, 8 cores, 16 threads. */
#define CELLS "qemu-four-cells"
#define HOUSE "qemu-full-house"

typedef struct Row {
        const char *name;
        const char *host;
        void (*damage)(Tree *tree);
        const char *codes;      /* sorted; NULL: whichever */
        void (*check)(Report *report, const Seen *seen);
} Row;

/* --- what is seen */

static void expect_cell(Report *report, const Seen *seen, guint id, const char *cpus, guint n_distances) {
        SeenCell *cell = seen_cell(seen, id);
        g_autoptr(GVariant) distances = NULL;
        g_autofree char *list = NULL;

        if (!cell) {
                report_add(report, "cells", "cell %u is not there", id);
                return;
        }
        list = seen_string(cell->properties, "Cpus");
        report_compare(report, "Cpus", cpus, list);
        distances = g_variant_lookup_value(cell->properties, "Distances", G_VARIANT_TYPE("a{uu}"));
        report_compare_number(report, "Distances", n_distances, g_variant_n_children(distances));
}

static guint64 memory_of(const Seen *seen, guint id) {
        SeenCell *cell = seen_cell(seen, id);
        guint64 memory = G_MAXUINT64;

        if (cell)
                seen_u64(cell->properties, "Memory", &memory);
        return memory;
}

/* A key of ListCpus, as text; NULL: absent. */
static void expect_cpu(Report *report, const Seen *seen, guint id, const char *key, const char *expected) {
        g_autoptr(GVariant) cpu = seen_cpu(seen, id);
        g_autoptr(GVariant) value = cpu ? g_variant_lookup_value(cpu, key, NULL) : NULL;
        g_autofree char *text = NULL;

        if (!cpu)
                report_add(report, "cpus", "CPU %u is not there", id);
        else if (value && g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
                text = g_variant_dup_string(value, NULL);
        else if (value)
                text = g_variant_print(value, FALSE);
        report_compare(report, key, expected, text);
}

/* Never a number out of nothing. */
static void expect_property(Report *report, const Seen *seen, const char *name, const char *expected) {
        g_autofree char *text = seen_string(seen->topology, name);

        report_compare(report, name, expected, text);
}

/* --- contradictions */

static void damage_two_cells(Tree *tree) {
        tree_write(tree, NODE "node1/cpulist", "0-1,5\n", -1);
}

static void check_two_cells(Report *report, const Seen *seen) {
        /* Each with what it claims. */
        expect_cell(report, seen, 0, "0,4", 4);
        expect_cell(report, seen, 1, "0-1,5", 4);
        expect_cell(report, seen, 2, "2,6", 4);
}

static void damage_no_cell(Tree *tree) {
        tree_write(tree, NODE "node3/cpulist", "3\n", -1);
}

static void check_no_cell(Report *report, const Seen *seen) {
        expect_cell(report, seen, 3, "3", 4);
        expect_cpu(report, seen, 7, "cell", NULL);
        expect_cpu(report, seen, 3, "cell", "3");
}

static void damage_absent_cpu(Tree *tree) {
        tree_write(tree, NODE "node0/cpulist", "0,4,900\n", -1);
}

static void check_sound(Report *report, const Seen *seen) {
        expect_cell(report, seen, 0, "0,4", 4);
        expect_cell(report, seen, 1, "1,5", 4);
        expect_cell(report, seen, 2, "2,6", 4);
        expect_cell(report, seen, 3, "3,7", 4);
}

static void damage_online_absent(Tree *tree) {
        tree_write(tree, CPU "online", "0-9\n", -1);
}

static void check_online_absent(Report *report, const Seen *seen) {
        expect_property(report, seen, "OnlineCpus", "0-7");
        check_sound(report, seen);
}

static void damage_siblings(Tree *tree) {
        const char *names[] = { "core_cpus", "thread_siblings" };

        for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *list = g_strdup_printf(CPU "cpu0/topology/%s_list", names[i]);
                g_autofree char *mask = g_strdup_printf(CPU "cpu0/topology/%s", names[i]);

                tree_write(tree, list, "0\n", -1);
                tree_write(tree, mask, "0001\n", -1);
        }
}

static void check_siblings(Report *report, const Seen *seen) {
        expect_cpu(report, seen, 0, "siblings", "0");
        expect_cpu(report, seen, 1, "siblings", "0-1");
        expect_cpu(report, seen, 2, "siblings", "2-3");
}

static void damage_memory_sum(Tree *tree) {
        tree_write(tree, "proc/meminfo", "MemTotal:       1048576000 kB\nMemFree: 1 kB\n", -1);
}

/* --- distances */

static void damage_short_row(Tree *tree) {
        tree_write(tree, NODE "node2/distance", "28 22 10\n", -1);
}

static void damage_long_row(Tree *tree) {
        tree_write(tree, NODE "node2/distance", "28 22 10 16 40\n", -1);
}

static void damage_row(Tree *tree) {
        tree_write(tree, NODE "node2/distance", "28 22 ten 16\n", -1);
}

static void damage_row_sign(Tree *tree) {
        tree_write(tree, NODE "node2/distance", "28 22 -10 16\n", -1);
}

static void damage_row_large(Tree *tree) {
        tree_write(tree, NODE "node2/distance", "28 22 10 4294967306\n", -1);
}

static void check_row(Report *report, const Seen *seen) {
        expect_cell(report, seen, 1, "1,5", 4);
        expect_cell(report, seen, 2, "2,6", 0);
        expect_cell(report, seen, 3, "3,7", 4);
}

/* --- what is no number. The file is a CPU's core_id. */

#define CORE_ID CPU "cpu3/topology/core_id"

static void damage_word(Tree *tree) {
        tree_write(tree, CORE_ID, "banana\n", -1);
}

static void damage_empty(Tree *tree) {
        tree_write(tree, CORE_ID, "", 0);
}

static void damage_negative(Tree *tree) {
        tree_write(tree, CORE_ID, "-7\n", -1);
}

static void damage_too_large(Tree *tree) {
        tree_write(tree, CORE_ID, "4294967299\n", -1);
}

static void damage_far_too_large(Tree *tree) {
        tree_write(tree, CORE_ID, "99999999999999999999999999999999\n", -1);
}

static void damage_hexadecimal(Tree *tree) {
        tree_write(tree, CORE_ID, "0x3\n", -1);
}

static void damage_two_numbers(Tree *tree) {
        tree_write(tree, CORE_ID, "3 4\n", -1);
}

static void damage_not_text(Tree *tree) {
        tree_write(tree, CORE_ID, "\xff\xfe\x80\n", -1);
}

static void damage_with_nul(Tree *tree) {
        tree_write(tree, CORE_ID, "3\0\n", 3);
}

static void damage_zeros(Tree *tree) {
        tree_write_large(tree, CORE_ID, '\0', 64 * MIB);
}

static void damage_ones(Tree *tree) {
        tree_write_large(tree, CORE_ID, '1', 64 * MIB);
}

static void damage_folder(Tree *tree) {
        tree_remove(tree, CORE_ID);
        tree_write(tree, CORE_ID "/file", "3\n", -1);
}

static void damage_fifo(Tree *tree) {
        tree_fifo(tree, CORE_ID);
}

static void damage_loop(Tree *tree) {
        tree_link(tree, CORE_ID, "core_id");
}

static void check_core_id(Report *report, const Seen *seen) {
        expect_cpu(report, seen, 3, "core", NULL);
        expect_cpu(report, seen, 3, "socket", "1");
        expect_cpu(report, seen, 4, "core", "0");
        check_sound(report, seen);
}

static void damage_none(Tree *tree) {
        tree_write(tree, CORE_ID, "-1\n", -1);
        tree_write(tree, CPU "cpu3/topology/die_id", "65535\n", -1);
        tree_remove(tree, CPU "cpu3/topology/cluster_id");
}

static void check_none(Report *report, const Seen *seen) {
        expect_cpu(report, seen, 3, "die", NULL);
        expect_cpu(report, seen, 3, "cluster", NULL);
        check_core_id(report, seen);
}

static void damage_everything(Tree *tree) {
        const char *names[] = { "core_id", "die_id", "cluster_id", "physical_package_id", "book_id" };

        for (guint cpu = 0; cpu < 16; cpu++)
                for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
                        g_autofree char *path = g_strdup_printf(CPU "cpu%u/topology/%s", cpu, names[i]);

                        tree_write(tree, path, "?\n", -1);
                }
}

static void check_everything(Report *report, const Seen *seen) {
        g_autoptr(GVariant) warnings = g_variant_lookup_value(seen->topology, "Warnings", NULL);

        /* 80 files are wrong, and a property stays small. */
        report_compare_number(report, "Warnings", 64, g_variant_n_children(warnings));
        expect_cpu(report, seen, 0, "siblings", "0-1");
        expect_cpu(report, seen, 0, "socket", NULL);
}

/* --- lists of CPUs */

static void damage_no_lists(Tree *tree) {
        tree_remove(tree, CPU "online");
        tree_remove(tree, CPU "present");
        tree_remove(tree, CPU "possible");
}

static void check_no_lists(Report *report, const Seen *seen) {
        expect_property(report, seen, "OnlineCpus", "0-7");
        expect_property(report, seen, "PresentCpus", "0-7");
        expect_property(report, seen, "PossibleCpus", "");
        check_sound(report, seen);
}

static void damage_half_range(Tree *tree) {
        tree_write(tree, CPU "online", "0-\n", -1);
}

static void damage_backward(Tree *tree) {
        tree_write(tree, CPU "online", "7-0\n", -1);
}

static void damage_all_numbers(Tree *tree) {
        tree_write(tree, CPU "online", "0-4294967295\n", -1);
}

static void damage_large_list(Tree *tree) {
        tree_write_large(tree, CPU "online", '1', 64 * MIB);
}

static void check_online(Report *report, const Seen *seen) {
        /* By the folders, then. */
        expect_property(report, seen, "OnlineCpus", "0-7");
        check_sound(report, seen);
}

static void damage_no_topology(Tree *tree) {
        tree_remove(tree, CPU "cpu3/topology");
        tree_remove(tree, CPU "cpu3/cache");
}

static void check_no_topology(Report *report, const Seen *seen) {
        expect_cpu(report, seen, 3, "socket", NULL);
        expect_cpu(report, seen, 3, "siblings", NULL);
        expect_cpu(report, seen, 3, "cell", "3");
        check_sound(report, seen);
}

/* --- memory */

static void damage_memory(Tree *tree) {
        tree_write(tree, NODE "node1/meminfo", "Node 1 MemTotal: plenty kB\n", -1);
}

static void damage_large_memory(Tree *tree) {
        tree_write_large(tree, NODE "node1/meminfo", '\n', 64 * MIB);
}

/* A file outside with what must not be believed. */
static void write_secret(Tree *tree) {
        g_autofree char *path = g_build_filename(tree->folder, "secret", NULL);

        g_assert_true(g_file_set_contents(path, "Node 1 MemTotal: 4242 kB\nNode 1 MemFree: 42 kB\n", -1, NULL));
}

static void damage_link_up(Tree *tree) {
        write_secret(tree);
        tree_link(tree, NODE "node1/meminfo", "../../../../../../secret");
}

static void damage_link_absolute(Tree *tree) {
        g_autofree char *path = g_build_filename(tree->folder, "secret", NULL);

        write_secret(tree);
        tree_link(tree, NODE "node1/meminfo", path);
}

static void damage_link_folder(Tree *tree) {
        write_secret(tree);
        tree_remove(tree, NODE "node1/meminfo");
        {
                g_autofree char *outside = g_build_filename(tree->folder, "node", NULL);
                g_autofree char *meminfo = g_build_filename(outside, "meminfo", NULL);

                g_assert_cmpint(g_mkdir_with_parents(outside, 0755), ==, 0);
                g_assert_true(g_file_set_contents(meminfo, "Node 1 MemTotal: 4242 kB\nNode 1 MemFree: 42 kB\n", -1, NULL));
        }
        tree_link(tree, NODE "node1", "../../../../../node");
}

static void check_memory(Report *report, const Seen *seen) {
        report_compare_number(report, "Memory", 0, memory_of(seen, 1));
        if (seen_cell(seen, 1) && seen_cell(seen, 1)->free_told)
                report_add(report, "GetFreeMemory", "tells of a cell that cannot be known");
        if (memory_of(seen, 0) < 64 * MIB || memory_of(seen, 2) < 64 * MIB)
                report_add(report, "Memory", "the other cells lost theirs");
}

static void damage_pool(Tree *tree) {
        tree_write(tree, NODE "node1/hugepages/hugepages-2048kB/nr_hugepages", "lots\n", -1);
}

static void check_pool(Report *report, const Seen *seen) {
        SeenCell *cell = seen_cell(seen, 1);

        for (gsize i = 0; cell && i < g_variant_n_children(cell->pages); i++) {
                guint64 size, total, free;

                g_variant_get_child(cell->pages, i, "(ttt)", &size, &total, &free);
                if (size == 2 * MIB)
                        report_add(report, "GetPages", "%" G_GUINT64_FORMAT " pages out of nothing", total);
        }
        check_sound(report, seen);
}

static void damage_cache(Tree *tree) {
        tree_write(tree, CPU "cpu3/cache/index2/size", "many\n", -1);
        tree_write(tree, CPU "cpu5/cache/index2/level", "two\n", -1);
        tree_remove(tree, CPU "cpu6/cache/index2/type");
}

static void check_cache(Report *report, const Seen *seen) {
        gsize n = 0;

        /* Each CPU has an L2 of its own here, and three are not to be known. */
        for (gsize i = 0; i < g_variant_n_children(seen->caches); i++) {
                g_autoptr(GVariant) cache = g_variant_get_child_value(seen->caches, i);
                guint32 level = 0;
                guint64 size = 0;

                seen_u32(cache, "level", &level);
                seen_u64(cache, "size", &size);
                if (level == 2)
                        n++;
                if (level < 1 || level > 3 || size == 0)
                        report_add(report, "caches", "level %u, %" G_GUINT64_FORMAT " bytes", level, size);
        }
        report_compare_number(report, "caches of level 2", 5, n);
}

static const Row rows[] = {
        { "cpu-in-two-cells", CELLS, damage_two_cells, "cpu-in-two-cells", check_two_cells },
        { "cpu-without-cell", CELLS, damage_no_cell, "cpu-without-cell", check_no_cell },
        { "cell-names-absent-cpu", CELLS, damage_absent_cpu, "cpu-not-present", check_sound },
        { "absent-cpu-online", CELLS, damage_online_absent, "cpu-not-present", check_online_absent },
        { "siblings-disagree", HOUSE, damage_siblings, "siblings-disagree", check_siblings },
        { "memory-disagrees", CELLS, damage_memory_sum, "memory-disagrees", check_sound },

        { "distances-short", CELLS, damage_short_row, "distance-row-short", check_row },
        { "distances-long", CELLS, damage_long_row, "distance-row-short", check_row },
        { "distances-word", CELLS, damage_row, "unreadable", check_row },
        { "distances-negative", CELLS, damage_row_sign, "unreadable", check_row },
        { "distances-too-large", CELLS, damage_row_large, "unreadable", check_row },

        { "number-word", CELLS, damage_word, "unreadable", check_core_id },
        { "number-empty", CELLS, damage_empty, "unreadable", check_core_id },
        { "number-negative", CELLS, damage_negative, "unreadable", check_core_id },
        { "number-too-large", CELLS, damage_too_large, "unreadable", check_core_id },
        { "number-far-too-large", CELLS, damage_far_too_large, "unreadable", check_core_id },
        { "number-hexadecimal", CELLS, damage_hexadecimal, "unreadable", check_core_id },
        { "number-twice", CELLS, damage_two_numbers, "unreadable", check_core_id },
        { "number-not-text", CELLS, damage_not_text, "unreadable", check_core_id },
        { "number-with-nul", CELLS, damage_with_nul, "unreadable", check_core_id },
        { "number-64-mib-of-nul", CELLS, damage_zeros, "unreadable", check_core_id },
        { "number-64-mib-of-ones", CELLS, damage_ones, "unreadable", check_core_id },
        { "number-is-folder", CELLS, damage_folder, "unreadable", check_core_id },
        { "number-is-fifo", CELLS, damage_fifo, "unreadable", check_core_id },
        { "number-is-looping-link", CELLS, damage_loop, "unreadable", check_core_id },
        { "number-none", CELLS, damage_none, "", check_none },
        { "all-numbers", HOUSE, damage_everything, "unreadable", check_everything },

        { "no-lists", CELLS, damage_no_lists, "", check_no_lists },
        { "list-half-a-range", CELLS, damage_half_range, "unreadable", check_online },
        { "list-backward", CELLS, damage_backward, "unreadable", check_online },
        { "list-of-all-numbers", CELLS, damage_all_numbers, NULL, check_online },
        { "list-of-64-mib", CELLS, damage_large_list, "unreadable", check_online },
        { "cpu-without-topology", CELLS, damage_no_topology, NULL, check_no_topology },

        { "memory-word", CELLS, damage_memory, NULL, check_memory },
        { "memory-64-mib", CELLS, damage_large_memory, NULL, check_memory },
        { "link-up-and-out", CELLS, damage_link_up, NULL, check_memory },
        { "link-to-absolute-path", CELLS, damage_link_absolute, NULL, check_memory },
        { "folder-is-link-out", CELLS, damage_link_folder, NULL, check_memory },
        { "pool-word", CELLS, damage_pool, "unreadable", check_pool },
        { "cache-damaged", CELLS, damage_cache, NULL, check_cache },
};

static void test_row(gconstpointer data) {
        const Row *row = data;
        g_autofree char *archive = g_strdup_printf("%s/tests/fixtures/hosts/%s.tar.xz", g_getenv("BERTH_SOURCE_ROOT"), row->host);
        g_autoptr(Tree) tree = tree_unpack(archive);
        g_autoptr(Report) report = report_new();

        row->damage(tree);
        {
                g_autoptr(Daemon) daemon = daemon_start(tree->root);
                g_autoptr(Seen) seen = seen_new(daemon);
                g_autofree char *codes = seen_warning_codes(seen);
                gboolean cells = strcmp(row->host, CELLS) == 0;

                if (row->codes)
                        report_compare(report, "Warnings", row->codes, codes);
                report_compare_number(report, "cells", cells ? 4 : 2, seen->cell->len);
                report_compare_number(report, "cpus", cells ? 8 : 16, g_variant_n_children(seen->cpus));
                row->check(report, seen);
                expect_valid_documents(report, seen);

                /* Of 64 MiB nobody wants to read more than the beginning. */
                if (daemon_peak_memory(daemon) > 48 * MIB)
                        report_add(report, "berthd", "took %" G_GUINT64_FORMAT " bytes", daemon_peak_memory(daemon));
        }
        report_finish(report);
}

/* --- what is no host at all: berthd ends, and says why */

static void expect_refusal(const char *root, const char *about) {
        g_autofree char *text = daemon_start_in_vain(root);

        if (!strstr(text, about))
                g_test_fail_printf("berthd --root=%s did not name %s: %s", root, about, text);
}

static void refuses_root_without_sys(void) {
        g_autoptr(Tree) tree = tree_new();

        expect_refusal(tree->root, tree->root);
}

static void refuses_root_that_is_not_there(void) {
        expect_refusal("/no/such/host", "/no/such/host");
}

static void refuses_root_that_is_a_file(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autofree char *file = tree_path(tree, "file");

        tree_write(tree, "file", "", 0);
        expect_refusal(file, file);
}

static void refuses_root_without_cpus(void) {
        g_autoptr(Tree) tree = tree_new();

        tree_write(tree, CPU "kernel_max", "7\n", -1);
        expect_refusal(tree->root, tree->root);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *path = g_strdup_printf("/odd-hosts/%s", rows[i].name);

                g_test_add_data_func(path, rows + i, test_row);
        }
        g_test_add_func("/odd-hosts/refuses-root-without-sys", refuses_root_without_sys);
        g_test_add_func("/odd-hosts/refuses-root-that-is-not-there", refuses_root_that_is_not_there);
        g_test_add_func("/odd-hosts/refuses-root-that-is-a-file", refuses_root_that_is_a_file);
        g_test_add_func("/odd-hosts/refuses-root-without-cpus", refuses_root_without_cpus);
        return g_test_run();
}
