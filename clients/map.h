/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl.h"

/* The machine as a tree: sockets, cells, groups of CPUs that share a last level of
 * cache, and in the innermost the cores. A level that says nothing here (one
 * without numbers, say) is not in the tree. */

typedef struct MapCpu {
        unsigned id;
        bool offline, isolated;
} MapCpu;

typedef struct MapCore {
        char kind; /* 'P', 'E', 'L', or 0 */
        MapCpu *cpus;
        size_t n_cpus;
        char *text; /* of what stands there in a core's stead, and has no CPUs */
} MapCore;

typedef struct MapNode {
        char *title;
        struct MapNode **children;
        size_t n_children;
        MapCore *cores; /* of one without children */
        size_t n_cores;
        char **guests; /* of one with cores: a word each */
        size_t n_guests;
} MapNode;

/* Makes the tree from what the host says. -ENOMEM; -ERANGE if a CPU's number is
 * none that a machine has; -EBADMSG if a list of CPUs is none. */
int map_build(json_object *cells, json_object *cpus, json_object *caches, MapNode **ret);
MapNode *map_free(MapNode *node);
static inline void map_freep(MapNode **node) {
        map_free(*node);
}
#define _cleanup_map_ _cleanup_(map_freep)

/* Adds where the vCPUs of guests are; @lists has those of each guest. -ENOMEM; -ERANGE
 * and -EBADMSG as from map_build(). */
int map_add_guests(MapNode *root, json_object *guests, json_object *lists);

/* Draws the tree and explains its marks. */
int map_draw(MapNode *root, const Terminal *t);
