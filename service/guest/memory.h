/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* On which of the host's cells a guest's memory lies. The kernel walks the page tables
 * of the process for it (4 to 8 ms for each GiB), so a worker does it, and who asks for
 * the same guest meanwhile shares the walk. Of all guests one at a time has its walk: what else
 * the workers do must not wait for many.
 * Source: /proc/PID/numa_maps, proc(5). */

#include "guest/backend.h"
#include "guest/domain.h"

typedef struct CellMemory {
        uint32_t cell;
        uint64_t bytes;
} CellMemory;

typedef void (*MemoryDone)(int result, const Error *error, const CellMemory *cells, size_t n, void *userdata);

/* As many share one look. */
#define MEMORY_WAITERS_MAX 1024u

/* "done" is called once and later, also when the guest has gone meanwhile (NotRunning);
 * never after guests_free(). Errors: NotRunning, NotSupported, BackendFailed; Busy where too
 * many wait. */
int memory_by_cell(Domain *domain, MemoryDone done, void *userdata, Error *error);

/* The run is over: a walk that is under way ends with NotRunning now. */
void memory_stopped(Domain *domain);

/* Adds up one text of numa_maps; pages are of the size that the line names.
 * "*ret_cells" is ascending. Returns -EINVAL for what is no such text, -ERANGE. */
int numa_maps_parse(const char *text, size_t length, CellMemory **ret_cells, size_t *ret_n);

/* The same for a text that comes in pieces, cut anywhere: numa-maps.c. It starts with
 * all zeroes, and is of no more use after an error. */
typedef struct NumaMaps {
        CellMemory *cells;              /* ascending */
        size_t n_cells, n_cells_allocated;

        /* The line that has begun, and its word. */
        CellMemory *line;               /* pages, not bytes; ascending */
        size_t n_line, n_line_allocated;
        uint64_t page_bytes;            /* 0 until the line has said it */
        size_t n_words;
        char word[64];                  /* cut: longer ones are names of files */
        size_t word_length;             /* as it would be, not cut */
} NumaMaps;

void numa_maps_clear(NumaMaps *maps);
#define _cleanup_numa_maps_ _cleanup_(numa_maps_clear)

/* Returns -EINVAL, -ERANGE, -ENOMEM. */
int numa_maps_feed(NumaMaps *maps, const char *piece, size_t length);

/* Hands the sum out. Returns -EINVAL in the middle of a line. */
int numa_maps_finish(NumaMaps *maps, CellMemory **ret_cells, size_t *ret_n);
