/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How the host's kernel schedules a vCPU. */

#include <inttypes.h>
#include <string.h>

#include "change.h"
#include "fields.h"
#include "show.h"
#include "units.h"

enum { PRIORITY_MAX = 99 };

typedef struct Request {
        uint32_t vcpu;
        const char *policy;
        int32_t priority; /* 0 if the policy has none */
} Request;

static ExitCode request_parse(const Ctl *ctl, Request *ret) {
        static const struct {
                const char *name;
                bool has_priority;
        } policies[] = {
                { "other", false }, { "batch", false }, { "idle", false }, { "fifo", true }, { "rr", true },
        };
        const char *priority = ctl->n_arguments > 3 ? ctl->arguments[3] : NULL;
        Request request = { .policy = ctl->arguments[2] };
        uint64_t n = 0;
        size_t i = 0;
        ExitCode e;

        e = vcpu_parse(ctl, ctl->arguments[1], &request.vcpu);
        if (e != CTL_DONE)
                return e;
        while (i < ELEMENTS(policies) && strcmp(policies[i].name, request.policy) != 0)
                i++;
        if (i == ELEMENTS(policies))
                return ctl_fail(ctl, CTL_USAGE, "'%s' is no policy: it is other, batch, idle, fifo or rr.", request.policy);
        if (policies[i].has_priority && !priority)
                return ctl_fail(ctl, CTL_USAGE, "'%s' needs a priority, from 1 to %d.", request.policy, PRIORITY_MAX);
        if (priority && (!number_parse(priority, PRIORITY_MAX, &n) || (policies[i].has_priority && n == 0)))
                return ctl_fail(ctl, CTL_USAGE, "'%s' is no priority: it is a whole number from 1 to %d.", priority,
                                PRIORITY_MAX);
        if (!policies[i].has_priority && n > 0)
                return ctl_fail(ctl, CTL_USAGE, "'%s' has no priority: fifo and rr have one.", request.policy);
        request.priority = (int32_t) n;
        *ret = request;
        return CTL_DONE;
}

static ExitCode tell(const Ctl *ctl, const Change *change, const Request *request) {
        _cleanup_free_ char *done = NULL, *would = NULL, *priority = NULL;

        if (ctl->json != JSON_OFF) {
                _cleanup_json_ json_object *object = json_object_new_object();
                json_object_object_add(object, "vcpu", json_object_new_uint64(request->vcpu));
                json_object_object_add(object, "scheduler", json_object_new_string(request->policy));
                json_object_object_add(object, "priority", json_object_new_int(request->priority));
                return ctl_print_json(ctl, object);
        }
        priority = request->priority > 0 ? text_format(" with priority %" PRIi32, request->priority) : strdup("");
        if (!priority)
                return fail_no_memory(ctl);
        done = text_format("vCPU %" PRIu32 " is scheduled by '%s'%s", request->vcpu, request->policy, priority);
        would = text_format("schedule vCPU %" PRIu32 " by '%s'%s", request->vcpu, request->policy, priority);
        if (!done || !would)
                return fail_no_memory(ctl);
        change_tell(ctl, change, done, would);
        change_hint_config(ctl, change);
        return CTL_DONE;
}

int verb_scheduler(Ctl *ctl) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_change_ Change change = CHANGE_NONE;
        _cleanup_json_ json_object *answer = NULL;
        Request request = {};
        ExitCode e;

        e = change_read(ctl, &change);
        if (e == CTL_DONE)
                e = request_parse(ctl, &request);
        if (e == CTL_DONE)
                e = change_open(ctl, &change);
        if (e != CTL_DONE)
                return e;
        const Call call = { change.guest.path, BERTH_VCPUS, "SetScheduler", "", true, NULL, NULL };
        e = bus_call_new(ctl, &call, &m);
        if (e != CTL_DONE)
                return e;
        int r = sd_bus_message_append(m, "usi", request.vcpu, request.policy, request.priority);
        if (r < 0)
                return bus_fail_to_ask(ctl, &call, r);
        e = change_call(ctl, &change, &call, m, &answer);
        return e == CTL_DONE ? tell(ctl, &change, &request) : e;
}
