/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The parts of topology_read(), in the order in which they run. Each adds its
 * part of the machine to a snapshot that is being made. */

#include "topology.h"

#define CPU_FOLDER "sys/devices/system/cpu"
#define NODE_FOLDER "sys/devices/system/node"

typedef struct TopologyReader {
        int root_fd;
        int cpu_fd;             /* CPU_FOLDER */
        int node_fd;            /* NODE_FOLDER; -1 on a machine without NUMA */
        Topology *topology;
} TopologyReader;

/* The masks, and each present CPU with its ids and siblings. */
int topology_read_cpus(TopologyReader *reader);

/* Which kind of core each CPU is, on machines that mix them. */
int topology_read_kinds(TopologyReader *reader);

/* Each cache once. */
int topology_read_caches(TopologyReader *reader);

/* The cells, and the cell of each CPU and cache. */
int topology_read_cells(TopologyReader *reader);

/* Adds "unreadable" for a file that is there and makes no sense. -ENOENT,
 * -ENOTDIR and -ENODATA are no errors here: what is not told is absent.
 * Returns only what must stop the reading: -ENOMEM. */
int topology_tolerate(TopologyReader *reader, const char *path, int error);
