/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the parts of topology_read() share: where to read, what to fill in, and how to
 * take what is missing or makes no sense. */

#include "topology.h"

#define CPU_FOLDER "sys/devices/system/cpu"
#define NODE_FOLDER "sys/devices/system/node"

typedef struct TopologyReader {
        int root_fd;
        int cpu_fd;             /* CPU_FOLDER */
        int node_fd;            /* NODE_FOLDER; -1 on a machine without NUMA */
        Topology *topology;
} TopologyReader;

/* Adds "unreadable" for a file that is there and makes no sense. -ENOENT,
 * -ENOTDIR and -ENODATA are no errors here: what is not told is absent.
 * Returns only what must stop the reading: -ENOMEM. */
int topology_tolerate(TopologyReader *reader, const char *path, int error);
