/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A walk is shared between the loop and one worker, and outlives the guest: whoever
 * waits is told as soon as the run is over, while the worker may be inside of a read
 * that takes a second (one line of numa_maps is one mapping, and a guest's memory may be
 * a single one). So the worker has a descriptor of its own, and of the rest touches
 * only what is marked as its; the loop lets go of the guest, and frees the walk when
 * the pool gives it back.
 *
 * One walk at a time is with the pool, whose other thread is then free for what is short;
 * the others wait here, in the order in which they were asked for.
 *
 * The descriptor is that of /proc/PID, so that nobody else is looked at who got the
 * number since (process.c).
 *
 * A process that ends gives its memory back first, and is there all the time that this
 * takes. numa_maps is then empty, or ends early, in the middle of the guest's memory but
 * at the end of a line. What shows that a text was whole is that the first line is
 * still there after the last: every process has a mapping until it gives up all. */

#include "guest/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/beneath.h"
#include "lib/sysfs.h"

/* The kernel gives a page or less at a time. */
#define PIECE_SIZE 8192u

typedef struct Waiter {
        struct Waiter *next;
        MemoryDone done;
        void *userdata;
} Waiter;

typedef struct MemoryWalk {
        MemoryQueue *queue;
        struct MemoryWalk *next;        /* in it */
        Domain *domain;                 /* NULL once its run is over */
        Waiter *waiters;                /* those who asked first are first */
        Waiter **last_waiter;
        size_t n_waiters;
        Workers *workers;

        atomic_bool abandoned;          /* nobody waits for it any more */

        /* The worker's until it is done. */
        int process_fd;
        int result;
        NumaMaps maps;
        CellMemory *cells;
        size_t n_cells;
        char piece[PIECE_SIZE];
} MemoryWalk;

static void memory_walk_free(MemoryWalk *walk) {
        while (walk->waiters) {
                Waiter *waiter = walk->waiters;

                walk->waiters = waiter->next;
                free(waiter);
        }
        closep(&walk->process_fd);
        numa_maps_clear(&walk->maps);
        free(walk->cells);
        free(walk);
}

DEFINE_CLEANUP(MemoryWalk *, memory_walk_free)

/* A kernel without NUMA has no such file; nor has anything the folder of who was reaped. */
static int why_no_file(const MemoryWalk *walk) {
        char text[4096];

        return sysfs_read(walk->process_fd, "stat", text, sizeof text) < 0 ? -ESRCH : -EOPNOTSUPP;
}

static int walk_pieces(MemoryWalk *walk, int fd) {
        for (;;) {
                ssize_t n;
                int r;

                if (atomic_load(&walk->abandoned) || workers_are_stopping(walk->workers))
                        return -ECANCELED;
                n = read(fd, walk->piece, sizeof walk->piece);
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return 0;
                r = numa_maps_feed(&walk->maps, walk->piece, (size_t) n);
                if (r < 0)
                        return r;
        }
}

static int walk_whole(MemoryWalk *walk) {
        _cleanup_close_ int fd = -1;
        ssize_t n;
        int r;

        fd = open_beneath(walk->process_fd, "numa_maps", O_RDONLY);
        if (fd == -ENOENT)
                return why_no_file(walk);
        if (fd < 0)
                return fd;
        r = walk_pieces(walk, fd);
        if (r < 0)
                return r;
        n = pread(fd, walk->piece, 1, 0);
        if (n < 0)
                return -errno;
        if (n == 0)
                return -ESRCH;
        return numa_maps_finish(&walk->maps, &walk->cells, &walk->n_cells);
}

static void walk_run(void *data) {
        MemoryWalk *walk = data;

        walk->result = walk_whole(walk);
}

/* The guest may ask for the next walk from within a "done", or go. */
static void walk_tell(MemoryWalk *walk, int result, const Error *error, const CellMemory *cells, size_t n) {
        if (walk->domain) {
                walk->domain->memory = NULL;
                walk->domain = NULL;
        }
        while (walk->waiters) {
                _cleanup_free_ Waiter *waiter = walk->waiters;

                walk->waiters = waiter->next;
                waiter->done(result, error, cells, n, waiter->userdata);
        }
}

static int not_running(const Domain *domain, Error *error) {
        return error_set(error, ERROR_NOT_RUNNING, "The domain \"%s\" is not running.", domain->name);
}

