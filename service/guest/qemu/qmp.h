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
        JsonObject *value;              /* what "return" holds, if there was no error */
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

/* Takes over a connected socket. The connection may be freed from any handler. */
int qmp_new(sd_event *event, int fd, const QmpHandlers *handlers, void *userdata, Qmp **ret);

/* Commands that are open end with -ECONNRESET, but for those that were dropped. */
Qmp *qmp_free(Qmp *qmp);
DEFINE_CLEANUP(Qmp *, qmp_free)

bool qmp_is_ready(const Qmp *qmp);

/* Sends a command; "arguments" (or NULL) is taken over. "done" is called once, later.
 * "ret_command" (or NULL) names it for qmp_command_drop(), until "done" is called. */
int qmp_execute(Qmp *qmp, const char *command, JsonObject *arguments, uint64_t timeout_usec,
                QmpDone done, void *userdata, QmpCommand **ret_command);

/* Nobody wants to hear how it ends any more. NULL does nothing. */
QmpCommand *qmp_command_drop(QmpCommand *command);
DEFINE_CLEANUP(QmpCommand *, qmp_command_drop)

/* Answers that nobody had asked for. For tests. */
uint64_t qmp_strays(const Qmp *qmp);
int qmp_fd(const Qmp *qmp);
