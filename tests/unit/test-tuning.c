/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is asked of threads, as plain data. */

#include <glib.h>

#include "guest/tuning.h"

static void pin(Tuning *tuning, ThreadRole role, uint32_t id, const char *list) {
        _cleanup_cpuset_ CpuSet cpus = {};

        g_assert_cmpint(cpuset_parse_list(list, &cpus), ==, 0);
        g_assert_cmpint(tuning_pin(tuning, role, id, &cpus), ==, 0);
}

/* "v3=0-1/fifo5 ", and so on. */
static char *to_string(const Tuning *tuning) {
        static const char letters[] = { 'e', 'v', 'i', 'h' };
        GString *text = g_string_new(NULL);

        for (size_t i = 0; i < tuning->n_items; i++) {
                const ThreadTuning *item = tuning->items + i;
                _cleanup_free_ char *list = cpuset_to_list(&item->cpus);

                g_assert_true(item->pinned || item->scheduled);
                g_string_append_printf(text, "%c%u", letters[item->role], item->id);
                if (item->pinned)
                        g_string_append_printf(text, "=%s", list);
                else
                        g_assert_cmpstr(list, ==, "");
                if (item->scheduled)
                        g_string_append_printf(text, "/%s%d", scheduler_policy_to_string(item->policy), item->priority);
                g_string_append_c(text, ' ');
        }
        return g_string_free(text, FALSE);
}

static void assert_tuning(const Tuning *tuning, const char *wanted) {
        g_autofree char *text = to_string(tuning);

        g_assert_cmpstr(text, ==, wanted);
}

static void items_are_in_order_and_never_empty(void) {
        _cleanup_tuning_ Tuning tuning = {};

        pin(&tuning, THREAD_ROLE_IOTHREAD, 1, "3");
        pin(&tuning, THREAD_ROLE_VCPU, 7, "0");
        pin(&tuning, THREAD_ROLE_VCPU, 2, "0-1");
        pin(&tuning, THREAD_ROLE_EMULATOR, 0, "4");
        g_assert_cmpint(tuning_schedule(&tuning, THREAD_ROLE_VCPU, 7, SCHEDULER_FIFO, 5), ==, 0);
        g_assert_cmpint(tuning_schedule(&tuning, THREAD_ROLE_VCPU, 5, SCHEDULER_BATCH, 0), ==, 0);
        assert_tuning(&tuning, "e0=4 v2=0-1 v5/batch0 v7=0/fifo5 i1=3 ");

        pin(&tuning, THREAD_ROLE_VCPU, 7, "");
        pin(&tuning, THREAD_ROLE_VCPU, 2, "");
        pin(&tuning, THREAD_ROLE_VCPU, 9, "");
        assert_tuning(&tuning, "e0=4 v5/batch0 v7/fifo5 i1=3 ");
        g_assert_cmpint(tuning_schedule(&tuning, THREAD_ROLE_VCPU, 7, SCHEDULER_RR, 6), ==, 0);
        pin(&tuning, THREAD_ROLE_VCPU, 7, "1");
        pin(&tuning, THREAD_ROLE_EMULATOR, 0, "8191");
        tuning_unschedule(&tuning, THREAD_ROLE_VCPU, 5);
        tuning_unschedule(&tuning, THREAD_ROLE_VCPU, 6);
        assert_tuning(&tuning, "e0=8191 v7=1/rr6 i1=3 ");
        tuning_unschedule(&tuning, THREAD_ROLE_VCPU, 7);
        assert_tuning(&tuning, "e0=8191 v7=1 i1=3 ");

        tuning_clear(&tuning);
        assert_tuning(&tuning, "");
        g_assert_null(tuning.items);
}