static int walk_error(const MemoryWalk *walk, Error *error) {
        const Domain *domain = walk->domain;

        switch (-walk->result) {
        case ESRCH:
                return not_running(domain, error);
        case EOPNOTSUPP:
                return error_set(error, ERROR_NOT_SUPPORTED, "This host's kernel has no NUMA, and does not tell where memory lies.");
        case ENOMEM:
                return error_set(error, ERROR_NO_MEMORY, "No memory for the memory of \"%s\".", domain->name);
        case EINTR:
        case ECANCELED:
                return error_set(error, ERROR_BACKEND_FAILED, "The service stops before it has seen where the memory of \"%s\" lies.", domain->name);
        case EINVAL:
        case ERANGE:
                return error_set(error, ERROR_BACKEND_FAILED, "What the kernel says in /proc/%d/numa_maps is not understood.", (int) domain->pid);
        }
        return error_set(error, ERROR_BACKEND_FAILED, "/proc/%d/numa_maps cannot be read: %s.", (int) domain->pid, strerror(-walk->result));
}

static void walk_end(MemoryWalk *ended) {
        _cleanup_(memory_walk_freep) MemoryWalk *walk = ended;
        _cleanup_error_ Error error = {};
        int r = 0;

        /* Those who waited were told when the run was over. */
        if (!walk->domain)
                return;
        if (walk->result < 0)
                r = walk_error(walk, &error);
        walk_tell(walk, r, r < 0 ? &error : NULL, walk->cells, walk->n_cells);
}

static void walk_done(void *data, bool cancelled);

static int walk_submit(MemoryWalk *walk) {
        int r = workers_submit(walk->workers, walk_run, walk_done, walk);

        if (r >= 0)
                walk->queue->under_way = walk;
        return r;
}

/* The next has its turn before anybody is told, who may ask again. */
static void walk_done(void *data, bool cancelled) {
        MemoryWalk *walk = data, *next;
        MemoryQueue *queue = walk->queue;

        if (cancelled)
                walk->result = -ECANCELED;
        queue->under_way = NULL;
        while (!queue->under_way && (next = queue->first)) {
                queue->first = next->next;
                next->result = walk_submit(next);
                if (next->result < 0)
                        walk_end(next);
        }
        walk_end(walk);
}

/* Returns whether it was waiting in the queue. */
static bool walk_unlink(MemoryWalk *walk) {
        for (MemoryWalk **at = &walk->queue->first; *at; at = &(*at)->next)
                if (*at == walk) {
                        *at = walk->next;
                        return true;
                }
        return false;
}

void memory_stopped(Domain *domain) {
        _cleanup_(memory_walk_freep) MemoryWalk *waiting = NULL;
        MemoryWalk *walk = domain->memory;
        _cleanup_error_ Error error = {};
        int r;

        if (!walk)
                return;
        atomic_store(&walk->abandoned, true);
        if (walk_unlink(walk))
                waiting = walk;
        r = not_running(domain, &error);
        walk_tell(walk, r, &error, NULL, 0);
}

static int walk_start(Domain *domain, MemoryWalk **ret) {
        _cleanup_(memory_walk_freep) MemoryWalk *walk = NULL;
        MemoryQueue *queue = guests_memory_queue(domain->guests);
        MemoryWalk **at;
        int r;

        walk = calloc(1, sizeof *walk);
        if (!walk)
                return -ENOMEM;
        walk->domain = domain;
        walk->last_waiter = &walk->waiters;
        walk->queue = queue;
        walk->workers = guests_workers(domain->guests);
        walk->process_fd = fcntl(domain->process->fd, F_DUPFD_CLOEXEC, 3);
        if (walk->process_fd < 0)
                return -errno;
        if (queue->under_way) {
                for (at = &queue->first; *at; at = &(*at)->next)
                        ;
                *at = walk;
        } else {
                r = walk_submit(walk);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(walk);
        return 0;
}

int memory_by_cell(Domain *domain, MemoryDone done, void *userdata, Error *error) {
        _cleanup_free_ Waiter *waiter = NULL;
        MemoryWalk *walk;
        int r;

        if (!domain_is_running(domain))
                return not_running(domain, error);
        if (!domain->process)
                return error_set(error, ERROR_BACKEND_FAILED, "The process of \"%s\" cannot be looked at.", domain->name);
        if (domain->memory && domain->memory->n_waiters >= MEMORY_WAITERS_MAX)
                return error_set(error, ERROR_BUSY, "Too many wait to hear where the memory of \"%s\" lies already; try again later.", domain->name);
        waiter = malloc(sizeof *waiter);
        if (!waiter)
                return error_set(error, ERROR_NO_MEMORY, "No memory for a question about \"%s\".", domain->name);
        *waiter = (Waiter) { .done = done, .userdata = userdata };

        if (!domain->memory) {
                r = walk_start(domain, &domain->memory);
                if (r < 0)
                        return error_set(error, ERROR_BACKEND_FAILED, "The memory of \"%s\" cannot be looked at: %s.",
                                         domain->name, strerror(-r));
        }
        walk = domain->memory;
        *walk->last_waiter = waiter;
        walk->last_waiter = &waiter->next;
        walk->n_waiters++;
        (void) TAKE_PTR(waiter);
        return 0;
}
