/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/beneath.h"
#include "lib/log.h"
#include "meminfo.h"
#include "topology-reader.h"
#include "uevent.h"

/* Somebody who wants to know when the model has seen what is there now. */
typedef struct Waiter Waiter;

struct Waiter {
        Waiter *next;
        void (*done)(void *userdata);
        void *userdata;
};

/* How a re-reading is brought about: a notification arms the timer, the timer
 * starts a job, the job's end compares. Notifications that come while the timer
 * runs are for nothing; one that comes while the job runs arms the timer again
 * at its end. So any storm costs one reading in each period, and the last state
 * is always read.
 *
 * Who waits for a reading waits for one that started after it asked: the one that
 * runs may have passed the file already. */
struct HostWatch {
        UeventMonitor *uevents;
        sd_event_source *timer;
        uint64_t coalesce_usec;
        uint64_t n_readings;
        bool armed;
        bool reading;
        bool again;
        Waiter *waiting;                /* for the next reading */
        Waiter *served;                 /* by the one that runs */
        int watch_error;
};

/* One re-reading on its way. It owns a descriptor, since the host may be freed
 * before the worker is done. */
typedef struct Reading {
        Host *host;                     /* used on the loop only */
        int root_fd;
        uint64_t base_page_bytes;
        Topology *topology;
        int result;
} Reading;

static HostCell *host_cell_free(HostCell *cell) {
        if (!cell)
                return NULL;
        if (cell->meminfo_fd >= 0)
                (void) close(cell->meminfo_fd);
        if (cell->dir_fd >= 0)
                (void) close(cell->dir_fd);
        free(cell);
        return NULL;
}

/* Opens the files that stay open. A cell that goes while we are at it has none,
 * and is gone itself at the next reading. */
static void host_cell_open(HostCell *cell, bool numa) {
        char path[64];

        if (cell->meminfo_fd >= 0)
                (void) close(cell->meminfo_fd);
        if (cell->dir_fd >= 0)
                (void) close(cell->dir_fd);
        cell->dir_fd = cell->meminfo_fd = -1;

        if (numa) {
                snprintf(path, sizeof path, NODE_FOLDER "/node%u", cell->id);
                cell->dir_fd = sysfs_open_dir(cell->host->root_fd, path);
                if (cell->dir_fd >= 0)
                        cell->meminfo_fd = open_beneath(cell->dir_fd, "meminfo", O_RDONLY | O_NONBLOCK | O_NOCTTY);
        } else {
                cell->dir_fd = fcntl(cell->host->root_fd, F_DUPFD_CLOEXEC, 3);
                cell->meminfo_fd = open_beneath(cell->host->root_fd, "proc/meminfo", O_RDONLY | O_NONBLOCK | O_NOCTTY);
        }
}

static int host_cell_new(Host *host, const Topology *topology, uint32_t id, HostCell **ret) {
        HostCell *cell;

        cell = malloc(sizeof *cell);
        if (!cell)
                return -ENOMEM;
        *cell = (HostCell) { .host = host, .id = id, .dir_fd = -1, .meminfo_fd = -1 };
        host_cell_open(cell, topology->numa);

        *ret = cell;
        return 0;
}

HostCell *host_find_cell(Host *host, uint32_t id) {
        for (size_t i = 0; i < host->n_cells; i++)
                if (host->cells[i]->id == id)
                        return host->cells[i];
        return NULL;
}

const Cell *host_cell_snapshot(const HostCell *cell) {
        return topology_find_cell(cell->host->topology, cell->id);
}

int host_cell_read_meminfo(HostCell *cell, char *buffer, size_t size) {
        ssize_t n;

        if (cell->meminfo_fd < 0)
                return -EOPNOTSUPP;
        n = sysfs_pread(cell->meminfo_fd, buffer, size);
        /* The cell went and came again since we opened its file. */
        if (n == -ENODEV) {
                host_cell_open(cell, cell->host->topology->numa);
                n = cell->meminfo_fd < 0 ? -EOPNOTSUPP : sysfs_pread(cell->meminfo_fd, buffer, size);
        }
        return n < 0 ? (int) n : 0;
}

