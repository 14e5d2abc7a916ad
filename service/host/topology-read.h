/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The parts of topology_read(), in the order in which they run. Each adds its
 * part of the machine to a snapshot that is being made. */

#include "topology-reader.h"

/* The masks, and each present CPU with its ids and siblings. */
int topology_read_cpus(TopologyReader *reader);

/* Which kind of core each CPU is, on machines that mix them. */
int topology_read_kinds(TopologyReader *reader);

/* Each cache once. */
int topology_read_caches(TopologyReader *reader);

/* The cells, and the cell of each CPU and cache. */
int topology_read_cells(TopologyReader *reader);
