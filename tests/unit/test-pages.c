/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Pages of a cell: counted as they are now, and changed one at a time. */

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "fixture.h"
#include "host/pages.h"

#define POOL "/node0/hugepages/hugepages-2048kB"
#define LARGE "/node0/hugepages/hugepages-1048576kB"
#define SIZE (UINT64_C(2) << 20)

static Fixture *pools_new(void) {
        Tree *tree = tree_new();

        machine_write(tree, (Shape) { .sockets = 2, .cores = 2, .threads = 1, .cells = TRUE });
        tree_write(tree, "proc/sys/kernel/arch", "x86_64\n");
        tree_write(tree, NODE POOL "/nr_hugepages", "8\n");
        tree_write(tree, NODE POOL "/free_hugepages", "5\n");
        tree_write(tree, NODE LARGE "/nr_hugepages", "0\n");
        return fixture_new(tree);
}

/* "4096 total free, …" with "?" for what is not known. */
static char *counts_to_string(HostCell *cell) {
        GString *text = g_string_new(NULL);
        _cleanup_free_ PageCount *counts = NULL;
        size_t n;

        g_assert_cmpint(pages_count(cell, &counts, &n), ==, 0);
        for (size_t i = 0; i < n; i++) {
                g_string_append_printf(text, "%s%" G_GUINT64_FORMAT, i > 0 ? ", " : "", counts[i].size_bytes);
                if (counts[i].total_known)
                        g_string_append_printf(text, " %" G_GUINT64_FORMAT, counts[i].total);
                else
                        g_string_append(text, " ?");
                if (counts[i].free_known)
                        g_string_append_printf(text, " %" G_GUINT64_FORMAT, counts[i].free);
                else
                        g_string_append(text, " ?");
        }
        return g_string_free(text, FALSE);
}

static void assert_counts(Fixture *fixture, const char *wanted) {
        g_autofree char *text = counts_to_string(host_find_cell(fixture->host, 0));

        g_assert_cmpstr(text, ==, wanted);
}

/* 1 GiB, of which 16 MiB are huge. */
static void pages_are_counted_now(void) {
        g_autoptr(Fixture) fixture = pools_new();

        assert_counts(fixture, "4096 258048 131072, 2097152 8 5, 1073741824 0 0");
        tree_write(fixture->tree, NODE POOL "/nr_hugepages", "10\n");
        tree_write(fixture->tree, NODE POOL "/free_hugepages", "7\n");
        tree_write(fixture->tree, NODE "/node0/meminfo", "Node 0 MemTotal: 1048576 kB\nNode 0 MemFree: 400 kB\n");
        assert_counts(fixture, "4096 257024 100, 2097152 10 7, 1073741824 0 0");
}

static void what_is_not_told_is_not_counted(void) {
        static const struct { const char *path, *text, *counts; } rows[] = {
                { NODE POOL "/free_hugepages", NULL, "4096 258048 131072, 2097152 8 ?, 1073741824 0 0" },
                { NODE POOL "/free_hugepages", "some", "4096 258048 131072, 2097152 8 ?, 1073741824 0 0" },
                { NODE POOL "/nr_hugepages", "many", "4096 ? 131072, 2097152 ? 5, 1073741824 0 0" },
                { NODE POOL "/nr_hugepages", "18446744073709551615", "4096 ? 131072, 2097152 18446744073709551615 5, 1073741824 0 0" },
                /* more than there is memory */
                { NODE POOL "/nr_hugepages", "513", "4096 ? 131072, 2097152 513 5, 1073741824 0 0" },
                { NODE LARGE "/nr_hugepages", "", "4096 ? 131072, 2097152 8 5, 1073741824 ? ?" },
                { NODE "/node0/meminfo", "garbage", "4096 258048 ?, 2097152 8 5, 1073741824 0 0" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Fixture) fixture = pools_new();

                g_test_message("row %zu", i);
                if (rows[i].text)
                        tree_write(fixture->tree, rows[i].path, rows[i].text);
                else
                        tree_remove(fixture->tree, rows[i].path);
                assert_counts(fixture, rows[i].counts);
        }
}

