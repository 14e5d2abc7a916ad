/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A connection to a QEMU monitor (QMP): greeting, capabilities, commands with ids and
 * deadlines, events.
 * Source: QEMU's docs/interop/qmp-spec. */

#include <systemd/sd-event.h>

#include "lib/json.h"

typedef struct Qmp Qmp;
typedef struct QmpCommand QmpCommand;

/* How a command ended. Everything in it belongs to the connection. */
typedef struct QmpResult {
        int error;                      /* 0; -EREMOTEIO: QEMU refused; -ETIMEDOUT; -ECONNRESET: the connection ended */
        JsonObject *value;              /* what "return" holds, if there was no error; NULL for null */
        const char *class;              /* of the error, if QEMU refused */
        const char *description;        /* one sentence, in every error */
} QmpResult;

typedef void (*QmpDone)(const QmpResult *result, void *userdata);

typedef struct QmpHandlers {
        /* The monitor has greeted and taken our capabilities: commands may be sent. */
        void (*ready)(void *userdata);
        void (*event)(const char *name, JsonObject *data, void *userdata);      /* data may be NULL */
        /* It is over; every command was ended before. Called once. */
        void (*closed)(const char *reason, void *userdata);
} QmpHandlers;

/* Takes over a connected socket, also on failure. The connection may be freed from any
 * handler, "done" of a command included. How long it waits for the greeting is for the
 * owner to say: a guest that preallocates greets late, and a monitor that somebody else
 * holds not before that one has left. */
int qmp_new(sd_event *event, int fd, const QmpHandlers *handlers, void *userdata, Qmp **ret);

/* Somebody before us has used this connection, who may have been in the middle of anything:
 * instead of waiting for a greeting, makes sure that the capabilities are negotiated,
 * and passes over all that comes before the answer. "ready" follows. To be called
 * right after qmp_new(). A monitor that does not answer is asked again. */
int qmp_resume(Qmp *qmp);

/* How long the monitor may take for its capabilities once it has greeted; 5 s if this is
 * not called. It is dropped then. */
void qmp_set_negotiation_timeout(Qmp *qmp, uint64_t timeout_usec);

/* Commands that are open end with -ECONNRESET, but for those that were dropped. */
Qmp *qmp_free(Qmp *qmp);
DEFINE_CLEANUP(Qmp *, qmp_free)

bool qmp_is_ready(const Qmp *qmp);

/* Sends a command; "arguments" (or NULL) is taken over, also on failure. "done" is called
 * once and later, if this returns 0. "ret_command" (or NULL) names it for
 * qmp_command_drop(), until "done" is called or the connection is freed.
 * Returns -ENOTCONN if the monitor is not ready or the connection is over, -ENOBUFS if it
 * does not read (it is dropped then), -ENOMEM. */
int qmp_execute(Qmp *qmp, const char *command, JsonObject *arguments, uint64_t timeout_usec,
                QmpDone done, void *userdata, QmpCommand **ret_command);

/* Nobody wants to hear how it ends any more. NULL does nothing. */
QmpCommand *qmp_command_drop(QmpCommand *command);
DEFINE_CLEANUP(QmpCommand *, qmp_command_drop)

/* How often it sent what nobody had asked for: answers without a command, or too late for
 * theirs; a second greeting. For tests. */
uint64_t qmp_strays(const Qmp *qmp);
int qmp_fd(const Qmp *qmp);
