/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Sets of CPUs: the kernel's two formats, and the operations against a plain
 * array of bits. */

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "lib/cpuset.h"

typedef struct Row {
        const char *text;
        int result;
        const char *list;       /* what it is when written again */
        size_t count;
} Row;

static const Row lists[] = {
        { "", 0, "", 0 },
        { "\n", 0, "", 0 },
        { "  \t\n", 0, "", 0 },
        { "0", 0, "0", 1 },
        { "0\n", 0, "0", 1 },
        { " 0-3 \n", 0, "0-3", 4 },
        { "0-3,8,10-11", 0, "0-3,8,10-11", 7 },
        { "5-5", 0, "5", 1 },
        { "007", 0, "7", 1 },
        { "3,1,2,0", 0, "0-3", 4 },
        { "8-9,0-1", 0, "0-1,8-9", 4 },
        { "0-5,2-3,4-9", 0, "0-9", 10 },
        { "0-1,2-3", 0, "0-3", 4 },
        { "1,1,1", 0, "1", 1 },
        { "0,2,4,6,1,3,5", 0, "0-6", 7 },
        { "65535", 0, "65535", 1 },
        { "0-65535", 0, "0-65535", 65536 },
        { "0,65535", 0, "0,65535", 2 },
        { "65536", -ERANGE, NULL, 0 },
        { "0-65536", -ERANGE, NULL, 0 },
        { "4294967296", -ERANGE, NULL, 0 },
        { "99999999999999999999999999999", -ERANGE, NULL, 0 },
        { "-1", -EINVAL, NULL, 0 },
        { "+1", -EINVAL, NULL, 0 },
        { "1-", -EINVAL, NULL, 0 },
        { "-", -EINVAL, NULL, 0 },
        { "3-1", -EINVAL, NULL, 0 },
        { "1--2", -EINVAL, NULL, 0 },
        { "1-2-3", -EINVAL, NULL, 0 },
        { "1,", -EINVAL, NULL, 0 },
        { ",1", -EINVAL, NULL, 0 },
        { ",", -EINVAL, NULL, 0 },
        { "1,,2", -EINVAL, NULL, 0 },
        { "1, 2", -EINVAL, NULL, 0 },
        { "1 2", -EINVAL, NULL, 0 },
        { "1 ,2", -EINVAL, NULL, 0 },
        { "0-31:1/2", -EINVAL, NULL, 0 },
        { "0x1", -EINVAL, NULL, 0 },
        { "1.5", -EINVAL, NULL, 0 },
        { "abc", -EINVAL, NULL, 0 },
        { "(null)", -EINVAL, NULL, 0 },
        { "1\xff", -EINVAL, NULL, 0 },
        { "\xef\xbc\x91", -EINVAL, NULL, 0 },
};

static const Row masks[] = {
        { "0", 0, "", 0 },
        { "00000000", 0, "", 0 },
        { "f", 0, "0-3", 4 },
        { "F\n", 0, "0-3", 4 },
        { "  ff", 0, "0-7", 8 },
        { "aAaAaAaA", 0, "1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31", 16 },
        { "1,00000000", 0, "32", 1 },
        { "1,0", 0, "32", 1 },
        { "80000000,00000001", 0, "0,63", 2 },
        { "ffffffff,ffffffff,ffffffff", 0, "0-95", 96 },
        { "00000000,00000000,00000003", 0, "0-1", 2 },
        { "", -EINVAL, NULL, 0 },
        { " \n", -EINVAL, NULL, 0 },
        { ",", -EINVAL, NULL, 0 },
        { "1,", -EINVAL, NULL, 0 },
        { ",1", -EINVAL, NULL, 0 },
        { "1,,1", -EINVAL, NULL, 0 },
        { "000000001", -EINVAL, NULL, 0 },
        { "1,000000001", -EINVAL, NULL, 0 },
        { "0x1", -EINVAL, NULL, 0 },
        { "-1", -EINVAL, NULL, 0 },
        { "g", -EINVAL, NULL, 0 },
        { "1 1", -EINVAL, NULL, 0 },
        { "0-3", -EINVAL, NULL, 0 },
        { "1\xff", -EINVAL, NULL, 0 },
};

static void check_rows(const Row *rows, size_t n_rows, int (*parse)(const char *, CpuSet *)) {
        for (size_t i = 0; i < n_rows; i++) {
                const Row *row = rows + i;
                _cleanup_cpuset_ CpuSet set = {};
                _cleanup_free_ char *list = NULL;
                const CpuSet untouched = { .ranges = NULL, .n_ranges = 77 };

                g_test_message("row %zu", i);
                if (row->result < 0) {
                        CpuSet kept = untouched;

                        g_assert_cmpint(parse(row->text, &kept), ==, row->result);
                        g_assert_cmpmem(&kept, sizeof kept, &untouched, sizeof untouched);
                        continue;
                }
                g_assert_cmpint(parse(row->text, &set), ==, 0);
                list = cpuset_to_list(&set);
                g_assert_cmpstr(list, ==, row->list);
                g_assert_cmpuint(cpuset_count(&set), ==, row->count);
                g_assert_cmpint(cpuset_is_empty(&set), ==, row->count == 0);
        }
}