int host_cell_free_memory(HostCell *cell, uint64_t *ret_bytes) {
        char text[1024];
        int r;

        /* MemFree stands in one of the first lines. */
        r = host_cell_read_meminfo(cell, text, sizeof text);
        if (r < 0)
                return r;
        return meminfo_find(text, "MemFree", ret_bytes) < 0 ? -EOPNOTSUPP : 0;
}

typedef struct HostListening HostListening;

struct HostListening {
        HostListening *next;
        const HostListener *listener;
        void *userdata;
};

static void tell_removed(Host *host, HostCell *cell) {
        for (const HostListening *listening = host->listening; listening; listening = listening->next)
                if (listening->listener->cell_removed)
                        listening->listener->cell_removed(cell, listening->userdata);
}

static void tell_added(Host *host, HostCell *cell) {
        for (const HostListening *listening = host->listening; listening; listening = listening->next)
                if (listening->listener->cell_added)
                        listening->listener->cell_added(cell, listening->userdata);
}

static void tell_cell_changed(Host *host, HostCell *cell, unsigned change) {
        for (const HostListening *listening = host->listening; listening; listening = listening->next)
                if (listening->listener->cell_changed)
                        listening->listener->cell_changed(cell, change, listening->userdata);
}

static void tell_changed(Host *host, unsigned change) {
        for (const HostListening *listening = host->listening; listening; listening = listening->next)
                if (listening->listener->changed)
                        listening->listener->changed(host, change, listening->userdata);
}

/* Makes the list of cells that of a new snapshot, and tells who came and went.
 * On failure the old list stands, short of those that went. */
static int host_sync_cells(Host *host, const Topology *topology) {
        _cleanup_free_ HostCell **cells = NULL;
        size_t n = 0;
        int r;

        for (size_t i = 0; i < host->n_cells;) {
                HostCell *cell = host->cells[i];

                if (topology_find_cell(topology, cell->id)) {
                        i++;
                        continue;
                }
                memmove(host->cells + i, host->cells + i + 1, (--host->n_cells - i) * sizeof *host->cells);
                tell_removed(host, cell);
                host_cell_free(cell);
        }

        cells = calloc(topology->n_cells, sizeof *cells);
        if (!cells)
                return -ENOMEM;
        for (size_t i = 0; i < topology->n_cells; i++) {
                HostCell *cell = host_find_cell(host, topology->cells[i].id);

                if (!cell) {
                        r = host_cell_new(host, topology, topology->cells[i].id, &cell);
                        if (r < 0) {
                                for (size_t j = 0; j < n; j++)
                                        if (!host_find_cell(host, cells[j]->id))
                                                host_cell_free(cells[j]);
                                return r;
                        }
                }
                cells[n++] = cell;
        }

        free(host->cells);
        host->cells = TAKE_PTR(cells);
        host->n_cells = n;
        return 0;
}

/* Puts a new snapshot in the place of the one before, and tells what differs. */
static int host_replace(Host *host, Topology *taken) {
        _cleanup_(topology_freep) Topology *topology = taken, *before = NULL;
        unsigned change;
        int r;

        change = topology_diff(host->topology, topology);
        if (change & TOPOLOGY_CHANGE_CELLS) {
                r = host_sync_cells(host, topology);
                if (r < 0)
                        return r;
        }
        /* The files of a cell that went and came since are others, though nothing
         * differs. */
        for (size_t i = 0; i < host->n_cells; i++)
                host_cell_open(host->cells[i], topology->numa);
        if (change == 0)
                return 0;

        before = host->topology;
        host->topology = TAKE_PTR(topology);
        host->generation++;

        for (size_t i = 0; i < host->n_cells; i++) {
                HostCell *cell = host->cells[i];
                const Cell *a = topology_find_cell(before, cell->id);
                unsigned cell_change;

                if (!a) {
                        tell_added(host, cell);
                        continue;
                }
                cell_change = cell_diff(before, a, host->topology, host_cell_snapshot(cell));
                if (cell_change != 0)
                        tell_cell_changed(host, cell, cell_change);
        }
        tell_changed(host, change);
        return 0;
}

