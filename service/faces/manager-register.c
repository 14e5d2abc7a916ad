/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.berth1.Manager: guests that are handed over. Their descriptors belong to the
 * call's message until the model has its own. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/call.h"
#include "domain.h"
#include "guest/qemu/registered.h"
#include "lib/log.h"
#include "manager.gen.h"
#include "manager.h"

/* The message stands at the options. */
static int read_options(sd_bus_message *call, QemuHandover *handover, Error *error) {
        const struct { const char *name; int *fd; } options[] = {
                { "pidfd", &handover->pidfd },
                { "agent", &handover->agent },
        };
        int r;

        r = sd_bus_message_enter_container(call, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(call, 'e', "sv")) > 0) {
                const char *name, *type;
                size_t i = 0;

                r = sd_bus_message_read_basic(call, 's', &name);
                if (r >= 0)
                        r = sd_bus_message_peek_type(call, NULL, &type);
                if (r < 0)
                        return r;
                while (i < ELEMENTSOF(options) && strcmp(options[i].name, name) != 0)
                        i++;
                if (i == ELEMENTSOF(options))
                        return error_set(error, ERROR_INVALID_ARGS, "RegisterDomain knows no option \"%.64s\"; it knows pidfd, agent", name);
                if (strcmp(type, "h") != 0)
                        return error_set(error, ERROR_INVALID_ARGS, "the option \"%s\" of RegisterDomain is a descriptor (h), and not %.64s", name, type);
                if (*options[i].fd >= 0)
                        return error_set(error, ERROR_INVALID_ARGS, "the option \"%s\" of RegisterDomain is given twice", name);
                r = sd_bus_message_read(call, "v", "h", options[i].fd);
                if (r >= 0)
                        r = sd_bus_message_exit_container(call);
        }
        return r < 0 ? r : sd_bus_message_exit_container(call);
}

/* The message stands at its first argument. */
static int read_handover(Manager *manager, const ManagerRegisterDomainArgs *args, sd_bus_message *call, QemuHandover *ret, Error *error) {
        QemuHandover handover = { .name = args->name, .qmp = args->qmp, .pidfd = -1, .agent = -1 };
        int r;

        r = manager_check_name(args->name, error);
        if (r >= 0)
                r = sd_bus_message_skip(call, "sh");
        if (r >= 0)
                r = read_options(call, &handover, error);
        if (r >= 0)
                r = qemu_registered_check(manager->registered, &handover, error);
        if (r < 0)
                return r;
        *ret = handover;
        return 0;
}

int manager_register_domain_check(Manager *manager, const ManagerRegisterDomainArgs *args, sd_bus_message *call, Error *error) {
        QemuHandover handover;

        return read_handover(manager, args, call, &handover, error);
}

static void log_change(const char *what, const char *name, uint32_t uid) {
        char user[16];

        snprintf(user, sizeof user, "%u", uid);
        log_fields(LOG_NOTICE, LOG_FIELDS("MESSAGE_ID", MESSAGE_ID_GUEST_CHANGED, "BERTH_UID", user, "BERTH_DOMAIN", name),
                   "%s the guest %s for user %s", what, name, user);
}

/* A call that waits until the guest has an object. */
typedef struct Registering {
        Call *call;
        uint32_t uid;
} Registering;

static void on_registered(int result, const Error *error, Domain *domain, void *userdata) {
        _cleanup_free_ Registering *registering = userdata;

        if (result >= 0)
                log_change("Registered", domain->name, registering->uid);
        if (result < 0)
                call_fail(registering->call, result, error);
        else if (!domain->published)
                call_fail(registering->call, -ENOMEM, NULL);
        else
                call_answer(registering->call, "o", object_path(domain->published));
}

int manager_register_domain(Manager *manager, const ManagerRegisterDomainArgs *args, const Request *request, Error *error) {
        _cleanup_free_ Registering *registering = NULL;
        QemuHandover handover;
        int r;

        r = read_handover(manager, args, request->message, &handover, error);
        if (r < 0)
                return r;
        if (args->flags & MANAGER_REGISTER_DOMAIN_DRY_RUN) {
                _cleanup_free_ char *path = NULL;

                r = qemu_registered_check_user(&handover, request->uid, error);
                if (r >= 0)
                        r = sd_bus_path_encode(DOMAINS_PATH, args->name, &path);
                return r < 0 ? r : sd_bus_reply_method_return(request->message, "o", path);
        }

        registering = calloc(1, sizeof *registering);
        if (!registering)
                return -ENOMEM;
        registering->uid = request->uid;
        r = call_new(request, CALL_TIMEOUT_USEC, "the guest is not known yet; whether it will be, its object tells", &registering->call);
        if (r < 0)
                return r;
        r = qemu_registered_add(manager->registered, &handover, request->uid, on_registered, registering, error);
        if (r < 0) {
                call_drop(registering->call);
                return r;
        }
        (void) TAKE_PTR(registering);
        return 0;
}

int manager_unregister_domain_check(Manager *manager, const ManagerUnregisterDomainArgs *args, Error *error) {
        const Domain *domain = manager_find_domain(manager, args->domain);

        if (!domain)
                return manager_no_such_domain(args->domain, error);
        if (!qemu_registered_has(manager->registered, domain))
                return error_set(error, ERROR_NOT_SUPPORTED, "the guest %s was not registered%s", domain->name,
                                 domain_is_running(domain) ? ": it is known by its folder, and stays known" : "");
        return 0;
}

int manager_unregister_domain(Manager *manager, const ManagerUnregisterDomainArgs *args, const Request *request, Error *error) {
        Domain *domain = ASSERT_PTR(manager_find_domain(manager, args->domain));

        if (!(args->flags & MANAGER_UNREGISTER_DOMAIN_DRY_RUN)) {
                log_change("Unregistered", domain->name, request->uid);
                qemu_registered_remove(manager->registered, domain);
                tree_flush(manager->tree);
        }
        return sd_bus_reply_method_return(request->message, "");
}
