/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Small machines in a tree, sound ones, which a test then spoils in one place. */

#include "host/topology.h"
#include "tree.h"

#define CPU "sys/devices/system/cpu"
#define NODE "sys/devices/system/node"

/* Each socket with so many cores of so many threads, numbered one after the other
 * (siblings are neighbours), and for each socket a cell of 1 GiB, if cells are
 * wanted. No caches and no huge pages. */
typedef struct Shape {
        unsigned sockets, cores, threads;
        gboolean cells;
} Shape;

void machine_write(const Tree *tree, Shape shape);

/* One cache as a CPU's folder shows it. */
void machine_write_cache(const Tree *tree, unsigned cpu, unsigned index, unsigned level,
                         const char *type, const char *size, const char *shared);

/* The whole description; it must be readable. */
Topology *machine_read(const Tree *tree);

/* The codes of the findings with their subjects, "code@subject code@subject". */
char *findings_to_string(const Findings *findings);

void assert_cpuset(const CpuSet *set, const char *list);