/* Has the timer go off after so long; one that is set for later is brought forward. */
static void host_arm(Host *host, uint64_t usec) {
        struct HostWatch *watch = host->watch;
        uint64_t now;

        if (sd_event_now(host->event, CLOCK_MONOTONIC, &now) < 0 ||
            sd_event_source_set_time(watch->timer, now + usec) < 0 ||
            sd_event_source_set_enabled(watch->timer, SD_EVENT_ONESHOT) < 0)
                return;
        watch->armed = true;
}

static void reading_run(void *data) {
        Reading *reading = data;

        reading->result = topology_read(reading->root_fd, reading->base_page_bytes, &reading->topology);
}

static void reading_free(Reading *reading) {
        topology_free(reading->topology);
        if (reading->root_fd >= 0)
                (void) close(reading->root_fd);
        free(reading);
}

DEFINE_CLEANUP(Reading *, reading_free)

static void serve(Waiter **waiters) {
        while (*waiters) {
                _cleanup_free_ Waiter *waiter = *waiters;

                *waiters = waiter->next;
                waiter->done(waiter->userdata);
        }
}

/* Starts what was asked for since the last reading started, if anything was. */
static void arm_again(Host *host) {
        if (host->watch->waiting)
                host_arm(host, 0);
        else if (host->watch->again)
                host_arm(host, host->watch->coalesce_usec);
        host->watch->again = false;
}

static void reading_done(void *data, bool cancelled) {
        _cleanup_(reading_freep) Reading *reading = data;
        Host *host = reading->host;
        int r = reading->result;

        host->watch->reading = false;
        if (!cancelled) {
                host->watch->n_readings++;
                if (r >= 0)
                        r = host_replace(host, TAKE_PTR(reading->topology));
                if (r < 0)
                        log_warning("The host cannot be read now, and is shown as it was: %s", strerror(-r));
        }
        serve(&host->watch->served);
        if (!cancelled)
                arm_again(host);
}

static int start_reading(Host *host) {
        _cleanup_(reading_freep) Reading *reading = NULL;
        int r;

        reading = malloc(sizeof *reading);
        if (!reading)
                return -ENOMEM;
        *reading = (Reading) {
                .host = host,
                .root_fd = fcntl(host->root_fd, F_DUPFD_CLOEXEC, 3),
                .base_page_bytes = host->identity.base_page_bytes,
        };
        if (reading->root_fd < 0)
                return -errno;

        r = workers_submit(host->workers, reading_run, reading_done, reading);
        if (r < 0)
                return r;
        (void) TAKE_PTR(reading);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Host *host = userdata;
        struct HostWatch *watch = host->watch;
        int r;

        watch->armed = false;
        r = start_reading(host);
        if (r < 0) {
                log_warning("The host cannot be read now, and is shown as it was: %s", strerror(-r));
                serve(&watch->waiting);
                return 0;
        }
        watch->reading = true;
        watch->served = TAKE_PTR(watch->waiting);
        return 0;
}

void host_refresh(Host *host) {
        struct HostWatch *watch = host->watch;

        if (watch->reading)
                watch->again = true;
        else if (!watch->armed)
                host_arm(host, watch->coalesce_usec);
}

int host_refresh_then(Host *host, void (*done)(void *), void *userdata) {
        struct HostWatch *watch = host->watch;
        Waiter *waiter;

        waiter = malloc(sizeof *waiter);
        if (!waiter)
                return -ENOMEM;
        *waiter = (Waiter) { .next = watch->waiting, .done = done, .userdata = userdata };
        watch->waiting = waiter;
        if (!watch->reading)
                host_arm(host, 0);
        return 0;
}

void host_stop(Host *host) {
        (void) sd_event_source_set_enabled(host->watch->timer, SD_EVENT_OFF);
        serve(&host->watch->served);
        serve(&host->watch->waiting);
}