/* A recorded machine of another architecture does not tell its page size. */
static void base_pages_need_their_size(void) {
        Tree *tree = tree_new();
        g_autoptr(Fixture) fixture = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 1, .threads = 1 });
        tree_write(tree, "proc/sys/kernel/arch", "aarch64\n");
        tree_write(tree, "sys/kernel/mm/hugepages/hugepages-64kB/nr_hugepages", "1\n");
        tree_write(tree, "sys/kernel/mm/hugepages/hugepages-64kB/free_hugepages", "1\n");
        fixture = fixture_new(tree);
        assert_counts(fixture, "65536 1 1");
}

static void a_change_is_checked_before_it_is_asked_for(void) {
        static const struct { unsigned cell; uint64_t size, count; ErrorCode code; const char *part; } rows[] = {
                { 0, SIZE, 0, ERROR_NONE, NULL },
                { 0, SIZE, 512, ERROR_NONE, NULL },
                { 0, SIZE, 513, ERROR_INVALID_ARGS, "memory for at most 512 pages of 2048 KiB, not for 513" },
                { 0, SIZE, UINT64_MAX, ERROR_INVALID_ARGS, "at most 512" },
                { 0, UINT64_C(1) << 30, 1, ERROR_NONE, NULL },
                { 0, UINT64_C(1) << 30, 2, ERROR_INVALID_ARGS, "at most 1 " },
                { 0, 4096, 1, ERROR_INVALID_ARGS, "no huge pages of 4096 bytes; it has 2097152 (2048 KiB), 1073741824 (1048576 KiB)" },
                { 0, 0, 1, ERROR_INVALID_ARGS, "no huge pages of 0 bytes" },
                { 0, SIZE + 1, 1, ERROR_INVALID_ARGS, "no huge pages of 2097153 bytes" },
                { 0, UINT64_MAX, 1, ERROR_INVALID_ARGS, "no huge pages of 18446744073709551615 bytes" },
                { 1, SIZE, 1, ERROR_NOT_SUPPORTED, "cell 1 has no huge pages" },
        };
        g_autoptr(Fixture) fixture = pools_new();

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_error_ Error error = {};
                int r;

                g_test_message("row %zu", i);
                r = pages_check_alloc(host_find_cell(fixture->host, rows[i].cell), rows[i].size, rows[i].count, &error);
                g_assert_cmpint(error.code, ==, rows[i].code);
                g_assert_cmpint(r < 0, ==, rows[i].code != ERROR_NONE);
                if (rows[i].part)
                        g_assert_nonnull(strstr(error.message, rows[i].part));
        }
}

static void the_sizes_are_told_as_a_list(void) {
        g_autoptr(Fixture) fixture = pools_new();
        _cleanup_free_ char *both = pages_sizes_to_string(host_cell_snapshot(host_find_cell(fixture->host, 0)));
        _cleanup_free_ char *none = pages_sizes_to_string(host_cell_snapshot(host_find_cell(fixture->host, 1)));

        g_assert_cmpstr(both, ==, "2097152 (2048 KiB), 1073741824 (1048576 KiB)");
        g_assert_cmpstr(none, ==, "");
}

typedef struct Outcome {
        unsigned n;
        int result;
        uint64_t total;
} Outcome;

static void on_done(int result, uint64_t total, void *userdata) {
        Outcome *outcome = userdata;

        *outcome = (Outcome) { outcome->n + 1, result, total };
}