static void lists_are_read_and_garbage_is_refused(void) {
        check_rows(lists, ELEMENTSOF(lists), cpuset_parse_list);
}

static void masks_are_read_and_garbage_is_refused(void) {
        check_rows(masks, ELEMENTSOF(masks), cpuset_parse_mask);
}

/* 2,048 words are all CPUs there can be; one bit beyond them is none's, while
 * zeroes there say nothing. */
static void a_mask_ends_at_the_highest_cpu(void) {
        g_autoptr(GString) text = g_string_new("80000000");
        _cleanup_cpuset_ CpuSet set = {};
        CpuSet none = {};

        for (unsigned i = 1; i < 2048; i++)
                g_string_append(text, ",00000000");
        g_assert_cmpint(cpuset_parse_mask(text->str, &set), ==, 0);
        g_assert_cmpuint(cpuset_count(&set), ==, 1);
        g_assert_true(cpuset_contains(&set, 65535));

        g_string_prepend(text, "00000000,");
        cpuset_clear(&set);
        g_assert_cmpint(cpuset_parse_mask(text->str, &set), ==, 0);
        g_assert_true(cpuset_contains(&set, 65535));

        text->str[7] = '1';
        g_assert_cmpint(cpuset_parse_mask(text->str, &none), ==, -ERANGE);
}

static void every_second_cpu_of_the_largest_machine(void) {
        _cleanup_cpuset_ CpuSet set = {}, again = {};
        _cleanup_free_ char *list = NULL;

        for (uint32_t cpu = 0; cpu < CPUSET_LIMIT; cpu += 2)
                g_assert_cmpint(cpuset_add(&set, cpu), ==, 0);
        g_assert_cmpuint(set.n_ranges, ==, CPUSET_LIMIT / 2);
        list = cpuset_to_list(&set);
        g_assert_cmpint(cpuset_parse_list(list, &again), ==, 0);
        g_assert_true(cpuset_equal(&set, &again));
}

static void a_range_must_be_one(void) {
        _cleanup_cpuset_ CpuSet set = {};

        g_assert_cmpint(cpuset_add_range(&set, 2, 1), ==, -EINVAL);
        g_assert_cmpint(cpuset_add_range(&set, 1, CPUSET_LIMIT), ==, -ERANGE);
        g_assert_cmpint(cpuset_add(&set, UINT32_MAX), ==, -ERANGE);
        g_assert_true(cpuset_is_empty(&set));
        g_assert_cmpint(cpuset_add(&set, CPUSET_LIMIT - 1), ==, 0);
        g_assert_cmpuint(cpuset_count(&set), ==, 1);
}

static void an_empty_set_is_all_zeroes(void) {
        _cleanup_cpuset_ CpuSet empty = {}, copy = {}, both = {}, rest = {}, some = {};
        _cleanup_free_ char *list = cpuset_to_list(&empty);

        g_assert_cmpstr(list, ==, "");
        g_assert_cmpuint(cpuset_count(&empty), ==, 0);
        g_assert_false(cpuset_contains(&empty, 0));
        g_assert_cmpint(cpuset_copy(&empty, &copy), ==, 0);
        g_assert_null(copy.ranges);
        g_assert_true(cpuset_equal(&empty, &copy));

        g_assert_cmpint(cpuset_add(&some, 3), ==, 0);
        g_assert_false(cpuset_equal(&empty, &some));
        g_assert_cmpint(cpuset_and(&empty, &some, &both), ==, 0);
        g_assert_true(cpuset_is_empty(&both));
        g_assert_cmpint(cpuset_and_not(&some, &empty, &rest), ==, 0);
        g_assert_true(cpuset_equal(&some, &rest));
        CPUSET_FOREACH(cpu, &empty)
                g_assert_cmpuint(cpu, ==, UINT32_MAX);
}

/* The same operations on an array of booleans. */
#define CPUS 64u

static void fill(CpuSet *set, bool *bits) {
        unsigned n = (unsigned) g_test_rand_int_range(0, 12);

        for (unsigned i = 0; i < n; i++) {
                uint32_t first = (uint32_t) g_test_rand_int_range(0, CPUS);
                uint32_t last = first + (uint32_t) g_test_rand_int_range(0, 9);

                if (last >= CPUS)
                        last = CPUS - 1;
                g_assert_cmpint(cpuset_add_range(set, first, last), ==, 0);
                for (uint32_t cpu = first; cpu <= last; cpu++)
                        bits[cpu] = true;
        }
}

