/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <systemd/sd-bus.h>

#include "cleanup.h"

/* What is left to read of @m as JSON: its one value, or a list of its values if
 * there are more, or null if there is none.
 *
 * A dictionary becomes an object, whatever its keys are (numbers become words);
 * a variant is what it holds; a structure becomes a list; a descriptor null.
 * Returns -EBADMSG if the message contradicts itself. */
int message_to_json(sd_bus_message *m, json_object **ret);

/* The next value only; 0 at the end of the message or container, else 1. */
int message_value_to_json(sd_bus_message *m, json_object **ret);
