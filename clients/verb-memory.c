/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* On which of the host's cells a guest's memory lies. */

#include <errno.h>
#include <inttypes.h>

#include "bus.h"
#include "guests.h"
#include "show.h"
#include "table.h"
#include "units.h"

static uint64_t row_number(json_object *row, size_t i) {
        return json_object_get_uint64(json_object_array_get_idx(row, i));
}

static ExitCode show_json(const Ctl *ctl, json_object *cells) {
        _cleanup_json_ json_object *list = json_object_new_array();

        for (size_t i = 0; i < list_length(cells); i++) {
                json_object *row = json_object_array_get_idx(cells, i), *object = json_object_new_object();
                json_object_object_add(object, "cell", json_object_new_uint64(row_number(row, 0)));
                json_object_object_add(object, "bytes", json_object_new_uint64(row_number(row, 1)));
                json_object_array_add(list, object);
        }
        return ctl_print_json(ctl, list);
}

static ExitCode show_table(const Ctl *ctl, json_object *cells) {
        static const Column columns[] = {
                { "CELL", .right = true }, { "MEMORY", .right = true }, { "SHARE", .right = true }, {},
        };
        _cleanup_table_ Table *table = table_new(columns);
        int r = table ? 0 : -ENOMEM;
        char buffer[UNIT_TEXT_MAX];
        double total = 0;

        for (size_t i = 0; i < list_length(cells); i++)
                total += row_number(json_object_array_get_idx(cells, i), 1);
        for (size_t i = 0; i < list_length(cells) && r >= 0; i++) {
                json_object *row = json_object_array_get_idx(cells, i);
                r = table_addf(table, "%" PRIu64, row_number(row, 0));
                if (r >= 0)
                        r = table_add(table, bytes_format(buffer, row_number(row, 1)));
                if (r >= 0)
                        r = table_addf(table, "%.0f %%", total > 0 ? row_number(row, 1) / total * 100 : 0.0);
        }
        if (r < 0)
                return fail_no_memory(ctl);
        table_print(table, &ctl->terminal, UINT32_MAX);
        return CTL_DONE;
}

int verb_memory(Ctl *ctl) {
        _cleanup_json_ json_object *path = NULL, *cells = NULL;
        ExitCode e;

        e = guest_find_path(ctl, ctl->arguments[0], &path);
        if (e != CTL_DONE)
                return e;
        const Call call = { .path = json_object_get_string(path), .interface = BERTH_DOMAIN, .member = "GetMemoryByCell",
                            .reply = "a(ut)" };
        e = bus_call(ctl, &call, &cells, NULL);
        if (e != CTL_DONE)
                return e;
        if (ctl->json != JSON_OFF)
                return show_json(ctl, cells);
        if (list_length(cells) == 0) {
                terminal_put(&ctl->terminal, "No memory of it lies on any cell yet.\n");
                return CTL_DONE;
        }
        return show_table(ctl, cells);
}
