/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A QEMU as its monitor shows it, without the machine: one vCPU for each socket, and for
 * each a thread that exists, in the test's own process, which is the monitor's. It plugs
 * what it is asked to; what it is asked to unplug waits for the test. */

#include "place.h"
#include "qmp-script.h"

#define SCRIPTED_UUID "12345678-1234-1234-1234-1234567890ab"
#define SCRIPTED_MAX 16

typedef struct ScriptedVcpu {
        char *id;                       /* of the device; "" of one that the machine made; NULL: not there */
        GThread *thread;
        pid_t tid;
} ScriptedVcpu;

typedef struct ScriptedGuest {
        QmpScript *qmp;
        ScriptedVcpu vcpus[SCRIPTED_MAX];
        guint maximum;
        gboolean obeys;                 /* gives back at once what it is asked for, with the event */
        GMutex mutex;
        GCond cond;
        gboolean stop;                  /* the threads end */
} ScriptedGuest;

/* Listens; with vCPUs 0 to n-1, all but the first removable. */
ScriptedGuest *scripted_guest_new(const Place *place, const char *name, guint n, guint maximum);
void scripted_guest_free(ScriptedGuest *guest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ScriptedGuest, scripted_guest_free)

/* Greets, and waits until the service shows it with its vCPUs. */
void scripted_guest_show(ScriptedGuest *guest, Place *place, const char *name);
void scripted_guest_hang_up(ScriptedGuest *guest);

/* The guest gives one back, with the event or without. */
void scripted_guest_remove(ScriptedGuest *guest, guint vcpu, gboolean tell);

/* It refuses: "DEVICE_UNPLUG_GUEST_ERROR", or "ACPI_DEVICE_OST" with a status. */
void scripted_guest_refuse(ScriptedGuest *guest, guint vcpu, const char *event, int status);

guint scripted_guest_count(const ScriptedGuest *guest);
