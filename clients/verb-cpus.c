/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "fields.h"
#include "show.h"
#include "table.h"
#include "units.h"

static int cpu_add(Table *table, json_object *cpu) {
        static const char *const places[] = { "cell", "drawer", "book", "socket", "die", "cluster", "core" };
        char buffer[UNIT_TEXT_MAX];
        uint64_t n;
        int r;

        r = table_addf(table, "%" PRIu64, field_number_or(cpu, "id", 0));
        if (r >= 0)
                r = table_addf(table, "%s%s", field_boolean(cpu, "online") ? "online" : "offline",
                               field_boolean(cpu, "isolated") ? ", isolated" : "");
        for (size_t i = 0; i < ELEMENTS(places) && r >= 0; i++)
                r = field_number(cpu, places[i], &n) ? table_addf(table, "%" PRIu64, n) : table_add(table, NULL);
        if (r >= 0)
                r = table_add(table, field_string(cpu, "siblings"));
        if (r >= 0)
                r = table_add(table, field_string(cpu, "kind"));
        if (r >= 0)
                r = field_number(cpu, "capacity", &n) ? table_addf(table, "%" PRIu64, n) : table_add(table, NULL);
        if (r >= 0)
                r = table_add(table, field_number(cpu, "max_khz", &n) ? khz_format(buffer, n) : NULL);
        return r;
}

int verb_cpus(Ctl *ctl) {
        static const Column columns[] = {
                { "CPU", .right = true },    { "STATE" },                 { "CELL", .right = true },
                { "DRAWER", .right = true }, { "BOOK", .right = true },   { "SOCKET", .right = true },
                { "DIE", .right = true },    { "CLUSTER", .right = true }, { "CORE", .right = true },
                { "SIBLINGS", .wraps = true }, { "KIND" },                { "CAPACITY", .right = true },
                { "MAX" },                   {},
        };
        _cleanup_json_ json_object *cpus = NULL;
        ExitCode e;

        e = host_list_cpus(ctl, &cpus);
        if (e != CTL_DONE)
                return e;
        if (ctl->json != JSON_OFF)
                return ctl_print_json(ctl, cpus);

        _cleanup_table_ Table *table = table_new(columns);
        int r = table ? 0 : -ENOMEM;
        for (size_t i = 0; i < list_length(cpus) && r >= 0; i++)
                r = cpu_add(table, json_object_array_get_idx(cpus, i));
        if (r < 0)
                return fail_no_memory(ctl);
        table_print(table, &ctl->terminal, UINT_MAX);
        return CTL_DONE;
}