static void a_pin_is_the_own_or_of_vcpus_the_default(void) {
        _cleanup_tuning_ Tuning tuning = {};

        pin(&tuning, THREAD_ROLE_VCPU, 1, "2");
        g_assert_cmpint(tuning_schedule(&tuning, THREAD_ROLE_VCPU, 3, SCHEDULER_IDLE, 0), ==, 0);
        g_assert_null(tuning_cpus(&tuning, THREAD_ROLE_VCPU, 0));
        g_assert_null(tuning_cpus(&tuning, THREAD_ROLE_VCPU, 3));
        g_assert_null(tuning_find(&tuning, THREAD_ROLE_VCPU, 0));
        g_assert_true(tuning_find(&tuning, THREAD_ROLE_VCPU, 3)->scheduled);

        g_assert_cmpint(cpuset_add_range(&tuning.default_cpus, 4, 5), ==, 0);
        g_assert_true(tuning_cpus(&tuning, THREAD_ROLE_VCPU, 0) == &tuning.default_cpus);
        g_assert_true(tuning_cpus(&tuning, THREAD_ROLE_VCPU, 3) == &tuning.default_cpus);
        g_assert_true(cpuset_contains(tuning_cpus(&tuning, THREAD_ROLE_VCPU, 1), 2));
        g_assert_null(tuning_cpus(&tuning, THREAD_ROLE_EMULATOR, 0));
        g_assert_null(tuning_cpus(&tuning, THREAD_ROLE_IOTHREAD, 1));
}

static void a_copy_is_equal_and_its_own(void) {
        _cleanup_tuning_ Tuning tuning = {}, copy = {}, empty = {};

        g_assert_cmpint(tuning_copy(&tuning, &empty), ==, 0);
        g_assert_true(tuning_equal(&tuning, &empty));

        pin(&tuning, THREAD_ROLE_VCPU, 1, "2");
        pin(&tuning, THREAD_ROLE_EMULATOR, 0, "3");
        g_assert_cmpint(tuning_schedule(&tuning, THREAD_ROLE_VCPU, 1, SCHEDULER_FIFO, 9), ==, 0);
        g_assert_cmpint(cpuset_add(&tuning.default_cpus, 4), ==, 0);
        g_assert_cmpint(tuning_copy(&tuning, &copy), ==, 0);
        assert_tuning(&copy, "e0=3 v1=2/fifo9 ");
        g_assert_true(tuning_equal(&tuning, &copy));
        g_assert_false(tuning_equal(&tuning, &empty));

        pin(&copy, THREAD_ROLE_VCPU, 1, "2-3");
        g_assert_false(tuning_equal(&tuning, &copy));
        assert_tuning(&tuning, "e0=3 v1=2/fifo9 ");
        pin(&copy, THREAD_ROLE_VCPU, 1, "2");
        g_assert_true(tuning_equal(&tuning, &copy));
        g_assert_cmpint(tuning_schedule(&copy, THREAD_ROLE_VCPU, 1, SCHEDULER_FIFO, 8), ==, 0);
        g_assert_false(tuning_equal(&tuning, &copy));
        g_assert_cmpint(tuning_schedule(&copy, THREAD_ROLE_VCPU, 1, SCHEDULER_RR, 9), ==, 0);
        g_assert_false(tuning_equal(&tuning, &copy));
        tuning_unschedule(&copy, THREAD_ROLE_VCPU, 1);
        g_assert_false(tuning_equal(&tuning, &copy));
        g_assert_cmpint(tuning_schedule(&copy, THREAD_ROLE_VCPU, 1, SCHEDULER_FIFO, 9), ==, 0);
        g_assert_true(tuning_equal(&tuning, &copy));
        g_assert_cmpint(cpuset_add(&copy.default_cpus, 5), ==, 0);
        g_assert_false(tuning_equal(&tuning, &copy));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/tuning/items-are-in-order-and-never-empty", items_are_in_order_and_never_empty);
        g_test_add_func("/tuning/a-pin-is-the-own-or-of-vcpus-the-default", a_pin_is_the_own_or_of_vcpus_the_default);
        g_test_add_func("/tuning/a-copy-is-equal-and-its-own", a_copy_is_equal_and_its_own);
        return g_test_run();
}
