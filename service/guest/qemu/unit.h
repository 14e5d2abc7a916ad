/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Units of vCPUs plugged into and unplugged from one running QEMU.
 * Source: device_add and device_del, qapi/qdev.json; the events DEVICE_DELETED,
 * DEVICE_UNPLUG_GUEST_ERROR, ACPI_DEVICE_OST. */

#include "guest/backend.h"
#include "guest/qemu/guest.h"

/* QemuUnits is what was asked of one guest and is not there yet, or not gone yet. */

int qemu_units_new(QemuGuest *guest, QemuUnits **ret);

/* Whoever waits is answered with NotRunning. */
QemuUnits *qemu_units_free(QemuUnits *units);
DEFINE_CLEANUP(QemuUnits *, qemu_units_free)

/* See Backend.set_unit; one at a time, else Busy. */
int qemu_units_set(QemuUnits *units, uint32_t vcpu, bool enable, uint64_t timeout_usec,
                   BackendDone done, void *userdata, Error *error);

/* An event came. */
void qemu_units_event(QemuUnits *units, const char *name, JsonObject *data);

/* domain->vcpus were read anew. */
void qemu_units_looked(QemuUnits *units);
