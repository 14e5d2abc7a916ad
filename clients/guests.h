/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl.h"

/* What the service says of guests. A guest is an object of JSON with the keys of
 * org.berth1.Domain, and those of org.berth1.Domain.Vcpus in its "Vcpus", if it
 * has that. What is there has the documented type. */

/* The guests among all objects (host_get_objects()), a list by name. */
ExitCode guests_take(const Ctl *ctl, json_object *objects, json_object **ret);

/* The one with this object; stores NULL if there is none. */
ExitCode guest_take(const Ctl *ctl, json_object *objects, const char *path, json_object **ret);

/* org.berth1.Domain.Vcpus.ListVcpus() of the guest with this object. */
ExitCode guest_list_vcpus(Ctl *ctl, const char *path, json_object **ret);

/* Its name on one line, whatever is in it: to be freed. */
char *guest_name_format(json_object *guest);

/* "2 of 8", or as much of that as is known: to be freed. */
char *guest_vcpus_format(json_object *guest);

/* Adds what is wrong with a guest to a list; each says which guest it is about. */
void guest_add_warnings(json_object *guest, json_object *list);