static void check_bits(const CpuSet *set, const bool *bits) {
        size_t count = 0, seen = 0;

        for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
                g_assert_cmpint(cpuset_contains(set, cpu), ==, bits[cpu]);
                count += bits[cpu];
        }
        g_assert_cmpuint(cpuset_count(set), ==, count);
        CPUSET_FOREACH(cpu, set) {
                g_assert_true(bits[cpu]);
                seen++;
        }
        g_assert_cmpuint(seen, ==, count);
        /* Ascending, and no two that touch. */
        for (size_t i = 0; i < set->n_ranges; i++) {
                g_assert_cmpuint(set->ranges[i].first, <=, set->ranges[i].last);
                if (i > 0)
                        g_assert_cmpuint(set->ranges[i - 1].last + 1, <, set->ranges[i].first);
        }
}

static void operations_agree_with_plain_bits(void) {
        for (unsigned round = 0; round < 2000; round++) {
                _cleanup_cpuset_ CpuSet a = {}, b = {}, both = {}, rest = {}, copy = {}, again = {};
                bool in_a[CPUS] = {}, in_b[CPUS] = {}, in_both[CPUS], in_rest[CPUS];
                _cleanup_free_ char *list = NULL;

                fill(&a, in_a);
                fill(&b, in_b);
                for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
                        in_both[cpu] = in_a[cpu] && in_b[cpu];
                        in_rest[cpu] = in_a[cpu] && !in_b[cpu];
                }
                check_bits(&a, in_a);
                g_assert_cmpint(cpuset_and(&a, &b, &both), ==, 0);
                check_bits(&both, in_both);
                g_assert_cmpint(cpuset_and_not(&a, &b, &rest), ==, 0);
                check_bits(&rest, in_rest);
                g_assert_cmpint(cpuset_equal(&a, &b), ==, memcmp(in_a, in_b, sizeof in_a) == 0);

                g_assert_cmpint(cpuset_copy(&a, &copy), ==, 0);
                g_assert_true(cpuset_equal(&a, &copy));
                list = cpuset_to_list(&a);
                g_assert_cmpint(cpuset_parse_list(list, &again), ==, 0);
                g_assert_true(cpuset_equal(&a, &again));
        }
}

/* What is put together otherwise once there are many ranges. */
static void long_lists_in_any_order_agree_with_plain_bits(void) {
        static bool bits[CPUSET_LIMIT];

        for (unsigned round = 0; round < 50; round++) {
                g_autoptr(GString) text = g_string_new(NULL);
                _cleanup_cpuset_ CpuSet set = {};

                memset(bits, 0, sizeof bits);
                if (round % 2 == 0)
                        for (uint32_t cpu = CPUSET_LIMIT - 1; cpu > 60000; cpu -= 2) {
                                g_string_append_printf(text, "%u,", cpu);
                                bits[cpu] = true;
                        }
                for (unsigned i = 0; i < 2000; i++) {
                        uint32_t first = (uint32_t) g_test_rand_int_range(0, (int) CPUSET_LIMIT), last = first + (uint32_t) g_test_rand_int_range(0, 4);

                        if (last >= CPUSET_LIMIT)
                                last = CPUSET_LIMIT - 1;
                        g_string_append_printf(text, first == last ? "%u," : "%u-%u,", first, last);
                        memset(bits + first, true, last - first + 1);
                }
                g_string_append(text, "65535,0");
                bits[65535] = bits[0] = true;
                g_assert_cmpint(cpuset_parse_list(text->str, &set), ==, 0);
                for (uint32_t cpu = 0; cpu < CPUSET_LIMIT; cpu++)
                        g_assert_true(cpuset_contains(&set, cpu) == bits[cpu]);
                for (size_t i = 1; i < set.n_ranges; i++)
                        g_assert_cmpuint(set.ranges[i].first, >, set.ranges[i - 1].last + 1);

                g_string_append(text, ",7-6");
                g_assert_cmpint(cpuset_parse_list(text->str, &set), ==, -EINVAL);
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/cpuset/lists-are-read-and-garbage-is-refused", lists_are_read_and_garbage_is_refused);
        g_test_add_func("/cpuset/masks-are-read-and-garbage-is-refused", masks_are_read_and_garbage_is_refused);
        g_test_add_func("/cpuset/a-mask-ends-at-the-highest-cpu", a_mask_ends_at_the_highest_cpu);
        g_test_add_func("/cpuset/every-second-cpu-of-the-largest-machine", every_second_cpu_of_the_largest_machine);
        g_test_add_func("/cpuset/a-range-must-be-one", a_range_must_be_one);
        g_test_add_func("/cpuset/an-empty-set-is-all-zeroes", an_empty_set_is_all_zeroes);
        g_test_add_func("/cpuset/operations-agree-with-plain-bits", operations_agree_with_plain_bits);
        g_test_add_func("/cpuset/long-lists-in-any-order-agree-with-plain-bits", long_lists_in_any_order_agree_with_plain_bits);
        return g_test_run();
}
