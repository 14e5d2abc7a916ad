/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Huge pages for a cell.
 *
 * The service answers how many there are now. Whether that is what was asked
 * for needs with "add" also how many there were before; they are read first. Who
 * else changes the same pool between the two makes that comparison wrong, and
 * the answer not: so a doubt is told as numbers, not as a verdict. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "bus.h"
#include "fields.h"
#include "show.h"
#include "units.h"

typedef struct Request {
        uint32_t cell;
        uint64_t page_size, count;
} Request;

static ExitCode request_parse(const Ctl *ctl, Request *ret) {
        const char *cell = ctl->arguments[0], *size = ctl->arguments[1], *count = ctl->arguments[2];
        Request request = {};
        uint64_t n;

        if (!number_parse(cell, UINT32_MAX, &n))
                return ctl_fail(ctl, CTL_USAGE, "'%s' is no cell: a cell has a number; 'berthctl cells' shows them.", cell);
        request.cell = n;
        int r = bytes_parse(size, &request.page_size);
        if (r < 0 || request.page_size == 0)
                return ctl_fail(ctl, CTL_USAGE,
                                r == -ERANGE ? "'%s' is more than a size can be."
                                             : "'%s' is no size of pages: it is bytes, or like 2M or 1G.", size);
        if (!number_parse(count, UINT64_MAX, &request.count))
                return ctl_fail(ctl, CTL_USAGE, "'%s' is no count of pages: it is a whole number, 0 or more.", count);
        *ret = request;
        return CTL_DONE;
}

/* How many pages there are before the change. Returns whether the service tells. */
static ExitCode pages_before(Ctl *ctl, const Request *request, bool *ret_told, uint64_t *ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_json_ json_object *pages = NULL;
        char path[64];
        ExitCode e;

        *ret_told = false;
        snprintf(path, sizeof path, BERTH_HOST_PATH "/cells/%" PRIu32, request->cell);
        const Call call = { path, BERTH_CELL, "GetPages", "a(ttt)", false };
        e = bus_try_call(ctl, &call, &pages, &error, NULL);
        for (size_t i = 0; i < list_length(pages); i++) {
                json_object *row = json_object_array_get_idx(pages, i);
                if (json_object_get_uint64(json_object_array_get_idx(row, 0)) != request->page_size)
                        continue;
                *ret = json_object_get_uint64(json_object_array_get_idx(row, 1));
                *ret_told = true;
        }
        return e;
}

int verb_alloc_pages(Ctl *ctl) {
        static const Call call = { BERTH_HOST_PATH, BERTH_CELLS, "AllocPages", "t", true };
        bool set = ctl_option(ctl, OPTION_SET), dry_run = ctl_option(ctl, OPTION_DRY_RUN), before_told = false;
        _cleanup_json_ json_object *answer = NULL;
        char size[UNIT_TEXT_MAX];
        Request request = {};
        uint64_t before = 0;
        ExitCode e;

        e = request_parse(ctl, &request);
        if (e == CTL_DONE && !set && !dry_run)
                e = pages_before(ctl, &request, &before_told, &before);
        if (e != CTL_DONE)
                return e;

        const char *mode = set ? "set" : "add";
        if (dry_run)
                e = bus_call(ctl, &call, &answer, "uttas", request.cell, request.page_size, request.count,
                             2, mode, "dry-run");
        else
                e = bus_call(ctl, &call, &answer, "uttas", request.cell, request.page_size, request.count, 1, mode);
        if (e != CTL_DONE)
                return e;
        uint64_t total = json_object_get_uint64(answer);

        if (ctl->json != JSON_OFF) {
                _cleanup_json_ json_object *object = json_object_new_object();
                json_object_object_add(object, "cell", json_object_new_uint64(request.cell));
                json_object_object_add(object, "page_size", json_object_new_uint64(request.page_size));
                json_object_object_add(object, "count", json_object_new_uint64(request.count));
                json_object_object_add(object, "total", json_object_new_uint64(total));
                e = ctl_print_json(ctl, object);
        } else {
                terminal_printf(&ctl->terminal, "Cell %" PRIu32 " has %" PRIu64 " page%s of %s%s.\n", request.cell, total,
                                total == 1 ? "" : "s", bytes_format(size, request.page_size),
                                dry_run ? "; nothing was changed" : "");
        }
        if (e != CTL_DONE || dry_run)
                return e;

        uint64_t wanted = request.count;
        if (!set && (!before_told || __builtin_add_overflow(before, request.count, &wanted)))
                return CTL_DONE;
        if (total < wanted)
                return ctl_fail(ctl, CTL_FAILED,
                                "%" PRIu64 " were asked for in all: the kernel did not find enough free memory in one piece.\n"
                                "'echo 1 > /proc/sys/vm/compact_memory' may help it; so does asking right after boot.",
                                wanted);
        if (set && total > wanted)
                return ctl_fail(ctl, CTL_FAILED,
                                "%" PRIu64 " were asked for: the others are in use, and are given back when they are freed.",
                                wanted);
        return CTL_DONE;
}
