/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Guests whose monitor was handed over as a connected descriptor. Under systemd they
 * are kept over restarts of this service: the descriptors in its descriptor store,
 * the rest in <runtime-dir>/registered. */

#include "guest/backend.h"
#include "guest/qemu/guest.h"

#define QEMU_REGISTERED_MAX 1024u

typedef struct QemuRegistered QemuRegistered;

/* What somebody hands over; nothing of it is taken, descriptors are duplicated. */
typedef struct QemuHandover {
        const char *name;               /* one that can be */
        int qmp;
        int pidfd;                      /* -1: the process is the peer of "qmp" */
        int agent;                      /* -1: there is none */
} QemuHandover;

/* "domain" is NULL if it failed. */
typedef void (*QemuRegisteredDone)(int result, const Error *error, Domain *domain, void *userdata);

/* "guests" must outlive it. */
int qemu_registered_new(Guests *guests, const char *runtime_dir, QemuRegistered **ret);

/* The guests stay in the store. */
QemuRegistered *qemu_registered_free(QemuRegistered *registered);
DEFINE_CLEANUP(QemuRegistered *, qemu_registered_free)

/* Follows those again that an earlier service had: with descriptors of these names. Those
 * that belong to nothing are closed, and removed from the store. All are taken. */
void qemu_registered_restore(QemuRegistered *registered, const int *fds, const char *const *names, size_t n);

/* The same with those that systemd has handed to us, if it has. Once, at the start. */
void qemu_registered_restore_stored(QemuRegistered *registered);

/* Whether all is of the right kind.
 * Source: SO_DOMAIN, SO_TYPE, SO_ACCEPTCONN, getpeername(2), /proc/self/fdinfo.
 * Errors: InvalidArgs, NotRunning if the process has ended, AlreadyExists if a guest of
 * this name runs or the monitor is registered, ResourceExhausted. */
int qemu_registered_check(const QemuRegistered *registered, const QemuHandover *handover, Error *error);

/* Whether this user may hand it over: root, and whose process it is.
 * Errors: AccessDenied with both users, NotRunning. */
int qemu_registered_check_user(const QemuHandover *handover, uid_t uid, Error *error);

/* Follows it from now on, if the user may; "done" is called once and later: when its domain
 * is announced, or with BackendFailed if it ends before. */
int qemu_registered_add(QemuRegistered *registered, const QemuHandover *handover, uid_t uid,
                        QemuRegisteredDone done, void *userdata, Error *error);

bool qemu_registered_has(const QemuRegistered *registered, const Domain *domain);

/* Lets go of a guest that qemu_registered_has(). Its domain is freed, or off. */
void qemu_registered_remove(QemuRegistered *registered, Domain *domain);
