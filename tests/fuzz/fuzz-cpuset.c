/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A line of each format: what is read, printed and read again is the same, and the
 * operations agree with each other. */

#include "fuzz.h"

#include "lib/cpuset.h"

static void check_set(const CpuSet *set) {
        _cleanup_free_ char *text = cpuset_to_list(set);
        _cleanup_cpuset_ CpuSet again = {};

        HOLDS(text);
        HOLDS(cpuset_parse_list(text, &again) == 0);
        HOLDS(cpuset_equal(set, &again));
        for (size_t i = 0; i < set->n_ranges; i++) {
                HOLDS(set->ranges[i].first <= set->ranges[i].last && set->ranges[i].last < CPUSET_LIMIT);
                HOLDS(i == 0 || set->ranges[i].first > set->ranges[i - 1].last + 1);
        }
}

static void check_pair(const CpuSet *a, const CpuSet *b) {
        _cleanup_cpuset_ CpuSet both = {}, rest = {};

        HOLDS(cpuset_and(a, b, &both) == 0);
        HOLDS(cpuset_and_not(a, b, &rest) == 0);
        check_set(&both);
        check_set(&rest);
        HOLDS(cpuset_count(&both) + cpuset_count(&rest) == cpuset_count(a));
        for (size_t i = 0; i < both.n_ranges; i++) {
                HOLDS(cpuset_contains(b, both.ranges[i].first));
                HOLDS(cpuset_add_range(&rest, both.ranges[i].first, both.ranges[i].last) == 0);
        }
        HOLDS(cpuset_equal(&rest, a));
}

/* The first byte that is a semicolon ends the list, the rest is a mask. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ char *text = text_of(data, size);
        _cleanup_cpuset_ CpuSet list = {}, mask = {};
        char *second = strchr(text, ';');

        if (second)
                *second++ = 0;
        if (cpuset_parse_list(text, &list) == 0)
                check_set(&list);
        if (cpuset_parse_mask(second ?: text, &mask) == 0)
                check_set(&mask);
        check_pair(&list, &mask);
        check_pair(&mask, &list);
        return 0;
}
