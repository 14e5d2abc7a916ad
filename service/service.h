/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The service: its loop, its bus and its modules. The one file that knows them
 * all is service.c. */

#include "lib/error.h"

typedef struct Service Service;

typedef struct ServiceOptions {
        const char *address;            /* a bus other than the system's; NULL for that */
        const char *root;               /* the host that is shown */
        const char *runtime_dir;
        const char *state_dir;
        const char *config;
} ServiceOptions;

/* Makes everything ready and takes the name on the bus: clients can call from
 * then on. The strings of "options" must outlive the service. */
int service_new(const ServiceOptions *options, Error *error, Service **ret);
Service *service_free(Service *service);
DEFINE_CLEANUP(Service *, service_free)

/* Serves until SIGTERM or SIGINT (0), or until the bus is gone (EXIT_FAILURE). */
int service_run(Service *service);
