/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.berth1.Domain: one guest. */

#include "domain.h"

#include <stdio.h>

#include "bus/call.h"
#include "dictionary.h"
#include "domain.gen.h"
#include "guest/backend.h"
#include "guest/change.h"
#include "guest/definition.h"
#include "guest/memory.h"

int domain_get_name(const Domain *domain, sd_bus_message *reply) {
        return sd_bus_message_append_basic(reply, 's', domain->name);
}

int domain_get_uuid(const Domain *domain, sd_bus_message *reply) {
        return sd_bus_message_append_basic(reply, 's', domain->uuid);
}

int domain_get_backend(const Domain *domain, sd_bus_message *reply) {
        return sd_bus_message_append_basic(reply, 's', domain->backend->name);
}

int domain_get_state(const Domain *domain, sd_bus_message *reply) {
        return sd_bus_message_append_basic(reply, 's', domain_state_to_string(domain->state));
}

int domain_get_pid(const Domain *domain, sd_bus_message *reply) {
        return sd_bus_message_append(reply, "u", (uint32_t) domain->pid);
}

int domain_get_warnings(const Domain *domain, sd_bus_message *reply) {
        return message_append_findings(reply, &domain->findings);
}

int domain_get_features(const Domain *domain, sd_bus_message *reply) {
        const char *features[DOMAIN_FEATURES_MAX];

        domain_features(domain, features);
        return sd_bus_message_append_strv(reply, (char **) features);
}

int domain_add_details(const Domain *domain, int (*add)(void *, const char *, const char *), void *userdata) {
        char owner[16];
        int r;

        r = add(userdata, "domain", domain->name);
        if (r >= 0 && *domain->uuid)
                r = add(userdata, "uuid", domain->uuid);
        if (r >= 0 && domain->has_owner) {
                snprintf(owner, sizeof owner, "%u", domain->owner);
                r = add(userdata, "owner", owner);
        }
        return r;
}

int domain_describe(const Face *face, const Method *method, const void *args,
                    int (*add)(void *, const char *, const char *), void *userdata) {
        return domain_add_details(face->model, add, userdata);
}

int reply_domain_xml(const Domain *domain, bool live, bool config,
                     int (*to_xml)(const Domain *domain, bool config, char **ret), const Request *request, Error *error) {
        _cleanup_free_ char *xml = NULL;
        int r;

        r = domain_choose_target(domain, &live, &config, error);
        if (r >= 0 && config && !domain->definition)
                r = error_set(error, ERROR_NOT_SUPPORTED, "nothing is stored for %s", domain->name);
        if (r >= 0)
                r = to_xml(domain, config, &xml);
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(request->message, "s", xml);
}

int domain_get_xml(Domain *domain, const DomainGetXmlArgs *args, const Request *request, Error *error) {
        return reply_domain_xml(domain, args->flags & DOMAIN_GET_XML_LIVE, args->flags & DOMAIN_GET_XML_CONFIG,
                                domain_to_xml, request, error);
}

static void on_memory(int result, const Error *error, const CellMemory *cells, size_t n, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        Call *call = userdata;
        int r = result;

        if (r >= 0)
                r = call_new_reply(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(ut)");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = sd_bus_message_append(reply, "(ut)", cells[i].cell, cells[i].bytes);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r < 0)
                call_fail(call, r, error);
        else
                call_answer_with(call, reply);
}

int domain_get_memory_by_cell(Domain *domain, const Request *request, Error *error) {
        Call *call;
        int r;

        r = call_new(request, CALL_TIMEOUT_USEC, "the kernel is still looking where the guest's memory lies; ask again", &call);
        if (r < 0)
                return r;
        r = memory_by_cell(domain, on_memory, call, error);
        if (r < 0)
                call_drop(call);
        return r;
}
