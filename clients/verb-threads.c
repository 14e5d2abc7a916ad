/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The threads of a guest's process, and what each is for. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bus.h"
#include "guests.h"
#include "host.h"
#include "show.h"
#include "table.h"

static const Field thread_fields[] = {
        { "thread", json_type_int, true },   { "role", json_type_string, true }, { "id", json_type_int },
        { "name", json_type_string },        { "cpus", json_type_string },       { "effective_cpus", json_type_string },
        { "scheduler", json_type_string },   {},
};

static int thread_add(Table *table, json_object *thread) {
        const char *role = field_string(thread, "role");
        uint64_t id;
        int r;

        r = table_addf(table, "%" PRIu64, field_number_or(thread, "thread", 0));
        if (r >= 0)
                r = field_number(thread, "id", &id)
                        ? table_addf(table, "%s %" PRIu64, strcmp(role, "vcpu") == 0 ? "vCPU" : role, id)
                        : table_add(table, strcmp(role, "vcpu") == 0 ? "vCPU" : role);
        if (r >= 0)
                r = table_add(table, field_string(thread, "name"));
        if (r >= 0)
                r = table_add(table, field_string(thread, "cpus"));
        if (r >= 0)
                r = table_add(table, field_string(thread, "effective_cpus"));
        return r < 0 ? r : table_add_scheduler(table, thread);
}

int verb_threads(Ctl *ctl) {
        static const Column columns[] = {
                { "THREAD", .right = true }, { "ROLE" },      { "NAME", .wraps = true }, { "PIN", .wraps = true },
                { "CPUS", .wraps = true },   { "SCHEDULER" }, {},
        };
        _cleanup_json_ json_object *path = NULL, *threads = NULL;
        _cleanup_table_ Table *table = table_new(columns);
        int r = table ? 0 : -ENOMEM;
        ExitCode e;

        e = guest_find_path(ctl, ctl->arguments[0], &path);
        if (e != CTL_DONE)
                return e;
        const Call call = { .path = json_object_get_string(path), .interface = BERTH_VCPUS, .member = "ListThreads",
                            .reply = "aa{sv}" };
        e = bus_call(ctl, &call, &threads, "as", 0);
        if (e == CTL_DONE)
                e = host_check_list(ctl, threads, thread_fields, call.member);
        if (e == CTL_DONE)
                e = guest_check_priorities(ctl, threads, call.member);
        if (e != CTL_DONE)
                return e;

        if (ctl->json != JSON_OFF)
                return ctl_print_json(ctl, threads);
        for (size_t i = 0; i < list_length(threads) && r >= 0; i++)
                r = thread_add(table, json_object_array_get_idx(threads, i));
        if (r < 0)
                return fail_no_memory(ctl);
        table_print(table, &ctl->terminal, UINT32_MAX);
        return CTL_DONE;
}
