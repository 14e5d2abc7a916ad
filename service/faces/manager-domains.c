/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "manager.gen.h"

int manager_define_domain_check(Manager *model, const ManagerDefineDomainArgs *args, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int manager_define_domain(Manager *model, const ManagerDefineDomainArgs *args, const Request *request, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int manager_undefine_domain_check(Manager *model, const ManagerUndefineDomainArgs *args, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int manager_undefine_domain(Manager *model, const ManagerUndefineDomainArgs *args, const Request *request, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int manager_register_domain_check(Manager *model, const ManagerRegisterDomainArgs *args, sd_bus_message *call, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int manager_register_domain(Manager *model, const ManagerRegisterDomainArgs *args, const Request *request, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int manager_unregister_domain_check(Manager *model, const ManagerUnregisterDomainArgs *args, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}

int manager_unregister_domain(Manager *model, const ManagerUnregisterDomainArgs *args, const Request *request, Error *error) {
        return error_set(error, ERROR_NOT_SUPPORTED, "not yet");
}
