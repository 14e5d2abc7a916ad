/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host-cell.gen.h"
#include "host-cells.gen.h"
#include "host-topology.gen.h"
#include "lib/log.h"

#define HOST_PATH "/org/berth1/host"
#define CELLS_PATH HOST_PATH "/cells"

struct HostFaces {
        Tree *tree;
        Host *host;
        HostPower *host_power;
        Object *object;
};

static void log_findings(const Findings *findings) {
        for (size_t i = 0; i < findings->n_items; i++)
                log_fields(LOG_WARNING,
                           LOG_FIELDS("MESSAGE_ID", MESSAGE_ID_HOST_CONTRADICTS, "BERTH_CODE", findings->items[i].code, "BERTH_SUBJECT", findings->items[i].subject),
                           "The host's description: %s", findings->items[i].message);
        if (findings->n_dropped > 0)
                log_warning("The host's description: %zu more such", findings->n_dropped);
}

static void on_cell_added(HostCell *cell, void *userdata) {
        HostFaces *faces = userdata;
        Object *object = NULL;
        char path[64];
        int r;

        snprintf(path, sizeof path, CELLS_PATH "/%u", cell->id);
        r = object_new(faces->tree, path, &object);
        if (r >= 0)
                r = object_add_face(object, &host_cell_interface, cell);
        if (r >= 0)
                r = object_publish(object);
        if (r < 0) {
                log_error("Cell %u cannot be shown: %s", cell->id, strerror(-r));
                object_remove(object);
                return;
        }
        cell->published = object;
}

static void on_cell_removed(HostCell *cell, void *userdata) {
        cell->published = object_remove(cell->published);
}

/* Marks the properties that bits of a change stand for. */
typedef struct Mark {
        unsigned change;
        unsigned property;
} Mark;

static void mark_all(Object *object, const Interface *interface, const Mark *marks, size_t n_marks, unsigned change) {
        for (size_t i = 0; i < n_marks; i++)
                if (change & marks[i].change)
                        object_mark(object, interface, marks[i].property);
}

static void on_cell_changed(HostCell *cell, unsigned change, void *userdata) {
        static const Mark marks[] = {
                { CELL_CHANGE_CPUS, HOST_CELL_CPUS },
                { CELL_CHANGE_MEMORY, HOST_CELL_MEMORY },
                { CELL_CHANGE_CACHE, HOST_CELL_CACHE_SIZE },
                { CELL_CHANGE_DISTANCES, HOST_CELL_DISTANCES },
                { CELL_CHANGE_PAGE_SIZES, HOST_CELL_PAGE_SIZES },
                { CELL_CHANGE_SOCKETS, HOST_CELL_SOCKETS },
        };

        if (cell->published)
                mark_all(cell->published, &host_cell_interface, marks, ELEMENTSOF(marks), change);
}

static void on_changed(Host *host, unsigned change, void *userdata) {
        static const Mark marks[] = {
                { ~0u, HOST_TOPOLOGY_GENERATION },
                { TOPOLOGY_CHANGE_SOCKETS, HOST_TOPOLOGY_SOCKETS },
                { TOPOLOGY_CHANGE_DIES, HOST_TOPOLOGY_DIES },
                { TOPOLOGY_CHANGE_CORES, HOST_TOPOLOGY_CORES },
                { TOPOLOGY_CHANGE_THREADS, HOST_TOPOLOGY_THREADS },
                { TOPOLOGY_CHANGE_POSSIBLE, HOST_TOPOLOGY_POSSIBLE_CPUS },
                { TOPOLOGY_CHANGE_PRESENT, HOST_TOPOLOGY_PRESENT_CPUS },
                { TOPOLOGY_CHANGE_ONLINE, HOST_TOPOLOGY_ONLINE_CPUS },
                { TOPOLOGY_CHANGE_ISOLATED, HOST_TOPOLOGY_ISOLATED_CPUS },
                { TOPOLOGY_CHANGE_SMT, HOST_TOPOLOGY_SMT_ACTIVE },
                { TOPOLOGY_CHANGE_FINDINGS, HOST_TOPOLOGY_WARNINGS },
        };
        HostFaces *faces = userdata;

        mark_all(faces->object, &host_topology_interface, marks, ELEMENTSOF(marks), change);
        if (change & TOPOLOGY_CHANGE_CELLS)
                object_mark(faces->object, &host_cells_interface, HOST_CELLS_COUNT);
        if (change & TOPOLOGY_CHANGE_FINDINGS)
                log_findings(&host->topology->findings);
}

static const HostListener listener = {
        .cell_added = on_cell_added,
        .cell_removed = on_cell_removed,
        .cell_changed = on_cell_changed,
        .changed = on_changed,
};

int host_faces_new(Tree *tree, Host *host, HostPower *host_power, HostFaces **ret) {
        _cleanup_(host_faces_freep) HostFaces *faces = NULL;
        int r;

        faces = calloc(1, sizeof *faces);
        if (!faces)
                return -ENOMEM;
        faces->tree = tree;
        faces->host = host;
        faces->host_power = host_power;

        r = tree_add_interface(tree, HOST_PATH, &host_topology_interface);
        if (r >= 0)
                r = tree_add_interface(tree, HOST_PATH, &host_cells_interface);
        if (r >= 0)
                r = tree_add_interface(tree, CELLS_PATH, &host_cell_interface);
        if (r >= 0)
                r = object_new(tree, HOST_PATH, &faces->object);
        if (r >= 0)
                r = object_add_face(faces->object, &host_topology_interface, host);
        if (r >= 0)
                r = object_add_face(faces->object, &host_cells_interface, host);
        if (r >= 0)
                r = host_power_show(host_power, tree, faces->object);
        if (r >= 0)
                r = object_publish(faces->object);
        if (r >= 0)
                r = host_listen(host, &listener, faces);
        if (r < 0)
                return r;
        log_findings(&host->topology->findings);

        *ret = TAKE_PTR(faces);
        return 0;
}

HostFaces *host_faces_free(HostFaces *faces) {
        if (!faces)
                return NULL;
        for (size_t i = 0; i < faces->host->n_cells; i++)
                faces->host->cells[i]->published = object_remove(faces->host->cells[i]->published);
        host_unlisten(faces->host, faces);
        object_remove(faces->object);
        if (faces->host_power)
                faces->host_power->object = NULL;
        free(faces);
        return NULL;
}
