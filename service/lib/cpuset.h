/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A set of CPUs (or of cells: small non-negative numbers), kept as ascending
 * ranges that do not touch. A pair of siblings costs 16 bytes on a machine of
 * 8,192 CPUs too, and the kernel's list format is this, written out. An empty
 * set is all zeroes and needs no freeing. */

#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"

/* One more than the highest number there can be; the kernel builds for at most
 * 8,192 CPUs today. */
#define CPUSET_LIMIT 65536u

typedef struct CpuRange {
        uint32_t first;
        uint32_t last;
} CpuRange;

typedef struct CpuSet {
        CpuRange *ranges;
        size_t n_ranges;
        size_t n_allocated;
} CpuSet;

void cpuset_clear(CpuSet *set);
#define _cleanup_cpuset_ _cleanup_(cpuset_clear)

/* Reads the kernel's list format: "0-3,8,10-11", white space at both ends
 * ignored, empty for none. Ranges may come in any order and overlap.
 * Returns -EINVAL for anything else, -ERANGE for a number that is no CPU's. */
int cpuset_parse_list(const char *text, CpuSet *ret);

/* Reads the kernel's mask format: hexadecimal words of up to eight digits,
 * the most significant first, with commas between.
 * Returns -EINVAL for anything else, -ERANGE for a bit that is no CPU's. */
int cpuset_parse_mask(const char *text, CpuSet *ret);

/* The list format; "" for an empty set. NULL without memory. */
char *cpuset_to_list(const CpuSet *set);

int cpuset_copy(const CpuSet *set, CpuSet *ret);
int cpuset_add(CpuSet *set, uint32_t cpu);
int cpuset_add_range(CpuSet *set, uint32_t first, uint32_t last);

/* Makes new sets of those in both, and of those in "a" only. */
int cpuset_and(const CpuSet *a, const CpuSet *b, CpuSet *ret);
int cpuset_and_not(const CpuSet *a, const CpuSet *b, CpuSet *ret);

bool cpuset_contains(const CpuSet *set, uint32_t cpu);
bool cpuset_equal(const CpuSet *a, const CpuSet *b);
size_t cpuset_count(const CpuSet *set);

static inline bool cpuset_is_empty(const CpuSet *set) {
        return set->n_ranges == 0;
}

/* Goes through the CPUs of a set in order. */
#define CPUSET_FOREACH(cpu, set)                                                        \
        for (size_t range_ = 0; range_ < (set)->n_ranges; range_++)                     \
                for (uint32_t cpu = (set)->ranges[range_].first;                        \
                     cpu <= (set)->ranges[range_].last;                                 \
                     cpu++)