static Outcome alloc(Fixture *fixture, uint64_t count, bool add) {
        Outcome outcome = {};

        g_assert_cmpint(pages_alloc(host_find_cell(fixture->host, 0), SIZE, count, add, on_done, &outcome, NULL), ==, 0);
        g_assert_true(fixture->host->pages_busy);
        while (outcome.n == 0)
                g_assert_cmpint(sd_event_run(fixture->event, UINT64_MAX), >=, 0);
        g_assert_cmpuint(outcome.n, ==, 1);
        g_assert_false(fixture->host->pages_busy);
        return outcome;
}

static void a_pool_is_set_or_added_to(void) {
        static const struct { const char *before; uint64_t count; bool add; int result; uint64_t total; const char *after; } rows[] = {
                { "8\n", 3, false, 0, 3, "3\n" },
                { "8\n", 0, false, 0, 0, "0\n" },
                { "8\n", 3, true, 0, 11, "11\n" },
                { "8\n", 0, true, 0, 8, "8\n" },
                { "18446744073709551615\n", 3, true, 0, UINT64_MAX, "18446744073709551615\n" },
                { "many\n", 3, false, 0, 3, "3\n" },
                { "many\n", 3, true, -EINVAL, 0, "many\n" },
                { "", 3, true, -EINVAL, 0, "" },
                { "-1\n", 3, true, -EINVAL, 0, "-1\n" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Fixture) fixture = pools_new();
                g_autofree char *after = NULL;
                Outcome outcome;

                g_test_message("row %zu", i);
                tree_write(fixture->tree, NODE POOL "/nr_hugepages", rows[i].before);
                outcome = alloc(fixture, rows[i].count, rows[i].add);
                g_assert_cmpint(outcome.result, ==, rows[i].result);
                g_assert_cmpuint(outcome.total, ==, rows[i].total);
                after = tree_read(fixture->tree, NODE POOL "/nr_hugepages");
                g_assert_cmpstr(after, ==, rows[i].after);
        }
}

/* When the answer is there, the model has seen what it says. */
static void the_snapshot_is_never_older_than_the_answer(void) {
        g_autoptr(Fixture) fixture = pools_new();
        uint64_t total;

        fixture_listen(fixture);
        g_free(fixture_heard(fixture));
        alloc(fixture, 20, false);
        {
                g_autofree char *heard = fixture_heard(fixture);

                g_assert_cmpstr(heard, ==, "cell-changed 0, changed 2");
        }
        g_assert_cmpuint(host_cell_snapshot(host_find_cell(fixture->host, 0))->pools[0].total, ==, 20);
        g_assert_cmpint(pages_read_pool(host_find_cell(fixture->host, 0), SIZE, &total), ==, 0);
        g_assert_cmpuint(total, ==, 20);
        g_assert_cmpint(pages_read_pool(host_find_cell(fixture->host, 0), 4096, &total), ==, -ENOENT);
}

static void one_change_at_a_time(void) {
        g_autoptr(Fixture) fixture = pools_new();
        Outcome first = {}, second = {};
        Hold *hold = fixture_hold(fixture);
        _cleanup_error_ Error error = {};

        g_assert_cmpint(pages_alloc(host_find_cell(fixture->host, 0), SIZE, 1, false, on_done, &first, &error), ==, 0);
        g_assert_cmpint(pages_alloc(host_find_cell(fixture->host, 0), SIZE, 2, false, on_done, &second, &error), ==, -EBUSY);
        g_assert_cmpint(error.code, ==, ERROR_BUSY);
        fixture_let_go(hold);
        while (first.n == 0)
                g_assert_cmpint(sd_event_run(fixture->event, UINT64_MAX), >=, 0);
        g_assert_cmpuint(first.total, ==, 1);
        g_assert_cmpuint(second.n, ==, 0);
        g_assert_cmpuint(alloc(fixture, 2, false).total, ==, 2);
}

