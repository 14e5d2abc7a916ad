/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A QEMU guest's vCPUs, out of what its monitor answers.
 * Source: query-hotpluggable-cpus and query-cpus-fast, qapi/machine.json. */

#include "guest/vcpu.h"
#include "lib/json.h"

/* What QEMU says of a unit; the data of each unit of a table that came from here. */
typedef struct QemuUnit {
        char *driver;           /* for device_add; NULL where the machine cannot plug CPUs */
        char *slot;             /* the properties of device_add but the cell, in one order: "core-id=0,socket-id=1" */
        uint32_t cell;          /* what device_add is told of it; ID_NONE: nothing */
        char *path;             /* in QEMU's tree of objects; NULL while the unit is off */
} QemuUnit;

/* Makes a table out of the values that the two commands returned. "hotpluggable" is NULL
 * for a machine that refuses the command; then every vCPU stays as it is.
 *
 * The two were answered one after the other, and a CPU may have come or gone in
 * between: what is in one of them only leaves the table unsettled, and is no error.
 * Whatever else is wrong is BackendFailed. */
int qemu_cpus_parse(JsonObject *hotpluggable, JsonObject *cpus_fast, Error *error, VcpuTable **ret);

/* The id under which device_del knows a unit; NULL if QEMU gave it none. */
const char *qemu_unit_id(const PlugUnit *unit);

/* The arguments of the device_add that plugs a unit and calls it "id".
 * Returns -EOPNOTSUPP where the machine cannot plug CPUs. */
int qemu_unit_arguments(const PlugUnit *unit, const char *id, JsonObject **ret);

/* The unit that is at a path of QEMU's objects, or that something at the path is a part
 * of, as events name it; NULL if there is none. */
const PlugUnit *qemu_cpus_find_path(const VcpuTable *table, const char *path);
