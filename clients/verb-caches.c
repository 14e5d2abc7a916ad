/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>

#include "fields.h"
#include "show.h"
#include "table.h"
#include "units.h"

static int cache_add(Table *table, json_object *cache) {
        char buffer[UNIT_TEXT_MAX];
        uint64_t n;
        int r;

        r = table_addf(table, "L%" PRIu64, field_number_or(cache, "level", 0));
        if (r >= 0)
                r = table_add(table, field_string(cache, "type"));
        if (r >= 0)
                r = table_add(table, field_number(cache, "size", &n) ? bytes_format(buffer, n) : NULL);
        if (r >= 0)
                r = table_add(table, field_string(cache, "cpus"));
        if (r >= 0)
                r = field_number(cache, "id", &n) ? table_addf(table, "%" PRIu64, n) : table_add(table, NULL);
        if (r >= 0)
                r = field_number(cache, "cell", &n) ? table_addf(table, "%" PRIu64, n) : table_add(table, NULL);
        return r;
}

int verb_caches(Ctl *ctl) {
        static const Column columns[] = {
                { "LEVEL" }, { "TYPE" }, { "SIZE", .right = true }, { "CPUS", .wraps = true },
                { "ID", .right = true }, { "CELL", .right = true }, {},
        };
        _cleanup_json_ json_object *caches = NULL;
        ExitCode e;

        e = host_list_caches(ctl, &caches);
        if (e != CTL_DONE)
                return e;
        if (ctl->json != JSON_OFF)
                return ctl_print_json(ctl, caches);
        if (list_length(caches) == 0) {
                terminal_put(&ctl->terminal, "The kernel tells of no caches here.\n");
                return CTL_DONE;
        }

        _cleanup_table_ Table *table = table_new(columns);
        int r = table ? 0 : -ENOMEM;
        for (size_t i = 0; i < list_length(caches) && r >= 0; i++)
                r = cache_add(table, json_object_array_get_idx(caches, i));
        if (r < 0)
                return fail_no_memory(ctl);
        table_print(table, &ctl->terminal, UINT_MAX);
        return CTL_DONE;
}