static void a_pool_that_went_is_an_error(void) {
        g_autoptr(Fixture) fixture = pools_new();
        Outcome outcome;

        tree_remove(fixture->tree, NODE POOL "/nr_hugepages");
        outcome = alloc(fixture, 1, false);
        g_assert_cmpint(outcome.result, ==, -ENOENT);
        tree_folder(fixture->tree, NODE POOL "/nr_hugepages");
        outcome = alloc(fixture, 1, false);
        g_assert_cmpint(outcome.result, ==, -EISDIR);
        tree_remove(fixture->tree, NODE POOL "/nr_hugepages");
        tree_link(fixture->tree, NODE POOL "/nr_hugepages", "/dev/null");
        outcome = alloc(fixture, 1, false);
        g_assert_cmpint(outcome.result, ==, -EXDEV);
}

/* The cell goes while the kernel is still looking for pages. */
static void a_cell_may_go_meanwhile(void) {
        g_autoptr(Fixture) fixture = pools_new();
        Hold *hold = fixture_hold(fixture);
        Outcome outcome = {};

        fixture_listen(fixture);
        host_refresh(fixture->host);
        g_assert_cmpint(sd_event_run(fixture->event, UINT64_MAX), >, 0);
        tree_write(fixture->tree, NODE "/online", "1\n");
        g_assert_cmpint(pages_alloc(host_find_cell(fixture->host, 0), SIZE, 4, false, on_done, &outcome, NULL), ==, 0);
        fixture_let_go(hold);
        fixture_settle(fixture);
        while (outcome.n == 0)
                g_assert_cmpint(sd_event_run(fixture->event, UINT64_MAX), >=, 0);
        g_assert_null(host_find_cell(fixture->host, 0));
        g_assert_cmpint(outcome.result, ==, 0);
        g_assert_cmpuint(outcome.total, ==, 4);
}

static void a_change_that_never_ran_is_cancelled(void) {
        Fixture *fixture = pools_new();
        Outcome outcome = {};
        g_autofree char *path = tree_path(fixture->tree, NODE POOL "/nr_hugepages");

        g_assert_cmpint(pages_alloc(host_find_cell(fixture->host, 0), SIZE, 4, false, on_done, &outcome, NULL), ==, 0);
        fixture_free(fixture);
        g_assert_cmpuint(outcome.n, ==, 1);
        g_assert_true(outcome.result == -ECANCELED || (outcome.result == 0 && outcome.total == 4));
}

static void the_only_cell_has_the_machines_pools(void) {
        Tree *tree = tree_new();
        g_autoptr(Fixture) fixture = NULL;
        g_autofree char *after = NULL;

        machine_write(tree, (Shape) { .sockets = 1, .cores = 1, .threads = 1 });
        tree_write(tree, "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "1\n");
        fixture = fixture_new(tree);
        g_assert_cmpuint(alloc(fixture, 6, true).total, ==, 7);
        after = tree_read(fixture->tree, "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
        g_assert_cmpstr(after, ==, "7\n");
}

#define TEST(function) { #function, function }

int main(int argc, char **argv) {
        static const struct { const char *name; void (*run)(void); } tests[] = {
                TEST(pages_are_counted_now),
                TEST(what_is_not_told_is_not_counted),
                TEST(base_pages_need_their_size),
                TEST(a_change_is_checked_before_it_is_asked_for),
                TEST(the_sizes_are_told_as_a_list),
                TEST(a_pool_is_set_or_added_to),
                TEST(the_snapshot_is_never_older_than_the_answer),
                TEST(one_change_at_a_time),
                TEST(a_pool_that_went_is_an_error),
                TEST(a_cell_may_go_meanwhile),
                TEST(a_change_that_never_ran_is_cancelled),
                TEST(the_only_cell_has_the_machines_pools),
        };

        g_test_init(&argc, &argv, NULL);
        for (size_t i = 0; i < ELEMENTSOF(tests); i++) {
                g_autofree char *path = g_strdelimit(g_strdup_printf("/pages/%s", tests[i].name), "_", '-');

                g_test_add_func(path, tests[i].run);
        }
        return g_test_run();
}
