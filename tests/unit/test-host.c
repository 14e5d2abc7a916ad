/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The host as it lives: read at its start, read again when asked (so many
 * askings, one reading), and telling what differs in the documented order. */

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"

static void assert_heard(Fixture *fixture, const char *wanted) {
        g_autofree char *heard = fixture_heard(fixture);

        g_assert_cmpstr(heard, ==, wanted);
}

static void refresh(Fixture *fixture) {
        host_refresh(fixture->host);
        g_assert_true(host_is_refreshing(fixture->host));
        fixture_settle(fixture);
}

static void a_host_is_read_at_its_start(void) {
        g_autoptr(Fixture) fixture = fixture_new(NULL);
        uint64_t bytes;

        g_assert_false(fixture->host->live);
        g_assert_cmpuint(host_readings(fixture->host), ==, 1);
        g_assert_false(host_is_refreshing(fixture->host));
        g_assert_cmpuint(fixture->host->generation, ==, 1);
        g_assert_cmpuint(fixture->host->n_cells, ==, 2);
        g_assert_nonnull(host_find_cell(fixture->host, 1));
        g_assert_null(host_find_cell(fixture->host, 2));
        g_assert_cmpuint(host_cell_snapshot(host_find_cell(fixture->host, 1))->id, ==, 1);
        g_assert_cmpint(host_cell_free_memory(host_find_cell(fixture->host, 1), &bytes), ==, 0);
        g_assert_cmpuint(bytes, ==, UINT64_C(512) << 20);
        /* Nothing to follow where the root is not this machine. */
        g_assert_cmpint(host_watch_error(fixture->host), ==, 0);
        fixture_listen(fixture);
        assert_heard(fixture, "added 0, added 1");
        g_assert_null(host_free(NULL));
}

static void what_is_no_host_has_its_sentence(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_(workers_freep) Workers *workers = NULL;
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        const struct { const char *path, *message; } rows[] = {
                { "missing", "cannot be opened: No such file or directory" },
                { "file", "cannot be opened: Not a directory" },
                { "empty", "holds no host: there are no CPUs in its sys/devices/system/cpu" },
                { "no-sys", "holds no host: there are no CPUs in its sys/devices/system/cpu" },
                { "out", "cannot be read: " },
        };

        tree_write(tree, "file", "");
        tree_folder(tree, "empty");
        tree_write(tree, "no-sys/proc/meminfo", "MemTotal: 1 kB\n");
        tree_link(tree, "out/sys", "/sys");
        g_assert_cmpint(sd_event_new(&event), >=, 0);
        g_assert_cmpint(workers_new(&workers), ==, 0);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autofree char *root = tree_path(tree, rows[i].path);
                _cleanup_error_ Error error = {};
                Host *host = NULL;

                g_test_message("row %s", rows[i].path);
                g_assert_cmpint(host_new(event, workers, root, 1000, &error, &host), <, 0);
                g_assert_null(host);
                g_assert_cmpint(error.code, ==, ERROR_INVALID_ARGS);
                g_assert_nonnull(strstr(error.message, root));
                g_assert_nonnull(strstr(error.message, rows[i].message));
        }
}

static void nothing_new_is_not_told(void) {
        g_autoptr(Fixture) fixture = fixture_new(NULL);

        fixture_listen(fixture);
        assert_heard(fixture, "added 0, added 1");
        refresh(fixture);
        assert_heard(fixture, "");
        g_assert_cmpuint(host_readings(fixture->host), ==, 2);
        g_assert_cmpuint(fixture->host->generation, ==, 1);
        tree_write(fixture->tree, NODE "/node1/meminfo", "Node 1 MemTotal: 1048576 kB\nNode 1 MemFree: 1 kB\n");
        refresh(fixture);
        assert_heard(fixture, "");
        g_assert_cmpuint(fixture->host->generation, ==, 1);
}

