/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The arguments of a method, by its table: out of a message into the struct that its
 * handler gets, and out of that into words for polkit. */

#include "interface.h"

/* Fills in the struct of arguments from a message: basic ones and flags.
 * ERROR_INVALID_ARGS for an unknown flag or two that exclude each other. */
int args_read(const Method *method, sd_bus_message *call, void *args, Error *error);

/* The same from the a{sv} of CanCall, by name; what is not there stays zero. Bit i of
 * "given" is argument i. */
int args_read_named(const Method *method, sd_bus_message *call, void *args, uint32_t *ret_given, Error *error);

#define ARGS_ALL UINT32_MAX

/* The arguments that polkit rules and messages may look at, one by one: numbers
 * by their names, and "flags" as words; of those given. Returns what "add" does. */
int args_describe(const Method *method, const void *args, uint32_t given,
                         int (*add)(void *userdata, const char *name, const char *value), void *userdata);
