/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The connection to the bus on which the service is found. */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "lib/error.h"

/* Connects to a bus (the system's for NULL) and serves it in a loop, which ends
 * with a failure when the bus goes away. */
int connection_open(const char *address, sd_event *event, Error *error, sd_bus **ret);

/* Takes the name under which clients find the service; from here on they can. */
int connection_own(sd_bus *bus, const char *name, Error *error);