static void a_thousand_askings_are_one_reading(void) {
        g_autoptr(Fixture) fixture = fixture_new(NULL);

        fixture_listen(fixture);
        for (unsigned i = 0; i < 1000; i++) {
                tree_write(fixture->tree, CPU "/online", i % 2 ? "0-3\n" : "0-2\n");
                host_refresh(fixture->host);
        }
        tree_write(fixture->tree, CPU "/online", "0-2\n");
        fixture_settle(fixture);
        g_assert_cmpuint(host_readings(fixture->host), ==, 2);
        assert_heard(fixture, "added 0, added 1, cell-changed 1, changed 2");
        assert_cpuset(&fixture->host->topology->online, "0-2");
}

/* While one reading is on its way, all askings together make one more: what
 * they told of may have come too late for it. */
static void askings_during_a_reading_are_one_more(void) {
        g_autoptr(Fixture) fixture = fixture_new(NULL);
        Hold *hold = fixture_hold(fixture);

        host_refresh(fixture->host);
        /* The timer, which puts the reading behind the jobs that hold. */
        g_assert_cmpint(sd_event_run(fixture->event, UINT64_MAX), >, 0);
        for (unsigned i = 0; i < 1000; i++)
                host_refresh(fixture->host);
        while (sd_event_run(fixture->event, 0) > 0)
                ;
        g_assert_cmpuint(host_readings(fixture->host), ==, 1);
        g_assert_true(host_is_refreshing(fixture->host));
        fixture_let_go(hold);
        fixture_settle(fixture);
        g_assert_cmpuint(host_readings(fixture->host), ==, 3);
}

/* A flapping CPU, with the loop running: however the readings fall between the
 * changes, there are no more than askings, and the last state is the one seen. */
static void the_last_state_is_always_read(void) {
        g_autoptr(Fixture) fixture = fixture_new(NULL);

        for (unsigned i = 0; i < 1000; i++) {
                tree_write(fixture->tree, CPU "/online", i % 2 ? "0-3\n" : "0-1\n");
                host_refresh(fixture->host);
                g_assert_cmpint(sd_event_run(fixture->event, 0), >=, 0);
        }
        tree_write(fixture->tree, CPU "/online", "0,2\n");
        host_refresh(fixture->host);
        fixture_settle(fixture);
        assert_cpuset(&fixture->host->topology->online, "0,2");
        g_assert_cmpuint(host_readings(fixture->host), <=, 1002);
}

static void cells_come_and_go(void) {
        g_autoptr(Fixture) fixture = fixture_new(NULL);
        HostCell *cell;
        uint64_t bytes;

        fixture_listen(fixture);
        assert_heard(fixture, "added 0, added 1");
        cell = host_find_cell(fixture->host, 1);

        /* Two more, and one changes with its row of distances. */
        tree_write(fixture->tree, NODE "/node5/cpulist", "\n");
        tree_write(fixture->tree, NODE "/node5/meminfo", "Node 5 MemTotal: 4096 kB\nNode 5 MemFree: 1024 kB\n");
        tree_write(fixture->tree, NODE "/node3/cpulist", "\n");
        refresh(fixture);
        assert_heard(fixture, "cell-changed 0, cell-changed 1, added 3, added 5, changed 2");
        g_assert_true(cell == host_find_cell(fixture->host, 1));
        g_assert_cmpuint(fixture->host->cells[2]->id, ==, 3);
        g_assert_cmpint(host_cell_free_memory(host_find_cell(fixture->host, 5), &bytes), ==, 0);
        g_assert_cmpuint(bytes, ==, 1024 << 10);
        g_assert_cmpint(host_cell_free_memory(host_find_cell(fixture->host, 3), &bytes), ==, -EOPNOTSUPP);

        /* Those that went come first, whatever their number. */
        tree_remove(fixture->tree, NODE "/node3");
        tree_remove(fixture->tree, NODE "/node0");
        tree_write(fixture->tree, NODE "/node4/cpulist", "0-1\n");
        tree_write(fixture->tree, NODE "/node1/meminfo", "Node 1 MemTotal: 8192 kB\n");
        refresh(fixture);
        assert_heard(fixture, "removed 0, removed 3, cell-changed 1, added 4, changed 3");
        g_assert_null(host_find_cell(fixture->host, 0));
        g_assert_cmpuint(fixture->host->n_cells, ==, 3);
}

