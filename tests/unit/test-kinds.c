/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which kind of core each CPU is: what the PMUs say, then the scheduler's
 * capacity, then the firmware's rating; and nothing on machines of one kind. */

#include <glib.h>
#include <string.h>

#include "machine.h"

/* Four CPUs, and a letter for the kind of each. */
static void assert_kinds(const Tree *tree, const char *wanted, const char *findings) {
        static const char letters[] = { '-', 'P', 'E', 'L' };
        _cleanup_(topology_freep) Topology *topology = machine_read(tree);
        g_autofree char *text = findings_to_string(&topology->findings);
        char kinds[5] = "";

        for (size_t i = 0; i < topology->n_cpus; i++)
                kinds[i] = letters[topology->cpus[i].kind];
        g_assert_cmpstr(kinds, ==, wanted);
        g_assert_cmpstr(text, ==, findings);
}

static Tree *four_cpus(void) {
        Tree *tree = tree_new();

        machine_write(tree, (Shape) { .sockets = 1, .cores = 4, .threads = 1 });
        return tree;
}

static void pmus_tell_kinds(void) {
        static const struct { const char *core, *atom, *low, *kinds, *findings; } rows[] = {
                { "0-1\n", "2-3\n", NULL, "PPEE", "" },
                { "0\n", "1-2\n", "3\n", "PEEL", "" },
                { NULL, "0-2\n", "3\n", "EEEL", "" },
                { "0-1\n", "2\n", NULL, "PPE-", "" },           /* the list may not name all */
                { "0-1\n", "2-77\n", NULL, "PPEE", "" },
                { "0-3\n", NULL, NULL, "----", "" },            /* one kind is none */
                { "0-1\n", "garbage\n", NULL, "----", "unreadable@sys/devices/cpu_atom/cpus" },
                { NULL, NULL, NULL, "----", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Tree) tree = four_cpus();

                g_test_message("row %zu", i);
                if (rows[i].core)
                        tree_write(tree, "sys/devices/cpu_core/cpus", rows[i].core);
                if (rows[i].atom)
                        tree_write(tree, "sys/devices/cpu_atom/cpus", rows[i].atom);
                if (rows[i].low)
                        tree_write(tree, "sys/devices/cpu_lowpower/cpus", rows[i].low);
                assert_kinds(tree, rows[i].kinds, rows[i].findings);
        }
}

typedef struct Strengths {
        const char *of_cpu[4];          /* NULL: no such file */
        const char *kinds;
} Strengths;

static void check_strengths(const Strengths *rows, size_t n_rows, const char *file) {
        for (size_t i = 0; i < n_rows; i++) {
                g_autoptr(Tree) tree = four_cpus();

                g_test_message("%s, row %zu", file, i);
                for (unsigned cpu = 0; cpu < 4; cpu++)
                        if (rows[i].of_cpu[cpu])
                                tree_writef(tree, rows[i].of_cpu[cpu], CPU "/cpu%u/%s", cpu, file);
                assert_kinds(tree, rows[i].kinds, "");
        }
}

/* A quarter below the strongest is another kind; less is not. */
static void capacity_tells_kinds(void) {
        static const Strengths rows[] = {
                { { "1024\n", "1024\n", "446\n", "446\n" }, "PPEE" },
                { { "446\n", "446\n", "1024\n", "1024\n" }, "EEPP" },
                { { "1024\n", "768\n", "769\n", "1\n" }, "PEPE" },
                { { "1024\n", "1024\n", "1024\n", "769\n" }, "----" },
                { { "1024\n", "1024\n", "1024\n", "1024\n" }, "----" },
                { { "1024\n", "512\n", "0\n", NULL }, "PE--" },
                { { "4294967295\n", "1\n", "1\n", "1\n" }, "PEEE" },
                { { "0\n", "0\n", "0\n", "0\n" }, "----" },
        };

        check_strengths(rows, ELEMENTSOF(rows), "cpu_capacity");
}

/* Favoured cores differ by some percent; a fifth below is another kind. */
static void firmware_tells_kinds(void) {
        static const Strengths rows[] = {
                { { "65\n", "65\n", "42\n", "42\n" }, "PPEE" },
                { { "100\n", "80\n", "81\n", "100\n" }, "PEPP" },
                { { "255\n", "251\n", "246\n", "231\n" }, "----" },
                { { "100\n", NULL, "50\n", "50\n" }, "P-EE" },
                { { "100\n", "garbage\n", "50\n", "" }, "P-E-" },
                { { NULL, "100\n", "50\n", "50\n" }, "----" },          /* who rates one rates the first */
        };

        check_strengths(rows, ELEMENTSOF(rows), "acpi_cppc/highest_perf");
}

static void pmus_come_before_capacity_and_that_before_firmware(void) {
        g_autoptr(Tree) tree = four_cpus();

        for (unsigned cpu = 0; cpu < 4; cpu++) {
                tree_writef(tree, cpu == 0 ? "100\n" : "50\n", CPU "/cpu%u/acpi_cppc/highest_perf", cpu);
                tree_writef(tree, cpu < 2 ? "1024\n" : "512\n", CPU "/cpu%u/cpu_capacity", cpu);
        }
        assert_kinds(tree, "PPEE", "");
        tree_write(tree, "sys/devices/cpu_core/cpus", "3\n");
        assert_kinds(tree, "PPEE", "");
        tree_write(tree, "sys/devices/cpu_atom/cpus", "0-2\n");
        assert_kinds(tree, "EEEP", "");
}

static void capacity_is_shown_as_it_is(void) {
        g_autoptr(Tree) tree = four_cpus();
        _cleanup_(topology_freep) Topology *topology = NULL;

        tree_write(tree, CPU "/cpu0/cpu_capacity", "1024\n");
        tree_write(tree, CPU "/cpu1/cpu_capacity", "446\n");
        topology = machine_read(tree);
        g_assert_cmpuint(topology->cpus[0].capacity, ==, 1024);
        g_assert_cmpuint(topology->cpus[1].capacity, ==, 446);
        g_assert_cmpuint(topology->cpus[2].capacity, ==, 0);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/kinds/pmus-tell-kinds", pmus_tell_kinds);
        g_test_add_func("/kinds/capacity-tells-kinds", capacity_tells_kinds);
        g_test_add_func("/kinds/firmware-tells-kinds", firmware_tells_kinds);
        g_test_add_func("/kinds/pmus-come-before-capacity-and-that-before-firmware", pmus_come_before_capacity_and_that_before_firmware);
        g_test_add_func("/kinds/capacity-is-shown-as-it-is", capacity_is_shown_as_it_is);
        return g_test_run();
}
