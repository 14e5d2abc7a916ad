/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One running QEMU behind its monitor, from the connection to its end: it makes the
 * domain or takes over the one that was off, asks what is to be known, and asks again
 * when an event says so. */

#include "guest/backend.h"
#include "guest/process.h"
#include "guest/qemu/qmp.h"
#include "guest/qemu/watch.h"
#include "lib/json.h"

typedef struct QemuAgent QemuAgent;
typedef struct QemuGuest QemuGuest;
typedef struct QemuIothreads QemuIothreads;
typedef struct QemuUnits QemuUnits;

/* The connection has ended: the guest's owner frees it, here or later, and no later
 * than itself. "reason" is a constant. */
typedef void (*QemuGuestEnded)(QemuGuest *guest, const char *reason, void *userdata);

/* "fd" is a socket that is connected to the monitor; it and the process are taken over, also
 * on failure. "pid" is 0 and "process" NULL where they are not known. The folder is
 * the guest's, which must outlive it; NULL if it has none. */
int qemu_guest_new(Guests *guests, const char *name, int fd, pid_t pid, Process *process, QemuFolder *folder,
                   QemuGuestEnded ended, void *userdata, QemuGuest **ret);

/* The connection is one that an earlier service had: see qmp_resume(). Right after
 * qemu_guest_new(). */
int qemu_guest_resume(QemuGuest *guest);

/* Called once when the domain is announced, and not before this returns: when all is known of it, or
 * its monitor has been silent for too long. */
void qemu_guest_when_announced(QemuGuest *guest, void (*announced)(QemuGuest *guest, void *userdata), void *userdata);

/* Its run is over: what is pending ends with NotRunning, then the domain is turned off or
 * freed. */
QemuGuest *qemu_guest_free(QemuGuest *guest);
DEFINE_CLEANUP(QemuGuest *, qemu_guest_free)

/* That of a domain whose backend is QEMU; NULL if it does not run any more. */
QemuGuest *qemu_guest_of(const Domain *domain);

Domain *qemu_guest_domain(const QemuGuest *guest);
QemuFolder *qemu_guest_folder(const QemuGuest *guest);

/* Commands can be sent through it once qmp_is_ready(); never NULL. */
Qmp *qemu_guest_qmp(const QemuGuest *guest);

QemuUnits *qemu_guest_units(const QemuGuest *guest);

/* A socket that is connected to its agent was handed over: it is used instead of one in
 * the folder, and kept open until the guest is gone. */
void qemu_guest_take_agent(QemuGuest *guest, int fd);

/* The question for them that is on its way: iothreads.c. */
QemuIothreads **qemu_guest_iothreads(QemuGuest *guest);

QemuAgent *qemu_guest_agent(const QemuGuest *guest);

/* Asks for the vCPUs anew, now; domain_take_vcpus() comes with the answer. For who has
 * just changed them, or waits for it at intervals of its own; events are no such reason. */
void qemu_guest_look_at_vcpus(QemuGuest *guest);
