/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who holds up sleep or power-off. */

#include <errno.h>
#include <inttypes.h>

#include "show.h"

static int number_add(Table *table, json_object *inhibitor, const char *key) {
        uint64_t n;

        return field_number(inhibitor, key, &n) ? table_addf(table, "%" PRIu64, n) : table_add(table, NULL);
}

static int inhibitor_add(Table *table, json_object *inhibitor) {
        int r;

        r = table_add(table, field_string(inhibitor, "who"));
        if (r >= 0)
                r = table_add(table, field_string(inhibitor, "mode"));
        if (r >= 0)
                r = table_add(table, field_string(inhibitor, "what"));
        if (r >= 0)
                r = number_add(table, inhibitor, "uid");
        if (r >= 0)
                r = number_add(table, inhibitor, "pid");
        if (r >= 0)
                r = table_add(table, field_string(inhibitor, "why"));
        return r;
}

int verb_inhibitors(Ctl *ctl) {
        static const Column columns[] = {
                { "WHO", .wraps = true }, { "MODE" }, { "WHAT" }, { "USER", .right = true },
                { "PID", .right = true }, { "WHY", .wraps = true }, {},
        };
        _cleanup_json_ json_object *inhibitors = NULL;
        ExitCode e;

        e = host_list_inhibitors(ctl, &inhibitors);
        if (e != CTL_DONE)
                return e;
        if (ctl->json != JSON_OFF)
                return ctl_print_json(ctl, inhibitors);
        if (list_length(inhibitors) == 0) {
                terminal_put(&ctl->terminal, "Nobody holds up sleep or power-off.\n");
                return CTL_DONE;
        }

        _cleanup_table_ Table *table = table_new(columns);
        int r = table ? 0 : -ENOMEM;
        for (size_t i = 0; i < list_length(inhibitors) && r >= 0; i++)
                r = inhibitor_add(table, json_object_array_get_idx(inhibitors, i));
        if (r < 0)
                return fail_no_memory(ctl);
        table_print(table, &ctl->terminal, UINT_MAX);
        return CTL_DONE;
}
