/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* On which of the host's cells a guest's memory lies. The kernel walks the page tables
 * of the process for it (4 to 8 ms for each GiB), so a worker does it, and who asks for
 * the same guest meanwhile shares the walk.
 * Source: /proc/PID/numa_maps, proc(5). */

#include "guest/backend.h"
#include "guest/domain.h"

typedef struct CellMemory {
        uint32_t cell;
        uint64_t bytes;
} CellMemory;

typedef void (*MemoryDone)(int result, const Error *error, const CellMemory *cells, size_t n, void *userdata);

/* "done" is called once and later, also when the guest has gone meanwhile (NotRunning);
 * never after guests_free(). Errors: NotRunning, NotSupported, BackendFailed. */
int memory_by_cell(Domain *domain, MemoryDone done, void *userdata, Error *error);

/* Adds up one text of numa_maps; pages are of the size that the line names.
 * "*ret_cells" is ascending. Returns -EINVAL for what is no such text, -ERANGE. */
int numa_maps_parse(const char *text, size_t length, CellMemory **ret_cells, size_t *ret_n);
