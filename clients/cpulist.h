/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cleanup.h"

enum { CPU_ID_MAX = 65535 };

/* A set of CPUs. All zero is the empty one. */
typedef struct CpuList {
        unsigned long bits[(CPU_ID_MAX + 1) / (8 * sizeof(unsigned long))];
} CpuList;

/* Reads the kernel's list format, "0-3,8"; empty text is the empty set. -EINVAL if
 * it is none, -ERANGE if a number in it is above CPU_ID_MAX. */
int cpulist_parse(const char *text, CpuList *ret);

/* The same as people write it: "0-3,^1" is 0, 2 and 3. A "^" takes away from what
 * stands before it, and must find something there. Also -EINVAL for the empty set. */
int cpulist_parse_loose(const char *text, CpuList *ret);

/* In the kernel's format: to be freed; NULL if there is no memory. */
char *cpulist_format(const CpuList *list);

void cpulist_add(CpuList *list, unsigned cpu); /* at most CPU_ID_MAX */
void cpulist_add_all(CpuList *list, const CpuList *other);
void cpulist_intersect(CpuList *list, const CpuList *other);
bool cpulist_equal(const CpuList *a, const CpuList *b);
bool cpulist_has(const CpuList *list, unsigned cpu);
unsigned cpulist_count(const CpuList *list);
unsigned cpulist_first(const CpuList *list); /* of one that is not empty */
