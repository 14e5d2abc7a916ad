/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The way of every call to its handler: read the arguments, have them checked, ask
 * polkit, run. It is the only one: handlers are reached through it alone. */

#include "tree.h"

/* What generated thunks call. "args" is the method's struct, zeroed. */
int method_enter(const Method *method, sd_bus_message *call, Face *face, void *args, sd_bus_error *ret_error);

/* Fills in the struct of arguments from a message: basic ones and flags.
 * ERROR_INVALID_ARGS for an unknown flag or two that exclude each other. */
int method_read_args(const Method *method, sd_bus_message *call, void *args, Error *error);

/* The same from the a{sv} of CanCall, by name; what is not there stays zero. */
int method_read_named_args(const Method *method, sd_bus_message *call, void *args, Error *error);

/* The arguments that polkit rules and messages may look at, one by one: numbers
 * by their names, and "flags" as words. Returns what "add" does. */
int method_describe_args(const Method *method, const void *args,
                         int (*add)(void *userdata, const char *name, const char *value), void *userdata);
