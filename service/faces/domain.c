/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.berth1.Domain: one guest. */

#include "dictionary.h"
#include "domain.gen.h"
#include "guest/backend.h"

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

int domain_get_features(const Domain *model, sd_bus_message *reply) {
        return sd_bus_message_append(reply, "as", 0);
}

int domain_get_xml(Domain *model, const DomainGetXmlArgs *args, const Request *request, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int domain_get_memory_by_cell(Domain *model, const Request *request, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}
