/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "meminfo.h"

#define PATH_BYTES 96

/* The path of a file of a pool, relative to the cell's folder. */
static const char *pool_path(const Host *host, uint64_t size_bytes, const char *file, char *buffer) {
        snprintf(buffer, PATH_BYTES, "%s/hugepages-%" PRIu64 "kB/%s",
                 host->topology->numa ? "hugepages" : "sys/kernel/mm/hugepages", size_bytes >> 10, file);
        return buffer;
}

int pages_count(HostCell *cell, PageCount **ret_counts, size_t *ret_n_counts) {
        const Cell *snapshot = ASSERT_PTR(host_cell_snapshot(cell));
        uint64_t base = cell->host->identity.base_page_bytes, huge_bytes = 0, free_bytes;
        _cleanup_free_ PageCount *counts = NULL;
        bool huge_known = true;
        size_t n = 0;

        counts = calloc(snapshot->n_pools + 1, sizeof *counts);
        if (!counts)
                return -ENOMEM;
        if (base > 0)
                counts[n++].size_bytes = base;

        for (size_t i = 0; i < snapshot->n_pools; i++) {
                PageCount *count = counts + n++;
                char path[PATH_BYTES];

                count->size_bytes = snapshot->pools[i].size_bytes;
                count->total_known = sysfs_read_u64(cell->dir_fd, pool_path(cell->host, count->size_bytes, "nr_hugepages", path), &count->total) >= 0;
                count->free_known = sysfs_read_u64(cell->dir_fd, pool_path(cell->host, count->size_bytes, "free_hugepages", path), &count->free) >= 0;
                /* Of none, none are free. */
                if (count->total_known && count->total == 0)
                        count->free_known = true;
                huge_known = huge_known && count->total_known && count->total <= UINT64_MAX / count->size_bytes;
                if (huge_known)
                        huge_bytes += count->total * count->size_bytes;
        }

        if (base > 0) {
                counts->total_known = snapshot->memory_known && huge_known && huge_bytes <= snapshot->memory_bytes;
                if (counts->total_known)
                        counts->total = (snapshot->memory_bytes - huge_bytes) / base;
                counts->free_known = host_cell_free_memory(cell, &free_bytes) >= 0;
                if (counts->free_known)
                        counts->free = free_bytes / base;
        }

        *ret_counts = TAKE_PTR(counts);
        *ret_n_counts = n;
        return 0;
}

char *pages_sizes_to_string(const Cell *cell) {
        char *text = NULL;
        size_t size;
        FILE *stream;

        stream = open_memstream(&text, &size);
        if (!stream)
                return NULL;
        for (size_t i = 0; i < cell->n_pools; i++)
                fprintf(stream, "%s%" PRIu64 " (%" PRIu64 " KiB)", i > 0 ? ", " : "",
                        cell->pools[i].size_bytes, cell->pools[i].size_bytes >> 10);
        if (fclose(stream) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

int pages_check_alloc(const HostCell *cell, uint64_t size_bytes, uint64_t count, Error *error) {
        const Cell *snapshot = ASSERT_PTR(host_cell_snapshot(cell));
        _cleanup_free_ char *sizes = NULL;

        if (snapshot->n_pools == 0)
                return error_set(error, ERROR_NOT_SUPPORTED, "cell %u has no huge pages: the kernel shows no sizes for it", cell->id);

        for (size_t i = 0; i < snapshot->n_pools; i++) {
                if (snapshot->pools[i].size_bytes != size_bytes)
                        continue;
                if (snapshot->memory_known && count > snapshot->memory_bytes / size_bytes)
                        return error_set(error, ERROR_INVALID_ARGS,
                                         "cell %u has memory for at most %" PRIu64 " pages of %" PRIu64 " KiB, not for %" PRIu64,
                                         cell->id, snapshot->memory_bytes / size_bytes, size_bytes >> 10, count);
                return 0;
        }

        sizes = pages_sizes_to_string(snapshot);
        if (!sizes)
                return -ENOMEM;
        return error_set(error, ERROR_INVALID_ARGS, "cell %u has no huge pages of %" PRIu64 " bytes; it has %s",
                         cell->id, size_bytes, sizes);
}

int pages_read_pool(const HostCell *cell, uint64_t size_bytes, uint64_t *ret_total) {
        char path[PATH_BYTES];

        return sysfs_read_u64(cell->dir_fd, pool_path(cell->host, size_bytes, "nr_hugepages", path), ret_total);
}

/* A change on its way, with a descriptor of its own for the worker. */
typedef struct Alloc {
        Host *host;                     /* used on the loop only */
        int dir_fd;
        char path[PATH_BYTES];
        uint64_t count;
        bool add;
        int result;
        uint64_t total;
        void (*done)(int, uint64_t, void *);
        void *userdata;
} Alloc;

static void alloc_free(Alloc *alloc) {
        if (alloc->dir_fd >= 0)
                (void) close(alloc->dir_fd);
        free(alloc);
}

DEFINE_CLEANUP(Alloc *, alloc_free)

static void alloc_run(void *data) {
        Alloc *alloc = data;
        uint64_t wanted = alloc->count, before;

        if (alloc->add) {
                alloc->result = sysfs_read_u64(alloc->dir_fd, alloc->path, &before);
                if (alloc->result < 0)
                        return;
                wanted = before > UINT64_MAX - wanted ? UINT64_MAX : before + wanted;
        }
        alloc->result = sysfs_write_u64(alloc->dir_fd, alloc->path, wanted);
        if (alloc->result >= 0)
                alloc->result = sysfs_read_u64(alloc->dir_fd, alloc->path, &alloc->total);
}

/* The model has seen it: an answer and the state never come from different truths. */
static void alloc_seen(void *data) {
        _cleanup_(alloc_freep) Alloc *alloc = data;

        alloc->host->pages_busy = false;
        alloc->done(alloc->result, alloc->total, alloc->userdata);
}

static void alloc_done(void *data, bool cancelled) {
        Alloc *alloc = data;

        if (cancelled)
                alloc->result = -ECANCELED;
        if (cancelled || host_refresh_then(alloc->host, alloc_seen, alloc) < 0)
                alloc_seen(alloc);
}

int pages_alloc(HostCell *cell, uint64_t size_bytes, uint64_t count, bool add,
                void (*done)(int, uint64_t, void *), void *userdata, Error *error) {
        _cleanup_(alloc_freep) Alloc *alloc = NULL;
        int r;

        if (cell->host->pages_busy)
                return error_set(error, ERROR_BUSY, "the kernel is still at an earlier change of huge pages; try again when it is done");

        alloc = malloc(sizeof *alloc);
        if (!alloc)
                return -ENOMEM;
        *alloc = (Alloc) {
                .host = cell->host,
                .dir_fd = fcntl(cell->dir_fd, F_DUPFD_CLOEXEC, 3),
                .count = count,
                .add = add,
                .done = done,
                .userdata = userdata,
        };
        if (alloc->dir_fd < 0)
                return -errno;
        pool_path(cell->host, size_bytes, "nr_hugepages", alloc->path);

        r = workers_submit(cell->host->workers, alloc_run, alloc_done, alloc);
        if (r < 0)
                return r;
        cell->host->pages_busy = true;
        (void) TAKE_PTR(alloc);
        return 0;
}