/* Without any, there is one that stands for everything; its number is that of
 * another, and its files are elsewhere. */
static void all_cells_may_go_and_come_again(void) {
        g_autoptr(Fixture) fixture = fixture_new(NULL);
        uint64_t bytes;

        tree_remove(fixture->tree, NODE);
        refresh(fixture);
        g_assert_false(fixture->host->topology->numa);
        g_assert_cmpuint(fixture->host->n_cells, ==, 1);
        g_assert_cmpint(host_cell_free_memory(host_find_cell(fixture->host, 0), &bytes), ==, 0);
        g_assert_cmpuint(bytes, ==, UINT64_C(1) << 30);

        tree_write(fixture->tree, NODE "/node0/cpulist", "0-3\n");
        tree_write(fixture->tree, NODE "/node0/meminfo", "Node 0 MemTotal: 2097152 kB\nNode 0 MemFree: 4 kB\n");
        refresh(fixture);
        g_assert_true(fixture->host->topology->numa);
        g_assert_cmpint(host_cell_free_memory(host_find_cell(fixture->host, 0), &bytes), ==, 0);
        g_assert_cmpuint(bytes, ==, 4 << 10);
}

/* A tree that is being replaced holds no host for a moment. */
static void what_cannot_be_read_leaves_the_last_description(void) {
        g_autoptr(Fixture) fixture = fixture_new(NULL);
        g_autofree char *cpu = tree_path(fixture->tree, CPU), *away = tree_path(fixture->tree, "away");

        fixture_listen(fixture);
        assert_heard(fixture, "added 0, added 1");
        g_assert_cmpint(rename(cpu, away), ==, 0);
        refresh(fixture);
        assert_heard(fixture, "");
        g_assert_cmpuint(host_readings(fixture->host), ==, 2);
        assert_cpuset(&fixture->host->topology->online, "0-3");
        g_assert_cmpint(rename(away, cpu), ==, 0);
        tree_write(fixture->tree, CPU "/online", "0-2\n");
        refresh(fixture);
        assert_heard(fixture, "cell-changed 1, changed 2");
}

static void free_memory_is_read_anew_each_time(void) {
        static const struct { const char *text; int result; uint64_t bytes; } rows[] = {
                { "Node 0 MemFree: 7 kB\n", 0, 7 << 10 },
                { "Node 0 MemTotal: 9 kB\nNode 0 MemFree: 0 kB\n", 0, 0 },
                { "Node 0 MemTotal: 9 kB\n", -EOPNOTSUPP, 0 },
                { "", -EOPNOTSUPP, 0 },
                { "Node 0 MemFree: many kB\n", -EOPNOTSUPP, 0 },
                { "Node 0 MemFree: -7 kB\n", -EOPNOTSUPP, 0 },
        };
        g_autoptr(Fixture) fixture = fixture_new(NULL);
        HostCell *cell = host_find_cell(fixture->host, 0);
        char text[64];

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                uint64_t bytes = 77;

                g_test_message("row %zu", i);
                tree_write(fixture->tree, NODE "/node0/meminfo", rows[i].text);
                g_assert_cmpint(host_cell_free_memory(cell, &bytes), ==, rows[i].result);
                g_assert_cmpuint(bytes, ==, rows[i].result < 0 ? 77 : rows[i].bytes);
        }
        tree_write_sparse(fixture->tree, NODE "/node0/meminfo", 64 * 1024 * 1024);
        g_assert_cmpint(host_cell_read_meminfo(cell, text, sizeof text), ==, -EINVAL);
        tree_write(fixture->tree, NODE "/node0/meminfo", "Node 0 MemTotal: 1 kB\n");
        g_assert_cmpint(host_cell_read_meminfo(cell, text, sizeof text), ==, 0);
        g_assert_cmpstr(text, ==, "Node 0 MemTotal: 1 kB");
}

/* A reading that is on its way when all ends comes back to nobody. */
static void a_host_may_end_while_it_is_read(void) {
        Fixture *fixture = fixture_new(NULL);

        host_refresh(fixture->host);
        g_assert_cmpint(sd_event_run(fixture->event, UINT64_MAX), >, 0);
        fixture_free(fixture);

        fixture = fixture_new(NULL);
        host_refresh(fixture->host);
        fixture_free(fixture);
}

