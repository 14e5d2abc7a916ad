/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The pages of a cell: how many there are of each size, and the one thing that
 * can be changed, its pools of huge pages. */

#include "host.h"

typedef struct PageCount {
        uint64_t size_bytes;
        uint64_t total;
        uint64_t free;
        bool total_known;
        bool free_known;
} PageCount;

/* Counts a cell's pages now: base pages first (if their size is known), then each
 * huge size. Base pages in no pool of huge pages are counted as such.
 * Source: nodeN/meminfo and nodeN/hugepages, or /proc/meminfo and
 * /sys/kernel/mm/hugepages without NUMA. */
int pages_count(HostCell *cell, PageCount **ret_counts, size_t *ret_n_counts);

/* The page sizes as a list for people: "2097152 (2048 KiB), 1073741824 (1048576 KiB)". */
char *pages_sizes_to_string(const Cell *cell);

/* Whether such a change can be asked for: the cell has this size, and memory for
 * so many. ERROR_NOT_SUPPORTED, ERROR_INVALID_ARGS. */
int pages_check_alloc(const HostCell *cell, uint64_t size_bytes, uint64_t count, Error *error);

/* How many pages of a size the pool has now. */
int pages_read_pool(const HostCell *cell, uint64_t size_bytes, uint64_t *ret_total);

/* Makes a pool's size "count", or so many more, on a worker: the kernel may take
 * seconds to find them. One change at a time: ERROR_BUSY. "done" tells how many
 * there are after it, or why not; "cell" may be gone by then.
 * Source: nr_hugepages, written and read back. */
int pages_alloc(HostCell *cell, uint64_t size_bytes, uint64_t count, bool add,
                void (*done)(int result, uint64_t total, void *userdata), void *userdata, Error *error);
