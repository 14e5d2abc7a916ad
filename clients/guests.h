/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cpulist.h"
#include "ctl.h"

/* What the service says of guests. A guest is an object of JSON with the keys of
 * org.berth1.Domain, and those of org.berth1.Domain.Vcpus in its "Vcpus", if it
 * has that. What is there has the documented type. */

/* The guests among all objects (host_get_objects()), a list by name, and the paths of
 * their objects in the same order (may be NULL). */
ExitCode guests_take(const Ctl *ctl, json_object *objects, json_object **ret, json_object **ret_paths);

/* The one with this object; stores NULL if there is none. */
ExitCode guest_take(const Ctl *ctl, json_object *objects, const char *path, json_object **ret);

/* One guest by its name or UUID. */
typedef struct Guest {
        char *path, *name;
        bool runs;
        json_object *domain; /* the properties of org.berth1.Domain */
} Guest;

ExitCode guest_open(Ctl *ctl, const char *name, Guest *ret);
void guest_clear(Guest *guest);
#define _cleanup_guest_ _cleanup_(guest_clear)

/* Only its object's path. */
ExitCode guest_find_path(Ctl *ctl, const char *name, json_object **ret);

/* org.berth1.Domain.Vcpus.ListVcpus() of the guest with this object; @flags end with NULL. */
ExitCode guest_list_vcpus(Ctl *ctl, const char *path, const char *const *flags, json_object **ret);

/* The same of guests (guests_take()) that may go meanwhile, and then have no vCPUs:
 * a list for each of the first @max. */
ExitCode guests_list_vcpus(Ctl *ctl, json_object *paths, size_t max, json_object **ret);

/* Tells if a "priority" in the entries of a list is no whole number; it may be below zero. */
ExitCode guest_check_priorities(const Ctl *ctl, json_object *list, const char *member);

/* Whether a text from the command line can be a name that a guest is given; tells if not. */
ExitCode guest_name_check(const Ctl *ctl, const char *name);

/* Its name on one line, whatever is in it: to be freed. */
char *guest_name_format(json_object *guest);

/* "2 of 8", or as much of that as is known: to be freed. */
char *guest_vcpus_format(json_object *guest);

/* Where the vCPUs that it has may run, or are to, as their list tells: nothing if that is
 * not told. -EBADMSG if something there is no list of CPUs. */
int guest_cpus(json_object *vcpus, CpuList *ret);

/* Adds what is wrong with a guest to a list; each says which guest it is about. */
void guest_add_warnings(json_object *guest, json_object *list);
