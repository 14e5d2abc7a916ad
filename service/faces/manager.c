/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager.h"

#include <errno.h>
#include <string.h>

#include "bus/args.h"
#include "bus/authorize.h"
#include "dictionary.h"
#include "host/topology-xml.h"
#include "manager.gen.h"

int manager_get_version(const Manager *manager, sd_bus_message *reply) {
        return sd_bus_message_append_basic(reply, 's', manager->version);
}

int manager_get_backends(const Manager *manager, sd_bus_message *reply) {
        return sd_bus_message_append_strv(reply, (char **) manager->backends);
}

int manager_get_warnings(const Manager *manager, sd_bus_message *reply) {
        return message_append_findings(reply, &manager->findings);
}

static int reply_domain(const Domain *domain, const Request *request) {
        return sd_bus_reply_method_return(request->message, "o", object_path(domain->published));
}

int manager_get_domain(Manager *manager, const ManagerGetDomainArgs *args, const Request *request, Error *error) {
        const Domain *domain = guests_find(manager->guests, args->name);

        if (!domain || !domain->published)
                return error_set(error, ERROR_NO_SUCH_DOMAIN, "there is no guest with the name or UUID \"%.64s\"", args->name);
        return reply_domain(domain, request);
}

int manager_get_domain_by_pid(Manager *manager, const ManagerGetDomainByPidArgs *args, const Request *request, Error *error) {
        const Domain *domain = NULL;
        pid_t pid;

        pid = args->pid > 0 && args->pid <= INT32_MAX ? process_find_owner((pid_t) args->pid) : 0;
        if (pid > 0)
                domain = guests_find_by_pid(manager->guests, pid);
        if (!domain || !domain->published)
                return error_set(error, ERROR_NO_SUCH_DOMAIN, "process %u runs no guest", args->pid);
        return reply_domain(domain, request);
}

/* The method that is asked about, and the face it would be called on. */
static int find_method(Manager *manager, const ManagerCanCallArgs *args, Face **ret_face, const Method **ret_method, Error *error) {
        Object *object = tree_find(manager->tree, args->object);
        Face *face;

        if (!object)
                return error_set(error, ERROR_UNKNOWN_OBJECT, "there is no object %.128s", args->object);
        face = object_face(object, args->interface);
        if (!face)
                return error_set(error, ERROR_UNKNOWN_INTERFACE, "%s has no interface \"%.128s\"", args->object, args->interface);
        for (const Method *const *method = face->interface->methods; *method; method++)
                if (strcmp((*method)->name, args->method) == 0) {
                        *ret_face = face;
                        *ret_method = *method;
                        return 0;
                }
        return error_set(error, ERROR_UNKNOWN_METHOD, "%s has no method \"%.128s\"", args->interface, args->method);
}

int manager_can_call(Manager *manager, const ManagerCanCallArgs *args, const Request *request, Error *error) {
        _cleanup_free_ void *asked = NULL;
        const Method *method = NULL;
        Face *face = NULL;
        uint32_t given;
        int r;

        r = find_method(manager, args, &face, &method, error);
        if (r < 0)
                return r;

        asked = calloc(1, method->args_size + 1);
        if (!asked)
                return -ENOMEM;
        r = sd_bus_message_skip(request->message, "oss");
        if (r >= 0)
                r = args_read_named(method, request->message, asked, &given, error);
        if (r < 0)
                return r;
        return authorizer_can_call(tree_authorizer(manager->tree), method, face, asked, given, request->message, error);
}

int manager_get_capabilities_xml(Manager *manager, const Request *request, Error *error) {
        _cleanup_free_ char *xml = NULL;
        int r;

        r = capabilities_to_xml(manager->host, &xml);
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(request->message, "s", xml);
}

int manager_publish(Manager *manager) {
        int r;

        r = tree_add_interface(manager->tree, MANAGER_PATH, &manager_interface);
        if (r >= 0)
                r = object_new(manager->tree, MANAGER_PATH, &manager->object);
        if (r >= 0)
                r = object_add_face(manager->object, &manager_interface, manager);
        if (r >= 0) {
                object_set_hooks(manager->object, &manager_hooks);
                r = object_publish(manager->object);
        }
        return r;
}

void manager_unpublish(Manager *manager) {
        manager->object = object_remove(manager->object);
        findings_clear(&manager->findings);
}

void manager_set_findings(Manager *manager, Findings *findings) {
        bool same = findings_equal(&manager->findings, findings);

        findings_clear(&manager->findings);
        manager->findings = TAKE(*findings);
        if (!same && manager->object)
                object_mark(manager->object, &manager_interface, MANAGER_WARNINGS);
}
