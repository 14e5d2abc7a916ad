/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* org.berth1.Manager: guests that are defined before they run. */

#include "manager.h"

#include <errno.h>
#include <string.h>

#include "bus/call.h"
#include "domain.h"
#include "guest/definition.h"
#include "guest/definitions.h"
#include "guest/name.h"
#include "manager.gen.h"

Domain *manager_find_domain(const Manager *manager, const char *path) {
        for (Domain *domain = guests_first(manager->guests); domain; domain = domain->next)
                if (domain->published && strcmp(object_path(domain->published), path) == 0)
                        return domain;
        return NULL;
}

int manager_no_such_domain(const char *path, Error *error) {
        return error_set(error, ERROR_NO_SUCH_DOMAIN, "there is no guest at %.128s", path);
}

int manager_check_name(const char *name, Error *error) {
        if (guest_name_is_valid(name))
                return 0;
        return error_set(error, ERROR_INVALID_ARGS, "\"%.64s\" is no name for a guest: 1 to %u bytes of printable UTF-8, no \"/\", no \".\" at the start", name, GUEST_NAME_MAX);
}

static int describe(const Face *face, const Method *method, const void *args,
                    int (*add)(void *, const char *, const char *), void *userdata) {
        for (size_t i = 0; i < method->n_args; i++) {
                const char *const *text = (const char *const *) ((const char *) args + method->args[i].offset);
                const Domain *domain;

                /* A name that CanCall was given, or was not, has not been checked. */
                if (strcmp(method->args[i].name, "name") == 0)
                        return *text && guest_name_is_valid(*text) ? add(userdata, "domain", *text) : 0;
                if (strcmp(method->args[i].name, "domain") == 0 && *text) {
                        domain = manager_find_domain(face->model, *text);
                        return domain ? domain_add_details(domain, add, userdata) : 0;
                }
        }
        return 0;
}

const FaceHooks manager_hooks = {
        .describe = describe,
};

/* A definition that somebody wants to have stored. The name of the call holds; one in the
 * document has to be the same. */
static int read_definition(Manager *manager, const char *name, const char *xml, Error *error, Definition **ret) {
        _cleanup_(definition_freep) Definition *definition = NULL;
        int r;

        r = manager_check_name(name, error);
        if (r < 0)
                return r;
        if (!guests_definitions(manager->guests))
                return error_set(error, ERROR_NOT_SUPPORTED, "nothing can be stored: the folder for it cannot be used");
        r = definition_parse(xml, strlen(xml), error, &definition);
        if (r < 0)
                return r;
        if (!definition->name) {
                definition->name = strdup(name);
                if (!definition->name)
                        return -ENOMEM;
        }
        if (strcmp(definition->name, name) != 0)
                return error_set(error, ERROR_INVALID_ARGS, "the document is of a guest \"%.64s\", not \"%.64s\"", definition->name, name);
        r = definitions_check(manager->guests, definition, error);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(definition);
        return 0;
}

int manager_define_domain_check(Manager *manager, const ManagerDefineDomainArgs *args, Error *error) {
        _cleanup_(definition_freep) Definition *definition = NULL;

        return read_definition(manager, args->name, args->xml, error, &definition);
}

/* A call that waits until something is stored. */
typedef struct Storing {
        Call *call;
        Manager *manager;
        char *name;
} Storing;

static void storing_free(Storing *storing) {
        free(storing->name);
        free(storing);
}

DEFINE_CLEANUP(Storing *, storing_free)

static int storing_new(Manager *manager, const char *name, const Request *request, Storing **ret) {
        _cleanup_(storing_freep) Storing *storing = NULL;
        int r;

        storing = calloc(1, sizeof *storing);
        if (!storing)
                return -ENOMEM;
        storing->manager = manager;
        storing->name = strdup(name);
        if (!storing->name)
                return -ENOMEM;
        r = call_new(request, CALL_TIMEOUT_USEC, "it is not stored yet; whether it will be, the guest's object tells", &storing->call);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(storing);
        return 0;
}

static void on_defined(int result, const Error *error, void *userdata) {
        _cleanup_(storing_freep) Storing *storing = userdata;
        const Domain *domain = result >= 0 ? guests_find(storing->manager->guests, storing->name) : NULL;

        if (result < 0)
                call_fail(storing->call, result, error);
        else if (!domain || !domain->published)
                call_fail(storing->call, -ENOENT, NULL);
        else
                call_answer(storing->call, "o", object_path(domain->published));
}

int manager_define_domain(Manager *manager, const ManagerDefineDomainArgs *args, const Request *request, Error *error) {
        _cleanup_(definition_freep) Definition *definition = NULL;
        _cleanup_(storing_freep) Storing *storing = NULL;
        int r;

        r = read_definition(manager, args->name, args->xml, error, &definition);
        if (r < 0)
                return r;
        if (args->flags & MANAGER_DEFINE_DOMAIN_DRY_RUN) {
                _cleanup_free_ char *path = NULL;

                r = sd_bus_path_encode(DOMAINS_PATH, args->name, &path);
                return r < 0 ? r : sd_bus_reply_method_return(request->message, "o", path);
        }
        r = storing_new(manager, args->name, request, &storing);
        if (r < 0)
                return r;
        r = definitions_define(manager->guests, TAKE_PTR(definition), on_defined, storing, error);
        if (r < 0) {
                call_drop(storing->call);
                return r;
        }
        (void) TAKE_PTR(storing);
        return 0;
}

int manager_undefine_domain_check(Manager *manager, const ManagerUndefineDomainArgs *args, Error *error) {
        const Domain *domain = manager_find_domain(manager, args->domain);

        if (!domain)
                return manager_no_such_domain(args->domain, error);
        if (!domain->definition)
                return error_set(error, ERROR_NOT_SUPPORTED, "nothing is stored for %s", domain->name);
        return 0;
}

static void on_undefined(int result, const Error *error, void *userdata) {
        _cleanup_(storing_freep) Storing *storing = userdata;

        if (result < 0)
                call_fail(storing->call, result, error);
        else
                call_answer(storing->call, "");
}

int manager_undefine_domain(Manager *manager, const ManagerUndefineDomainArgs *args, const Request *request, Error *error) {
        Domain *domain = ASSERT_PTR(manager_find_domain(manager, args->domain));
        _cleanup_(storing_freep) Storing *storing = NULL;
        int r;

        if (args->flags & MANAGER_UNDEFINE_DOMAIN_DRY_RUN)
                return sd_bus_reply_method_return(request->message, "");
        r = storing_new(manager, domain->name, request, &storing);
        if (r < 0)
                return r;
        r = definitions_undefine(domain, on_undefined, storing, error);
        if (r < 0) {
                call_drop(storing->call);
                return r;
        }
        (void) TAKE_PTR(storing);
        return 0;
}
