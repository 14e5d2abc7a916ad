/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How many vCPUs a guest has, or one of its cells. Whether some come or go for that is
 * not in the answer: so they are counted first. */

#include <inttypes.h>
#include <string.h>

#include "change.h"
#include "fields.h"
#include "show.h"
#include "units.h"

typedef struct Request {
        uint32_t count, cell;
        bool has_cell;
} Request;

static ExitCode request_parse(const Ctl *ctl, Request *ret) {
        const char *cell = ctl->option_values[OPTION_CELL];
        Request request = { .has_cell = cell != NULL };
        uint64_t n;

        /* A guest has a vCPU at least; a cell of it may have none. */
        if (!number_parse(ctl->arguments[1], UINT32_MAX, &n) || (n == 0 && !cell))
                return ctl_fail(ctl, CTL_USAGE, "'%s' is no count of vCPUs: it is a whole number, %d or more.",
                                ctl->arguments[1], cell ? 0 : 1);
        request.count = n;
        if (cell && !number_parse(cell, UINT32_MAX, &n))
                return ctl_fail(ctl, CTL_USAGE, "--cell=%s: a cell of the guest's has a number; 'berthctl vcpus' shows it.",
                                cell);
        request.cell = cell ? n : 0;
        if (cell && ctl_option(ctl, OPTION_GUEST))
                return ctl_fail(ctl, CTL_USAGE, "--cell and --guest exclude each other: the guest's agent knows no cells.");
        *ret = request;
        return CTL_DONE;
}

static bool vcpu_counts(const Change *change, const Request *request, json_object *vcpu) {
        if (request->has_cell && field_number_or(vcpu, "cell", UINT64_MAX) != request->cell)
                return false;
        if (strcmp(field_string(vcpu, "state"), "enabled") != 0)
                return false;
        return !change->guest_side || field_boolean(vcpu, "guest_online");
}

static ExitCode count_before(Ctl *ctl, const Change *change, const Request *request, uint32_t *ret) {
        const char *flag = change->guest_side ? "guest" : change->live ? "live" : change->config ? "config" : NULL;
        const char *const flags[] = { flag, NULL };
        _cleanup_json_ json_object *vcpus = NULL;
        uint32_t n = 0;
        ExitCode e;

        e = guest_list_vcpus(ctl, change->guest.path, flags, &vcpus);
        for (size_t i = 0; i < list_length(vcpus); i++)
                n += vcpu_counts(change, request, json_object_array_get_idx(vcpus, i));
        *ret = n;
        return e;
}

/* What the line says after which vCPUs came or went: to be freed. */
static char *after_format(const Change *change, const Request *request, bool dry_run) {
        const char *has = change_is_stored(change) ? dry_run ? "would start with" : "starts with"
                                                   : dry_run ? "would have" : "has";
        const char *end = change->guest_side ? " online" : change_is_stored(change) || dry_run ? "" : " now";

        return request->has_cell ? text_format("; its cell %" PRIu32 " %s %" PRIu32 "%s", request->cell, has, request->count, end)
                                 : text_format("; it %s %" PRIu32 "%s", has, request->count, end);
}

static ExitCode set(Ctl *ctl, const Change *change, const Request *request, uint32_t before) {
        _cleanup_free_ char *waits = NULL, *look = NULL, *already = NULL, *after = NULL, *after_dry = NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_json_ json_object *answer = NULL;
        const char *name = change->guest.name, *s = request->count == 1 ? "" : "s";
        bool enable = request->count >= before;
        uint32_t n = enable ? request->count - before : before - request->count;
        ExitCode e;
        int r;

        waits = change->guest_side ? text_format("waiting for the agent in %s", name)
                                   : text_format("waiting for %s to %s %" PRIu32 " vCPU%s", name,
                                                 enable ? "take" : "give back", n, n == 1 ? "" : "s");
        already = request->has_cell
                ? text_format("its cell %" PRIu32 " has %" PRIu32 " vCPU%s already", request->cell, request->count, s)
                : text_format("it has %" PRIu32 " vCPU%s%s already", request->count, s, change->guest_side ? " online" : "");
        look = text_format("'berthctl vcpus %s' shows how far it is.", name);
        after = after_format(change, request, false);
        after_dry = after_format(change, request, true);
        if (!waits || !already || !look || !after || !after_dry)
                return fail_no_memory(ctl);

        bool waiting = !change->async && !change->dry_run && !change_is_stored(change);
        const Call call = {
                change->guest.path, BERTH_VCPUS, request->has_cell ? "SetCellVcpus" : "SetCount", "st", true,
                waiting ? waits : NULL, look,
        };
        e = bus_call_new(ctl, &call, &m);
        if (e != CTL_DONE)
                return e;
        r = request->has_cell ? sd_bus_message_append(m, "uu", request->cell, request->count)
                              : sd_bus_message_append(m, "u", request->count);
        if (r < 0)
                return bus_fail_to_ask(ctl, &call, r);
        e = change_call(ctl, change, &call, m, &answer);
        if (e != CTL_DONE)
                return e;
        const PlugWords words = { .enable = enable, .already = already, .after = after, .after_dry = after_dry };
        return change_tell_plugged(ctl, change, answer, &words);
}

int verb_set_count(Ctl *ctl) {
        _cleanup_change_ Change change = CHANGE_NONE;
        Request request = {};
        uint32_t before = 0;
        ExitCode e;

        e = change_read(ctl, &change);
        if (e == CTL_DONE)
                e = request_parse(ctl, &request);
        if (e == CTL_DONE)
                e = change_open(ctl, &change);
        if (e == CTL_DONE)
                e = count_before(ctl, &change, &request, &before);
        return e == CTL_DONE ? set(ctl, &change, &request, before) : e;
}
