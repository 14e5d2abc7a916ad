/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The one place where errors get the names that go over the bus. */

#include <systemd/sd-bus.h>

#include "lib/error.h"

/* "org.berth1.Error.NoSuchCell" and the like. */
const char *error_code_to_name(ErrorCode code);

/* Turns the outcome of a handler into what sd-bus sends: "error" if it was
 * filled in, else a name for the errno. Returns "result", for return. */
int bus_error_finish(int result, const Error *error, sd_bus_error *ret_error);
