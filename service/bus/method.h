/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The way of every call to its handler: read the arguments, have them checked, ask
 * polkit, run. It is the only one: handlers are reached through it alone. */

#include "tree.h"

/* What generated thunks call. "args" is the method's struct, zeroed. */
int method_enter(const Method *method, sd_bus_message *call, Face *face, void *args, sd_bus_error *ret_error);
