/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The machine: its identity, the snapshot of what it is made of, and its cells.
 *
 * A notification of the kernel says "look again", no more. Some time later (so
 * that many make one) the machine is read anew on a worker, compared with the
 * snapshot before, and what differs is told to whoever listens. */

#include <systemd/sd-event.h>

#include "identity.h"
#include "lib/error.h"
#include "lib/workers.h"
#include "topology.h"

typedef struct Host Host;
typedef struct HostCell HostCell;

/* A cell as long as it is there. The files that are read often stay open. */
struct HostCell {
        Host *host;
        uint32_t id;
        int dir_fd;                     /* its folder; the root where there is no NUMA */
        int meminfo_fd;                 /* -1 if there is none */
        void *published;                /* whoever shows this cell keeps its own here */
};

/* What somebody who shows the host wants to know. All are called on the loop. */
typedef struct HostListener {
        /* Before "changed", for each cell that is new. */
        void (*cell_added)(HostCell *cell, void *userdata);
        /* The cell is freed when this returns. */
        void (*cell_removed)(HostCell *cell, void *userdata);
        void (*cell_changed)(HostCell *cell, unsigned cell_change, void *userdata);
        void (*changed)(Host *host, unsigned topology_change, void *userdata);
} HostListener;

struct Host {
        int root_fd;
        bool live;                      /* the root is that of the machine we run on */
        Identity identity;
        Topology *topology;
        uint64_t generation;            /* grows with each change */
        HostCell **cells;               /* in the order of their ids */
        size_t n_cells;

        sd_event *event;
        Workers *workers;
        struct HostListening *listening;

        struct HostWatch *watch;        /* see host.c */
        struct Power *power;            /* see power.c; NULL before there is one */
        bool pages_busy;                /* see pages.c */
};

/* Opens a root ("/" for this machine) and reads it. Takes nothing over. The loop
 * must outlive it; the workers must be freed first, since their jobs come back
 * to it.
 * Errors: ERROR_INVALID_ARGS for no such folder and for one that holds no host. */
int host_new(sd_event *event, Workers *workers, const char *root, uint64_t coalesce_usec, Error *error, Host **ret);
Host *host_free(Host *host);
DEFINE_CLEANUP(Host *, host_free)

/* Calls cell_added for each cell that is there, and the others from now on, until
 * host_unlisten() with the same userdata. Those that a listener does not care for may be
 * NULL. Returns -ENOMEM. */
int host_listen(Host *host, const HostListener *listener, void *userdata);
void host_unlisten(Host *host, const void *userdata);

/* A live host follows the kernel's notifications. 0, or why they cannot be heard. */
int host_watch_error(const Host *host);

/* Reads the machine again soon, as a notification would. */
void host_refresh(Host *host);

/* Reads the machine again at once, and calls "done" when the model has seen it (or it
 * could not be read, which is logged). Returns -ENOMEM. */
int host_refresh_then(Host *host, void (*done)(void *userdata), void *userdata);

/* Starts no reading any more; who waits for one is told now. host_free() does it too; it
 * has to be done earlier where those who wait need something that ends before. */
void host_stop(Host *host);

/* Whether host_refresh() was asked for and has not been done. For tests. */
bool host_is_refreshing(const Host *host);

/* How many times the machine has been read. For tests, which count. */
uint64_t host_readings(const Host *host);

void host_set_coalesce(Host *host, uint64_t coalesce_usec);

/* NULL if there is none. */
HostCell *host_find_cell(Host *host, uint32_t id);

/* The cell's part of the snapshot. */
const Cell *host_cell_snapshot(const HostCell *cell);

/* Bytes of memory that are free now on a cell. One pread(2).
 * Source: MemFree of nodeN/meminfo, or of /proc/meminfo without NUMA.
 * Returns -EOPNOTSUPP if the kernel does not tell. */
int host_cell_free_memory(HostCell *cell, uint64_t *ret_bytes);

/* The whole of a cell's meminfo, as much as fits. Errors as above. */
int host_cell_read_meminfo(HostCell *cell, char *buffer, size_t size);
