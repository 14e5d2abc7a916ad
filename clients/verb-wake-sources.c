/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What can wake the host, and whether it is armed. */

#include <errno.h>

#include "show.h"

static int source_add(Table *table, json_object *source) {
        bool armed = field_boolean(source, "enabled");
        int r;

        r = table_add(table, field_string(source, "kind"));
        if (r >= 0)
                r = table_add_styled(table, armed ? STYLE_GOOD : STYLE_NORMAL, armed ? "yes" : "no");
        if (r >= 0)
                r = table_add(table, field_string(source, "mac"));
        if (r >= 0)
                r = table_add(table, field_string(source, "device"));
        return r;
}

int verb_wake_sources(Ctl *ctl) {
        static const Column columns[] = { { "KIND" }, { "ARMED" }, { "MAC" }, { "DEVICE" }, {} };
        _cleanup_json_ json_object *sources = NULL;
        ExitCode e;

        e = host_list_wake_sources(ctl, &sources);
        if (e != CTL_DONE)
                return e;
        if (ctl->json != JSON_OFF)
                return ctl_print_json(ctl, sources);
        if (list_length(sources) == 0) {
                terminal_put(&ctl->terminal, "The kernel tells of nothing that could wake this host.\n");
                return CTL_DONE;
        }

        _cleanup_table_ Table *table = table_new(columns);
        int r = table ? 0 : -ENOMEM;
        for (size_t i = 0; i < list_length(sources) && r >= 0; i++)
                r = source_add(table, json_object_array_get_idx(sources, i));
        if (r < 0)
                return fail_no_memory(ctl);
        table_print(table, &ctl->terminal, UINT_MAX);
        return CTL_DONE;
}
