/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl.h"
#include "fields.h"

/* What the service says of the host, as the objects of JSON that it was answered
 * as: the keys are those of D-Bus. Each function checks that what is there has the
 * documented type, so that whoever shows it need not. */

typedef struct Host {
        json_object *manager;  /* org.berth1.Manager's properties */
        json_object *topology; /* org.berth1.Host.Topology's */
        json_object *power;    /* org.berth1.Host.Power's; NULL if the service has none */
        json_object *cells;    /* a list of org.berth1.Host.Cell's, by Id */
        json_object *objects;  /* all that there are: path to interface to property to value */
} Host;

#define HOST_NONE ((Host) {})

void host_clear(Host *host);
#define _cleanup_host_ _cleanup_(host_clear)

/* The member that answers all objects with all properties. */
#define OBJECTS_MEMBER "GetManagedObjects"
ExitCode host_get_objects(Ctl *ctl, json_object **ret);

/* All properties, in one call. */
ExitCode host_load(Ctl *ctl, Host *ret);

/* Adds to each cell what is free on it, as "FreeMemory" and "FreePages". What the
 * host does not tell is not added. */
ExitCode host_load_free(Ctl *ctl, Host *host);

/* org.berth1.Host.Topology.ListCpus() and ListCaches(). */
ExitCode host_list_cpus(Ctl *ctl, json_object **ret);
ExitCode host_list_caches(Ctl *ctl, json_object **ret);

/* The properties of org.berth1.Host.Topology alone, and those of org.berth1.Host.Power. */
ExitCode host_load_topology(Ctl *ctl, json_object **ret);
ExitCode host_load_power(Ctl *ctl, json_object **ret);

/* org.berth1.Host.Power.ListInhibitors() and ListWakeSources(). */
ExitCode host_list_inhibitors(Ctl *ctl, json_object **ret);
ExitCode host_list_wake_sources(Ctl *ctl, json_object **ret);

/* The cell of that id, or NULL; not a new reference. */
json_object *host_find_cell(const Host *host, uint64_t id);

/* Tells that @what, in the answer to @member, is not as it is documented. */
ExitCode host_fail_malformed(const Ctl *ctl, const char *member, const char *what);

/* Tells if an object, or one of a list (may be NULL), or findings, or those in the
 * "Warnings" of an object are not as documented. */
ExitCode host_check_object(const Ctl *ctl, json_object *object, const Field *fields, const char *member);
ExitCode host_check_list(const Ctl *ctl, json_object *list, const Field *fields, const char *member);
ExitCode host_check_findings(const Ctl *ctl, json_object *findings, const char *member);
ExitCode host_check_warnings(const Ctl *ctl, json_object *properties, const char *member);
