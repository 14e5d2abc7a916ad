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
bool cpulist_has(const CpuList *list, unsigned cpu);
unsigned cpulist_count(const CpuList *list);
unsigned cpulist_first(const CpuList *list); /* of one that is not empty */
