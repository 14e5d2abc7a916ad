/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.berth1.Host.Cells: what is asked of many cells at once. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bus/call.h"
#include "dictionary.h"
#include "host-cells.gen.h"
#include "host/pages.h"
#include "lib/log.h"

int host_cells_get_count(const Host *host, sd_bus_message *reply) {
        return sd_bus_message_append(reply, "u", (uint32_t) host->n_cells);
}

static int no_such_cell(const Host *host, uint32_t id, const char *relation, Error *error) {
        _cleanup_cpuset_ CpuSet ids = {};
        _cleanup_free_ char *list = NULL;

        for (size_t i = 0; i < host->n_cells; i++)
                (void) cpuset_add(&ids, host->cells[i]->id);
        list = cpuset_to_list(&ids);
        if (!list)
                return -ENOMEM;
        return error_set(error, ERROR_NO_SUCH_CELL, "there is no cell %u%s; the cells are %s", id, relation, list);
}

/* The cells that a first id and a count mean. */
static int find_range(Host *host, uint32_t first, uint32_t count, size_t *ret_from, size_t *ret_to, Error *error) {
        size_t from = 0;

        while (from < host->n_cells && host->cells[from]->id < first)
                from++;
        if (from == host->n_cells)
                return no_such_cell(host, first, " or above", error);

        *ret_from = from;
        *ret_to = count == 0 || count > host->n_cells - from ? host->n_cells : from + count;
        return 0;
}

/* Answers with an array to which each cell of a range adds its part. */
static int reply_range(Host *host, uint32_t first, uint32_t count, const char *contents,
                       int (*append)(sd_bus_message *reply, HostCell *cell), const Request *request, Error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        size_t from = 0, to = 0;
        int r;

        r = find_range(host, first, count, &from, &to, error);
        if (r >= 0)
                r = sd_bus_message_new_method_return(request->message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', contents);
        for (size_t i = from; r >= 0 && i < to; i++)
                r = append(reply, host->cells[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return sd_bus_message_send(reply);
}

/* A cell that does not tell is left out. */
static int append_free_memory(sd_bus_message *reply, HostCell *cell) {
        uint64_t bytes;

        if (host_cell_free_memory(cell, &bytes) < 0)
                return 0;
        return sd_bus_message_append(reply, "(ut)", cell->id, bytes);
}

int host_cells_get_free_memory(Host *host, const HostCellsGetFreeMemoryArgs *args, const Request *request, Error *error) {
        return reply_range(host, args->first, args->count, "(ut)", append_free_memory, request, error);
}

static int append_free_pages(sd_bus_message *reply, HostCell *cell) {
        _cleanup_free_ PageCount *counts = NULL;
        size_t n;
        int r;

        r = pages_count(cell, &counts, &n);
        for (size_t i = 0; r >= 0 && i < n; i++)
                if (counts[i].free_known)
                        r = sd_bus_message_append(reply, "(utt)", cell->id, counts[i].size_bytes, counts[i].free);
        return r;
}

int host_cells_get_free_pages(Host *host, const HostCellsGetFreePagesArgs *args, const Request *request, Error *error) {
        return reply_range(host, args->first, args->count, "(utt)", append_free_pages, request, error);
}

int host_cells_alloc_pages_check(Host *host, const HostCellsAllocPagesArgs *args, Error *error) {
        HostCell *cell = host_find_cell(host, args->cell);

        if (!cell)
                return no_such_cell(host, args->cell, "", error);
        return pages_check_alloc(cell, args->page_size, args->count, error);
}

/* What is kept of a call while the kernel looks for pages. */
typedef struct Allocation {
        Call *call;
        uint32_t cell;
        uint64_t page_size;
        uint64_t count;
        bool add;
        uint32_t uid;
} Allocation;

static void on_allocated(int result, uint64_t total, void *userdata) {
        _cleanup_free_ Allocation *allocation = userdata;
        _cleanup_error_ Error error = {};
        char uid[16];

        if (result == -ECANCELED || result == -EINTR) {
                (void) error_set(&error, ERROR_BACKEND_FAILED, "the service is stopping; the %" PRIu64 " KiB pages of cell %u may have changed in part",
                                 allocation->page_size >> 10, allocation->cell);
                call_fail(allocation->call, result, &error);
                return;
        }
        if (result < 0) {
                (void) error_set(&error, ERROR_BACKEND_FAILED, "the kernel refused to change the %" PRIu64 " KiB pages of cell %u: %s",
                                 allocation->page_size >> 10, allocation->cell, strerror(-result));
                call_fail(allocation->call, result, &error);
                return;
        }

        snprintf(uid, sizeof uid, "%u", allocation->uid);
        log_fields(LOG_NOTICE, LOG_FIELDS("MESSAGE_ID", MESSAGE_ID_PAGES_ALLOCATED, "BERTH_UID", uid),
                   "Cell %u has %" PRIu64 " pages of %" PRIu64 " KiB now; user %s asked for %" PRIu64 "%s",
                   allocation->cell, total, allocation->page_size >> 10, uid, allocation->count, allocation->add ? " more" : "");
        call_answer(allocation->call, "t", total);
}

int host_cells_alloc_pages(Host *host, const HostCellsAllocPagesArgs *args, const Request *request, Error *error) {
        HostCell *cell = ASSERT_PTR(host_find_cell(host, args->cell));
        _cleanup_free_ Allocation *allocation = NULL;
        bool add = !(args->flags & HOST_CELLS_ALLOC_PAGES_SET);
        uint64_t total;
        int r;

        if (args->flags & HOST_CELLS_ALLOC_PAGES_DRY_RUN) {
                r = pages_read_pool(cell, args->page_size, &total);
                if (r < 0)
                        return r;
                return sd_bus_reply_method_return(request->message, "t", total);
        }

        allocation = malloc(sizeof *allocation);
        if (!allocation)
                return -ENOMEM;
        *allocation = (Allocation) {
                .cell = args->cell,
                .page_size = args->page_size,
                .count = args->count,
                .add = add,
                .uid = request->uid,
        };
        r = call_new(request, CALL_TIMEOUT_USEC, "the kernel is still looking for pages, and goes on; GetPages tells how far it is", &allocation->call);
        if (r < 0)
                return r;
        r = pages_alloc(cell, args->page_size, args->count, add, on_allocated, allocation, error);
        if (r < 0) {
                call_drop(allocation->call);
                return r;
        }

        (void) TAKE_PTR(allocation);
        return 0;
}
