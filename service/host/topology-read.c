/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>

#include "topology-read.h"

int topology_read(int root_fd, uint64_t base_page_bytes, Topology **ret) {
        _cleanup_(topology_freep) Topology *topology = NULL;
        _cleanup_close_ int cpu_fd = -1, node_fd = -1;
        TopologyReader reader;
        int r;

        topology = calloc(1, sizeof *topology);
        if (!topology)
                return -ENOMEM;
        topology->base_page_bytes = base_page_bytes;

        cpu_fd = sysfs_open_dir(root_fd, CPU_FOLDER);
        if (cpu_fd < 0)
                return cpu_fd == -ENOENT ? -ENODATA : cpu_fd;
        node_fd = sysfs_open_dir(root_fd, NODE_FOLDER);

        reader = (TopologyReader) {
                .root_fd = root_fd,
                .cpu_fd = cpu_fd,
                .node_fd = node_fd,
                .topology = topology,
        };
        r = node_fd < 0 ? topology_tolerate(&reader, NODE_FOLDER, node_fd) : 0;
        if (r >= 0)
                r = topology_read_cpus(&reader);
        if (r >= 0)
                r = topology_read_kinds(&reader);
        if (r >= 0)
                r = topology_read_caches(&reader);
        if (r >= 0)
                r = topology_read_cells(&reader);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(topology);
        return 0;
}