bool host_is_refreshing(const Host *host) {
        return host->watch->armed || host->watch->reading;
}

uint64_t host_readings(const Host *host) {
        return host->watch->n_readings;
}

void host_set_coalesce(Host *host, uint64_t coalesce_usec) {
        host->watch->coalesce_usec = coalesce_usec;
}

static void on_uevent(void *userdata) {
        host_refresh(userdata);
}

int host_watch_error(const Host *host) {
        return host->watch->watch_error;
}

static bool is_live_root(int root_fd) {
        struct stat a, b;

        return fstat(root_fd, &a) >= 0 && stat("/", &b) >= 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int host_new(sd_event *event, Workers *workers, const char *root, uint64_t coalesce_usec, Error *error, Host **ret) {
        _cleanup_(host_freep) Host *host = NULL;
        int r;

        host = calloc(1, sizeof *host);
        if (!host)
                return -ENOMEM;
        host->event = event;
        host->workers = workers;
        host->generation = 1;
        host->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (host->root_fd < 0)
                return error_set(error, ERROR_INVALID_ARGS, "the root \"%s\" cannot be opened: %s", root, strerror(errno));
        host->live = is_live_root(host->root_fd);

        host->watch = calloc(1, sizeof *host->watch);
        if (!host->watch)
                return -ENOMEM;
        host->watch->coalesce_usec = coalesce_usec;
        r = sd_event_add_time(event, &host->watch->timer, CLOCK_MONOTONIC, 0, 0, on_timer, host);
        if (r < 0)
                return r;
        (void) sd_event_source_set_enabled(host->watch->timer, SD_EVENT_OFF);
        (void) sd_event_source_set_description(host->watch->timer, "host-refresh");

        /* Heard before it is read, so that nothing falls between. */
        if (host->live)
                host->watch->watch_error = uevent_monitor_new(event, on_uevent, host, &host->watch->uevents);

        r = identity_read(host->root_fd, host->live, &host->identity);
        if (r < 0)
                return r;
        r = topology_read(host->root_fd, host->identity.base_page_bytes, &host->topology);
        if (r == -ENODATA)
                return error_set(error, ERROR_INVALID_ARGS,
                                 "the root \"%s\" holds no host: there are no CPUs in its " CPU_FOLDER, root);
        if (r < 0)
                return error_set(error, ERROR_INVALID_ARGS,
                                 "the host below \"%s\" cannot be read: %s", root, strerror(-r));
        host->watch->n_readings = 1;
        r = host_sync_cells(host, host->topology);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(host);
        return 0;
}

int host_listen(Host *host, const HostListener *listener, void *userdata) {
        HostListening *listening;

        listening = malloc(sizeof *listening);
        if (!listening)
                return -ENOMEM;
        *listening = (HostListening) { .next = host->listening, .listener = listener, .userdata = userdata };
        host->listening = listening;
        for (size_t i = 0; listener->cell_added && i < host->n_cells; i++)
                listener->cell_added(host->cells[i], userdata);
        return 0;
}

void host_unlisten(Host *host, const void *userdata) {
        for (HostListening **at = &host->listening; *at; at = &(*at)->next)
                if ((*at)->userdata == userdata) {
                        HostListening *listening = *at;

                        *at = listening->next;
                        free(listening);
                        return;
                }
}

Host *host_free(Host *host) {
        if (!host)
                return NULL;
        if (host->watch) {
                host_stop(host);
                uevent_monitor_free(host->watch->uevents);
                (void) sd_event_source_disable_unref(host->watch->timer);
                free(host->watch);
        }
        while (host->listening)
                host_unlisten(host, host->listening->userdata);
        for (size_t i = 0; i < host->n_cells; i++)
                host_cell_free(host->cells[i]);
        free(host->cells);
        topology_free(host->topology);
        identity_clear(&host->identity);
        if (host->root_fd >= 0)
                (void) close(host->root_fd);
        free(host);
        return NULL;
}
