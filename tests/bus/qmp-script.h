/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A monitor that does what the test says: a QEMU without the guest, for what a real one
 * does never or seldom. */

#include <gio/gio.h>

typedef struct QmpScript QmpScript;

/* Listens at a path. Nobody is greeted before qmp_script_greet(). */
QmpScript *qmp_script_new(const char *path);
void qmp_script_free(QmpScript *script);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpScript, qmp_script_free)

/* What a command is answered from here on: the JSON of "return". Without one it is
 * refused. */
void qmp_script_answer(QmpScript *script, const char *command, const char *json);

/* Takes the connection that waits, or waits for one, and greets. */
void qmp_script_greet(QmpScript *script);

/* Takes it, and says this instead. */
void qmp_script_say(QmpScript *script, const char *bytes);

/* Ends the connection; the next greeting is for another. */
void qmp_script_hang_up(QmpScript *script);

/* Waits until the other end has hung up. */
void qmp_script_wait_end(QmpScript *script);

/* How often a command came. */
guint qmp_script_asked(const QmpScript *script, const char *command);

/* An event. */
void qmp_script_event(QmpScript *script, const char *name);