static void this_machine_is_live(void) {
        _cleanup_(workers_freep) Workers *workers = NULL;
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(host_freep) Host *host = NULL;

        g_assert_cmpint(sd_event_new(&event), >=, 0);
        g_assert_cmpint(workers_new(&workers), ==, 0);
        g_assert_cmpint(host_new(event, workers, "/", 1000, NULL, &host), ==, 0);
        g_assert_true(host->live);
        g_assert_cmpuint(host->n_cells, >=, 1);
        g_assert_cmpuint(host->topology->n_cpus, >=, 1);
        g_assert_cmpuint(host->identity.base_page_bytes, ==, (uint64_t) sysconf(_SC_PAGESIZE));
        g_assert_cmpint(host_watch_error(host), ==, 0);
}

/* It went and came since it was read: its description is the same, its files are
 * others. */
static void cell_that_was_replaced_is_read_anew(void) {
        g_autoptr(Fixture) fixture = fixture_new(NULL);
        uint64_t bytes;

        tree_remove(fixture->tree, NODE "/node1/meminfo");
        tree_write(fixture->tree, NODE "/node1/meminfo", "Node 1 MemTotal: 1048576 kB\nNode 1 MemFree: 1024 kB\n");
        refresh(fixture);
        g_assert_cmpint(host_cell_free_memory(host_find_cell(fixture->host, 1), &bytes), ==, 0);
        g_assert_cmpuint(bytes, ==, UINT64_C(1) << 20);
}

static void count(void *userdata) {
        (*(unsigned *) userdata)++;
}

/* A reading that runs already may have passed the place: who asks meanwhile is told
 * after the next one. */
static void who_waits_is_told_after_a_reading_of_his_own(void) {
        g_autoptr(Fixture) fixture = fixture_new(NULL);
        unsigned n_told = 0;
        Hold *hold = fixture_hold(fixture);

        g_assert_cmpint(host_refresh_then(fixture->host, count, &n_told), ==, 0);
        g_assert_cmpint(sd_event_run(fixture->event, UINT64_MAX), >=, 0);
        g_assert_cmpint(host_refresh_then(fixture->host, count, &n_told), ==, 0);
        g_assert_cmpuint(n_told, ==, 0);
        fixture_let_go(hold);
        fixture_settle(fixture);
        g_assert_cmpuint(n_told, ==, 2);
        g_assert_cmpuint(host_readings(fixture->host), ==, 3);
}

static void who_waits_at_the_end_is_told(void) {
        g_autoptr(Fixture) fixture = fixture_new(NULL);
        unsigned n_told = 0;

        g_assert_cmpint(host_refresh_then(fixture->host, count, &n_told), ==, 0);
        host_stop(fixture->host);
        g_assert_cmpuint(n_told, ==, 1);
}

#define TEST(function) { #function, function }

int main(int argc, char **argv) {
        static const struct { const char *name; void (*run)(void); } tests[] = {
                TEST(a_host_is_read_at_its_start),
                TEST(what_is_no_host_has_its_sentence),
                TEST(nothing_new_is_not_told),
                TEST(a_thousand_askings_are_one_reading),
                TEST(askings_during_a_reading_are_one_more),
                TEST(the_last_state_is_always_read),
                TEST(cells_come_and_go),
                TEST(all_cells_may_go_and_come_again),
                TEST(what_cannot_be_read_leaves_the_last_description),
                TEST(free_memory_is_read_anew_each_time),
                TEST(a_host_may_end_while_it_is_read),
                TEST(cell_that_was_replaced_is_read_anew),
                TEST(who_waits_is_told_after_a_reading_of_his_own),
                TEST(who_waits_at_the_end_is_told),
                TEST(this_machine_is_live),
        };

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < ELEMENTSOF(tests); i++) {
                g_autofree char *path = g_strdelimit(g_strdup_printf("/host/%s", tests[i].name), "_", '-');

                g_test_add_func(path, tests[i].run);
        }
        return g_test_run();
}
